/* SPDX-License-Identifier: Apache-2.0 */
/* Piles that others made, before they are merged: whoever runs a gate or an agent can write any
 * pile. What contradicts itself or speaks for others is refused, and what is left is made so small
 * that it counts no more than fewer than D clients do. docs/internals/pile.md says what that holds
 * off, and what not. */
#include "base/hash.h"
#include "learn/pile_state.h"
#include "sketch/kmv.h"

#include <inttypes.h>

enum {
    SHARE_STRONG = 2, /* units of a share, 2 and 1 halves of a client: */
    SHARE_WEAK = 2,   /* together less than D */
};
/* Tables that every free text fills: that they overflowed is believed. */
static const uint32_t usual_kinds = UINT32_C(1) << GD_KIND_LITERAL | UINT32_C(1)
                                                                         << GD_KIND_TRANSITION;
_Static_assert(SHARE_STRONG *GD_WEIGHT_STRONG + SHARE_WEAK * GD_WEIGHT_WEAK < GD_TAGS_MAX,
               "a share teaches nothing alone");

static bool listed(const struct guard_share *share, uint64_t producer)
{
    for (uint32_t i = 0; i < share->producer_count; i++) {
        if (share->producers[i] == producer)
            return true;
    }
    return share->producer_count == 0;
}

static enum guard_rc check_intervals(const struct guard_pile *pile, const struct guard_share *share,
                                     uint64_t *records, struct guard_err *err)
{
    *records = 0;
    for (uint32_t i = 0; i < pile->intervals.count; i++) {
        const struct gd_interval *interval = &pile->intervals.items[i];
        if (!listed(share, interval->producer))
            return guard_fail(err, GUARD_E_FOREIGN,
                              "holds records of producer %016" PRIx64
                              ", for which it may not speak",
                              interval->producer);
        if (__builtin_add_overflow(*records, interval->count, records))
            *records = UINT64_MAX;
    }
    return GUARD_OK;
}

/* The last slot that has begun, for a clock that may be one slot behind. */
static enum guard_rc check_times(const struct guard_pile *pile, uint64_t now_ms,
                                 struct guard_err *err)
{
    uint64_t slot = now_ms / GD_EPOCH_MS + 1;
    bool ahead = now_ms != 0 && pile->last_ms / GD_EPOCH_MS > slot;
    for (uint32_t i = 0; now_ms != 0 && i < pile->epochs.count; i++) {
        const struct gd_epoch *epoch = &pile->epochs.items[i];
        ahead = ahead || (epoch->tier == GD_TIER_FINE && epoch->id / GD_SUBS > slot) ||
                (epoch->tier == GD_TIER_DAY && epoch->id > slot / GD_DAY_SLOTS);
    }
    return ahead ? guard_fail(err, GUARD_E_RANGE, "holds records of a time to come") : GUARD_OK;
}

/* Each record is one of an interval; those of forgotten times are in the oldest epoch. */
static bool more_than_numbered(const struct guard_pile *pile, uint64_t records)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < pile->epochs.count; i++) {
        if (pile->epochs.items[i].tier != GD_TIER_PAST &&
            __builtin_add_overflow(sum, pile->tree.root->epoch_counts[i], &sum))
            return true;
    }
    return sum > records;
}

/* Who vouches for a cell vouches for what it is in, so far as that can be told of the lowest. */
static bool vouched_above(const struct gd_cell *cell)
{
    const struct gd_cell *above = cell->parent;
    const uint32_t *tags = above->client_tags != NULL ? above->client_tags : above->tags;
    uint32_t max = above->client_tags != NULL ? GD_KMV : GD_TAGS_MAX;
    uint32_t count = above->client_tags != NULL ? above->client_count : above->tag_count;
    for (uint32_t i = 0, at = 0; i < cell->tag_count; i++) {
        while (at < count && tags[at] < cell->tags[i])
            at++;
        if (at == count)
            return count == max;
        if (tags[at] != cell->tags[i])
            return false;
    }
    return true;
}

/* What every record touches above a cell it touches there, too; but for what failures touch. */
static bool adds_up(const struct gd_cell *cell)
{
    const struct gd_cell *above = cell->parent;
    if (above == NULL || (above->kind == GD_KIND_SERVICE &&
                          (cell->kind == GD_KIND_STATUS || cell->kind == GD_KIND_ANSWER)))
        return true;
    return cell->count <= above->count && (cell->epochs & ~above->epochs) == 0 &&
           vouched_above(cell);
}

/* Half of what a pile may hold there: with as much of others nothing is pushed out. */
static bool within_half(const struct guard_pile *pile, const struct gd_cell *cell)
{
    uint32_t half = pile->cells_max / 2;
    if (cell->scope == NULL)
        return true;
    for (uint32_t kind = GD_KIND_MEDIA; kind < GD_KIND_COUNT; kind++) {
        uint32_t cap = gd_pile_leaf_cap(pile, (enum gd_kind)kind);
        uint32_t size = cell->scope->first[kind + 1] - cell->scope->first[kind];
        if ((usual_kinds >> kind & 1) == 0 && cap != UINT32_MAX && size > (cap + 1) / 2)
            return false;
    }
    if (cell->kind == GD_KIND_NAME)
        return true;
    if (cell->kind != GD_KIND_SERVICE)
        return gd_tree_size(cell) - 1 <= gd_pile_subtree_cap(half, cell);
    uint32_t names = 0;
    for (uint32_t i = cell->scope->first[GD_KIND_NAME]; i < cell->scope->first[GD_KIND_NAME + 1];
         i++)
        names += gd_tree_size(cell->children[i]);
    return names <= half / 4 && pile->tree.cell_count <= half;
}

static enum guard_rc check_cells(const struct guard_pile *pile, uint64_t records,
                                 struct guard_err *err)
{
    if (more_than_numbered(pile, records))
        return guard_fail(err, GUARD_E_RANGE, "holds more records than it numbers");
    for (const struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell)) {
        if (!adds_up(cell))
            return guard_fail(err, GUARD_E_RANGE,
                              "a cell has more records, clients or epochs than what it is in");
        if ((cell->dropped_kinds & ~usual_kinds) != 0 || !within_half(pile, cell))
            return guard_fail(err, GUARD_E_LIMIT,
                              "holds more than half of what a pile may, or says that tables "
                              "overflowed");
    }
    return GUARD_OK;
}

/* Units of the share of its first producer. */
struct units {
    uint32_t strong[SHARE_STRONG];
    uint32_t weak[SHARE_WEAK];
};

static struct units units_of(const struct guard_pile *pile)
{
    struct units units;
    uint64_t named[2] = {pile->intervals.count > 0 ? pile->intervals.items[0].producer : 0, 0};
    for (uint64_t i = 0; i < SHARE_STRONG + SHARE_WEAK; i++) {
        named[1] = i;
        uint32_t hash = (uint32_t)gd_hash_fast(0, gd_span(named, sizeof(named))) & ~UINT32_C(1);
        if (i < SHARE_STRONG)
            units.strong[i] = hash | 1;
        else
            units.weak[i - SHARE_STRONG] = hash;
    }
    return units;
}

static uint32_t reduce_tags(const struct units *units, uint32_t *tags, uint32_t count)
{
    uint32_t reduced[SHARE_STRONG + SHARE_WEAK];
    uint32_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = tags[i] >> 1;
        uint32_t unit = (tags[i] & 1) != 0 ? units->strong[number % SHARE_STRONG]
                                           : units->weak[number % SHARE_WEAK];
        len = gd_bottom_add(reduced, len, SHARE_STRONG + SHARE_WEAK, unit);
    }
    memset(tags, 0, count * sizeof(*tags));
    memcpy(tags, reduced, len * sizeof(*tags));
    return len;
}

static uint64_t at_most(uint64_t count, uint64_t epochs, uint64_t units)
{
    uint64_t most = epochs * units * GD_UNIT_RECORDS;
    return count < most ? count : most;
}

/* It can't have been there before the first epoch in which it says that it was seen: a share makes
 * nothing old that others began to use today. */
static void lift_first(const struct guard_pile *pile, struct gd_cell *cell)
{
    const struct gd_epoch *epoch =
        cell->epochs != 0 ? &pile->epochs.items[__builtin_ctz(cell->epochs)] : NULL;
    if (epoch == NULL || epoch->tier == GD_TIER_PAST || cell->first_s == 0)
        return;
    uint64_t slot = epoch->tier == GD_TIER_FINE ? epoch->id / GD_SUBS : epoch->id * GD_DAY_SLOTS;
    uint64_t begin = slot > UINT64_MAX / GD_EPOCH_MS ? UINT64_MAX : slot * GD_EPOCH_MS;
    uint32_t begin_s = gd_cell_seconds(begin);
    cell->first_s = cell->first_s < begin_s ? begin_s : cell->first_s;
}

static void reduce_cell(const struct units *units, struct gd_cell *cell)
{
    cell->tag_count = (uint8_t)reduce_tags(units, cell->tags, cell->tag_count);
    cell->trusted = false;
    if (cell->scope != NULL)
        gd_tree_ceilings_forget(cell->scope);
    if (cell->epoch_counts == NULL) {
        cell->count =
            at_most(cell->count, (uint64_t)__builtin_popcount(cell->epochs), cell->tag_count);
        return;
    }
    cell->client_count = reduce_tags(units, cell->client_tags, cell->client_count);
    cell->tag_count =
        (uint8_t)gd_bottom_unite(cell->tags, 0, GD_TAGS_MAX, cell->client_tags, cell->client_count);
    cell->count = 0;
    for (uint32_t i = 0; i < GD_EPOCHS_MAX; i++) {
        cell->epoch_counts[i] = at_most(cell->epoch_counts[i], 1, cell->client_count);
        cell->count += cell->epoch_counts[i];
    }
}

/* One epoch for each slot of time: what evidence closes within, whoever writes a pile can claim,
 * and push out the epochs of others. */
static void reduce_epochs(const struct units *units, struct guard_pile *pile)
{
    uint8_t map[GD_EPOCHS_MAX] = {0};
    struct gd_epochs whole = {.count = 0};
    for (uint32_t i = 0; i < pile->epochs.count; i++) {
        struct gd_epoch epoch = pile->epochs.items[i];
        struct gd_epoch *last = whole.count > 0 ? &whole.items[whole.count - 1] : NULL;
        if (epoch.tier == GD_TIER_FINE)
            epoch.id -= epoch.id % GD_SUBS;
        if (last != NULL && last->tier == epoch.tier && last->id == epoch.id)
            last->tag_count = (uint8_t)gd_bottom_unite(last->tags, last->tag_count, GD_TAGS_MAX,
                                                       epoch.tags, epoch.tag_count);
        else
            whole.items[whole.count++] = epoch;
        map[i] = (uint8_t)(whole.count - 1);
    }
    for (uint32_t i = 0; i < whole.count; i++)
        whole.items[i].tag_count =
            (uint8_t)reduce_tags(units, whole.items[i].tags, whole.items[i].tag_count);
    pile->epochs = whole;
    gd_tree_remap(pile->tree.root, map);
}

/* What is protected is for who publishes to say. */
static void unprotect(struct guard_pile *pile)
{
    for (struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell)) {
        cell->trusted = false;
        if (cell->scope != NULL)
            gd_tree_ceilings_forget(cell->scope);
    }
    pile->basis = (struct gd_basis){.generation = 0};
    pile->trusted_count = 0;
}

static void reduce(struct guard_pile *pile)
{
    const struct units units = units_of(pile);
    reduce_epochs(&units, pile);
    for (struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell)) {
        reduce_cell(&units, cell);
        lift_first(pile, cell);
    }
    pile->basis = (struct gd_basis){.generation = 0};
    pile->trusted_count = 0;
    pile->anonymous = 0;
    pile->bounded = pile->cut = pile->overflowed = false;
    pile->ledger_epoch = 0;
    gd_ledger_clear(&pile->ledger);
}

enum guard_rc guard_pile_admit(struct guard_pile *pile, const struct guard_share *share,
                               struct guard_err *err)
{
    uint64_t records;
    if (pile->broken)
        return guard_fail(err, GUARD_E_STATE, "the pile was left incomplete when memory ran out");
    GUARD_TRY(check_intervals(pile, share, &records, err));
    GUARD_TRY(check_times(pile, share->now_ms, err));
    if (share->whole) {
        unprotect(pile);
        return GUARD_OK;
    }
    GUARD_TRY(check_cells(pile, records, err));
    reduce(pile);
    return GUARD_OK;
}
