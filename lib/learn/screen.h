/* SPDX-License-Identifier: Apache-2.0 */
/* Who doesn't teach: where no text is written, units whose values read like attacks vouch for
 * nothing. Support alone can't tell twenty clients who attack while a service is learned from
 * twenty who use it. docs/internals/learn.md */
#ifndef GD_LEARN_SCREEN_H
#define GD_LEARN_SCREEN_H

#include "learn/fold.h"
#include "learn/trust.h"

/* Units whose evidence at one name is withheld. */
struct gd_suspects {
    uint32_t *tags; /* sorted, distinct */
    uint32_t count; /* 0: nobody */
    uint32_t bound; /* whether a unit is one is known up to this tag */
};

/* Of the values at a name. likeness and classes: its children of these kinds. tags lie in the
 * arena. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc
gd_suspects_find(struct gd_suspects *suspects, const struct gd_trust *trust,
                 const struct gd_group *name, const struct gd_groups *likeness,
                 const struct gd_groups *classes, struct guard_arena *arena);
/* Takes their tags from what was seen, but of what people accepted. False: nobody else saw it. */
bool gd_suspects_leave(const struct gd_suspects *suspects, struct gd_cell *sum);
/* The same of all elements; those that nobody else saw are no elements any more. */
void gd_suspects_leave_all(const struct gd_suspects *suspects, struct gd_groups *elements);

#endif
