/* SPDX-License-Identifier: Apache-2.0 */
/* See text_line.h. */
#include "common/text_line.h"

#include <stdarg.h>
#include <stdio.h>

void text_line_put(struct text_line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = line->cap - line->len;
    int len = vsnprintf(line->ptr + line->len, room, format, args);
    va_end(args);
    if (len > 0)
        line->len += (size_t)len < room ? (size_t)len : room - 1;
}
