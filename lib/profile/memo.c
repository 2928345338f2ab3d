/* SPDX-License-Identifier: Apache-2.0 */
/* See memo.h. A header is kept when it comes for the second time, so that values that never come
 * again cost little. */
#include "profile/memo.h"

#include "profile/features.h"
#include "profile/short.h"

enum guard_rc guard_memo_new(struct guard_memo **out, const struct guard_alloc *alloc)
{
    struct guard_memo *memo = alloc->alloc(alloc->ctx, sizeof(*memo));
    *out = memo;
    if (memo == NULL)
        return GUARD_E_NOMEM;
    memset(memo, 0, sizeof(*memo));
    memo->alloc = *alloc;
    return GUARD_OK;
}

void guard_memo_free(struct guard_memo *memo)
{
    if (memo != NULL)
        memo->alloc.free(memo->alloc.ctx, memo);
}

/* Of both ends of both: who makes headers for one place only gets none remembered. */
static inline uint64_t mix(uint64_t seed, struct guard_span name, struct guard_span value)
{
    uint64_t words[4];
    gd_load_short(name, &words[0], &words[1]);
    gd_load_short(value, &words[2], &words[3]);
    gd_uint128 product =
        (gd_uint128)(words[0] ^ words[3] ^ seed) *
        (words[1] ^ words[2] * UINT64_C(0x9e3779b97f4a7c15) ^ (name.len << 8 | value.len));
    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static inline bool holds(const struct gd_memo_header *place, struct guard_span name,
                         struct guard_span value)
{
    return place->name_len == name.len && place->value_len == value.len &&
           memcmp(place->text, name.ptr, name.len) == 0 &&
           memcmp(place->text + name.len, value.ptr, value.len) == 0;
}

void gd_memo_look(struct gd_memo_visit *visit, struct guard_memo *memo, uint64_t seed,
                  struct guard_span name, struct guard_span value)
{
    visit->memo = NULL;
    visit->found = NULL;
    if (memo == NULL || value.len == 0 || name.len + value.len > GD_MEMO_TEXT)
        return;
    visit->memo = memo;
    visit->hash = mix(seed, name, value) | 1;
    visit->first = (uint32_t)(visit->hash >> 32) & (GD_MEMO_HEADERS - GD_MEMO_WAYS);
    const uint64_t *hashes = &memo->hashes[visit->first];
    for (uint32_t way = 0; way < GD_MEMO_WAYS; way++) {
        struct gd_memo_header *place = &memo->headers[visit->first + way];
        if (hashes[way] != visit->hash || !holds(place, name, value))
            continue;
        visit->found = place;
        return;
    }
}

static bool may_keep(struct guard_span name, struct guard_span value,
                     const struct gd_summary *summary)
{
    const uint64_t odd = UINT64_C(1) << GUARD_CLASS_CONTROL | UINT64_C(1) << GUARD_CLASS_INVALID;
    return (summary->classes & odd) == 0 && !summary->transitions_full &&
           summary->transitions == summary->inline_transitions && !gd_is_secret(name, value);
}

/* Whether it came once before; else that is noted, and the oldest such note is lost. */
static bool came_before(uint64_t candidates[GD_MEMO_WAYS], uint64_t hash)
{
    uint64_t newest = hash;
    for (uint32_t way = 0; way < GD_MEMO_WAYS; way++) {
        uint64_t older = candidates[way];
        candidates[way] = newest;
        if (older == hash) {
            candidates[0] = 0;
            return true;
        }
        newest = older;
    }
    return false;
}

/* A free one, else each in its turn: what comes all the time is soon back. */
static uint32_t place_to_take(struct guard_memo *memo, uint32_t first)
{
    for (uint32_t way = 0; way < GD_MEMO_WAYS; way++) {
        if (memo->hashes[first + way] == 0)
            return first + way;
    }
    return first + memo->next++ % GD_MEMO_WAYS;
}

void gd_memo_keep(const struct gd_memo_visit *visit, struct guard_span name,
                  struct guard_span value, const struct gd_summary *summary)
{
    if (visit->memo == NULL)
        return;
    if (!came_before(&visit->memo->candidates[visit->first], visit->hash) ||
        !may_keep(name, value, summary))
        return;
    uint32_t index = place_to_take(visit->memo, visit->first);
    struct gd_memo_header *place = &visit->memo->headers[index];
    /* A stamp that came again would tell an open exchange that its header is still here. */
    if (place->stamp == UINT32_MAX)
        return;
    visit->memo->hashes[index] = visit->hash;
    place->name_len = (uint16_t)name.len;
    place->value_len = (uint16_t)value.len;
    memcpy(place->text, name.ptr, name.len);
    memcpy(place->text + name.len, value.ptr, value.len);
    place->summary = *summary;
    gd_summary_moved(&place->summary, summary);
    place->stamp++;
    place->summary.memo_place = (uint16_t)(index + 1);
    place->summary.memo_stamp = place->stamp;
    place->record_len = 0;
    place->policy = 0;
}
