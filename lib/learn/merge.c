/* SPDX-License-Identifier: Apache-2.0 */
/* Merging: sums of trees, unions of epochs and intervals, then the cut to the caps.
 * docs/internals/pile.md argues why the order of merges doesn't matter. */
#include "learn/pile_state.h"

#include <inttypes.h>

enum trust { TRUST_KEEP, TRUST_ADD };

struct unite {
    struct gd_tree *tree;
    struct guard_pile *pile; /* whose caps hold; NULL: none */
    const uint8_t *map;      /* of the other's epochs */
    enum trust trust;
    uint32_t *trusted_count;
};

static void unite_cell(const struct unite *unite, struct gd_cell *own, const struct gd_cell *other)
{
    gd_cell_unite(own, other, unite->map);
    if (unite->trust == TRUST_ADD && other->trusted && !own->trusted) {
        own->trusted = true;
        ++*unite->trusted_count;
    }
}

/* Above all that a table has which isn't trusted, from rank to rank. */
static uint64_t ceiling_of(struct gd_cell *parent, enum gd_kind kind)
{
    struct gd_ceiling *ceiling = gd_tree_ceiling(parent->scope, kind);
    uint64_t highest = 0;
    if (ceiling->all != 0)
        return ceiling->all;
    for (uint32_t i = parent->scope->first[kind]; i < parent->scope->first[kind + 1]; i++) {
        const struct gd_cell *cell = parent->children[i];
        uint64_t rank = cell->trusted ? 0 : gd_cell_rank(cell);
        highest = rank > highest ? rank : highest;
    }
    ceiling->all = highest + 1; /* 0 again where there is none above the highest */
    return ceiling->all;
}

/* Would the cut take it, whatever comes yet? A full table keeps those that stand before it in the
 * order: none of them goes, and what comes only adds to them. Most of what a minute brings is such
 * a literal. */
static bool is_beyond(const struct unite *unite, struct gd_cell *into, const struct gd_cell *child,
                      uint32_t at)
{
    enum gd_kind kind = (enum gd_kind)child->kind;
    const uint32_t *first = into->scope->first;
    if (unite->pile == NULL || (child->trusted && unite->trust == TRUST_ADD))
        return false;
    uint32_t cap = gd_pile_leaf_cap(unite->pile, kind);
    if (first[kind + 1] - first[kind] < cap)
        return false;
    if (kind != GD_KIND_TRANSITION)
        return at - first[kind] >= cap; /* they stand in the order of their ranks */
    uint64_t ceiling = ceiling_of(into, kind);
    return ceiling != 0 && gd_leaf_rank(into, kind, child->code) >= ceiling;
}

/* A child of the other's and where it belongs; looked up one ahead, so that memory is there when it
 * comes to it. */
struct place {
    struct gd_cell *own; /* NULL: there is none yet */
    uint32_t at;
};

static struct place find(const struct gd_cell *into, const struct gd_cell *from, uint32_t index)
{
    enum { AHEAD = 4 };
    struct place place = {.own = NULL};
    if (index + AHEAD < from->child_count)
        __builtin_prefetch(from->children[index + AHEAD]);
    if (index < from->child_count) {
        const struct gd_cell *child = from->children[index];
        place.own = gd_tree_find(into, (enum gd_kind)child->kind, child->code, &place.at);
        __builtin_prefetch(place.own, 1);
    }
    return place;
}

static enum guard_rc unite_below(const struct unite *unite, struct gd_cell *into,
                                 const struct gd_cell *from)
{
    struct place next = find(into, from, 0);
    for (uint32_t i = 0; i < from->child_count; i++) {
        const struct gd_cell *child = from->children[i];
        struct place place = next;
        next = find(into, from, i + 1);
        if (place.own == NULL && is_beyond(unite, into, child, place.at)) {
            gd_pile_drop(unite->pile, into, (enum gd_kind)child->kind);
            unite->pile->cut = true;
            continue;
        }
        if (place.own == NULL) {
            place.own = gd_tree_insert(unite->tree, into, (enum gd_kind)child->kind, place.at,
                                       child->code, child->location, child->text);
            next.at++; /* it belongs behind this one */
        }
        if (place.own == NULL)
            return GUARD_E_NOMEM;
        unite_cell(unite, place.own, child);
        if (child->child_count > 0)
            GUARD_TRY(unite_below(unite, place.own, child));
    }
    return GUARD_OK;
}

static enum guard_rc unite_trees(const struct unite *unite, const struct gd_tree *other)
{
    struct gd_cell *root = unite->tree->root;
    unite_cell(unite, root, other->root);
    return unite_below(unite, root, other->root);
}

void gd_pile_epochs_unite(struct guard_pile *pile, const struct gd_epochs *other,
                          uint8_t other_map[GD_EPOCHS_MAX])
{
    uint8_t map[GD_EPOCHS_MAX];
    uint32_t before = pile->epochs.count;
    gd_epochs_unite(&pile->epochs, other, map, other_map);
    for (uint32_t i = 0; i < before; i++) {
        if (map[i] != i) {
            gd_tree_remap(pile->tree.root, map);
            return;
        }
    }
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void unite_counters(struct guard_pile *into, const struct guard_pile *other)
{
    into->anonymous = add_saturating(into->anonymous, other->anonymous);
    into->unlearned = add_saturating(into->unlearned, other->unlearned);
    if (into->first_ms == 0 || (other->first_ms != 0 && other->first_ms < into->first_ms))
        into->first_ms = other->first_ms;
    if (other->last_ms > into->last_ms)
        into->last_ms = other->last_ms;
    into->overflowed = into->overflowed || other->overflowed;
    into->cut = into->cut || other->cut;
}

static void forget_trust(struct guard_pile *pile)
{
    for (struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell)) {
        cell->trusted = false;
        if (cell->scope != NULL)
            gd_tree_ceilings_forget(cell->scope);
    }
    pile->trusted_count = 0;
}

static enum guard_rc add(struct guard_pile *into, const struct guard_pile *other, int basis_order)
{
    uint8_t map[GD_EPOCHS_MAX];
    if (basis_order < 0) {
        forget_trust(into);
        into->basis = other->basis;
    }
    gd_pile_epochs_unite(into, &other->epochs, map);
    unite_counters(into, other);
    struct unite unite = {&into->tree, into, map, basis_order > 0 ? TRUST_KEEP : TRUST_ADD,
                          &into->trusted_count};
    GUARD_TRY(unite_trees(&unite, &other->tree));
    struct gd_cut_outcome outcome;
    GUARD_TRY(gd_pile_cut(into, into->cells_max, &outcome));
    into->cut = into->cut || outcome.removed;
    into->bounded = false;
    return GUARD_OK;
}

static enum guard_rc add_checked(struct guard_pile *into, const struct guard_pile *other,
                                 struct guard_err *err)
{
    int basis_order = gd_basis_compare(&into->basis, &other->basis);
    if ((basis_order < 0 && into->cut) || (basis_order > 0 && other->cut))
        return guard_fail(err, GUARD_E_STATE,
                          "one pile protects generation %" PRIu64
                          ", the other was cut under generation %" PRIu64,
                          basis_order < 0 ? other->basis.generation : into->basis.generation,
                          basis_order < 0 ? into->basis.generation : other->basis.generation);
    struct gd_intervals intervals;
    enum guard_rc rc =
        gd_intervals_unite(&into->tree.pool, &intervals, &into->intervals, &other->intervals);
    if (rc == GUARD_E_LIMIT)
        return guard_fail(err, rc, "together the piles have more than %d intervals of records",
                          GD_INTERVALS_MAX);
    if (rc == GUARD_OK) {
        gd_intervals_fini(&into->tree.pool, &into->intervals);
        into->intervals = intervals;
        rc = add(into, other, basis_order);
        into->broken = rc != GUARD_OK;
    }
    return rc == GUARD_OK ? rc : guard_fail(err, rc, "no memory to merge piles");
}

/* A copy is built first: when memory runs out nothing has changed. */
static enum guard_rc replace(struct guard_pile *into, const struct guard_pile *other)
{
    uint8_t map[GD_EPOCHS_MAX];
    for (uint32_t i = 0; i < GD_EPOCHS_MAX; i++)
        map[i] = (uint8_t)i;
    struct gd_tree tree;
    struct gd_intervals intervals = {.items = NULL}, none = {.items = NULL};
    GUARD_TRY(gd_tree_init(&tree, &into->alloc, 0));
    tree.root->scope->hash = into->tree.root->scope->hash;
    tree.root->text = into->tree.root->text;
    uint32_t trusted = 0;
    struct unite unite = {&tree, NULL, map, TRUST_ADD, &trusted};
    enum guard_rc rc = unite_trees(&unite, &other->tree);
    if (rc == GUARD_OK)
        rc = gd_intervals_unite(&tree.pool, &intervals, &other->intervals, &none);
    if (rc != GUARD_OK) {
        gd_tree_fini(&tree);
        return rc;
    }
    gd_tree_fini(&into->tree);
    into->tree = tree;
    into->intervals = intervals;
    into->epochs = other->epochs;
    into->basis = other->basis;
    into->bounded = other->bounded;
    into->bound = other->bound;
    into->overflowed = into->cut = false;
    into->anonymous = into->unlearned = into->first_ms = into->last_ms = 0;
    unite_counters(into, other);
    into->ledger = (struct gd_ledger){.entries = NULL};
    into->memo = NULL;
    into->stamp = 0;
    gd_pile_count_trusted(into);
    return GUARD_OK;
}

static enum guard_rc check(const struct guard_pile *into, const struct guard_pile *other,
                           struct guard_err *err)
{
    if (into->broken || other->broken)
        return guard_fail(err, GUARD_E_STATE, "a pile was left incomplete when memory ran out");
    if (!gd_span_equal(gd_span(into->service, into->service_len),
                       gd_span(other->service, other->service_len)))
        return guard_fail(err, GUARD_E_FOREIGN, "piles of the services \"%.*s\" and \"%.*s\"",
                          (int)into->service_len, (const char *)into->service,
                          (int)other->service_len, (const char *)other->service);
    if (memcmp(into->key_id, other->key_id, sizeof(into->key_id)) != 0)
        return guard_fail(err, GUARD_E_FOREIGN, "the piles were made under different keys");
    if (into->cells_max != other->cells_max || into->children_max != other->children_max ||
        into->clients_max != other->clients_max)
        return guard_fail(err, GUARD_E_VERSION, "the piles have different caps");
    return GUARD_OK;
}

enum guard_rc guard_pile_merge(struct guard_pile *into, const struct guard_pile *other,
                               enum guard_merge *outcome, struct guard_err *err)
{
    enum guard_merge ignored;
    struct gd_interval where;
    if (outcome == NULL)
        outcome = &ignored;
    GUARD_TRY(check(into, other, err));
    enum gd_relation relation = gd_intervals_relate(&into->intervals, &other->intervals, &where);
    /* So that an empty pile is neutral from either side. */
    if (relation == GD_RELATION_DISJOINT && into->intervals.count == 0)
        relation = GD_RELATION_CONTAINS;
    if (relation == GD_RELATION_EQUAL)
        relation = gd_basis_compare(&into->basis, &other->basis) < 0 ? GD_RELATION_CONTAINS
                                                                     : GD_RELATION_CONTAINED;
    switch (relation) {
    case GD_RELATION_EQUAL:
    case GD_RELATION_CONTAINED:
        *outcome = GUARD_MERGE_CONTAINED;
        return GUARD_OK;
    case GD_RELATION_CONTAINS:
        *outcome = GUARD_MERGE_REPLACED;
        if (replace(into, other) != GUARD_OK)
            return guard_fail(err, GUARD_E_NOMEM, "no memory to copy a pile");
        return GUARD_OK;
    case GD_RELATION_DISJOINT:
        *outcome = GUARD_MERGE_ADDED;
        return add_checked(into, other, err);
    case GD_RELATION_PARTIAL:
        break;
    }
    return guard_fail(err, GUARD_E_OVERLAP,
                      "both piles hold records of producer %016" PRIx64 ", incarnation %016" PRIx64
                      ", sequences %" PRIu64 " to %" PRIu64 ", but not the same ones",
                      where.producer, where.incarnation, where.first, where.last);
}
