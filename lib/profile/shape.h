/* SPDX-License-Identifier: Apache-2.0 */
/* Values whose form alone tells all of their features: words, numbers, days and UUIDs are most of
 * what is sent, and are known after one look at 16 bytes. Whatever has another form is scanned. */
#ifndef GD_PROFILE_SHAPE_H
#define GD_PROFILE_SHAPE_H

#include "base/block.h"
#include "profile/features.h"
#include "profile/transition.h"

enum { GD_DAY_BYTES = 10, GD_UUID_BYTES = 36 };

#define GD_CLASS_BIT(name) (UINT64_C(1) << GUARD_CLASS_##name)
#define GD_CLASS_MARK(mark) (UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + (mark) - '!'))
#define GD_PAIR_OF(from, to) GD_FREQUENT_PAIR(GD_FREQUENT_##from, GD_FREQUENT_##to)

/* Digits, maybe with a minus before them and a point between them. */
static inline void gd_features_number(struct gd_features *out, size_t len, bool minus, bool point)
{
    out->classes =
        GD_CLASS_BIT(DIGIT) | (minus ? GD_CLASS_MARK('-') : 0) | (point ? GD_CLASS_MARK('.') : 0);
    out->frequent = (minus ? GD_PAIR_OF(DASH, DIGIT) : 0) |
                    (point ? GD_PAIR_OF(DIGIT, POINT) | GD_PAIR_OF(POINT, DIGIT) : 0);
    out->specials = (uint32_t)minus + point;
    out->digits = (uint32_t)len - out->specials;
    out->len = (uint32_t)len;
    out->type = point ? GUARD_TYPE_DECIMAL : GUARD_TYPE_INT;
}

static inline void gd_features_bool(struct gd_features *out, size_t len)
{
    *out = (struct gd_features){
        .classes = GD_CLASS_BIT(LOWER), .len = (uint32_t)len, .type = GUARD_TYPE_BOOL};
}

/* rest: what isn't a digit, a bit for each byte. */
static inline bool gd_shape_number(const uint8_t *at, size_t len, uint32_t rest,
                                   struct gd_features *out)
{
    bool minus = (rest & 1) != 0;
    uint32_t point = rest & ~UINT32_C(1);
    if ((point & (point - 1)) != 0 || (minus && (at[0] != '-' || len == 1 || (point & 2))) ||
        (point & 1u << (len - 1)) || (point != 0 && at[__builtin_ctz(point)] != '.'))
        return false;
    gd_features_number(out, len, minus, point != 0);
    return true;
}

/* "2024-02-29" */
static inline bool gd_shape_day(const uint8_t *at, size_t len, uint32_t rest,
                                struct gd_features *out)
{
    const uint32_t dashes = 1u << 4 | 1u << 7;
    if (len != GD_DAY_BYTES || rest != dashes || at[4] != '-' || at[7] != '-')
        return false;
    *out = (struct gd_features){
        .classes = GD_CLASS_BIT(DIGIT) | GD_CLASS_MARK('-'),
        .frequent = GD_PAIR_OF(DIGIT, DASH) | GD_PAIR_OF(DASH, DIGIT),
        .digits = 8,
        .specials = 2,
        .len = GD_DAY_BYTES,
        .type = GUARD_TYPE_DATE,
    };
    return true;
}

static inline bool gd_is_bool(const uint8_t *at, size_t len)
{
    return (len == 4 && memcmp(at, "true", 4) == 0) || (len == 5 && memcmp(at, "false", 5) == 0);
}

/* Letters of one case, or digits. */
static inline bool gd_shape_run(const uint8_t *at, size_t len, const struct gd_block_masks *masks,
                                uint32_t all, struct gd_features *out)
{
    if (masks->digit == all) {
        gd_features_number(out, len, false, false);
        return true;
    }
    if (masks->lower != all && masks->upper != all)
        return false;
    *out = (struct gd_features){
        .classes = masks->lower == all ? GD_CLASS_BIT(LOWER) : GD_CLASS_BIT(UPPER),
        .len = (uint32_t)len,
        .type = gd_is_bool(at, len) ? GUARD_TYPE_BOOL : GUARD_TYPE_WORD,
    };
    return true;
}

static inline uint64_t gd_pair_when(uint32_t found, uint64_t pair)
{
    return found != 0 ? pair : 0;
}

/* Lower case letters and blanks. */
static inline bool gd_shape_words(const struct gd_block *block, uint32_t lower, uint32_t all,
                                  size_t len, struct gd_features *out)
{
    uint32_t space = GD_BLOCK_BETWEEN(block, ' ', ' ') & all;
    if ((lower | space) != all || lower == 0)
        return false;
    *out = (struct gd_features){
        .classes = GD_CLASS_BIT(LOWER) | GD_CLASS_BIT(SPACE),
        .frequent = gd_pair_when(lower << 1 & space, GD_PAIR_OF(LOWER, SPACE)) |
                    gd_pair_when(space << 1 & lower, GD_PAIR_OF(SPACE, LOWER)) |
                    gd_pair_when(space << 1 & space, GD_PAIR_OF(SPACE, SPACE)),
        .len = (uint32_t)len,
        .type = GUARD_TYPE_TEXT,
    };
    return true;
}

/* ASCII letters and digits. */
static inline void gd_shape_token(const uint8_t *at, size_t len, const struct gd_block_masks *masks,
                                  uint32_t all, struct gd_features *out)
{
    enum { HEX_MIN = 8 };
    uint32_t lower = masks->lower & all;
    uint32_t upper = masks->upper & all;
    uint32_t digit = masks->digit & all;
    out->classes = (lower != 0 ? GD_CLASS_BIT(LOWER) : 0) | (upper != 0 ? GD_CLASS_BIT(UPPER) : 0) |
                   (digit != 0 ? GD_CLASS_BIT(DIGIT) : 0);
    out->frequent = 0;
    if (lower != 0)
        out->frequent |= gd_pair_when(lower << 1 & upper, GD_PAIR_OF(LOWER, UPPER)) |
                         gd_pair_when(lower << 1 & digit, GD_PAIR_OF(LOWER, DIGIT)) |
                         gd_pair_when(digit << 1 & lower, GD_PAIR_OF(DIGIT, LOWER));
    if (upper != 0)
        out->frequent |= gd_pair_when(upper << 1 & lower, GD_PAIR_OF(UPPER, LOWER)) |
                         gd_pair_when(upper << 1 & digit, GD_PAIR_OF(UPPER, DIGIT)) |
                         gd_pair_when(digit << 1 & upper, GD_PAIR_OF(DIGIT, UPPER));
    out->digits = digit == 0 ? 0 : gd_block_count(digit);
    out->specials = 0;
    out->len = (uint32_t)len;
    /* No number or hash begins so. */
    out->type = digit != 0 && len < HEX_MIN && !(digit & 1)
                    ? GUARD_TYPE_TOKEN
                    : gd_type_of(gd_span(at, len), out->classes);
}

/* 1 to 16 bytes. */
static inline bool gd_shape_short(const uint8_t *at, size_t len, struct gd_features *out)
{
    struct gd_block block = gd_block_load(at, len);
    struct gd_block_masks masks = gd_block_masks(&block);
    uint32_t all = (1u << len) - 1;
    if (gd_shape_run(at, len, &masks, all, out))
        return true;
    uint32_t rest = all & ~masks.digit;
    if ((rest & ~(masks.lower | masks.upper)) == 0) {
        gd_shape_token(at, len, &masks, all, out);
        return true;
    }
    if (masks.digit == 0)
        return masks.upper == 0 && gd_shape_words(&block, masks.lower, all, len, out);
    return (masks.lower | masks.upper) == 0 &&
           (gd_shape_number(at, len, rest, out) || gd_shape_day(at, len, rest, out));
}

/* The hexadecimal digits among 16 bytes; letters of either case are noted. */
static inline uint32_t gd_shape_hex(const uint8_t *at, uint32_t *lower, uint32_t *upper)
{
    struct gd_block block = gd_block_load(at, GD_BLOCK);
    uint32_t small = GD_BLOCK_BETWEEN(&block, 'a', 'f');
    uint32_t large = GD_BLOCK_BETWEEN(&block, 'A', 'F');
    *lower |= small;
    *upper |= large;
    return small | large | GD_BLOCK_BETWEEN(&block, '0', '9');
}

/* Which letters and digits meet in a UUID is chance and tells nothing of who sends them: all that
 * could have met are said to have, and all of its digits to be digits. */
static inline bool gd_shape_uuid(const uint8_t *at, struct gd_features *out)
{
    uint32_t lower = 0, upper = 0;
    if (at[8] != '-' || at[13] != '-' || at[18] != '-' || at[23] != '-')
        return false;
    /* The last block begins at 20, so that the dash at 23 is in two of them. */
    if (gd_shape_hex(at, &lower, &upper) != (0xffffu ^ (1u << 8 | 1u << 13)) ||
        gd_shape_hex(at + 16, &lower, &upper) != (0xffffu ^ (1u << 2 | 1u << 7)) ||
        gd_shape_hex(at + 20, &lower, &upper) != (0xffffu ^ (1u << 3)))
        return false;
    uint64_t met = GD_PAIR_OF(DIGIT, DASH) | GD_PAIR_OF(DASH, DIGIT);
    if (lower != 0)
        met |= GD_PAIR_OF(LOWER, DASH) | GD_PAIR_OF(DASH, LOWER) | GD_PAIR_OF(LOWER, DIGIT) |
               GD_PAIR_OF(DIGIT, LOWER);
    if (upper != 0)
        met |= GD_PAIR_OF(UPPER, DASH) | GD_PAIR_OF(DASH, UPPER) | GD_PAIR_OF(UPPER, DIGIT) |
               GD_PAIR_OF(DIGIT, UPPER);
    if (lower != 0 && upper != 0)
        met |= GD_PAIR_OF(LOWER, UPPER) | GD_PAIR_OF(UPPER, LOWER);
    *out = (struct gd_features){
        .classes = GD_CLASS_MARK('-') | GD_CLASS_BIT(DIGIT) |
                   (lower != 0 ? GD_CLASS_BIT(LOWER) : 0) | (upper != 0 ? GD_CLASS_BIT(UPPER) : 0),
        .frequent = met,
        .digits = 32,
        .specials = 4,
        .len = GD_UUID_BYTES,
        .type = GUARD_TYPE_UUID,
    };
    return true;
}

/* False: the value must be scanned. It isn't empty. */
static inline bool gd_shape(struct guard_span value, struct gd_features *out)
{
    if (value.len <= GD_BLOCK)
        return gd_shape_short(value.ptr, value.len, out);
    return value.len == GD_UUID_BYTES && gd_shape_uuid(value.ptr, out);
}

#endif
