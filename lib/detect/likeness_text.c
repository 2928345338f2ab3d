/* SPDX-License-Identifier: Apache-2.0 */
/* See likeness_text.h. Decoding happens in place, as what is decoded is never longer. */
#include "detect/likeness_text.h"

#include "detect/escapes.h"
#include "detect/likeness_keywords.h"

enum { DECODINGS = 3, LOOKUP = 4 };

const uint8_t gd_lk_kinds[256] = {
    0, 0, 0, 0,  0, 0,  0, 0,  0,  0,  40, 0, 0, 0,  0, 0, 0, 0, 0,  0, 0,  0, 0, 0, 0,  0, 0, 0, 0,
    0, 0, 0, 32, 0, 8,  8, 8,  24, 24, 8,  8, 8, 40, 0, 0, 0, 8, 40, 5, 5,  5, 5, 5, 5,  5, 5, 5, 5,
    8, 8, 8, 0,  0, 0,  0, 3,  3,  3,  3,  3, 3, 3,  3, 3, 3, 3, 3,  3, 3,  3, 3, 3, 3,  3, 3, 3, 3,
    3, 3, 3, 3,  0, 24, 0, 0,  1,  8,  3,  3, 3, 3,  3, 3, 3, 3, 3,  3, 3,  3, 3, 3, 3,  3, 3, 3, 3,
    3, 3, 3, 3,  3, 3,  3, 8,  8,  0,  0,  0, 1, 1,  1, 1, 1, 1, 1,  1, 1,  1, 1, 1, 1,  1, 1, 1, 1,
    1, 1, 1, 1,  1, 1,  1, 1,  1,  1,  1,  1, 1, 1,  1, 1, 1, 1, 1,  1, 1,  1, 1, 1, 1,  1, 1, 1, 1,
    1, 1, 1, 1,  1, 1,  1, 1,  1,  1,  1,  1, 1, 1,  1, 1, 1, 1, 1,  1, 17, 1, 1, 1, 1,  1, 1, 1, 1,
    1, 1, 1, 1,  1, 1,  1, 1,  1,  1,  1,  1, 1, 1,  1, 1, 1, 1, 1,  1, 1,  1, 1, 1, 17, 1, 1, 1, 1,
    1, 1, 1, 1,  1, 1,  1, 17, 1,  1,  1,  1, 1, 1,  1, 1, 1, 1, 1,  1, 1,  1, 1, 1,
};

static struct gd_escape decode(const uint8_t *at, const uint8_t *end)
{
    int32_t code;
    switch (*at) {
    case '%':
        code = gd_escape_hex(at + 1, end, 2);
        return code < 0 ? (struct gd_escape){0, 0} : (struct gd_escape){(uint32_t)code, 3};
    case '&':
        return gd_escape_entity(at, end);
    case '\\':
        return gd_escape_backslash(at, end);
    case 0xc2:
    case 0xe3:
    case 0xef:
        return gd_escape_wide(at, end);
    default:
        return (struct gd_escape){0, 0};
    }
}

/* Codes beyond ASCII become one or two bytes that count as letters: no grammar asks which. */
static bool decode_once(struct gd_likeness_text *text)
{
    uint8_t *to = text->bytes;
    const uint8_t *end = text->bytes + text->len;
    bool changed = false;
    for (const uint8_t *at = text->bytes; at < end;) {
        if ((gd_lk_kinds[*at] & GD_LK_IS_CODED) == 0) {
            *to++ = *at++;
            continue;
        }
        struct gd_escape decoded = decode(at, end);
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

/* Lower case, line breaks as LF, other blanks as a blank; controls as they are. */
static const uint8_t folded[128] = {
    0,   1,   2,   3,   4,   5,   6,   7,   8,   32,  10,  32,  32,  10,  14,  15,  16,  17,  18,
    19,  20,  21,  22,  23,  24,  25,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,
    38,  39,  40,  41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51,  52,  53,  54,  55,  56,
    57,  58,  59,  60,  61,  62,  63,  64,  97,  98,  99,  100, 101, 102, 103, 104, 105, 106, 107,
    108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 91,  92,  93,  94,
    95,  96,  97,  98,  99,  100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113,
    114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127,
};

static void fold(struct gd_likeness_text *text)
{
    uint8_t *to = text->bytes;
    const uint8_t *end = text->bytes + text->len;
    for (const uint8_t *at = text->bytes; at < end; at++) {
        uint8_t byte = *at < 0x80 ? folded[*at] : *at;
        if (byte > ' ') {
            text->printable &= byte != 0x7f;
            *to++ = byte;
        } else if (byte == ' ' || byte == '\n') {
            /* A run of blanks is one, a line feed when there is one among them. */
            if (to > text->bytes && gd_lk_blank(to[-1]))
                to[-1] = byte == '\n' ? byte : to[-1];
            else
                *to++ = byte;
        } else {
            text->nulls |= byte == 0;
            text->printable &= byte == 0;
            *to++ = byte;
        }
    }
    text->len = (size_t)(to - text->bytes);
    *to = 0;
}

void gd_likeness_text_fill(struct gd_likeness_text *text, struct guard_span value)
{
    size_t head = value.len < GD_LIKENESS_HEAD ? value.len : GD_LIKENESS_HEAD;
    size_t left = value.len - head;
    size_t tail = left < GD_LIKENESS_TAIL ? left : GD_LIKENESS_TAIL;
    text->raw = gd_span_head(value, head);
    text->fuel = GD_LIKENESS_FUEL;
    text->printable = true;
    text->nulls = false;
    text->keyword_at = SIZE_MAX;
    text->len = head + tail;
    if (head > 0)
        memcpy(text->bytes, value.ptr, head);
    if (tail > 0)
        memcpy(text->bytes + head, value.ptr + value.len - tail, tail);
    for (int i = 0; i < DECODINGS && decode_once(text); i++)
        continue;
    fold(text);
}

void gd_likeness_hit(struct gd_likeness_text *text, enum guard_construct construct)
{
    struct gd_likeness *out = text->out;
    uint32_t degree = guard_construct_degree(construct);
    uint32_t own = 1u << guard_construct_likeness(construct) & ~text->without;
    if (own == 0)
        return;
    out->classes |= own;
    if (degree <= out->degree)
        return;
    out->construct = construct;
    out->degree = degree;
}

/* Letters, then '_', then all others. */
static uint32_t slot_of(uint8_t byte)
{
    return gd_lk_letter(byte) ? byte - (uint32_t)'a' : byte == '_' ? 26 : 27;
}

uint64_t gd_lk_lookup(struct gd_likeness_text *text, size_t at)
{
    size_t len = 0;
    while (len < GD_LK_KEYWORD_MAX && gd_lk_word(gd_lk_at(text, at + len)))
        len++;
    text->keyword_at = at;
    text->keyword = 0;
    if (len == 0)
        return 0;
    if (!gd_lk_burn(text, LOOKUP))
        return 0;
    const uint8_t *word = text->bytes + at;
    const uint16_t *first = gd_lk_keyword_first + slot_of(word[0]) * 32 + len;
    for (uint32_t i = first[0]; i < first[1]; i++) {
        if (memcmp(gd_lk_keywords[i].text, word, len) == 0) {
            text->keyword = gd_lk_keywords[i].sets;
            break;
        }
    }
    return text->keyword;
}

size_t gd_lk_skip(const struct gd_likeness_text *text, size_t at)
{
    return at + gd_lk_blank(gd_lk_at(text, at));
}

size_t gd_lk_skip_long(struct gd_likeness_text *text, size_t at)
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
    while (at < end) {
        const uint8_t *from = text->bytes + at;
        const uint8_t *found = memchr(from, literal[0], end - at);
        size_t passed = found == NULL ? end - at : (size_t)(found - from) + 1;
        if (!gd_lk_burn(text, passed) || found == NULL)
            return 0;
        if (gd_lk_is(text, at + passed - 1, literal))
            return at + passed - 1;
        at += passed;
    }
    return 0;
}
