/* SPDX-License-Identifier: Apache-2.0 */
/* Names are <producer>-<incarnation>-<number>.pods, so their order is that of each producer's files
 * but for clocks that were set back. Two listings, one after the other: whatever stands in the
 * first was made before that ended, and so was everything that its producer made before it, which
 * the second can't miss. So of each producer is taken what the second tells up to the first name
 * that the first listing doesn't vouch for. */
#include "listing.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static const char suffix[] = ".pods";

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    return len >= sizeof(suffix) && len < POD_LISTING_NAME && name[0] != '.' &&
           strcmp(name + len - (sizeof(suffix) - 1), suffix) == 0;
}

/* Keeps the lowest ones, sorted. */
static void offer(struct pod_listing_names *names, const char *name)
{
    uint32_t at = names->count;
    while (at > 0 && strcmp(names->list[at - 1], name) > 0)
        at--;
    if (at == POD_LISTING_ROUND)
        return;
    uint32_t last = names->count < POD_LISTING_ROUND ? names->count++ : POD_LISTING_ROUND - 1;
    memmove(names->list[at + 1], names->list[at], (size_t)(last - at) * POD_LISTING_NAME);
    memcpy(names->list[at], name, strlen(name) + 1); /* is_name: it fits */
}

static void list(struct pod_listing_names *names, const char *dir, const char *after,
                 pod_listing_known *known, const void *ctx)
{
    names->count = 0;
    DIR *open = opendir(dir);
    for (struct dirent *entry = NULL; open != NULL && (entry = readdir(open)) != NULL;) {
        if (is_name(entry->d_name) && strcmp(entry->d_name, after) > 0 &&
            !known(ctx, entry->d_name))
            offer(names, entry->d_name);
    }
    if (open != NULL)
        closedir(open);
}

/* Up to the first hyphen; what has none is of its own. */
static size_t producer_len(const char *name)
{
    return strcspn(name, "-");
}

static bool is_of_same(const char *name, const char *other)
{
    size_t len = producer_len(name);
    return producer_len(other) == len && memcmp(name, other, len) == 0;
}

/* Up to the last one. */
static size_t incarnation_len(const char *name)
{
    const char *last = strrchr(name, '-');
    return last != NULL ? (size_t)(last - name) : strlen(name);
}

static bool is_held(const struct pod_listing *listing, const char *name)
{
    size_t len = producer_len(name);
    return listing->held[0] != '\0' && strncmp(listing->held, name, len) == 0 &&
           listing->held[len] == '\0';
}

static void hold(struct pod_listing *listing, const char *name)
{
    size_t len = producer_len(name);
    memcpy(listing->held, name, len);
    listing->held[len] = '\0';
}

/* Whether it was there when the first listing was made: that has its name, or one that the same
 * incarnation made later. *at: where in the first listing it would stand; only grows. */
static bool is_vouched(const struct pod_listing_names *first, const char *name, uint32_t *at)
{
    while (*at < first->count && strcmp(first->list[*at], name) < 0)
        ++*at;
    size_t len = incarnation_len(name);
    return *at < first->count && incarnation_len(first->list[*at]) == len &&
           memcmp(first->list[*at], name, len) == 0;
}

/* Producers stand one behind the other, so there is never more than one that is held. */
static void choose(struct pod_listing *listing)
{
    struct pod_listing_names *found = &listing->found;
    uint32_t kept = 0, at = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        const char *name = found->list[i];
        if (is_held(listing, name))
            continue;
        if (!is_vouched(&listing->first, name, &at)) {
            hold(listing, name);
            continue;
        }
        if (kept != i)
            memcpy(found->list[kept], name, POD_LISTING_NAME);
        kept++;
    }
    found->count = kept;
}

void pod_listing_look(struct pod_listing *listing, const char *dir, pod_listing_known *known,
                      const void *ctx)
{
    if (pod_listing_is_over(listing))
        listing->held[0] = '\0';
    listing->at = listing->found.count = 0;
    list(&listing->first, dir, listing->after, known, ctx);
    if (listing->first.count > 0)
        list(&listing->found, dir, listing->after, known, ctx);
    /* What waits keeps nobody waiting: the next look goes on behind it. */
    if (listing->found.count == POD_LISTING_ROUND)
        memcpy(listing->after, listing->found.list[POD_LISTING_ROUND - 1], POD_LISTING_NAME);
    else
        listing->after[0] = '\0';
    choose(listing);
}

bool pod_listing_is_over(const struct pod_listing *listing)
{
    return listing->after[0] == '\0';
}

const char *pod_listing_name(const struct pod_listing *listing)
{
    return listing->at < listing->found.count ? listing->found.list[listing->at] : NULL;
}

void pod_listing_next(struct pod_listing *listing)
{
    listing->at++;
}

/* Of its producer the next look can meet more only if this one ended with it; another one that is
 * held stays so. */
void pod_listing_hold(struct pod_listing *listing)
{
    const char *name = listing->found.list[listing->at];
    if (is_of_same(name, listing->after))
        hold(listing, name);
    while (listing->at < listing->found.count && is_of_same(name, listing->found.list[listing->at]))
        listing->at++;
}

void pod_listing_restart(struct pod_listing *listing)
{
    listing->found.count = listing->at = 0;
    listing->after[0] = '\0';
}
