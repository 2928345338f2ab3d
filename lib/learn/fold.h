/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of cells that stand for one thing in the model. When many literal segments become one
 * wildcard, what lies below them is read from all of them at once: nothing of the pile is changed
 * or copied. */
#ifndef GD_LEARN_FOLD_H
#define GD_LEARN_FOLD_H

#include "learn/cell.h"

#include <guard/types.h>

struct gd_group {
    struct gd_cell sum; /* count, epochs, tags, flags, first time of all cells; no children, no
                           sketches */
    const struct gd_cell **cells; /* in the arena; at least one */
    uint32_t cell_count;
};

struct gd_groups {
    struct gd_group *items; /* sorted by (code, location) */
    uint32_t count;
};

/* All of these take memory from the arena only and fail with GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_group_init(struct gd_group *group, const struct gd_cell *cell,
                                           struct guard_arena *arena);
/* One group of everything in several groups; count >= 1. The text is the first's. */
GUARD_MUST_USE enum guard_rc gd_group_join(struct gd_group *group,
                                           const struct gd_group *const *parts, uint32_t count,
                                           struct guard_arena *arena);
/* The children of a kind, equal ones of different cells in one group. */
GUARD_MUST_USE enum guard_rc gd_group_children(struct gd_groups *out, const struct gd_group *parent,
                                               enum gd_kind kind, struct guard_arena *arena);
/* Unites count, epochs, tags, flags and first time of `from` into `into`. */
void gd_sum_add(struct gd_cell *into, const struct gd_cell *from);
/* Adds the records per epoch of the group's cells (kinds that count them). */
void gd_group_epochs(const struct gd_group *group, uint64_t counts[GD_EPOCHS_MAX]);
/* Estimate of the distinct units of the cells together; kinds that sketch them. */
uint32_t gd_cells_clients(const struct gd_cell *const *cells, uint32_t count);

/* As qsort, which may allocate; equal items end in any order. */
typedef int (*gd_order)(const void *a, const void *b);
void gd_sort(void *items, size_t size, size_t count, gd_order order);
void gd_sort_tags(uint32_t *tags, size_t count);

#endif
