/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and lines of the explanation. */
#include "common/generalise/work.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES_MAX = 600, LINES_FIRST = 32 };

void *work_get(struct work *work, size_t size)
{
    void *ptr = work->failed ? NULL : guard_arena_get(work->arena, size > 0 ? size : 1);
    work->failed = work->failed || ptr == NULL;
    return ptr;
}

static GUARD_PRINTF(2, 0) struct guard_span
    format_text(struct work *work, const char *format, va_list arguments)
{
    char text[LINE_BYTES_MAX];
    int made = vsnprintf(text, sizeof(text), format, arguments);
    size_t len = made < 0 ? 0 : made < LINE_BYTES_MAX ? (size_t)made : LINE_BYTES_MAX - 1;
    uint8_t *kept = work_get(work, len);
    if (kept == NULL)
        return (struct guard_span){NULL, 0};
    memcpy(kept, text, len);
    return (struct guard_span){kept, len};
}

struct guard_span work_text(struct work *work, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct guard_span text = format_text(work, format, arguments);
    va_end(arguments);
    return text;
}

void work_tell(struct work *work, uint32_t request, bool kept, const char *format, ...)
{
    struct generalised *out = work->out;
    if (out->line_count == GENERALISE_LINES_MAX) {
        out->lines_left_out++;
        return;
    }
    if (out->lines == NULL)
        out->lines = work_get(work, GENERALISE_LINES_MAX * sizeof(*out->lines));
    if (out->lines == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    struct guard_span text = format_text(work, format, arguments);
    va_end(arguments);
    out->lines[out->line_count++] = (struct generalise_line){request, kept, text};
}

bool growing_begin(struct work *work, struct growing *text, size_t cap)
{
    *text = (struct growing){.ptr = work_get(work, cap), .cap = cap};
    return text->ptr != NULL;
}

void growing_add(struct growing *text, struct guard_span bytes)
{
    if (text->over || bytes.len > text->cap - text->len) {
        text->over = true;
        return;
    }
    if (bytes.len > 0)
        memcpy(text->ptr + text->len, bytes.ptr, bytes.len);
    text->len += bytes.len;
}

void growing_literal(struct growing *text, const char *bytes)
{
    growing_add(text, (struct guard_span){(const uint8_t *)bytes, strlen(bytes)});
}

void growing_quoted(struct growing *text, uint8_t byte)
{
    char escape[8];
    bool plain = byte_is_letter(byte) || byte_is_digit(byte) ||
                 (byte != '\0' && strchr(" _-/:,;=<>@&%'\"!~`", byte) != NULL);
    if (plain) {
        growing_add(text, (struct guard_span){&byte, 1});
    } else if (byte > 0x20 && byte < 0x7f) {
        growing_literal(text, "\\");
        growing_add(text, (struct guard_span){&byte, 1});
    } else {
        snprintf(escape, sizeof(escape), "\\x%02x", byte);
        growing_literal(text, escape);
    }
}

bool span_equal(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static uint8_t folded(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool span_equal_nocase(struct guard_span a, struct guard_span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (folded(a.ptr[i]) != folded(b.ptr[i]))
            return false;
    }
    return true;
}

size_t span_search(struct guard_span in, struct guard_span what)
{
    if (what.len > in.len)
        return SIZE_MAX;
    for (size_t i = 0; i <= in.len - what.len; i++) {
        if (span_equal_nocase(span_cut(in, i, i + what.len), what))
            return i;
    }
    return SIZE_MAX;
}
