/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoders of targets, forms and multipart share: hex digits, and the faults that decoded
 * text shows. */
#ifndef GD_HTTP_PERCENT_H
#define GD_HTTP_PERCENT_H

#include "base/block.h"
#include "http/view.h"

static inline uint64_t gd_fault_bit(enum guard_fault fault)
{
    return UINT64_C(1) << (unsigned)fault;
}

extern const int8_t gd_hex_values[256];

/* 0 to 15, or -1. */
static inline int gd_hex_value(uint8_t byte)
{
    return gd_hex_values[byte];
}

/* What a byte may mean to targets and cookies; most mean nothing but themselves and have no mark.
 */
enum {
    GD_MARK_NUL = 1,
    GD_MARK_HIGH = 2, /* 0x80 and above */
    GD_MARK_PERCENT = 4,
    GD_MARK_PLUS = 8,
    GD_MARK_SEMICOLON = 16,
    GD_MARK_DOT = 32,   /* dots and backslashes: of interest in paths */
    GD_MARK_SPLIT = 64, /* & = / ? # */
};
extern const uint8_t gd_marks[256];

/* From *at on to the next `stop` (or `other`), or the end; *at is moved there. Returns all marks
 * before it. */
static inline unsigned gd_marks_until(struct guard_span text, size_t *at, uint8_t stop,
                                      uint8_t other)
{
    unsigned found = 0;
    size_t i = *at;
    for (; text.len - i >= GD_BLOCK; i += GD_BLOCK) {
        struct gd_block block = gd_block_load(text.ptr + i, GD_BLOCK);
        uint32_t others =
            ~(GD_BLOCK_BETWEEN(&block, 'a', 'z') | GD_BLOCK_BETWEEN(&block, 'A', 'Z') |
              GD_BLOCK_BETWEEN(&block, '0', '9')) &
            0xffff;
        for (; others != 0; others &= others - 1) {
            size_t place = i + (size_t)__builtin_ctz(others);
            if (text.ptr[place] == stop || text.ptr[place] == other) {
                *at = place;
                return found;
            }
            found |= gd_marks[text.ptr[place]];
        }
    }
    for (; i < text.len; i++) {
        uint8_t mark = gd_marks[text.ptr[i]];
        if (__builtin_expect(mark == 0, 1))
            continue;
        if (text.ptr[i] == stop || text.ptr[i] == other)
            break;
        found |= mark;
    }
    *at = i;
    return found;
}

/* gd_percent_decode for text whose marks are known. */
struct guard_span gd_marked_decode(struct guard_span text, unsigned marks, bool plus,
                                   struct guard_arena *arena, uint64_t *faults);

static inline struct guard_span gd_marked_text(struct guard_span text, unsigned marks, bool plus,
                                               struct guard_arena *arena, uint64_t *faults)
{
    const unsigned plain = GD_MARK_SEMICOLON | GD_MARK_DOT | GD_MARK_SPLIT;
    if (__builtin_expect((marks & ~plain) == 0, 1))
        return text;
    return gd_marked_decode(text, marks, plus, arena, faults);
}

/* The faults (bits) of text after decoding: NUL, bad UTF-8 and, when escapes were decoded, %XX that
 * is left. */
uint64_t gd_text_faults(struct guard_span text, bool decoded);
/* Report every fault of `found` that isn't in *seen yet, and add it there. */
void gd_fault_report(const struct gd_view *view, enum guard_location location, uint64_t found,
                     uint64_t *seen);
struct guard_span gd_value_cut(struct guard_span value, const struct gd_limits *limits,
                               uint64_t *faults);

/* The first limits->value bytes, in whole characters; more is the fault VALUE_LENGTH. */
static inline struct guard_span gd_value_head(struct guard_span value,
                                              const struct gd_limits *limits, uint64_t *faults)
{
    return value.len <= limits->value ? value : gd_value_cut(value, limits, faults);
}

#endif
