/* SPDX-License-Identifier: Apache-2.0 */
/* Two models side by side, for people: what only one of them teaches. */
#ifndef GUARD_COMMON_MODEL_DIFF_H
#define GUARD_COMMON_MODEL_DIFF_H

#include "common/line_sink.h"

#include <guard/model.h>

/* "- GET /users query q: ..." of a only, "+ ..." of b only; texts are clean. Counts aren't
 * compared. Returns how many lines there were. */
int model_diff(const struct guard_model *a, const struct guard_model *b,
               const struct line_sink *to);

#endif
