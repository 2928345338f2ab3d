/* SPDX-License-Identifier: Apache-2.0 */
/* Which records a pile is made of. Merging asks here first: what is held already is never added
 * twice. */
#ifndef GD_LEARN_INTERVALS_H
#define GD_LEARN_INTERVALS_H

#include "learn/pool.h"

#include <guard/pile.h>

enum { GD_INTERVALS_MAX = 4096 };

struct gd_interval {
    uint64_t producer;
    uint64_t incarnation;
    uint64_t first;
    uint64_t last;
    uint64_t count;   /* records held; fewer than last - first + 1 when some were lost */
    uint64_t time_ms; /* of the newest record: old intervals can be forgotten */
};

/* Sorted by (producer, incarnation, first); disjoint, and adjacent ones are one. */
struct gd_intervals {
    struct gd_interval *items;
    uint32_t count;
    uint32_t cap;
};

enum gd_relation {
    GD_RELATION_DISJOINT,
    GD_RELATION_CONTAINED, /* the second lies in the first */
    GD_RELATION_CONTAINS,  /* the first lies in the second */
    GD_RELATION_EQUAL,
    GD_RELATION_PARTIAL,
};

/* *where: on PARTIAL, an interval of the second that lies partly in the first. */
enum gd_relation gd_intervals_relate(const struct gd_intervals *first,
                                     const struct gd_intervals *second, struct gd_interval *where);
/* Both, which must be disjoint, into `out`. GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_intervals_unite(struct gd_pool *pool, struct gd_intervals *out,
                                                const struct gd_intervals *first,
                                                const struct gd_intervals *second);
/* Adds one record. GUARD_E_REPLAY, GUARD_E_LIMIT, GUARD_E_NOMEM: nothing changes. */
GUARD_MUST_USE enum guard_rc gd_intervals_add(struct gd_pool *pool, struct gd_intervals *intervals,
                                              const struct guard_source *source, uint64_t time_ms);
/* What gd_intervals_add would say, GUARD_E_NOMEM apart. */
GUARD_MUST_USE enum guard_rc gd_intervals_check(const struct gd_intervals *intervals,
                                                const struct guard_source *source);
/* The last sequence held, 0 when none. */
uint64_t gd_intervals_position(const struct gd_intervals *intervals, uint64_t producer,
                               uint64_t incarnation);
/* Forgets those whose newest record is older; those without a time stay. */
void gd_intervals_forget(struct gd_intervals *intervals, uint64_t before_ms);
void gd_intervals_fini(struct gd_pool *pool, struct gd_intervals *intervals);
int gd_interval_compare(const struct gd_interval *a, const struct gd_interval *b);

#endif
