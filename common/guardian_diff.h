/* SPDX-License-Identifier: Apache-2.0 */
/* What only one of two Guardians says, by member, whatever order and form they were written in. */
#ifndef GUARD_COMMON_GUARDIAN_DIFF_H
#define GUARD_COMMON_GUARDIAN_DIFF_H

#include "common/line_sink.h"

#include <guard/guardian.h>

/* "- control.mode: alert" of a only, "+ ..." of b only; texts are clean. *said: how many lines.
 * The arena needs room (64 MiB) for both documents taken apart. */
GUARD_MUST_USE enum guard_rc guardian_diff(const struct guard_guardian *guardian_a,
                                           const struct guard_guardian *guardian_b,
                                           struct guard_arena *arena, const struct line_sink *to,
                                           uint32_t *said, struct guard_err *err);

#endif
