/* SPDX-License-Identifier: Apache-2.0 */
/* The rule is the independent scorer's, so that distinct requests are the same ones for both:
 * numbers, UUIDs, 16 and more hexadecimal digits and mixed words of 20 and more characters in paths
 * are one; query and form pairs are decoded and sorted; JSON is compared without its order and
 * blanks. */
#include "eval_key.h"

#include "common/traffic/json_cursor.h"

#include <guard/crypto.h>

#include <stdlib.h>
#include <string.h>

enum { PAIRS_MAX = 65536 };

uint64_t eval_hash(uint64_t seed, struct guard_span text)
{
    uint64_t hash = guard_checksum(seed, text);
    return hash == 0 ? 1 : hash;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return eval_hash(hash, (struct guard_span){(const uint8_t *)&value, sizeof(value)});
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static size_t percent(uint8_t *out, struct guard_span text, bool plus)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%' && i + 2 < text.len && hex(text.ptr[i + 1]) >= 0 &&
            hex(text.ptr[i + 2]) >= 0) {
            c = (uint8_t)(hex(text.ptr[i + 1]) << 4 | hex(text.ptr[i + 2]));
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[len++] = c;
    }
    return len;
}

/* Bytes of the character at the start, or, negative, of the broken one that is replaced at once. */
static int character(const uint8_t *at, size_t room)
{
    uint8_t first = at[0];
    int len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len == 0 || first > 0xf4)
        return -1;
    for (int i = 1; i < len; i++) {
        uint8_t low = first == 0xe0 && i == 1 ? 0xa0 : first == 0xf0 && i == 1 ? 0x90 : 0x80;
        uint8_t high = first == 0xed && i == 1 ? 0x9f : first == 0xf4 && i == 1 ? 0x8f : 0xbf;
        if ((size_t)i >= room || at[i] < low || at[i] > high)
            return -i;
    }
    return len;
}

size_t eval_unquote(uint8_t *out, struct guard_span text, bool plus)
{
    uint8_t *raw = out + 2 * text.len; /* what is written never overtakes what is read */
    size_t raw_len = percent(raw, text, plus);
    size_t len = 0;
    for (size_t i = 0; i < raw_len;) {
        int step = character(raw + i, raw_len - i);
        if (step > 0) {
            memmove(out + len, raw + i, (size_t)step);
            len += (size_t)step;
            i += (size_t)step;
        } else {
            i += (size_t)-step;
            memcpy(out + len, "\xef\xbf\xbd", 3);
            len += 3;
        }
    }
    return len;
}

static bool all_hex(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (hex(text.ptr[i]) < 0)
            return false;
    }
    return true;
}

static bool is_uuid(struct guard_span text)
{
    if (text.len != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.ptr[i] != '-' : hex(text.ptr[i]) < 0)
            return false;
    }
    return true;
}

static bool is_variable(struct guard_span text)
{
    size_t digits = 0;
    size_t words = 0;
    size_t characters = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool is_digit = c >= '0' && c <= '9';
        digits += is_digit;
        words += is_digit || c == '_' || c == '-' || (uint8_t)((c | 32) - 'a') < 26 || c >= 0x80;
        characters += (c & 0xc0) != 0x80;
    }
    if (text.len == 0)
        return false;
    return digits == text.len || (text.len >= 16 && all_hex(text)) || is_uuid(text) ||
           (characters >= 20 && digits > 0 && words == text.len);
}

static uint64_t path_hash(struct guard_span path)
{
    uint64_t hash = 2;
    size_t from = 0;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/')
            continue;
        struct guard_span segment = {path.ptr + from, i - from};
        hash = is_variable(segment) ? mix(hash, 3) : mix(hash, eval_hash(5, segment));
        from = i + 1;
    }
    return hash;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t sorted_hash(uint64_t seed, uint64_t *hashes, size_t count)
{
    qsort(hashes, count, sizeof(*hashes), compare);
    return eval_hash(seed, (struct guard_span){(const uint8_t *)hashes, count * sizeof(*hashes)});
}

static uint64_t pairs_hash(struct guard_span text, struct guard_arena *arena)
{
    size_t count = 0;
    size_t max = 1;
    for (size_t i = 0; i < text.len; i++)
        max += text.ptr[i] == '&';
    uint64_t *hashes = guard_arena_get(arena, max * sizeof(*hashes));
    uint8_t *decoded = guard_arena_get(arena, 3 * text.len + 1);
    if (hashes == NULL || decoded == NULL)
        return eval_hash(7, text);
    size_t from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '&')
            continue;
        if (i > from) {
            struct guard_span pair = {text.ptr + from, i - from};
            size_t len = eval_unquote(decoded, pair, true);
            hashes[count++] = eval_hash(11, (struct guard_span){decoded, len});
        }
        from = i + 1;
    }
    return sorted_hash(13, hashes, count);
}

static uint64_t number_hash(struct guard_span text)
{
    char copy[64];
    if (text.len >= sizeof(copy) ||
        (memchr(text.ptr, '.', text.len) == NULL && memchr(text.ptr, 'e', text.len) == NULL &&
         memchr(text.ptr, 'E', text.len) == NULL))
        return eval_hash(17, text);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    double value = strtod(copy, NULL);
    return eval_hash(19, (struct guard_span){(const uint8_t *)&value, sizeof(value)});
}

static uint64_t json_hash(struct json_cursor *cursor);

static uint64_t container_hash(struct json_cursor *cursor, bool object)
{
    size_t count = 0;
    size_t cap = 16;
    struct guard_span key;
    uint64_t hash = 23;
    uint64_t *hashes = guard_arena_get(cursor->arena, cap * sizeof(*hashes));
    while (object ? json_cursor_member(cursor, &key) : json_cursor_element(cursor)) {
        uint64_t of_key = object ? eval_hash(29, key) : 0;
        uint64_t member = mix(of_key, json_hash(cursor));
        if (!object || hashes == NULL) {
            hash = mix(hash, member);
            continue;
        }
        if (count == cap) {
            uint64_t *more = guard_arena_get(cursor->arena, 2 * cap * sizeof(*more));
            if (more == NULL || cap >= PAIRS_MAX) {
                json_cursor_refuse(cursor, GUARD_E_LIMIT, "too many members");
                break;
            }
            memcpy(more, hashes, count * sizeof(*more));
            hashes = more;
            cap *= 2;
        }
        hashes[count++] = member;
    }
    return object && hashes != NULL ? sorted_hash(31, hashes, count) : mix(hash, 37);
}

/* Of equal keys in one object all count, where the scorer takes the last. */
static uint64_t json_hash(struct json_cursor *cursor)
{
    uint8_t first = json_cursor_peek(cursor);
    struct guard_span text = {NULL, 0};
    const uint8_t *from = cursor->at;
    if (first == '{' || first == '[')
        return json_cursor_enter(cursor, (char)first) ? container_hash(cursor, first == '{') : 0;
    if (first == '"')
        return json_cursor_string(cursor, &text) ? eval_hash(41, text) : 0;
    json_cursor_skip(cursor);
    text = (struct guard_span){from, (size_t)(cursor->at - from)};
    return first == 't' || first == 'f' || first == 'n' ? eval_hash(43, text) : number_hash(text);
}

static uint64_t body_hash(struct guard_span body, struct guard_arena *arena)
{
    if (body.len > 0 && (body.ptr[0] == '{' || body.ptr[0] == '[')) {
        struct json_cursor cursor;
        json_cursor_init(&cursor, body, arena);
        uint64_t hash = json_hash(&cursor);
        return json_cursor_done(&cursor) ? hash : eval_hash(47, body);
    }
    if (body.len > 0 && memchr(body.ptr, '=', body.len) != NULL &&
        memchr(body.ptr, '\n', body.len) == NULL)
        return pairs_hash(body, arena);
    return eval_hash(47, body);
}

uint64_t eval_request_key(const struct guard_exchange *exchange, struct guard_span service,
                          struct guard_arena *arena)
{
    struct guard_span target = exchange->target;
    const uint8_t *mark = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    struct guard_span path = {target.ptr, mark != NULL ? (size_t)(mark - target.ptr) : target.len};
    struct guard_span query = {mark != NULL ? mark + 1 : NULL,
                               mark != NULL ? target.len - path.len - 1 : 0};
    uint8_t *decoded = guard_arena_get(arena, 3 * path.len + 1);
    if (decoded != NULL)
        path = (struct guard_span){decoded, eval_unquote(decoded, path, false)};
    uint64_t key = eval_hash(53, service);
    key = mix(key, eval_hash(59, exchange->method));
    key = mix(key, path_hash(path));
    key = mix(key, pairs_hash(query, arena));
    return mix(key, body_hash(exchange->body, arena));
}
