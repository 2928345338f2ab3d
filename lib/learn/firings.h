/* SPDX-License-Identifier: Apache-2.0 */
/* Who made a rule fire while it was learned. Firings are kept by unit until all are known, so that
 * those of the loudest units, fewer than D, can be left out of every sum: what they did, however
 * often and wherever, makes no rule weaker. */
#ifndef GD_LEARN_FIRINGS_H
#define GD_LEARN_FIRINGS_H

#include "learn/calibrate.h"
#include "learn/trust.h"

struct gd_firings_block;
struct gd_firings {
    struct gd_firings_block *blocks[GD_ESTIMATE_COUNT][GUARD_RULE_COUNT]; /* newest first */
    uint64_t counts[GD_ESTIMATE_COUNT][GUARD_RULE_COUNT];
};

/* Firings by unit in one sum: the most that single units have, strong and weak ones apart. */
struct gd_loudest {
    uint64_t total;
    uint64_t strong[GD_TAGS_MAX], weak[GD_TAGS_MAX]; /* descending */
};

/* All firings of one unit. */
void gd_loudest_add(struct gd_loudest *loudest, uint32_t tag, uint64_t fires);
/* What is left without the loudest units that together weigh less than trust asks for. */
uint64_t gd_loudest_left(const struct gd_loudest *loudest, const struct gd_trust *trust);
/* One firing of the rule by the unit `tag`, at a place of this family and size. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_firings_add(struct gd_firings *firings, enum gd_estimate estimate,
                                            enum guard_rule rule, enum gd_family family,
                                            uint32_t size, uint32_t tag, struct guard_arena *arena);
/* Adds what counts of them to the pools, each of which leaves out its own loudest units.
 * GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_firings_settle(const struct gd_firings *firings,
                                               const struct gd_trust *trust, struct gd_pools *pools,
                                               struct guard_arena *arena);
/* Of firings by these units (a tag for each; sorted in place): how many count. */
uint64_t gd_firings_counted(const struct gd_trust *trust, uint32_t *tags, size_t count);

#endif
