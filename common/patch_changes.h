/* SPDX-License-Identifier: Apache-2.0 */
/* What people change of a service's patches, by the command line and by the API alike: the Guardian
 * is read, edited and found good as a whole, audited, and replaced whole. */
#ifndef GUARD_COMMON_PATCH_CHANGES_H
#define GUARD_COMMON_PATCH_CHANGES_H

#include "common/changes.h"
#include "common/guardian_patch.h"

enum patch_verb {
    PATCH_ADD,  /* patches come behind those that are there */
    PATCH_MODE, /* the one with the id gets the mode */
    PATCH_REMOVE,
};

struct patch_change {
    enum patch_verb verb;
    struct patch_list patches; /* PATCH_ADD */
    bool replace;              /* PATCH_ADD: instead of those with the same ids; else refused */
    struct guard_span id;
    enum guard_patch_mode mode;
};

enum { PATCH_SAID_MAX = 2048 };
struct patch_outcome {
    bool changed;                /* else it was so already */
    char before[PATCH_SAID_MAX]; /* for people and the audit: "CVE-1 shadow, CVE-2 enforce" */
    char after[PATCH_SAID_MAX];
};

/* The caller holds change_lock of "guardians". Patches that say no author or reason get those of
 * the change. dry: nothing is written, nor audited. GUARD_E_RANGE with "patches[1].id: ..." or "id:
 * ..."; GUARD_E_LIMIT; errors of the document in place, of auditing and writing. The arena needs
 * PATCH_CHANGE_ARENA. */
enum { PATCH_CHANGE_ARENA = 128 << 20 };
GUARD_MUST_USE enum guard_rc change_patches(const struct change *change,
                                            const struct patch_change *what, bool dry,
                                            struct guard_arena *arena, struct patch_outcome *out,
                                            struct guard_err *err);

/* NULL: none has this id. */
const struct guard_patch *patch_by_id(const struct guard_guardian *guardian, struct guard_span id);

#endif
