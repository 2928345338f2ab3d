/* SPDX-License-Identifier: Apache-2.0 */
/* What a score is worth: how often exchanges that taught the pile would have reached it, had they
 * been new. A rule measures itself at its place; an exchange has many places, so that only the
 * scores of exchanges tell how many of them would be blocked. docs/internals/learn.md */
#ifndef GD_LEARN_SCALE_H
#define GD_LEARN_SCALE_H

#include "learn/measure.h"

/* Before anything is marked. */
void gd_marks_init(struct gd_marks *marks, const struct gd_exposure *service);
/* marks: NULL keeps nothing. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_marks_add(struct gd_marks *marks, const struct gd_trust *trust,
                                          const struct gd_place *place, enum guard_rule rule,
                                          const struct gd_cell *element, struct guard_arena *arena);
/* scale[i]: hundredths of -log10 of the rate of benign exchanges whose score is i *
 * GUARD_SCALE_STEP or more, of those exchanges that the scale is of. After the pools were settled;
 * path_most: what unknown paths and methods prove at most. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_scale(uint16_t scale[GUARD_SCALE_POINTS],
                                      const struct gd_meter *meter, enum guard_scale of,
                                      uint16_t path_most);

#endif
