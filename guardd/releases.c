/* SPDX-License-Identifier: Apache-2.0 */
/* See releases.h. Clients choose names, so the table is bounded: what only a few clients ever used,
 * and longest ago, gives its place. */
#include "releases.h"

#include <string.h>

static bool is_blocked_here(const struct guard_record_head *head)
{
    enum { FORBIDDEN = 403 };
    return head->decision == GUARD_BLOCK && head->status == FORBIDDEN;
}

static bool over(const struct release *release, uint64_t now_ms)
{
    return release->state == RELEASE_LET_IN && now_ms >= release->until_ms;
}

/* Whom the table misses least. */
static bool is_missed_less(const struct release *a, const struct release *b)
{
    if ((a->state == RELEASE_WAITING) != (b->state == RELEASE_WAITING))
        return a->state == RELEASE_WAITING;
    if (a->client_count != b->client_count)
        return a->client_count < b->client_count;
    return a->last_ms < b->last_ms;
}

static struct release *find(struct releases *releases, uint64_t element, uint64_t now_ms)
{
    struct release *least = &releases->list[0];
    for (uint32_t i = 0; i < releases->count; i++) {
        struct release *release = &releases->list[i];
        if (release->element == element)
            return release;
        if (is_missed_less(release, least))
            least = release;
    }
    if (releases->count < RELEASES_WATCHED)
        least = &releases->list[releases->count++];
    *least = (struct release){.element = element, .first_ms = now_ms};
    return least;
}

static void add_client(struct release *release, uint64_t client)
{
    for (uint32_t i = 0; i < release->client_count; i++) {
        if (release->clients[i] == client)
            return;
    }
    if (release->client_count < RELEASES_CLIENTS)
        release->clients[release->client_count++] = client;
}

/* Blocked: who wanted it. */
static bool wanted(struct release *release, uint64_t client, uint64_t now_ms, uint64_t window_ms)
{
    bool late =
        release->state != RELEASE_LET_IN && now_ms - release->first_ms > RELEASES_TOGETHER_MS;
    if (late || over(release, now_ms)) {
        *release = (struct release){
            .element = release->element, .first_ms = now_ms, .state = release->state};
        if (release->state == RELEASE_LET_IN)
            release->state = RELEASE_WAITING;
    }
    release->last_ms = now_ms;
    release->untenured += client == 0;
    if (client == 0 || release->state != RELEASE_WAITING)
        return false;
    add_client(release, client);
    if (release->client_count < RELEASES_CLIENTS)
        return false;
    release->state = RELEASE_LET_IN;
    release->saved = false;
    release->until_ms = now_ms + window_ms;
    return window_ms > 0;
}

/* Let through: what the service made of it. */
static bool answered(struct release *release, const struct guard_record_head *head)
{
    if (release->state != RELEASE_LET_IN || head->status == 0)
        return false;
    release->served += head->status < 400;
    release->refused += head->status >= 400;
    if (release->refused < RELEASES_REFUSALS || release->refused <= release->served)
        return false;
    release->state = RELEASE_REFUSED;
    return true;
}

static struct release *known(struct releases *releases, uint64_t element)
{
    for (uint32_t i = 0; i < releases->count; i++) {
        if (releases->list[i].element == element)
            return &releases->list[i];
    }
    return NULL;
}

bool releases_observe(struct releases *releases, const struct guard_record_head *head,
                      uint64_t client, uint64_t now_ms, uint64_t window_ms)
{
    bool changed = false;
    for (uint32_t i = 0; i < head->novel_count; i++) {
        uint64_t element = head->novel_elements[i];
        if (element == 0)
            continue;
        if (is_blocked_here(head)) {
            releases->changed = true;
            changed |= wanted(find(releases, element, now_ms), client, now_ms, window_ms);
        } else {
            struct release *release = known(releases, element);
            releases->changed = releases->changed || release != NULL;
            changed |= release != NULL && answered(release, head);
        }
    }
    return changed;
}

bool releases_saved(struct releases *releases)
{
    bool told = false;
    if (releases->changed) /* what isn't written to takes no memory */
        releases->changed = false;
    for (uint32_t i = 0; i < releases->count; i++) {
        struct release *release = &releases->list[i];
        told = told || (release->state == RELEASE_LET_IN && !release->saved);
        release->saved = release->state == RELEASE_LET_IN;
    }
    return told;
}

uint32_t releases_let_in(const struct releases *releases, uint64_t now_ms,
                         struct guard_policy_release out[GUARD_POLICY_RELEASES])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < releases->count && count < GUARD_POLICY_RELEASES; i++) {
        const struct release *release = &releases->list[i];
        if (release->state == RELEASE_LET_IN && release->saved && !over(release, now_ms))
            out[count++] = (struct guard_policy_release){release->element, release->until_ms};
    }
    return count;
}

uint32_t releases_count(const struct releases *releases, enum release_state state, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < releases->count; i++)
        count += releases->list[i].state == state && !over(&releases->list[i], now_ms);
    return count;
}
