/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of requests that is as simple as the ancestor's: no repair, no second decoding. */
#include "eval_values.h"

#include "common/traffic/json_cursor.h"
#include "eval_key.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct walking {
    eval_value_fn *take;
    void *ctx;
    struct guard_arena *arena;
    uint32_t count;
    char name[EVAL_NAME_MAX]; /* of JSON: the path so far */
};

struct guard_span eval_header(const struct guard_exchange *exchange, const char *name)
{
    size_t len = strlen(name);
    for (uint32_t i = 0; i < exchange->header_count; i++) {
        struct guard_span header = exchange->headers[i].name;
        if (header.len == len && strncasecmp((const char *)header.ptr, name, len) == 0)
            return exchange->headers[i].value;
    }
    return (struct guard_span){NULL, 0};
}

static void give(struct walking *walking, const char *location, struct guard_span name,
                 struct guard_span value)
{
    if (walking->count++ >= EVAL_VALUES_MAX)
        return;
    value.len = value.len < EVAL_VALUE_BYTES_MAX ? value.len : EVAL_VALUE_BYTES_MAX;
    walking->take(walking->ctx, location, name, value);
}

static struct guard_span decoded(struct walking *walking, struct guard_span text, bool plus)
{
    uint8_t *out = guard_arena_get(walking->arena, 3 * text.len + 1);
    if (out == NULL)
        return text;
    return (struct guard_span){out, eval_unquote(out, text, plus)};
}

static void walk_path(struct walking *walking, struct guard_span path)
{
    size_t from = path.len > 0 && path.ptr[0] == '/' ? 1 : 0;
    uint32_t segment = 0;
    for (size_t i = from; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/')
            continue;
        char name[24];
        int len = snprintf(name, sizeof(name), "seg%u", segment++);
        struct guard_span text = {path.ptr + from, i - from};
        give(walking, "path", (struct guard_span){(const uint8_t *)name, (size_t)len},
             decoded(walking, text, false));
        from = i + 1;
    }
}

static void walk_pairs(struct walking *walking, const char *location, struct guard_span text)
{
    size_t from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '&')
            continue;
        struct guard_span pair = {text.ptr + from, i - from};
        from = i + 1;
        const uint8_t *equal = pair.len > 0 ? memchr(pair.ptr, '=', pair.len) : NULL;
        if (equal == NULL)
            continue; /* a text of its own, no value of a name */
        size_t name_len = (size_t)(equal - pair.ptr);
        struct guard_span value = {equal + 1, pair.len - name_len - 1};
        give(walking, location, decoded(walking, (struct guard_span){pair.ptr, name_len}, true),
             decoded(walking, value, true));
    }
}

static void walk_json(struct walking *walking, struct json_cursor *cursor, size_t name_len);

static size_t longer_name(struct walking *walking, size_t len, struct guard_span key, bool object)
{
    const char *text = object ? (const char *)key.ptr : "[]";
    size_t text_len = object ? key.len : 2;
    bool dot = object && len > 0;
    if (len + text_len + dot >= EVAL_NAME_MAX)
        return len;
    if (dot)
        walking->name[len++] = '.';
    memcpy(walking->name + len, text, text_len);
    return len + text_len;
}

static void walk_container(struct walking *walking, struct json_cursor *cursor, size_t name_len,
                           bool object)
{
    struct guard_span key = {NULL, 0};
    while (object ? json_cursor_member(cursor, &key) : json_cursor_element(cursor))
        walk_json(walking, cursor, longer_name(walking, name_len, key, object));
}

static void walk_json(struct walking *walking, struct json_cursor *cursor, size_t name_len)
{
    uint8_t first = json_cursor_peek(cursor);
    const uint8_t *from = cursor->at;
    struct guard_span value = {NULL, 0};
    if (first == '{' || first == '[') {
        if (json_cursor_enter(cursor, (char)first))
            walk_container(walking, cursor, name_len, first == '{');
        return;
    }
    if (first == '"') {
        if (!json_cursor_string(cursor, &value))
            return;
    } else {
        json_cursor_skip(cursor);
        value = (struct guard_span){from, (size_t)(cursor->at - from)};
    }
    give(walking, "json", (struct guard_span){(const uint8_t *)walking->name, name_len}, value);
}

static const uint8_t *find(const uint8_t *at, const uint8_t *end, const char *text, size_t len)
{
    return at < end ? memmem(at, (size_t)(end - at), text, len) : NULL;
}

/* A part: headers, empty line, value. */
static void walk_part(struct walking *walking, struct guard_span part)
{
    const uint8_t *end = part.ptr + part.len;
    const uint8_t *blank = find(part.ptr, end, "\r\n\r\n", 4);
    const uint8_t *name = find(part.ptr, blank != NULL ? blank : part.ptr, " name=\"", 7);
    if (blank == NULL || name == NULL)
        return;
    name += 7;
    const uint8_t *quote = memchr(name, '"', (size_t)(blank - name));
    if (quote == NULL)
        return;
    give(walking, "multipart", (struct guard_span){name, (size_t)(quote - name)},
         (struct guard_span){blank + 4, (size_t)(end - blank) - 4});
}

static void walk_multipart(struct walking *walking, struct guard_span body,
                           struct guard_span boundary)
{
    char line[128];
    if (boundary.len == 0 || boundary.len + 3 > sizeof(line))
        return;
    memcpy(line, "--", 2);
    memcpy(line + 2, boundary.ptr, boundary.len);
    size_t len = boundary.len + 2;
    const uint8_t *end = body.ptr + body.len;
    const uint8_t *at = find(body.ptr, end, line, len);
    while (at != NULL && walking->count < EVAL_VALUES_MAX) {
        at += len;
        const uint8_t *next = find(at, end, line, len);
        if (next == NULL)
            return;
        struct guard_span part = {at, (size_t)(next - at)};
        part.len -= part.len >= 2 ? 2 : 0; /* the line end belongs to the boundary */
        walk_part(walking, part);
        at = next;
    }
}

/* Bodies of bytes have no names and values, whatever their type says. */
static bool is_text(struct guard_span body)
{
    for (size_t i = 0; i < body.len; i++) {
        uint8_t c = body.ptr[i];
        if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
            return false;
    }
    return true;
}

static void walk_body(struct walking *walking, const struct guard_exchange *exchange)
{
    struct guard_span body = exchange->body;
    struct guard_span type = eval_header(exchange, "content-type");
    const uint8_t *boundary =
        type.len > 0 ? find(type.ptr, type.ptr + type.len, "boundary=", 9) : NULL;
    if (body.len == 0 || !is_text(body))
        return;
    if (boundary != NULL) {
        struct guard_span text = {boundary + 9, (size_t)(type.ptr + type.len - boundary) - 9};
        if (text.len >= 2 && text.ptr[0] == '"')
            text = (struct guard_span){text.ptr + 1, text.len - 2};
        walk_multipart(walking, body, text);
    } else if (body.ptr[0] == '{' || body.ptr[0] == '[') {
        struct json_cursor cursor;
        json_cursor_init(&cursor, body, walking->arena);
        walk_json(walking, &cursor, 0);
    } else if (memchr(body.ptr, '=', body.len) != NULL &&
               (type.len == 0 || find(type.ptr, type.ptr + type.len, "form", 4) != NULL)) {
        walk_pairs(walking, "form", body);
    }
}

void eval_values(const struct guard_exchange *exchange, struct guard_arena *arena,
                 eval_value_fn *take, void *ctx)
{
    struct walking walking = {.take = take, .ctx = ctx, .arena = arena};
    struct guard_span target = exchange->target;
    const uint8_t *mark = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    size_t path_len = mark != NULL ? (size_t)(mark - target.ptr) : target.len;
    walk_path(&walking, (struct guard_span){target.ptr, path_len});
    if (mark != NULL)
        walk_pairs(&walking, "query", (struct guard_span){mark + 1, target.len - path_len - 1});
    walk_body(&walking, exchange);
}
