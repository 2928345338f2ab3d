/* SPDX-License-Identifier: Apache-2.0 */
/* Labels, and whether a verdict names the place that a label names. */
#include "eval_label.h"

#include "common/traffic/json_cursor.h"

#include <string.h>

enum { NAME_MAX_BYTES = 512 };

bool eval_span_is(struct guard_span span, const char *text)
{
    size_t len = strlen(text);
    return span.len == len && memcmp(span.ptr, text, len) == 0;
}

bool eval_span_same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool take_true(struct json_cursor *cursor)
{
    bool is_true = json_cursor_peek(cursor) == 't';
    json_cursor_skip(cursor);
    return is_true;
}

static void take_member(struct json_cursor *cursor, struct guard_span key, struct eval_label *out)
{
    if (eval_span_is(key, "attack")) {
        uint8_t first = json_cursor_peek(cursor);
        out->known = first == 't' || first == 'f';
        out->attack = take_true(cursor);
    } else if (eval_span_is(key, "padding")) {
        uint8_t first = json_cursor_peek(cursor);
        out->padded = first != 'f' && first != 'n' && first != '0';
        json_cursor_skip(cursor);
    } else if (eval_span_is(key, "class")) {
        (void)json_cursor_string(cursor, &out->class_name);
    } else if (eval_span_is(key, "location")) {
        (void)json_cursor_string(cursor, &out->location);
    } else if (eval_span_is(key, "param")) {
        out->param_known = json_cursor_string(cursor, &out->param);
    } else if (eval_span_is(key, "encoding")) {
        (void)json_cursor_string(cursor, &out->encoding);
    } else if (eval_span_is(key, "base")) {
        (void)json_cursor_string(cursor, &out->base);
    } else if (eval_span_is(key, "split")) {
        (void)json_cursor_string(cursor, &out->split);
    } else {
        json_cursor_skip(cursor);
    }
}

bool eval_label_read(struct eval_label *out, struct guard_span line, struct guard_arena *arena)
{
    struct json_cursor cursor;
    struct guard_span key;
    *out = (struct eval_label){.known = false};
    json_cursor_init(&cursor, line, arena);
    if (!json_cursor_enter(&cursor, '{'))
        return false;
    while (json_cursor_member(&cursor, &key)) {
        if (!eval_span_is(key, "label")) {
            json_cursor_skip(&cursor);
        } else if (json_cursor_enter(&cursor, '{')) {
            while (json_cursor_member(&cursor, &key))
                take_member(&cursor, key, out);
        }
    }
    return cursor.wrong == NULL;
}

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "$.a[0].b" and "a.0.B" become "a[].b" and "a[].b". */
static size_t plain_name(uint8_t out[NAME_MAX_BYTES], struct guard_span name)
{
    size_t len = 0;
    size_t i = 0;
    while (i < name.len && name.ptr[i] == '$')
        i++;
    while (i < name.len && name.ptr[i] == '.')
        i++;
    for (; i < name.len && len + 2 < NAME_MAX_BYTES; i++) {
        uint8_t c = name.ptr[i];
        size_t end = i + 1;
        while ((c == '[' || c == '.') && end < name.len && digit(name.ptr[end]))
            end++;
        bool closed = end < name.len && name.ptr[end] == ']';
        bool dotted = end == name.len || name.ptr[end] == '.';
        if (end > i + 1 && ((c == '[' && closed) || (c == '.' && dotted))) {
            out[len++] = '[';
            out[len++] = ']';
            i = c == '[' ? end : end - 1;
        } else {
            out[len++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        }
    }
    return len;
}

static bool same_name(struct guard_span a, struct guard_span b)
{
    uint8_t plain_a[NAME_MAX_BYTES];
    uint8_t plain_b[NAME_MAX_BYTES];
    size_t len = plain_name(plain_a, a);
    return plain_name(plain_b, b) == len && memcmp(plain_a, plain_b, len) == 0;
}

static bool is_segment(struct guard_span name)
{
    if (name.len < 4 || memcmp(name.ptr, "seg", 3) != 0)
        return false;
    for (size_t i = 3; i < name.len; i++) {
        if (!digit(name.ptr[i]))
            return false;
    }
    return true;
}

static bool of_body(struct guard_span location)
{
    return eval_span_is(location, "form") || eval_span_is(location, "multipart") ||
           eval_span_is(location, "json") || eval_span_is(location, "body");
}

bool eval_label_names(const struct eval_label *label, struct guard_span location,
                      struct guard_span name)
{
    if (eval_span_is(label->location, "path"))
        return eval_span_is(location, "path") &&
               (name.len == 0 || same_name(name, label->param) || !is_segment(name));
    return same_name(name, label->param) && (eval_span_same(location, label->location) ||
                                             (of_body(location) && of_body(label->location)));
}
