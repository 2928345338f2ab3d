/* SPDX-License-Identifier: Apache-2.0 */
/* Holds a message against all patches of a service: one scan of each stream tells which may hit,
 * and these are confirmed on the values. */
#ifndef GD_PATCH_RUN_H
#define GD_PATCH_RUN_H

#include "patch/leaf.h"
#include "patch/message.h"
#include "patch/scope.h"

/* The first condition that held, and on what. */
struct gd_patch_seen {
    uint32_t node;                /* index in the set */
    uint32_t which;               /* of its texts */
    struct gd_patch_value *value; /* NULL: none in particular */
    struct guard_span name;       /* of value */
    struct guard_span text;       /* the form that held */
};

/* Told of each patch that was evaluated. */
typedef void gd_patch_told(void *ctx, uint32_t entry, enum gd_truth truth,
                           const struct gd_patch_seen *seen);

enum { GD_PATCH_FUEL = 1 << 26 }; /* bytes that may be looked at for one message, all patches */

struct gd_patch_run {
    const struct gd_patch_set *set;
    enum guard_patch_part part;
    struct gd_patch_message *message;
    const struct gd_patch_scope *scope;
    const struct guard_matcher *matcher;   /* may be NULL */
    const struct guard_patch_meter *meter; /* may be NULL */
    gd_patch_told *told;
    void *ctx;
    size_t fuel;
    uint64_t candidates[GUARD_PATCHES_MAX / 64];
    struct gd_patch_seen seen;
};

/* The fields up to ctx are the caller's. */
void gd_patch_run(struct gd_patch_run *run);

#endif
