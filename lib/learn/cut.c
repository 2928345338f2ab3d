/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes out what doesn't fit. The caps form a laminar family (tables of leaves within subtrees
 * within the tree), and what stays is the greedy choice by one fixed order: so it doesn't matter in
 * which order piles were merged. Inner sets are truncated before outer ones, which gives the same.
 * docs/internals/pile.md has the argument. */
#include "learn/pile_state.h"

struct ranked {
    struct gd_rank rank;
    struct gd_cell *cell;
};

struct cut {
    struct guard_pile *pile;
    struct ranked *ranks;
    uint32_t cells; /* cap of the whole tree */
    struct gd_cut_outcome *outcome;
};

uint32_t gd_pile_leaf_cap(const struct guard_pile *pile, enum gd_kind kind)
{
    if (kind == GD_KIND_LITERAL)
        return GD_LITERALS_MAX;
    if (kind == GD_KIND_TRANSITION)
        return GD_TRANSITIONS_KEPT;
    if (kind == GD_KIND_MEDIA)
        return GD_MEDIA_KEPT;
    return kind == GD_KIND_CLIENT ? pile->clients_max : UINT32_MAX;
}

void gd_pile_drop(struct guard_pile *pile, struct gd_cell *parent, enum gd_kind kind)
{
    gd_cell_drop(parent, kind);
    /* Every free text has more literals and transitions than are kept: no overflow that people
     * should hear of. */
    if (kind != GD_KIND_LITERAL && kind != GD_KIND_TRANSITION)
        pile->overflowed = true;
}

uint32_t gd_pile_subtree_cap(uint32_t cells, const struct gd_cell *cell)
{
    if (cell->kind == GD_KIND_METHOD || cell->kind == GD_KIND_ANSWER)
        return cells / 4;
    uint32_t eighths = cell->depth < 6 ? 8 - (uint32_t)cell->depth : 2;
    return cells / 8 * eighths;
}

/* Only hostile piles hold cells of one hash: then the paths decide, so that the order is total. */
static int compare_paths(const struct gd_cell *a, const struct gd_cell *b)
{
    while (a->parent != b->parent) {
        a = a->parent;
        b = b->parent;
    }
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->code > b->code) - (a->code < b->code);
}

static inline int compare_ranks(const struct gd_rank *a, const struct gd_rank *b)
{
    if ((a->order >> 8) != (b->order >> 8))
        return a->order < b->order ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return (a->hash > b->hash) - (a->hash < b->hash);
}

int gd_rank_compare(const struct gd_rank *a, const struct gd_rank *b)
{
    return compare_ranks(a, b);
}

/* What is trusted, then new elements of what is trusted, then the rest. */
static uint32_t order_of(const struct gd_cell *parent, bool trusted, bool scope, uint32_t depth)
{
    uint32_t class = trusted ? 0 : parent != NULL && parent->trusted && !scope ? 1 : 2;
    return class << 8 | depth;
}

static struct gd_rank rank_of(const struct gd_cell *cell)
{
    const struct gd_scope *scope = cell->scope != NULL ? cell->scope : cell->parent->scope;
    return (struct gd_rank){
        .priority = scope->priority,
        .hash = gd_cell_rank(cell),
        .order = order_of(cell->parent, cell->trusted, cell->scope != NULL, cell->depth),
    };
}

struct gd_rank gd_rank_new(const struct gd_cell *parent, enum gd_kind kind, uint64_t code)
{
    bool scope = gd_kind_scope(kind);
    uint64_t above = parent->scope->priority;
    uint64_t hash = scope ? gd_path_hash(parent, kind, code) : gd_leaf_rank(parent, kind, code);
    return (struct gd_rank){
        .priority = scope && hash > above ? hash : above,
        .hash = hash,
        .order = order_of(parent, false, scope, parent->depth + 1U),
    };
}

static inline int compare(const struct ranked *a, const struct ranked *b)
{
    int order = compare_ranks(&a->rank, &b->rank);
    return order != 0 || a->cell == b->cell ? order : compare_paths(a->cell, b->cell);
}

static void sift(struct ranked *ranks, size_t root, size_t count)
{
    struct ranked item = ranks[root];
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(&ranks[child], &ranks[child + 1]) < 0)
            child++;
        if (compare(&item, &ranks[child]) >= 0)
            break;
        ranks[root] = ranks[child];
    }
    ranks[root] = item;
}

static void note_rank(struct cut *cut, uint32_t *count, struct gd_cell *cell)
{
    cut->ranks[(*count)++] = (struct ranked){rank_of(cell), cell};
}

static void swap(struct ranked *ranks, size_t a, size_t b)
{
    struct ranked item = ranks[a];
    ranks[a] = ranks[b];
    ranks[b] = item;
}

/* Puts the `last` last ones of count to the end, by a heap. */
static void heap_last(struct ranked *ranks, size_t count, size_t last)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(ranks, i, count);
    for (; last > 0; last--) {
        swap(ranks, 0, --count);
        sift(ranks, 0, count);
    }
}

/* Of three, which stands between the others: to the front. */
static void choose_pivot(struct ranked *ranks, size_t count)
{
    size_t middle = count / 2, end = count - 1;
    if (compare(&ranks[middle], &ranks[end]) > 0)
        swap(ranks, middle, end);
    if (compare(&ranks[0], &ranks[end]) > 0)
        swap(ranks, 0, end);
    else if (compare(&ranks[middle], &ranks[0]) > 0)
        swap(ranks, middle, 0);
}

/* Where the first one belongs: those before it stand before, the others behind. */
static size_t partition(struct ranked *ranks, size_t count)
{
    size_t at = 0;
    for (size_t i = 1; i < count; i++) {
        if (compare(&ranks[i], &ranks[0]) < 0)
            swap(ranks, ++at, i);
    }
    swap(ranks, 0, at);
    return at;
}

/* Puts the `last` last ones of count to the end. Nobody without the key can make the pivots bad;
 * for who has it the heap bounds the time. */
static void select_last(struct ranked *ranks, size_t count, size_t last)
{
    enum { SMALL = 16, ROUNDS = 48 };
    for (unsigned round = 0; last > 0 && last < count; round++) {
        if (count <= SMALL || round == ROUNDS) {
            heap_last(ranks, count, last);
            return;
        }
        choose_pivot(ranks, count);
        size_t at = partition(ranks, count);
        size_t behind = count - at - 1;
        if (behind >= last) {
            ranks += at + 1;
            count = behind;
        } else if (behind + 1 == last) {
            return;
        } else {
            last -= behind + 1;
            count = at;
        }
    }
}

/* Takes the `excess` last ones out of what is below `root`; trusted ones stay, which are the first.
 * A cell's children are behind it in the order: they go with it. */
static void remove_last(struct cut *cut, struct gd_cell *root, uint32_t count, uint32_t excess,
                        bool children_only)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < count; i++)
        free += !cut->ranks[i].cell->trusted;
    uint32_t last = excess < free ? excess : free;
    if (last == 0)
        return;
    select_last(cut->ranks, count, last);
    const struct ranked *first = &cut->ranks[count - last];
    for (uint32_t i = count - last; i < count; i++) {
        struct gd_cell *cell = cut->ranks[i].cell;
        cell->going = true;
        gd_pile_drop(cut->pile, cell->parent, (enum gd_kind)cell->kind);
        if (compare(&cut->ranks[i], first) < 0)
            first = &cut->ranks[i];
    }
    cut->outcome->removed = true;
    cut->outcome->last = first->rank;
    gd_tree_sweep(&cut->pile->tree, root, children_only);
}

static void cut_table(struct cut *cut, struct gd_cell *parent, enum gd_kind kind)
{
    uint32_t size = parent->scope->first[kind + 1] - parent->scope->first[kind];
    uint32_t cap = gd_pile_leaf_cap(cut->pile, kind);
    if (size <= cap)
        return;
    uint32_t count = 0;
    for (uint32_t i = 0; i < size; i++)
        note_rank(cut, &count, parent->children[parent->scope->first[kind] + i]);
    remove_last(cut, parent, count, size - cap, true);
}

static void note_below(struct cut *cut, uint32_t *count, struct gd_cell *cell)
{
    for (uint32_t i = 0; i < cell->child_count; i++) {
        note_rank(cut, count, cell->children[i]);
        note_below(cut, count, cell->children[i]);
    }
}

static void cut_names(struct cut *cut, struct gd_cell *root)
{
    uint32_t size = 0, count = 0;
    uint32_t first = root->scope->first[GD_KIND_NAME], end = root->scope->first[GD_KIND_NAME + 1];
    for (uint32_t i = first; i < end; i++)
        size += gd_tree_size(root->children[i]);
    if (size <= cut->cells / 4)
        return;
    for (uint32_t i = first; i < end; i++) {
        note_rank(cut, &count, root->children[i]);
        note_below(cut, &count, root->children[i]);
    }
    remove_last(cut, root, count, size - cut->cells / 4, false);
}

/* Returns the size of what is left below. */
static uint32_t cut_below(struct cut *cut, struct gd_cell *cell)
{
    if (cell->scope == NULL)
        return 0;
    uint32_t size = cell->child_count;
    /* Of those that nothing can be below it's enough to know how many they are. */
    for (uint32_t kind = 0; kind < GD_KIND_COUNT; kind++) {
        if (!gd_kind_scope((enum gd_kind)kind))
            continue;
        for (uint32_t i = cell->scope->first[kind]; i < cell->scope->first[kind + 1]; i++)
            size += cut_below(cut, cell->children[i]);
    }
    uint32_t before = cut->pile->tree.cell_count;
    cut_table(cut, cell, GD_KIND_LITERAL);
    cut_table(cut, cell, GD_KIND_TRANSITION);
    cut_table(cut, cell, GD_KIND_MEDIA);
    cut_table(cut, cell, GD_KIND_CLIENT);
    if (cell->kind == GD_KIND_SERVICE)
        cut_names(cut, cell);
    size -= before - cut->pile->tree.cell_count;
    uint32_t cap =
        cell->kind == GD_KIND_SERVICE ? cut->cells - 1 : gd_pile_subtree_cap(cut->cells, cell);
    if (cell->kind == GD_KIND_NAME || size <= cap)
        return size;
    uint32_t count = 0;
    note_below(cut, &count, cell);
    before = cut->pile->tree.cell_count;
    remove_last(cut, cell, count, size - cap, false);
    cut->outcome->full = cell->kind == GD_KIND_SERVICE;
    return size - (before - cut->pile->tree.cell_count);
}

enum guard_rc gd_pile_cut(struct guard_pile *pile, uint32_t cells, struct gd_cut_outcome *outcome)
{
    uint32_t count = pile->tree.cell_count;
    struct cut cut = {.pile = pile, .cells = cells, .outcome = outcome};
    *outcome = (struct gd_cut_outcome){.removed = false};
    cut.ranks = gd_pool_get_unset(&pile->tree.pool, count * sizeof(*cut.ranks));
    if (cut.ranks == NULL)
        return GUARD_E_NOMEM;
    (void)cut_below(&cut, pile->tree.root);
    gd_pool_put(&pile->tree.pool, cut.ranks, count * sizeof(*cut.ranks));
    return GUARD_OK;
}
