/* SPDX-License-Identifier: Apache-2.0 */
/* Changes the patches or the exceptions of a Guardian's document and leaves the rest as people
 * wrote it, comments and all. */
#ifndef GUARD_COMMON_GUARDIAN_EDIT_H
#define GUARD_COMMON_GUARDIAN_EDIT_H

#include <guard/guardian.h>

/* text: the document that said what now says; wanted: the same but for its patches. *out says what
 * wanted says: text with the lines of patches that went, came or changed; where such lines can't be
 * told (lists in brackets), the canonical text. It lives in the arena, or is text. GUARD_E_LIMIT:
 * no document may be so large; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc guardian_edit_patches(struct guard_span text,
                                                   const struct guard_guardian *now,
                                                   const struct guard_guardian *wanted,
                                                   struct guard_arena *arena,
                                                   struct guard_span *out, struct guard_err *err);
/* The same of one whose exceptions alone change. */
GUARD_MUST_USE enum guard_rc
guardian_edit_exceptions(struct guard_span text, const struct guard_guardian *now,
                         const struct guard_guardian *wanted, struct guard_arena *arena,
                         struct guard_span *out, struct guard_err *err);

#endif
