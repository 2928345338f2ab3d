/* SPDX-License-Identifier: Apache-2.0 */
/* The innermost loop of the JSON scanner: where does the plain run of a string end? Both variants
 * are always compiled where they can be, so that a test holds them against each other. */
#ifndef GD_HTTP_JSON_SCAN_H
#define GD_HTTP_JSON_SCAN_H

#include "base/span.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The first quote, backslash or control character in [at, end), else end. *high becomes non-zero
 * when a byte >= 0x80 comes before it. */
static inline const uint8_t *gd_scan_tail(const uint8_t *at, const uint8_t *end, unsigned *high)
{
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20) {
        *high |= *at & 0x80u;
        at++;
    }
    return at;
}

/* As gd_scan_tail, by 8 bytes. */
static inline const uint8_t *gd_scan_swar(const uint8_t *at, const uint8_t *end, unsigned *high)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = UINT64_C(0x8080808080808080);
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        uint64_t quote = word ^ (ones * '"');
        uint64_t slash = word ^ (ones * '\\');
        /* The usual "is a byte zero" and "is a byte less than n"; borrows only add false alarms
         * above a true one. */
        uint64_t stop = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                         ((word - ones * 0x20) & ~word)) &
                        tops;
        if (stop != 0)
            break;
        *high |= (word & tops) != 0;
        at += 8;
    }
    return gd_scan_tail(at, end, high);
}

#if defined(__SSE2__)
/* As gd_scan_tail, by 16 bytes. */
static inline const uint8_t *gd_scan_sse2(const uint8_t *at, const uint8_t *end, unsigned *high)
{
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        unsigned stops = (unsigned)_mm_movemask_epi8(stop);
        unsigned highs = (unsigned)_mm_movemask_epi8(bytes);
        if (stops != 0) {
            /* Bits below the first stop. */
            *high |= highs & (stops - 1) & ~stops;
            return at + __builtin_ctz(stops);
        }
        *high |= highs;
        at += 16;
    }
    return gd_scan_tail(at, end, high);
}

/* The place of the quote that ends a string within the 16 bytes at `at`, when nothing but plain
 * ASCII lies before it; else NULL. */
static inline const uint8_t *gd_scan_short(const uint8_t *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    /* Signed: bytes from 0x80 on are negative and stop too. */
    stop = _mm_or_si128(stop, _mm_cmpgt_epi8(_mm_set1_epi8(0x20), bytes));
    unsigned stops = (unsigned)_mm_movemask_epi8(stop);
    if (__builtin_expect(stops == 0, 0))
        return NULL;
    at += (unsigned)__builtin_ctz(stops);
    return *at == '"' ? at : NULL;
}

/* How many of the 16 bytes at `at` come before the first that gd_scan_tail stops at. */
static inline unsigned gd_scan_run(const uint8_t *at, unsigned *high)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes));
    /* A byte beyond the stop may count as high: the text is looked at once too often, that's all.
     */
    *high |= (unsigned)_mm_movemask_epi8(bytes);
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(stop) | 0x10000u);
}

/* How many of the 16 bytes at `at` are blanks, from the first on. */
static inline unsigned gd_scan_blanks(const uint8_t *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i blank = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')),
                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
    blank = _mm_or_si128(blank, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
    blank = _mm_or_si128(blank, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')));
    return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(blank));
}
#define GD_SCAN_TEXT gd_scan_sse2
#else
static inline const uint8_t *gd_scan_short(const uint8_t *at)
{
    unsigned high = 0;
    const uint8_t *stop = gd_scan_swar(at, at + 16, &high);
    return high == 0 && stop < at + 16 && *stop == '"' ? stop : NULL;
}

static inline unsigned gd_scan_run(const uint8_t *at, unsigned *high)
{
    return (unsigned)(gd_scan_swar(at, at + 16, high) - at);
}

static inline unsigned gd_scan_blanks(const uint8_t *at)
{
    unsigned count = 0;
    while (count < 16 &&
           (at[count] == ' ' || at[count] == '\n' || at[count] == '\r' || at[count] == '\t'))
        count++;
    return count;
}
#define GD_SCAN_TEXT gd_scan_swar
#endif

#endif
