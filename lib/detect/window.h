/* SPDX-License-Identifier: Apache-2.0 */
/* Sixty-four bytes at once: whether any may begin what is encoded. Both variants are compiled where
 * they can be, so that a test holds them against each other. */
#ifndef GD_DETECT_WINDOW_H
#define GD_DETECT_WINDOW_H

#include "base/span.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { GD_WINDOW = 64 };

/* None of '%', '&', '\\', NUL and what isn't ASCII. */
static inline bool gd_window_is_plain_bytes(const uint8_t *at)
{
    unsigned found = 0;
    for (unsigned i = 0; i < GD_WINDOW; i++)
        found |= (unsigned)(at[i] == '%') | (unsigned)(at[i] == '&') | (unsigned)(at[i] == '\\') |
                 (unsigned)(at[i] == 0) | at[i] >> 7;
    return found == 0;
}

#if defined(__SSE2__)
/* Least distances are kept of four blocks, and looked at once: '%' and '&' are neighbours. */
static inline bool gd_window_is_plain_sse2(const uint8_t *at)
{
    const __m128i percent = _mm_set1_epi8('%');
    const __m128i backslash = _mm_set1_epi8('\\');
    __m128i any = _mm_setzero_si128();
    __m128i least = _mm_set1_epi8((char)0xff);
    __m128i least_percent = least;
    __m128i least_backslash = least;
    for (unsigned i = 0; i < GD_WINDOW; i += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
        any = _mm_or_si128(any, bytes);
        least = _mm_min_epu8(least, bytes);
        least_percent = _mm_min_epu8(least_percent, _mm_sub_epi8(bytes, percent));
        least_backslash = _mm_min_epu8(least_backslash, _mm_xor_si128(bytes, backslash));
    }
    const __m128i zero = _mm_setzero_si128();
    const __m128i pair =
        _mm_cmpeq_epi8(_mm_min_epu8(least_percent, _mm_set1_epi8(1)), least_percent);
    const __m128i single = _mm_cmpeq_epi8(_mm_min_epu8(least, least_backslash), zero);
    return _mm_movemask_epi8(_mm_or_si128(any, _mm_or_si128(pair, single))) == 0;
}
#define gd_window_is_plain gd_window_is_plain_sse2
#else
#define gd_window_is_plain gd_window_is_plain_bytes
#endif

#endif
