/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in the decision on a message. */
#ifndef GD_DECIDE_PATCHING_H
#define GD_DECIDE_PATCHING_H

#include "decide/decide.h"
#include "patch/run.h"
#include "profile/builder.h"

/* Of one message; lives in the arena beside its limit. */
struct gd_patching {
    struct gd_capture capture;
    struct gd_patch_scope scope; /* media is filled when it is decided */
    bool
        late; /* the message was complete before this policy came: what wasn't kept isn't told of */
    uint32_t result_count;
    struct guard_patch_result results[GUARD_PATCH_RESULTS_MAX];
};

/* NULL: there is no memory. */
struct gd_patching *gd_patching_new(const struct guard_txn_cfg *cfg, enum guard_patch_part part,
                                    struct guard_arena *arena);
/* The same in the middle of a message, of which nothing is kept yet: gd_patching_follow follows. */
struct gd_patching *gd_patching_late(const struct guard_txn_cfg *cfg, enum guard_patch_part part,
                                     struct guard_arena *arena);
/* Where the patches' endpoints and methods are held against. */
void gd_patching_request(struct gd_patching *patching, struct guard_span method,
                         struct guard_span target);
/* Another policy: what it asks for besides is kept of what comes from here on, but of a body that
 * began. What is gone counts as not inspected. */
void gd_patching_follow(struct gd_patching *patching, const struct gd_patch_set *set,
                        const struct gd_builder *builder, enum guard_patch_part part);
/* Adds what patches find to the decision, which was made. endless: what was looked at is forgotten.
 */
void gd_decide_patches(struct gd_decision *decision, struct gd_patching *patching,
                       const struct guard_txn_cfg *cfg, const struct gd_profile *profile,
                       bool partial, bool endless);

#endif
