/* SPDX-License-Identifier: Apache-2.0 */
/* Who doesn't teach: where no text is written, units whose values read like attacks vouch for
 * nothing. Support alone can't tell twenty clients who attack while a service is learned from
 * twenty who use it. docs/internals/learn.md */
#ifndef GD_LEARN_SCREEN_H
#define GD_LEARN_SCREEN_H

#include "learn/fold.h"
#include "learn/trust.h"

/* Units whose evidence is withheld. */
struct gd_suspects {
    uint32_t *tags;                 /* sorted, distinct */
    uint32_t count;                 /* 0: nobody */
    uint32_t bound;                 /* whether a unit is one is known up to this tag */
    const struct gd_suspects *also; /* these, too; NULL: no others */
    const struct gd_suspects
        *attackers; /* from these nothing that reads like an attack, or is malformed */
};

enum { GD_SUSPECTS_MAX = 1024 }; /* that are known of several names together */

/* Of the values at a name. likeness and classes: its children of these kinds. tags lie in the
 * arena. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc
gd_suspects_find(struct gd_suspects *suspects, const struct gd_trust *trust,
                 const struct gd_group *name, const struct gd_groups *likeness,
                 const struct gd_groups *classes, struct guard_arena *arena);
/* Takes `more` in, the lowest tags if they are too many; into `again` those that were in before
 * (NULL: not asked). GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_suspects_join(struct gd_suspects *all, struct gd_suspects *again,
                                              const struct gd_suspects *more,
                                              struct guard_arena *arena);
/* At most an eighth of so many units, by an estimate. */
bool gd_suspects_few(const struct gd_suspects *suspects, uint32_t units);
/* Nobody, the others with them. */
bool gd_suspects_none(const struct gd_suspects *suspects);
/* Takes their tags from what was seen, but of what people accepted. False: nobody else saw it. */
bool gd_suspects_leave(const struct gd_suspects *suspects, struct gd_cell *sum);
/* The same of all elements; those that nobody else saw are no elements any more. */
void gd_suspects_leave_all(const struct gd_suspects *suspects, struct gd_groups *elements);

#endif
