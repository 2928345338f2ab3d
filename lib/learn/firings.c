/* SPDX-License-Identifier: Apache-2.0 */
/* See firings.h. Sums over all but the loudest units; the set that is left out is the one that
 * weighs less than trust asks for and fires most. */
#include "learn/firings.h"

#include "base/arena.h"

enum { BLOCK_FIRINGS = 254 };

/* pool: family * GD_SIZES + size. */
struct firing {
    uint32_t pool;
    uint32_t tag;
};

struct gd_firings_block {
    struct gd_firings_block *next;
    uint32_t count;
    struct firing items[BLOCK_FIRINGS];
};

static void keep_most(uint64_t most[GD_TAGS_MAX], uint64_t fires)
{
    uint32_t at = GD_TAGS_MAX;
    while (at > 0 && most[at - 1] < fires)
        at--;
    if (at == GD_TAGS_MAX)
        return;
    memmove(most + at + 1, most + at, (GD_TAGS_MAX - 1 - at) * sizeof(*most));
    most[at] = fires;
}

void gd_loudest_add(struct gd_loudest *loudest, uint32_t tag, uint64_t fires)
{
    loudest->total += fires;
    keep_most((tag & 1) != 0 ? loudest->strong : loudest->weak, fires);
}

static uint64_t sum_of(const uint64_t most[GD_TAGS_MAX], uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count && i < GD_TAGS_MAX; i++)
        sum += most[i];
    return sum;
}

/* Tries each split of the weight that D units lack by a hair, between strong and weak units. */
uint64_t gd_loudest_left(const struct gd_loudest *loudest, const struct gd_trust *trust)
{
    uint64_t most = 0;
    uint32_t weight = trust->weight > 0 ? trust->weight - 1 : 0;
    for (uint32_t strong = 0; strong * GD_WEIGHT_STRONG <= weight; strong++) {
        uint32_t weak = (weight - strong * GD_WEIGHT_STRONG) / GD_WEIGHT_WEAK;
        uint64_t sum =
            sum_of(loudest->strong, strong) + sum_of(loudest->weak, trust->anonymous ? 0 : weak);
        most = sum > most ? sum : most;
    }
    return loudest->total - most;
}

enum guard_rc gd_firings_add(struct gd_firings *firings, enum gd_estimate estimate,
                             enum guard_rule rule, enum gd_family family, uint32_t size,
                             uint32_t tag, struct guard_arena *arena)
{
    struct gd_firings_block *block = firings->blocks[estimate][rule];
    if (block == NULL || block->count == BLOCK_FIRINGS) {
        struct gd_firings_block *fresh = gd_arena_get(arena, sizeof(*fresh));
        if (fresh == NULL)
            return GUARD_E_NOMEM;
        fresh->next = block;
        fresh->count = 0;
        firings->blocks[estimate][rule] = block = fresh;
    }
    block->items[block->count++] = (struct firing){(uint32_t)family * GD_SIZES + size, tag};
    firings->counts[estimate][rule]++;
    return GUARD_OK;
}

static int order_firings(const void *left, const void *right)
{
    const struct firing *a = left;
    const struct firing *b = right;
    if (a->pool != b->pool)
        return a->pool < b->pool ? -1 : 1;
    return (a->tag > b->tag) - (a->tag < b->tag);
}

/* Sorts the firings; what counts of each pool goes to its measure. */
static void settle_pools(struct firing *items, uint64_t count, const struct gd_trust *trust,
                         struct gd_measure *measures)
{
    gd_sort(items, sizeof(*items), count, order_firings);
    for (uint64_t i = 0, end; i < count; i = end) {
        struct gd_loudest loudest = {0};
        for (end = i; end < count && items[end].pool == items[i].pool;) {
            uint64_t from = end;
            while (end < count && items[end].pool == items[i].pool &&
                   items[end].tag == items[from].tag)
                end++;
            gd_loudest_add(&loudest, items[from].tag, end - from);
        }
        measures[items[i].pool].fires += gd_loudest_left(&loudest, trust);
    }
}

static enum guard_rc settle_rule(const struct gd_firings *firings, enum gd_estimate estimate,
                                 enum guard_rule rule, const struct gd_trust *trust,
                                 struct gd_pools *pools, struct guard_arena *arena)
{
    uint64_t count = firings->counts[estimate][rule], len = 0;
    if (count == 0)
        return GUARD_OK;
    struct firing *items = gd_arena_get(arena, (size_t)count * sizeof(*items));
    if (items == NULL)
        return GUARD_E_NOMEM;
    for (const struct gd_firings_block *block = firings->blocks[estimate][rule]; block != NULL;
         block = block->next) {
        memcpy(items + len, block->items, block->count * sizeof(*items));
        len += block->count;
    }
    settle_pools(items, count, trust, pools->families[estimate][rule][0]);
    for (uint64_t i = 0; i < count; i++)
        items[i].pool %= GD_SIZES;
    settle_pools(items, count, trust, pools->sizes[estimate][rule]);
    for (uint64_t i = 0; i < count; i++)
        items[i].pool = 0;
    settle_pools(items, count, trust, &pools->all[estimate][rule]);
    return GUARD_OK;
}

enum guard_rc gd_firings_settle(const struct gd_firings *firings, const struct gd_trust *trust,
                                struct gd_pools *pools, struct guard_arena *arena)
{
    for (uint32_t estimate = 0; estimate < GD_ESTIMATE_COUNT; estimate++) {
        for (uint32_t rule = 0; rule < GUARD_RULE_COUNT; rule++)
            GUARD_TRY(settle_rule(firings, (enum gd_estimate)estimate, (enum guard_rule)rule, trust,
                                  pools, arena));
    }
    return GUARD_OK;
}

uint64_t gd_firings_counted(const struct gd_trust *trust, uint32_t *tags, size_t count)
{
    struct gd_loudest loudest = {0};
    gd_sort_tags(tags, count);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && tags[end] == tags[i]; end++)
            continue;
        gd_loudest_add(&loudest, tags[i], end - i);
    }
    return gd_loudest_left(&loudest, trust);
}
