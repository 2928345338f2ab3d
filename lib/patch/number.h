/* SPDX-License-Identifier: Apache-2.0 */
/* Which patterns may be found in a number of a JSON document: where none may, numbers needn't be
 * searched. */
#ifndef GD_PATCH_NUMBER_H
#define GD_PATCH_NUMBER_H

#include "base/span.h"

/* False only if it can't: what the pattern is found in has a byte that no number has. Expressions
 * were checked. */
bool gd_pattern_in_numbers(struct guard_span pattern, bool regex);

#endif
