/* SPDX-License-Identifier: Apache-2.0 */
/* What a patch is, as JSON for programs: the same in the API and of the command line. */
#ifndef GUARD_COMMON_PATCH_JSON_H
#define GUARD_COMMON_PATCH_JSON_H

#include "common/json_writer.h"

#include <guard/guardian.h>
#include <guard/patch.h>

enum { PATCH_SOON_MS = 7 * 86400 * 1000 };

enum patch_standing {
    PATCH_IN_FORCE, /* as its mode says */
    PATCH_EXPIRES_SOON,
    PATCH_EXPIRED,
};
/* now_ms: Unix time. */
enum patch_standing patch_standing(const struct guard_patch *patch, uint64_t now_ms);
/* "in-force", "expires-soon", "expired" */
const char *patch_standing_word(enum patch_standing standing);

/* Whether this revision of the service is the one that carries the fix: there it counts as shadow.
 */
bool patch_fixed(const struct guard_patch *patch, struct guard_span revision);

/* Members of an object that is open: id to reason, all but scope and conditions. */
void patch_json(struct json_writer *json, const struct guard_patch *patch, uint64_t now_ms);

#endif
