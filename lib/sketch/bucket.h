/* SPDX-License-Identifier: Apache-2.0 */
/* Logarithmic buckets for lengths and counts: 0..15 exact, then four per octave, so that a bound is
 * at most 25 % too wide. Source: HdrHistogram's idea, fixed to two significant bits. */
#ifndef GD_SKETCH_BUCKET_H
#define GD_SKETCH_BUCKET_H

#include <stdint.h>

enum { GD_BUCKETS = 16 + 28 * 4 };
static inline uint32_t gd_bucket(uint32_t value); /* 0..GD_BUCKETS-1, monotone */
uint32_t gd_bucket_upper(uint32_t bucket);        /* the largest value in it */
uint32_t gd_bucket_lower(uint32_t bucket);        /* the smallest */

static inline uint32_t gd_bucket(uint32_t value)
{
    enum { EXACT = 16, EXACT_BITS = 4 };
    if (value < EXACT)
        return value;
    uint32_t octave = 31 - (uint32_t)__builtin_clz(value);
    uint32_t quarter = (value >> (octave - 2)) & 3;
    return EXACT + (octave - EXACT_BITS) * 4 + quarter;
}

#endif
