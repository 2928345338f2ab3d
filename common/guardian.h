/* SPDX-License-Identifier: Apache-2.0 */
/* Guardian documents: reading YAML and JSON by the one schema (docs/api/guardian.md) and writing
 * YAML. Unknown members and bad values are refused with file:line:column and the member's path. */
#ifndef GUARD_COMMON_GUARDIAN_H
#define GUARD_COMMON_GUARDIAN_H

#include <guard/guardian.h>

/* Everything lives in the arena (16 MiB suffice for the largest document). name: for messages.
 * GUARD_E_SYNTAX, GUARD_E_RANGE, GUARD_E_LIMIT, GUARD_E_VERSION, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc guardian_parse(struct guard_guardian *out, const char *name,
                                            struct guard_span bytes, struct guard_arena *arena,
                                            struct guard_err *err);
/* Reads a file (at most 1 MiB). */
GUARD_MUST_USE enum guard_rc guardian_load(struct guard_guardian *out, const char *path,
                                           struct guard_arena *arena, struct guard_err *err);
/* The canonical YAML text in the arena; parsing it gives an equal Guardian. */
GUARD_MUST_USE enum guard_rc guardian_write(const struct guard_guardian *guardian,
                                            struct guard_arena *arena, struct guard_span *out,
                                            struct guard_err *err);

#endif
