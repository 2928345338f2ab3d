/* SPDX-License-Identifier: Apache-2.0 */
/* For nodes that pass piles on: a ledger of which records came, apart from what they taught, and
 * one name for many sources, so that what goes up doesn't grow with how many are below. */
#include "learn/pile_state.h"

#include <inttypes.h>

/* The oldest go, at least one, and what is hardly newer with them. */
static void forget_oldest(struct gd_intervals *intervals)
{
    const uint64_t together_ms = UINT64_C(3600) * 1000;
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; i < intervals->count; i++) {
        uint64_t time = intervals->items[i].time_ms;
        if (time != 0 && time < oldest)
            oldest = time;
    }
    if (oldest == UINT64_MAX)
        intervals->count -= intervals->count / 4; /* none has a time */
    else
        gd_intervals_forget(intervals, oldest + together_ms);
}

enum guard_rc guard_pile_hold(struct guard_pile *ledger, const struct guard_pile *other,
                              enum guard_merge *outcome, struct guard_err *err)
{
    struct gd_interval where = {.producer = 0};
    struct gd_intervals united;
    if (ledger->broken || other->broken)
        return guard_fail(err, GUARD_E_STATE, "a pile was left incomplete when memory ran out");
    enum gd_relation relation = gd_intervals_relate(&ledger->intervals, &other->intervals, &where);
    *outcome = GUARD_MERGE_CONTAINED;
    if (relation == GD_RELATION_CONTAINED || relation == GD_RELATION_EQUAL)
        return GUARD_OK;
    if (relation != GD_RELATION_DISJOINT)
        return guard_fail(err, GUARD_E_OVERLAP,
                          "some records of producer %016" PRIx64 ", sequences %" PRIu64
                          " to %" PRIu64 ", came before, others didn't",
                          where.producer, where.first, where.last);
    while (ledger->intervals.count > 0 &&
           ledger->intervals.count + other->intervals.count > GD_INTERVALS_MAX)
        forget_oldest(&ledger->intervals);
    enum guard_rc rc =
        gd_intervals_unite(&ledger->tree.pool, &united, &ledger->intervals, &other->intervals);
    if (rc != GUARD_OK)
        return guard_fail(err, rc, "no room to remember which records came");
    gd_intervals_fini(&ledger->tree.pool, &ledger->intervals);
    ledger->intervals = united;
    *outcome = GUARD_MERGE_ADDED;
    return GUARD_OK;
}

void guard_pile_relabel(struct guard_pile *pile, const struct guard_source *source)
{
    struct gd_intervals *intervals = &pile->intervals;
    struct gd_interval whole = {source->producer, source->incarnation, source->sequence, 0, 0, 0};
    for (uint32_t i = 0; i < intervals->count; i++) {
        whole.count += intervals->items[i].count;
        if (intervals->items[i].time_ms > whole.time_ms)
            whole.time_ms = intervals->items[i].time_ms;
    }
    if (whole.count == 0)
        return;
    whole.last = whole.first + whole.count - 1;
    intervals->items[0] = whole;
    intervals->count = 1;
}
