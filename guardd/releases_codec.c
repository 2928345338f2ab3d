/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a table of releases, for the store. What comes back is checked as if a stranger had
 * written it; who wanted a thing is kept only as long as it may matter. */
#include "releases.h"

#include <string.h>

enum { MAGIC = 0x314c4552 /* "REL1" */, HEAD = 6, FIXED = 4 * 8 + 3 * 4 + 2 };

_Static_assert(RELEASES_BYTES_MAX ==
                   HEAD + (size_t)RELEASES_WATCHED * (FIXED + 8 * RELEASES_CLIENTS),
               "room for a full table");

static uint8_t *put(uint8_t *at, uint64_t number, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++)
        *at++ = (uint8_t)(number >> (8 * i));
    return at;
}

static uint64_t get(const uint8_t **at, uint32_t width)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < width; i++)
        number |= (uint64_t) * (*at)++ << (8 * i);
    return number;
}

static uint8_t *put_release(uint8_t *at, const struct release *release)
{
    bool waiting = release->state == RELEASE_WAITING;
    at = put(at, release->element, 8);
    at = put(at, release->first_ms, 8);
    at = put(at, release->last_ms, 8);
    at = put(at, release->until_ms, 8);
    at = put(at, release->untenured, 4);
    at = put(at, release->served, 4);
    at = put(at, release->refused, 4);
    at = put(at, release->state, 1);
    at = put(at, release->client_count, 1);
    for (uint32_t i = 0; waiting && i < release->client_count; i++)
        at = put(at, release->clients[i], 8);
    return at;
}

size_t releases_encode(const struct releases *releases, uint64_t now_ms,
                       uint8_t out[RELEASES_BYTES_MAX])
{
    uint8_t *at = out + HEAD;
    uint32_t count = 0;
    for (uint32_t i = 0; i < releases->count; i++) {
        const struct release *release = &releases->list[i];
        if (release->state == RELEASE_WAITING && now_ms > release->first_ms &&
            now_ms - release->first_ms > RELEASES_TOGETHER_MS)
            continue; /* begins anew with whoever wants it next */
        at = put_release(at, release);
        count++;
    }
    put(put(out, MAGIC, 4), count, 2);
    return (size_t)(at - out);
}

static bool get_release(struct release *out, const uint8_t **at, const uint8_t *end)
{
    if (end - *at < FIXED)
        return false;
    out->element = get(at, 8);
    out->first_ms = get(at, 8);
    out->last_ms = get(at, 8);
    out->until_ms = get(at, 8);
    out->untenured = (uint32_t)get(at, 4);
    out->served = (uint32_t)get(at, 4);
    out->refused = (uint32_t)get(at, 4);
    out->state = (enum release_state)get(at, 1);
    out->client_count = (uint32_t)get(at, 1);
    if (out->element == 0 || out->state > RELEASE_REFUSED || out->client_count > RELEASES_CLIENTS)
        return false;
    out->saved = out->state == RELEASE_LET_IN;
    uint32_t clients = out->state == RELEASE_WAITING ? out->client_count : 0;
    if (end - *at < (ptrdiff_t)clients * 8)
        return false;
    for (uint32_t i = 0; i < clients; i++)
        out->clients[i] = get(at, 8);
    return true;
}

enum guard_rc releases_decode(struct releases *out, struct guard_span bytes)
{
    const uint8_t *at = bytes.ptr;
    const uint8_t *end = at + bytes.len;
    memset(out, 0, sizeof(*out));
    if (bytes.len < HEAD || get(&at, 4) != MAGIC)
        return GUARD_E_SYNTAX;
    uint32_t count = (uint32_t)get(&at, 2);
    bool good = count <= RELEASES_WATCHED;
    for (uint32_t i = 0; good && i < count; i++)
        good = get_release(&out->list[i], &at, end);
    if (!good || at != end) {
        memset(out, 0, sizeof(*out));
        return GUARD_E_SYNTAX;
    }
    out->count = count;
    return GUARD_OK;
}
