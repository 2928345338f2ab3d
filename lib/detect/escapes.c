/* SPDX-License-Identifier: Apache-2.0 */
/* See escapes.h. What is decoded is never longer. */
#include "detect/escapes.h"

#include "base/block.h"
#include "detect/window.h"

#include <string.h>

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

int32_t gd_escape_hex(const uint8_t *at, const uint8_t *end, int count)
{
    int32_t number = 0;
    if (end - at < count)
        return -1;
    for (int i = 0; i < count; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

struct gd_escape gd_escape_entity(const uint8_t *at, const uint8_t *end)
{
    static const struct {
        char name[8];
        uint8_t len;
        uint8_t code;
    } names[] = {{"lt", 2, '<'},       {"gt", 2, '>'},   {"quot", 4, '"'}, {"apos", 4, '\''},
                 {"amp", 3, '&'},      {"lpar", 4, '('}, {"rpar", 4, ')'}, {"colon", 5, ':'},
                 {"newline", 7, '\n'}, {"tab", 3, '\t'}, {"sol", 3, '/'},  {"semi", 4, ';'}};
    const struct gd_escape none = {0, 0};
    uint32_t code = 0;
    const uint8_t *from = at++;
    if (at < end && *at == '#') {
        bool hex = ++at < end && (*at | 0x20) == 'x';
        const uint8_t *digits = at += hex;
        for (; at < end && at - digits < 8; at++) {
            int digit = hex_digit(*at);
            if (digit < 0 || (!hex && digit > 9))
                break;
            code = code * (hex ? 16 : 10) + (uint32_t)digit;
        }
        if (at == digits || code > 0x10ffff)
            return none;
        at += at < end && *at == ';';
        return (struct gd_escape){code, (uint32_t)(at - from)};
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = names[i].len;
        if ((size_t)(end - at) <= len || at[len] != ';')
            continue;
        size_t same = 0;
        while (same < len && (at[same] | 0x20) == (uint8_t)names[i].name[same])
            same++;
        if (same == len)
            return (struct gd_escape){names[i].code, (uint32_t)len + 2};
    }
    return none;
}

struct gd_escape gd_escape_backslash(const uint8_t *at, const uint8_t *end)
{
    const struct gd_escape none = {0, 0};
    if (end - at < 4)
        return none;
    int32_t code = -1;
    int digits = at[1] == 'u' ? 4 : at[1] == 'x' ? 2 : 0;
    if (digits == 0 || (code = gd_escape_hex(at + 2, end, digits)) < 0)
        return none;
    return (struct gd_escape){(uint32_t)code, (uint32_t)digits + 2};
}

struct gd_escape gd_escape_wide(const uint8_t *at, const uint8_t *end)
{
    if (end - at >= 3 && at[0] == 0xef && (at[1] == 0xbc || at[1] == 0xbd)) {
        uint32_t code = 0xf000u | (uint32_t)(at[1] & 0x3f) << 6 | (at[2] & 0x3fu);
        if (code >= 0xff01 && code <= 0xff5e)
            return (struct gd_escape){code - 0xfee0, 3};
    }
    if (end - at >= 3 && at[0] == 0xe3 && at[1] == 0x80 && at[2] == 0x80)
        return (struct gd_escape){' ', 3};
    if (end - at >= 2 && at[0] == 0xc2 && at[1] == 0xa0)
        return (struct gd_escape){' ', 2};
    return (struct gd_escape){0, 0};
}

/* "%3c" "%u003c" */
static struct gd_escape percent(const uint8_t *at, const uint8_t *end, bool *byte)
{
    int32_t code = gd_escape_hex(at + 1, end, 2);
    *byte = code >= 0;
    if (code >= 0)
        return (struct gd_escape){(uint32_t)code, 3};
    if (end - at < 6 || (at[1] | 0x20) != 'u')
        return (struct gd_escape){0, 0};
    code = gd_escape_hex(at + 2, end, 4);
    return code < 0 ? (struct gd_escape){0, 0} : (struct gd_escape){(uint32_t)code, 6};
}

/* ASCII in more bytes than it needs, as some decoders take it: C0 AF, E0 80 AF, F0 80 80 AF. */
static struct gd_escape overlong(const uint8_t *at, const uint8_t *end)
{
    const size_t count = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t code = at[0] & 1u;
    if ((size_t)(end - at) < count)
        return (struct gd_escape){0, 0};
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return (struct gd_escape){0, 0};
        code = code << 6 | (at[i] & 0x3fu);
    }
    return code < 0x80 ? (struct gd_escape){code, (uint32_t)count} : (struct gd_escape){0, 0};
}

static struct gd_escape decode(const uint8_t *at, const uint8_t *end, bool *byte)
{
    *byte = false;
    switch (*at) {
    case '%':
        return percent(at, end, byte);
    case '&':
        return gd_escape_entity(at, end);
    case '\\': {
        struct gd_escape found = gd_escape_backslash(at, end);
        *byte = found.used == 4;
        return found;
    }
    case 0xc0:
    case 0xc1:
    case 0xe0:
    case 0xf0:
        return overlong(at, end);
    case 0xc2:
    case 0xe3:
    case 0xef:
        return gd_escape_wide(at, end);
    default:
        return (struct gd_escape){0, 0};
    }
}

static size_t put_code(uint8_t *to, uint32_t code, bool byte)
{
    if (byte || code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = count; i-- > 1; code >>= 6)
        to[i] = (uint8_t)(0x80 | (code & 0x3f));
    to[0] = (uint8_t)(code | (count == 2 ? 0xc0u : count == 3 ? 0xe0u : 0xf0u));
    return count;
}

bool gd_escapes_decode(struct guard_span text, uint8_t *to, size_t *len)
{
    const uint8_t *end = text.ptr + text.len;
    uint8_t *out = to;
    bool changed = false;
    for (const uint8_t *at = text.ptr; at < end;) {
        bool byte = true;
        if (*at == 0) {
            changed = true;
            at++;
            continue;
        }
        const struct gd_escape found = decode(at, end, &byte);
        if (found.used == 0) {
            *out++ = *at++;
            continue;
        }
        changed = true;
        at += found.used;
        if (found.code != 0)
            out += put_code(out, found.code, byte);
    }
    *len = (size_t)(out - to);
    return changed;
}

/* Names have their semicolon, numbers needn't. */
static bool entity_possible(struct guard_span text)
{
    enum { LONGEST = sizeof("&newline;") - 1 };
    const uint8_t *end = text.ptr + text.len;
    for (const uint8_t *at = text.ptr; at < end; at++) {
        at = memchr(at, '&', (size_t)(end - at));
        if (at == NULL)
            return false;
        size_t left = (size_t)(end - at);
        if ((left > 1 && at[1] == '#') || memchr(at, ';', left < LONGEST ? left : LONGEST) != NULL)
            return true;
    }
    return false;
}

/* What a block holds that may be encoded, but for '&'. */
static inline bool is_coded(const struct gd_block *block, uint32_t bytes, bool *entities)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint32_t coded =
        GD_BLOCK_EQUAL(block, '%') | GD_BLOCK_EQUAL(block, '\\') | GD_BLOCK_EQUAL(block, 0);
    *entities = *entities || GD_BLOCK_EQUAL(block, '&') != 0;
    return (coded & bytes) != 0 || ((block->words[0] | block->words[1]) & high) != 0;
}

bool gd_escapes_possible(struct guard_span text)
{
    bool entities = false;
    size_t at = 0;
    for (; at + GD_BLOCK <= text.len; at += GD_BLOCK) {
        while (at + GD_WINDOW + GD_BLOCK <= text.len && gd_window_is_plain(text.ptr + at))
            at += GD_WINDOW;
        const struct gd_block block = gd_block_load(text.ptr + at, GD_BLOCK);
        if (is_coded(&block, 0xffff, &entities))
            return true;
    }
    if (at < text.len) {
        const struct gd_block block = gd_block_load(text.ptr + at, text.len - at);
        if (is_coded(&block, (1u << (text.len - at)) - 1, &entities))
            return true;
    }
    return entities && entity_possible(text);
}
