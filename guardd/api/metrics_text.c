/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are whole or not there. */
#include "metrics_text.h"

#include <stdio.h>

void put(struct text *text, const char *format, ...)
{
    va_list args;
    size_t room = METRICS_MAX - text->len;
    va_start(args, format);
    int len = vsnprintf(text->ptr + text->len, room, format, args);
    va_end(args);
    if (len > 0 && (size_t)len < room)
        text->len += (size_t)len;
}

void head(struct text *text, const char *name, const char *type, const char *help)
{
    put(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void put_number(struct text *text, const char *name, const char *type, const char *help,
                double value)
{
    head(text, name, type, help);
    put(text, "%s %.17g\n", name, value);
}
