/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in the decision on a message. */
#ifndef GD_DECIDE_PATCHING_H
#define GD_DECIDE_PATCHING_H

#include "decide/decide.h"
#include "patch/run.h"

/* Of one message; lives in the arena beside its limit. */
struct gd_patching {
    struct gd_capture capture;
    struct gd_patch_scope scope; /* media is filled when it is decided */
    uint32_t result_count;
    struct guard_patch_result results[GUARD_PATCH_RESULTS_MAX];
};

/* NULL: the policy asks nothing of this part, or there is no memory. target and method: of the
 * request. */
struct gd_patching *gd_patching_new(const struct guard_txn_cfg *cfg, enum guard_patch_part part,
                                    struct guard_arena *arena);
/* Where the patches' endpoints and methods are held against. */
void gd_patching_request(struct gd_patching *patching, struct guard_span method,
                         struct guard_span target);
/* Adds what patches find to the decision, which was made. endless: what was looked at is forgotten.
 */
void gd_decide_patches(struct gd_decision *decision, struct gd_patching *patching,
                       const struct guard_txn_cfg *cfg, const struct gd_profile *profile,
                       bool partial, bool endless);

#endif
