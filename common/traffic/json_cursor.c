/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor over a JSON text. Tolerant of what it skips, strict about what it takes. */
#include "common/traffic/json_cursor.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 64 };

void json_cursor_init(struct json_cursor *cursor, struct guard_span text, struct guard_arena *arena)
{
    *cursor = (struct json_cursor){.begin = text.ptr,
                                   .at = text.ptr,
                                   .end = text.len > 0 ? text.ptr + text.len : text.ptr,
                                   .arena = arena,
                                   .rc = GUARD_OK};
}

void json_cursor_refuse(struct json_cursor *cursor, enum guard_rc rc, const char *wrong)
{
    if (cursor->wrong != NULL)
        return;
    cursor->wrong = wrong;
    cursor->rc = rc;
}

static uint8_t look(struct json_cursor *cursor)
{
    if (cursor->wrong != NULL)
        return 0;
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n' ||
                                        *cursor->at == '\r' || *cursor->at == '\t'))
        cursor->at++;
    return cursor->at < cursor->end ? *cursor->at : 0;
}

uint8_t json_cursor_peek(struct json_cursor *cursor)
{
    uint8_t c = look(cursor);
    bool value = c == '{' || c == '[' || c == '"' || c == 't' || c == 'f' || c == 'n' || c == '-' ||
                 (c >= '0' && c <= '9');
    if (!value)
        json_cursor_refuse(cursor, GUARD_E_SYNTAX, "a JSON value is missing");
    return value ? c : 0;
}

static bool take_byte(struct json_cursor *cursor, char due, const char *wrong)
{
    if (look(cursor) != (uint8_t)due) {
        json_cursor_refuse(cursor, GUARD_E_SYNTAX, wrong);
        return false;
    }
    cursor->at++;
    return true;
}

/* What is between the quotes, as it stands; the cursor moves behind it. */
static bool raw_string(struct json_cursor *cursor, struct guard_span *out, bool *escaped)
{
    if (!take_byte(cursor, '"', "a JSON string is missing"))
        return false;
    const uint8_t *from = cursor->at;
    const uint8_t *at = from;
    *escaped = false;
    while (at < cursor->end && *at != '"') {
        if (*at == '\\') {
            *escaped = true;
            at++;
        }
        at += at < cursor->end;
    }
    cursor->at = at;
    if (at >= cursor->end) {
        json_cursor_refuse(cursor, GUARD_E_SYNTAX, "a JSON string has no end");
        return false;
    }
    *out = (struct guard_span){from, (size_t)(cursor->at - from)};
    cursor->at++;
    return true;
}

static void skip_scalar(struct json_cursor *cursor)
{
    const uint8_t *from = cursor->at;
    while (cursor->at < cursor->end && strchr(",]}: \t\r\n\"[{", *cursor->at) == NULL)
        cursor->at++;
    if (cursor->at == from)
        json_cursor_refuse(cursor, GUARD_E_SYNTAX, "a JSON value is missing");
}

/* Brackets are only counted: what nobody reads needn't be right. */
void json_cursor_skip(struct json_cursor *cursor)
{
    uint32_t open = 0;
    struct guard_span text;
    bool escaped;
    do {
        uint8_t c = look(cursor);
        if (c == 0) {
            json_cursor_refuse(cursor, GUARD_E_SYNTAX, "the JSON text ends too early");
        } else if (c == '{' || c == '[') {
            open++;
            cursor->at++;
        } else if (open > 0 && (c == '}' || c == ']')) {
            open--;
            cursor->at++;
        } else if (open > 0 && (c == ',' || c == ':')) {
            cursor->at++;
        } else if (c == '"') {
            (void)raw_string(cursor, &text, &escaped);
        } else {
            skip_scalar(cursor);
        }
    } while (open > 0 && cursor->wrong == NULL);
}

bool json_cursor_enter(struct json_cursor *cursor, char bracket)
{
    uint8_t c = json_cursor_peek(cursor);
    if (c == 0)
        return false;
    if (c != (uint8_t)bracket) {
        json_cursor_skip(cursor);
        return false;
    }
    if (cursor->depth == JSON_CURSOR_DEPTH_MAX) {
        json_cursor_refuse(cursor, GUARD_E_LIMIT, "nested too deeply");
        return false;
    }
    cursor->depth++;
    cursor->at++;
    cursor->first = true;
    return true;
}

/* False behind the closing bracket. */
static bool goes_on(struct json_cursor *cursor, char closing)
{
    bool first = cursor->first;
    cursor->first = false;
    if (look(cursor) == (uint8_t)closing) {
        cursor->at++;
        cursor->depth--;
        return false;
    }
    return first ? cursor->wrong == NULL : take_byte(cursor, ',', "a comma is missing");
}

bool json_cursor_member(struct json_cursor *cursor, struct guard_span *key)
{
    if (!goes_on(cursor, '}'))
        return false;
    if (look(cursor) != '"') {
        json_cursor_refuse(cursor, GUARD_E_SYNTAX, "a member has no name");
        return false;
    }
    return json_cursor_string(cursor, key) && take_byte(cursor, ':', "a colon is missing");
}

bool json_cursor_element(struct json_cursor *cursor)
{
    return goes_on(cursor, ']');
}

bool json_cursor_number(struct json_cursor *cursor, double *out)
{
    char text[NUMBER_MAX];
    uint8_t c = json_cursor_peek(cursor);
    const uint8_t *from = cursor->at;
    json_cursor_skip(cursor);
    size_t len = (size_t)(cursor->at - from);
    if (cursor->wrong != NULL || (c != '-' && (c < '0' || c > '9')) || len >= sizeof(text))
        return false;
    memcpy(text, from, len);
    text[len] = '\0';
    char *end = NULL;
    *out = strtod(text, &end);
    return *end == '\0';
}

static size_t put_code_point(uint8_t *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    out[0] = (uint8_t)((0xf00u >> len & 0xf0u) | code >> (6 * (len - 1)));
    for (size_t i = 1; i < len; i++)
        out[i] = (uint8_t)(0x80u | (code >> (6 * (len - 1 - i)) & 0x3fu));
    return len;
}

/* The four hexadecimal digits behind "\u", negative when they aren't four. */
static int32_t unit_at(struct guard_span text, size_t at)
{
    int32_t unit = 0;
    if (at + 6 > text.len || text.ptr[at] != '\\' || text.ptr[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        uint8_t c = text.ptr[i];
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* An escape at text.ptr[*at], which is a backslash. */
static size_t unescape_one(uint8_t *out, struct guard_span text, size_t *at)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    int32_t unit = unit_at(text, *at);
    if (unit >= 0) {
        int32_t low = unit >= 0xd800 && unit <= 0xdbff ? unit_at(text, *at + 6) : -1;
        *at += 6;
        if (low >= 0xdc00 && low <= 0xdfff) {
            *at += 6;
            return put_code_point(out, 0x10000u + (((uint32_t)unit & 0x3ffu) << 10) +
                                           ((uint32_t)low & 0x3ffu));
        }
        return put_code_point(out, unit >= 0xd800 && unit <= 0xdfff ? 0xfffd : (uint32_t)unit);
    }
    const char *found =
        *at + 1 < text.len && text.ptr[*at + 1] != '\0' ? strchr(letters, text.ptr[*at + 1]) : NULL;
    out[0] = found != NULL ? (uint8_t)bytes[found - letters] : '\\';
    *at += found != NULL ? 2 : 1;
    return 1;
}

size_t json_unescape(uint8_t *out, struct guard_span text)
{
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        const uint8_t *escape = memchr(text.ptr + at, '\\', text.len - at);
        size_t plain = (escape != NULL ? (size_t)(escape - text.ptr) : text.len) - at;
        memmove(out + len, text.ptr + at, plain);
        len += plain;
        at += plain;
        if (escape != NULL)
            len += unescape_one(out + len, text, &at);
    }
    return len;
}

bool json_cursor_string(struct json_cursor *cursor, struct guard_span *out)
{
    bool escaped = false;
    struct guard_span raw = {NULL, 0};
    if (json_cursor_peek(cursor) != '"') {
        if (cursor->wrong == NULL)
            json_cursor_skip(cursor);
        return false;
    }
    if (!raw_string(cursor, &raw, &escaped))
        return false;
    if (!escaped) {
        *out = raw;
        return true;
    }
    uint8_t *copy = guard_arena_get(cursor->arena, raw.len);
    if (copy == NULL) {
        json_cursor_refuse(cursor, GUARD_E_NOMEM, "too large");
        return false;
    }
    *out = (struct guard_span){copy, json_unescape(copy, raw)};
    return true;
}

bool json_cursor_done(struct json_cursor *cursor)
{
    return look(cursor) == 0 && cursor->wrong == NULL && cursor->at == cursor->end;
}
