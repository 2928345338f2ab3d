/* SPDX-License-Identifier: Apache-2.0 */
/* One condition on one text. */
#ifndef GD_PATCH_LEAF_H
#define GD_PATCH_LEAF_H

#include "patch/program.h"

/* What is known of a condition; a patch that can't be told of isn't silently false. */
enum gd_truth { GD_FALSE, GD_UNKNOWN, GD_TRUE };

/* Operators on texts alone (not PRESENT, COUNT and those with conditions below). types: as the
 * grammar of its place says, or 0. matcher may be NULL: expressions are unknown then. which: of the
 * texts that held. alloc: for scratch. */
enum gd_truth gd_leaf_holds(const struct gd_patch_set *set, const struct gd_patch_node *node,
                            struct guard_span text, uint32_t types, bool is_name,
                            const struct guard_matcher *matcher, const struct guard_alloc *alloc,
                            uint32_t *which);
/* '*' in the pattern stands for any bytes. */
bool gd_glob(struct guard_span pattern, struct guard_span text, bool ignore_case);

#endif
