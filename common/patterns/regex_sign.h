/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions in forms that are found at least where they are, and are cheaper to look for.
 */
#ifndef GUARD_COMMON_PATTERNS_REGEX_SIGN_H
#define GUARD_COMMON_PATTERNS_REGEX_SIGN_H

#include <guard/types.h>

/* The longest text that stands in whatever it matches. Writes at most expression.len bytes; how
 * many it has, 0: none that this can tell. */
size_t regex_sign(struct guard_span expression, uint8_t *to);

/* Large counts of repetitions become "at least so many": an automaton has a state for each of them.
 * Writes at most expression.len bytes; what isn't understood whole is left as it is. The bytes
 * written. */
size_t regex_relax(struct guard_span expression, char *to);

#endif
