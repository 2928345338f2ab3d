/* SPDX-License-Identifier: Apache-2.0 */
/* A rule's operator at its variables, as one condition of a patch. */
#ifndef GUARD_COMMON_SECRULE_CONDITION_H
#define GUARD_COMMON_SECRULE_CONDITION_H

#include "common/secrule/look.h"
#include "common/secrule/test.h"

/* False when the rule is refused or the builder failed. */
bool secrule_condition(struct secrule_builder *builder, const struct secrule_looks *looks,
                       const struct secrule_operator *asked,
                       const struct secrule_transformations *transformations,
                       struct guard_patch_condition *out);
/* One condition of several: the only one itself, or all or any of them. children is kept. */
struct guard_patch_condition secrule_joined(enum guard_patch_operator op,
                                            const struct guard_patch_condition *children,
                                            uint32_t count);

#endif
