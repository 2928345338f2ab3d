/* SPDX-License-Identifier: Apache-2.0 */
/* See likeness_text.h. Decoding happens in place, as what is decoded is never longer. */
#include "detect/likeness_text.h"

enum { DECODINGS = 3 };

static int hex_digit(uint8_t byte)
{
    if (gd_lk_digit(byte))
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* `count` hex digits; -1 when they aren't. */
static int32_t hex_number(const uint8_t *at, const uint8_t *end, int count)
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

/* A decoded character: `used` source bytes stand for it; 0: there is none. */
struct decoded {
    uint32_t code;
    uint32_t used;
};

/* "&#60;" "&#x3c;" "&lt;" */
static struct decoded entity(const uint8_t *at, const uint8_t *end)
{
    static const struct {
        char name[8];
        uint8_t len;
        uint8_t code;
    } names[] = {{"lt", 2, '<'},       {"gt", 2, '>'},   {"quot", 4, '"'}, {"apos", 4, '\''},
                 {"amp", 3, '&'},      {"lpar", 4, '('}, {"rpar", 4, ')'}, {"colon", 5, ':'},
                 {"newline", 7, '\n'}, {"tab", 3, '\t'}, {"sol", 3, '/'},  {"semi", 4, ';'}};
    const struct decoded none = {0, 0};
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
        return (struct decoded){code, (uint32_t)(at - from)};
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = names[i].len;
        if ((size_t)(end - at) <= len || at[len] != ';')
            continue;
        size_t same = 0;
        while (same < len && (at[same] | 0x20) == (uint8_t)names[i].name[same])
            same++;
        if (same == len)
            return (struct decoded){names[i].code, (uint32_t)len + 2};
    }
    return none;
}

/* "\u0027" "\x27" */
static struct decoded escape(const uint8_t *at, const uint8_t *end)
{
    const struct decoded none = {0, 0};
    if (end - at < 4)
        return none;
    int32_t code = -1;
    int digits = at[1] == 'u' ? 4 : at[1] == 'x' ? 2 : 0;
    if (digits == 0 || (code = hex_number(at + 2, end, digits)) < 0)
        return none;
    return (struct decoded){(uint32_t)code, (uint32_t)digits + 2};
}

/* Full-width forms of ASCII (U+FF01 to U+FF5E), the ideographic and the no-break blank. */
static struct decoded wide(const uint8_t *at, const uint8_t *end)
{
    if (end - at >= 3 && at[0] == 0xef && (at[1] == 0xbc || at[1] == 0xbd)) {
        uint32_t code = 0xf000u | (uint32_t)(at[1] & 0x3f) << 6 | (at[2] & 0x3fu);
        if (code >= 0xff01 && code <= 0xff5e)
            return (struct decoded){code - 0xfee0, 3};
    }
    if (end - at >= 3 && at[0] == 0xe3 && at[1] == 0x80 && at[2] == 0x80)
        return (struct decoded){' ', 3};
    if (end - at >= 2 && at[0] == 0xc2 && at[1] == 0xa0)
        return (struct decoded){' ', 2};
    return (struct decoded){0, 0};
}

static struct decoded decode(const uint8_t *at, const uint8_t *end)
{
    int32_t code;
    switch (*at) {
    case '%':
        code = hex_number(at + 1, end, 2);
        return code < 0 ? (struct decoded){0, 0} : (struct decoded){(uint32_t)code, 3};
    case '&':
        return entity(at, end);
    case '\\':
        return escape(at, end);
    case 0xc2:
    case 0xe3:
    case 0xef:
        return wide(at, end);
    default:
        return (struct decoded){0, 0};
    }
}

/* Codes beyond ASCII become one or two bytes that count as letters: no grammar asks which. */
static bool decode_once(struct gd_likeness_text *text)
{
    uint8_t *to = text->bytes;
    const uint8_t *end = text->bytes + text->len;
    bool changed = false;
    for (const uint8_t *at = text->bytes; at < end;) {
        uint16_t origin = text->origin[at - text->bytes];
        struct decoded decoded = decode(at, end);
        text->origin[to - text->bytes] = origin;
        changed |= decoded.used != 0;
        if (decoded.used == 0)
            *to++ = *at++;
        else {
            *to++ = decoded.code < 0x80 ? (uint8_t)decoded.code : 0x80;
            at += decoded.used;
        }
    }
    text->len = (size_t)(to - text->bytes);
    return changed;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static void fold(struct gd_likeness_text *text)
{
    size_t to = 0;
    for (size_t at = 0; at < text->len;) {
        uint16_t origin = text->origin[at];
        uint8_t byte = text->bytes[at++];
        if (is_space(byte)) {
            bool line = byte == '\n' || byte == '\r';
            for (; at < text->len && is_space(text->bytes[at]); at++)
                line |= text->bytes[at] == '\n' || text->bytes[at] == '\r';
            byte = line ? '\n' : ' ';
        } else if (byte >= 'A' && byte <= 'Z') {
            byte |= 0x20;
        } else if (byte == 0) {
            text->nulls = true;
        } else if (byte < 0x20 || byte == 0x7f) {
            text->printable = false;
        }
        text->origin[to] = origin;
        text->bytes[to++] = byte;
    }
    text->len = to;
    text->bytes[to] = 0;
}

void gd_likeness_text_fill(struct gd_likeness_text *text, struct guard_span value)
{
    size_t head = value.len < GD_LIKENESS_HEAD ? value.len : GD_LIKENESS_HEAD;
    size_t left = value.len - head;
    size_t tail = left < GD_LIKENESS_TAIL ? left : GD_LIKENESS_TAIL;
    size_t skipped = left - tail;
    text->raw = gd_span_head(value, head);
    text->fuel = GD_LIKENESS_FUEL;
    text->printable = true;
    text->nulls = false;
    text->len = head + tail;
    if (head > 0)
        memcpy(text->bytes, value.ptr, head);
    if (tail > 0)
        memcpy(text->bytes + head, value.ptr + value.len - tail, tail);
    for (size_t i = 0; i < text->len; i++) {
        size_t at = i < head ? i : i + skipped;
        text->origin[i] = (uint16_t)(at < UINT16_MAX ? at : UINT16_MAX);
    }
    for (int i = 0; i < DECODINGS && decode_once(text); i++)
        continue;
    fold(text);
}

void gd_likeness_hit(struct gd_likeness_text *text, enum guard_construct construct, size_t from,
                     size_t to)
{
    struct gd_likeness *out = text->out;
    uint32_t degree = guard_construct_degree(construct);
    out->classes |= 1u << guard_construct_likeness(construct);
    if (degree <= out->degree)
        return;
    to = to < text->len ? to : text->len;
    from = from < to ? from : to;
    out->construct = construct;
    out->degree = degree;
    out->offset = from < text->len ? text->origin[from] : 0;
    out->len = (uint32_t)(to - from);
}

bool gd_lk_is(const struct gd_likeness_text *text, size_t at, const char *literal)
{
    size_t len = strlen(literal);
    return at <= text->len && text->len - at >= len && memcmp(text->bytes + at, literal, len) == 0;
}

bool gd_lk_is_word(const struct gd_likeness_text *text, size_t at, const char *literal)
{
    return gd_lk_is(text, at, literal) && !gd_lk_word(gd_lk_at(text, at + strlen(literal)));
}

bool gd_lk_in(const struct gd_likeness_text *text, size_t at, const char *words)
{
    size_t len = 0;
    while (len < 32 && gd_lk_word(gd_lk_at(text, at + len)))
        len++;
    if (len == 0)
        return false;
    for (const char *word = words; *word != '\0';) {
        const char *end = word;
        while (*end != ' ' && *end != '\0')
            end++;
        if ((size_t)(end - word) == len && memcmp(word, text->bytes + at, len) == 0)
            return true;
        word = *end == ' ' ? end + 1 : end;
    }
    return false;
}

size_t gd_lk_skip(const struct gd_likeness_text *text, size_t at)
{
    return at + gd_lk_blank(gd_lk_at(text, at));
}

size_t gd_lk_skip_comments(struct gd_likeness_text *text, size_t at)
{
    enum { COMMENT_MAX = 64 };
    for (;;) {
        uint8_t byte = gd_lk_at(text, at);
        if (gd_lk_blank(byte)) {
            at++;
        } else if (gd_lk_is(text, at, "/*")) {
            /* Text in "slash star exclamation" comments is executed; digits are a version. */
            if (gd_lk_at(text, at + 2) == '!') {
                for (at += 3; gd_lk_digit(gd_lk_at(text, at));)
                    at++;
                continue;
            }
            size_t end = gd_lk_find(text, at + 2, "*/", COMMENT_MAX);
            if (end == 0)
                return at;
            at = end + 2;
        } else if (gd_lk_is(text, at, "*/")) {
            at += 2;
        } else {
            return at;
        }
    }
}

size_t gd_lk_word_end(struct gd_likeness_text *text, size_t at)
{
    size_t end = at;
    while (end < at + 64 && gd_lk_word(gd_lk_at(text, end)))
        end++;
    return gd_lk_burn(text, end - at) ? end : at;
}

size_t gd_lk_find(struct gd_likeness_text *text, size_t at, const char *literal, size_t most)
{
    size_t end = at + most < text->len ? at + most : text->len;
    for (size_t i = at; i < end; i++) {
        if (!gd_lk_burn(text, 1))
            return 0;
        if (text->bytes[i] == (uint8_t)literal[0] && gd_lk_is(text, i, literal))
            return i;
    }
    return 0;
}
