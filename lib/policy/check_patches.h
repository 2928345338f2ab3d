/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of the patches in a policy: what holds after it is what running them relies on. */
#ifndef GD_POLICY_CHECK_PATCHES_H
#define GD_POLICY_CHECK_PATCHES_H

#include "policy/policy.h"

/* Where the next ranges begin. */
struct gd_patch_sums {
    uint32_t nodes;
    uint32_t texts;
    uint32_t covers;
};

/* cost: grows by what was looked at beyond the item. */
bool gd_patch_entry_ok(const struct guard_policy *policy, struct gd_patch_sums *sums,
                       uint32_t index, uint32_t *cost);
bool gd_patch_pattern_ok(const struct guard_policy *policy, struct gd_patch_sums *sums,
                         uint32_t index, uint32_t *cost);
/* Every section was used up. */
bool gd_patch_sums_ok(const struct guard_policy *policy, const struct gd_patch_sums *sums);

#endif
