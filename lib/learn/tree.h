/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of cells: adding, removing, uniting. Everything that changes a cell goes through here.
 */
#ifndef GD_LEARN_TREE_H
#define GD_LEARN_TREE_H

#include "learn/cell.h"
#include "learn/pool.h"

#include <guard/traffic.h>

enum {
    GD_DEPTH_MAX = 128, /* of a cell: recursion over the tree is never deeper */
    GD_TEXT_MAX = 64,
    GD_PILE_SERVICE_MAX = 128,
};

/* What all ranks of a table's children lie below that aren't trusted; 0 = not known. What a full
 * table would refuse anyhow is so refused without looking at them all. */
struct gd_ceiling {
    uint64_t all;
    uint64_t idle; /* of those that the record `stamp` hasn't touched */
    uint32_t stamp;
};
enum { GD_CEILINGS = 3 };

/* SERVICE, SEGMENT, METHOD and NAME cells: those that have cells below them. */
struct gd_scope {
    uint64_t hash;     /* of the path from the root */
    uint64_t priority; /* max(parent's, hash): the lowest stay when the tree is full */
    uint64_t *codes;   /* of the children, in their order: searched without touching the cells */
    uint32_t first[GD_KIND_COUNT + 1]; /* children of a kind: first[kind] .. first[kind + 1] - 1 */
    struct gd_ceiling ceilings[GD_CEILINGS]; /* see gd_tree_ceiling */
};

/* Behind the scope in one block. */
enum { GD_SLOTS = 128 };
struct gd_counts {
    uint64_t epochs[GD_EPOCHS_MAX];
    uint32_t tags[GD_KMV];
    uint16_t slots[GD_SLOTS]; /* where children were found last: guesses that are checked */
};

struct gd_tree {
    struct gd_pool pool;
    struct gd_cell *root;
    uint32_t cell_count; /* the root included */
};

/* May have children. */
static inline bool gd_kind_scope(enum gd_kind kind)
{
    const uint32_t scopes = UINT32_C(1) << GD_KIND_SERVICE | UINT32_C(1) << GD_KIND_SEGMENT |
                            UINT32_C(1) << GD_KIND_METHOD | UINT32_C(1) << GD_KIND_NAME |
                            UINT32_C(1) << GD_KIND_ANSWER;
    return (scopes >> (unsigned)kind & 1) != 0;
}
bool gd_kind_counted(enum gd_kind kind); /* has epoch_counts and client_tags */
bool gd_kind_named(enum gd_kind kind);   /* has a text */
bool gd_kind_allowed(enum gd_kind parent, enum gd_kind kind);
bool gd_kind_code(enum gd_kind kind, uint64_t code); /* the kind can have this code */

/* key_id seeds the hashes of paths. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_tree_init(struct gd_tree *tree, const struct guard_alloc *alloc,
                                          uint64_t key_id);
void gd_tree_fini(struct gd_tree *tree);

/* A child's place among parent's children; *at is where it belongs. */
struct gd_cell *gd_tree_find(const struct gd_cell *parent, enum gd_kind kind, uint64_t code,
                             uint32_t *at);
/* The same for children that are found again and again, without *at; parent is of a counted kind.
 */
static inline struct gd_cell *gd_tree_recall(const struct gd_cell *parent, enum gd_kind kind,
                                             uint64_t code);
/* A new child at that place; text is copied. NULL when memory is missing: nothing has changed. */
struct gd_cell *gd_tree_insert(struct gd_tree *tree, struct gd_cell *parent, enum gd_kind kind,
                               uint32_t at, uint64_t code, uint8_t location,
                               struct guard_span text);
/* The cell and all below it; not the root. */
void gd_tree_remove(struct gd_tree *tree, struct gd_cell *cell);
/* All cells below that are marked as going, in one walk; what is below a going cell goes with it.
 */
void gd_tree_sweep(struct gd_tree *tree, struct gd_cell *cell, bool children_only);
/* The parent notes that a child of the kind was pushed out or refused. */
void gd_cell_drop(struct gd_cell *parent, enum gd_kind kind);
/* NULL for tables without a cap. */
static inline struct gd_ceiling *gd_tree_ceiling(struct gd_scope *scope, enum gd_kind kind)
{
    switch ((int)kind) {
    case GD_KIND_SEGMENT:
    case GD_KIND_MEDIA:
    case GD_KIND_TRANSITION:
        return &scope->ceilings[0];
    case GD_KIND_METHOD:
    case GD_KIND_NAME:
        return &scope->ceilings[1];
    case GD_KIND_LITERAL:
    case GD_KIND_CLIENT:
        return &scope->ceilings[2];
    default:
        return NULL;
    }
}
/* To be called when children lost their trust or their stamp. */
void gd_tree_ceilings_forget(struct gd_scope *scope);
/* Cells of the subtree, with its root. */
uint32_t gd_tree_size(const struct gd_cell *cell);
/* Total order of what stays first when a table of leaves is full: position within (parent, kind).
 */
uint64_t gd_cell_rank(const struct gd_cell *cell);
/* What the rank of a numbered child would be. */
uint64_t gd_leaf_rank(const struct gd_cell *parent, enum gd_kind kind, uint64_t code);

/* What the hash of a scope's path would be. */
uint64_t gd_path_hash(const struct gd_cell *parent, enum gd_kind kind, uint64_t code);

/* map: new index of each old epoch. cell is the root; applies to the whole tree. */
void gd_tree_remap(struct gd_cell *root, const uint8_t map[GD_EPOCHS_MAX]);
/* Adds the values of `from`, whose epochs are mapped, to `into`; not the children. */
void gd_cell_unite(struct gd_cell *into, const struct gd_cell *from,
                   const uint8_t map[GD_EPOCHS_MAX]);
/* Walks in order, the root first; next is NULL at the end. Removing is not allowed meanwhile. */
struct gd_cell *gd_tree_next(const struct gd_cell *cell);

struct gd_scope_block {
    struct gd_scope scope;
    struct gd_counts counts;
};

static inline struct gd_cell *gd_tree_recall(const struct gd_cell *parent, enum gd_kind kind,
                                             uint64_t code)
{
    struct gd_scope_block *block = (struct gd_scope_block *)(void *)parent->scope;
    uint32_t hash = (uint32_t)code ^ (uint32_t)(code >> 5) ^ (uint32_t)kind * 29;
    uint16_t *slot = &block->counts.slots[hash % GD_SLOTS];
    uint32_t at = *slot;
    if (at >= block->scope.first[kind] && at < block->scope.first[kind + 1] &&
        block->scope.codes[at] == code)
        return parent->children[at];
    struct gd_cell *cell = gd_tree_find(parent, kind, code, &at);
    *slot = (uint16_t)at;
    return cell;
}

#endif
