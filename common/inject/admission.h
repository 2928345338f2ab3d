/* SPDX-License-Identifier: Apache-2.0 */
/* The injection as a mutating admission webhook: an AdmissionReview in, one out. */
#ifndef GUARD_COMMON_INJECT_ADMISSION_H
#define GUARD_COMMON_INJECT_ADMISSION_H

#include "common/inject/inject.h"

/* The differences between two trees as a JSON Patch (RFC 6902), into the arena; len 0: there are
 * none. GUARD_E_LIMIT: more than max bytes; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc inject_patch(const struct document_node *before,
                                          const struct document_node *after, size_t max,
                                          struct guard_arena *arena, struct guard_span *out,
                                          struct guard_err *err);
/* A review of a Pod's creation, as JSON. *out is the answer, in the arena: allowed with a patch and
 * warnings, allowed as it is, or not allowed with the reason. Fails only when the text is no review
 * that could be answered: GUARD_E_SYNTAX, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc inject_admission(struct guard_span review,
                                              const struct inject_cfg *cfg,
                                              struct guard_arena *arena, struct guard_span *out,
                                              struct guard_err *err);

#endif
