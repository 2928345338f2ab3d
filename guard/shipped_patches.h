/* SPDX-License-Identifier: Apache-2.0 */
/* The patches that come with Guard: a folder of documents, each with one patch and the packages
 * that it is for. None is in force before somebody puts it into a Guardian. */
#ifndef GUARD_CLI_SHIPPED_PATCHES_H
#define GUARD_CLI_SHIPPED_PATCHES_H

#include "common/sbom/shipped_patch.h"
#include "common/state.h"

enum { SHIPPED_PATCHES_MAX = 1024, SHIPPED_FOLDER_MAX = STATE_PATH_MAX };

struct shipped_patches {
    char folder[SHIPPED_FOLDER_MAX];
    struct shipped_patch *patches; /* in the order of file names, which are "ID.yaml" */
    uint32_t count;
    struct guard_arena arena; /* has all of it */
};

/* folder NULL: beside this program, else where it is installed. Unreadable documents are told and
 * make it fail: false after a message. shipped_patches_close in any case. */
GUARD_MUST_USE bool shipped_patches_open(struct shipped_patches *out, const char *folder);
void shipped_patches_close(struct shipped_patches *shipped);
/* The one of that id, NULL when there is none. */
const struct shipped_patch *shipped_patches_find(const struct shipped_patches *shipped,
                                                 const char *id);
/* The file of one of them. False when the path is too long. */
GUARD_MUST_USE bool shipped_patches_path(const struct shipped_patches *shipped,
                                         struct guard_span id, char out[STATE_PATH_MAX]);

#endif
