/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions in the decision: which of them cover what deviates. Asked after all findings are
 * there, before the mode says what becomes of them. docs/adr/0017-exceptions.md */
#ifndef GD_DECIDE_EXCEPTIONS_H
#define GD_DECIDE_EXCEPTIONS_H

#include "decide/decide.h"
#include "patch/scope.h"

enum { GD_NO_EXCEPTION = 0xffffffff };

/* What scopes ask of the request. method and target stay as they are as long as *scope, which
 * points into them and the arena. Without memory no endpoint fits. */
void gd_exception_scope(struct gd_patch_scope *scope, const struct gd_profile *asked,
                        struct guard_span method, struct guard_span target,
                        struct guard_arena *arena);
/* The index of the first exception in force that covers it, or GD_NO_EXCEPTION. One lookup of what
 * is in scope for each decision, and none without exceptions or deviations. */
uint32_t gd_exception_of(struct gd_decision *decision, const struct gd_candidate *candidate);
/* By the patch's id. Whether it is mandatory, the caller knows. */
uint32_t gd_exception_of_patch(struct gd_decision *decision, struct guard_span id);
/* Of a verdict on the client. */
uint32_t gd_exception_of_client(struct gd_decision *decision);
/* "" of GD_NO_EXCEPTION. */
struct guard_span gd_exception_id(const struct gd_decision *decision, uint32_t index);

#endif
