/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of the exceptions in a policy: what holds after it is what asking them relies on. */
#ifndef GD_POLICY_CHECK_EXCEPTIONS_H
#define GD_POLICY_CHECK_EXCEPTIONS_H

#include "policy/policy.h"

/* Where the next ranges begin. */
struct gd_exception_sums {
    uint32_t texts;
    uint32_t clients;
};

/* cost: grows by what was looked at beyond the item. */
bool gd_exception_entry_ok(const struct guard_policy *policy, struct gd_exception_sums *sums,
                           uint32_t index, uint32_t *cost);
bool gd_exception_text_ok(const struct guard_policy *policy, uint32_t index);
bool gd_exception_client_ok(const struct guard_policy *policy, uint32_t index);
/* Every section was used up. */
bool gd_exception_sums_ok(const struct guard_policy *policy, const struct gd_exception_sums *sums);

#endif
