/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-decoding, once, and what decoded text tells about the intentions of its sender. */
#include "http/percent.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "http/target.h"

const uint8_t gd_marks[256] = {
    [0] = GD_MARK_NUL,         ['%'] = GD_MARK_PERCENT, ['+'] = GD_MARK_PLUS,
    [';'] = GD_MARK_SEMICOLON, ['.'] = GD_MARK_DOT,     ['\\'] = GD_MARK_DOT,
    ['&'] = GD_MARK_SPLIT,     ['='] = GD_MARK_SPLIT,   ['/'] = GD_MARK_SPLIT,
    ['?'] = GD_MARK_SPLIT,     ['#'] = GD_MARK_SPLIT,   [0x80 ... 0xff] = GD_MARK_HIGH,
};

/* What the bytes hold, as a set of marks. */
static unsigned survey(struct guard_span text)
{
    unsigned found = 0;
    for (size_t i = 0; i < text.len; i++)
        found |= gd_marks[text.ptr[i]];
    return found;
}

const int8_t gd_hex_values[256] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  -1, -1, -1, -1, -1, -1, -1, 10, 11, 12, 13, 14, 15, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

static bool is_escape(struct guard_span text, size_t at)
{
    return text.len - at >= 3 && text.ptr[at] == '%' && gd_hex_value(text.ptr[at + 1]) >= 0 &&
           gd_hex_value(text.ptr[at + 2]) >= 0;
}

static bool holds_escape(struct guard_span text)
{
    for (size_t i = 0; i + 2 < text.len; i++) {
        if (is_escape(text, i))
            return true;
    }
    return false;
}

static uint64_t text_faults(struct guard_span text, unsigned found, bool decoded)
{
    uint64_t faults = 0;
    if (found & GD_MARK_NUL)
        faults |= gd_fault_bit(GUARD_FAULT_NUL);
    if (found & GD_MARK_HIGH) {
        enum gd_utf8 utf8 = gd_utf8_check(text);
        if (utf8 == GD_UTF8_OVERLONG)
            faults |= gd_fault_bit(GUARD_FAULT_OVERLONG);
        if (utf8 == GD_UTF8_INVALID)
            faults |= gd_fault_bit(GUARD_FAULT_INVALID_UTF8);
    }
    if (decoded && (found & GD_MARK_PERCENT) && holds_escape(text))
        faults |= gd_fault_bit(GUARD_FAULT_DOUBLE_ENCODED);
    return faults;
}

uint64_t gd_text_faults(struct guard_span text, bool decoded)
{
    return text_faults(text, survey(text), decoded);
}

void gd_fault_report(const struct gd_view *view, enum guard_location location, uint64_t found,
                     uint64_t *seen)
{
    found &= ~*seen;
    *seen |= found;
    while (found != 0) {
        view->fault(view->ctx, (enum guard_fault)__builtin_ctzll(found), location);
        found &= found - 1;
    }
}

struct guard_span gd_value_cut(struct guard_span value, const struct gd_limits *limits,
                               uint64_t *faults)
{
    *faults |= gd_fault_bit(GUARD_FAULT_VALUE_LENGTH);
    return gd_utf8_trim((struct guard_span){value.ptr, limits->value});
}

struct guard_span gd_percent_decode(struct guard_span text, bool plus, struct guard_arena *arena,
                                    uint64_t *faults)
{
    return gd_marked_decode(text, survey(text), plus, arena, faults);
}

struct guard_span gd_marked_decode(struct guard_span text, unsigned found, bool plus,
                                   struct guard_arena *arena, uint64_t *faults)
{
    if ((found & (GD_MARK_PERCENT | (plus ? GD_MARK_PLUS : 0u))) == 0) {
        if (found & (GD_MARK_NUL | GD_MARK_HIGH))
            *faults |= text_faults(text, found, false);
        return text;
    }
    uint8_t *out = gd_arena_get(arena, text.len);
    if (out == NULL) {
        *faults |= gd_fault_bit(GUARD_FAULT_MEMORY) | text_faults(text, found, false);
        return text;
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte == '%') {
            if (is_escape(text, i)) {
                byte =
                    (uint8_t)(gd_hex_value(text.ptr[i + 1]) << 4 | gd_hex_value(text.ptr[i + 2]));
                i += 2;
            } else {
                *faults |= gd_fault_bit(GUARD_FAULT_BAD_ESCAPE);
            }
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        out[len++] = byte;
    }
    struct guard_span decoded = {out, len};
    *faults |= gd_text_faults(decoded, true);
    return decoded;
}
