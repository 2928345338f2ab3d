/* SPDX-License-Identifier: Apache-2.0 */
/* Writing one field of a model: what has support, what has not, how far numbers go, which rules are
 * armed. */
#ifndef GD_LEARN_MODEL_FIELD_H
#define GD_LEARN_MODEL_FIELD_H

#include "learn/draft.h"

#include <guard/model.h>

/* A place and a rule: its strength, or 0 when records were too few. Never more than `most`. */
uint16_t gd_model_strength(const struct gd_draft *draft, const struct gd_place *place,
                           enum guard_rule rule, bool lost);
/* out->name and out->path are the caller's. GUARD_E_NOMEM (literals and buckets, in the model's
 * arena). */
GUARD_MUST_USE enum guard_rc gd_model_field_write(struct guard_model_field *out,
                                                  const struct gd_draft *draft,
                                                  const struct gd_draft_field *field, bool service,
                                                  struct guard_arena *arena);

#endif
