/* SPDX-License-Identifier: Apache-2.0 */
/* Text that came from traffic or from a gate, for the eyes of people: what could steer a terminal
 * or turn a line becomes '?'. */
#ifndef GUARD_COMMON_CLEAN_H
#define GUARD_COMMON_CLEAN_H

#include <stddef.h>

/* At most len bytes on standard output: control characters, marks of direction and what isn't UTF-8
 * become '?', so that nobody writes to the operator's terminal. */
void print_clean(const char *text, size_t len);
/* The same into out, cut to its room and terminated. Returns out. */
const char *clean(char *out, size_t cap, const char *text, size_t len);

#endif
