/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in documents: in a Guardian's "patches", or as a document of their own. Errors are
 * "file:line:column: patches[2].when.any[0].regex: what". Texts to look for are bytes: a
 * double-quoted "\xNN" is the byte, everything else is UTF-8 as it stands there. */
#ifndef GUARD_COMMON_GUARDIAN_PATCH_H
#define GUARD_COMMON_GUARDIAN_PATCH_H

#include "common/document.h"

#include <guard/patch.h>

struct patch_list {
    struct guard_patch *patches;
    uint32_t count;
};

/* A list of patches that stands in a document; their ids differ, and guard_patch_check finds each
 * good. All of it lives in the document's arena. GUARD_E_SYNTAX, GUARD_E_RANGE, GUARD_E_LIMIT,
 * GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc patches_read(const struct document *document,
                                          const struct document_node *list, struct patch_list *out,
                                          struct guard_err *err);
/* A document of patches: {apiVersion, kind: Patches, patches}, a list, or one patch. name: for
 * messages; the arena holds all (16 MiB suffice). */
GUARD_MUST_USE enum guard_rc patches_parse(struct patch_list *out, const char *name,
                                           struct guard_span bytes, struct guard_arena *arena,
                                           struct guard_err *err);
/* Reads a file (at most 1 MiB). */
GUARD_MUST_USE enum guard_rc patches_load(struct patch_list *out, const char *path,
                                          struct guard_arena *arena, struct guard_err *err);

/* One condition and all below it, for patches_read: GUARD_OK as there. */
GUARD_MUST_USE enum guard_rc patch_condition_read(const struct document *document,
                                                  const struct document_node *node,
                                                  struct guard_patch_condition *out,
                                                  struct guard_err *err);

/* Canonical YAML into text, which is NUL-terminated. Returns the bytes it has, which may be more
 * than cap: then it is cut. indent: spaces before each line. */
size_t patches_put(char *text, size_t cap, const struct guard_patch *patches, uint32_t count,
                   unsigned indent);
/* One document with all of them, in the arena; what patches_parse makes of it is equal. */
GUARD_MUST_USE enum guard_rc patches_write(const struct guard_patch *patches, uint32_t count,
                                           struct guard_arena *arena, struct guard_span *out,
                                           struct guard_err *err);
/* One patch as a document of its own, without a list around it. */
GUARD_MUST_USE enum guard_rc patch_write(const struct guard_patch *patch, struct guard_arena *arena,
                                         struct guard_span *out, struct guard_err *err);

#endif
