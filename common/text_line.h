/* SPDX-License-Identifier: Apache-2.0 */
/* A line for people that is put together piece by piece, in its caller's room. */
#ifndef GUARD_COMMON_TEXT_LINE_H
#define GUARD_COMMON_TEXT_LINE_H

#include <guard/error.h>

#include <stddef.h>

/* Starts as {room, cap}. cap: bytes, at least one; what was put there is NUL-terminated. */
struct text_line {
    char *ptr;
    size_t cap;
    size_t len; /* without the NUL */
};

/* Cut to fit. */
void text_line_put(struct text_line *line, const char *format, ...) GUARD_PRINTF(2, 3);

#endif
