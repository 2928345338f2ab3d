/* SPDX-License-Identifier: Apache-2.0 */
/* Long values are mostly words: lower case letters with single blanks between them. Once a value
 * has shown both neighbourhoods of these, such bytes bring nothing new and are skipped 16 at a
 * time. Both variants are compiled where they can be, so that a test holds them against each other.
 */
#ifndef GD_PROFILE_WORD_SKIP_H
#define GD_PROFILE_WORD_SKIP_H

#include "base/span.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* From `at` (behind a letter, or behind a blank when *blank is set) over letters and single blanks.
 * Returns where to go on; *blank says if the byte before it is a blank. */
static inline const uint8_t *gd_word_skip_plain(const uint8_t *at, const uint8_t *end, bool *blank)
{
    for (; at < end; at++) {
        bool is_blank = *at == ' ';
        if (is_blank ? *blank : *at < 'a' || *at > 'z')
            break;
        *blank = is_blank;
    }
    return at;
}

#if defined(__SSE2__)
/* As gd_word_skip_plain, but may stop up to 15 bytes before the end. */
static inline const uint8_t *gd_word_skip_sse2(const uint8_t *at, const uint8_t *end, bool *blank)
{
    const __m128i below = _mm_set1_epi8('a' - 1);
    const __m128i above = _mm_set1_epi8('z' + 1);
    const __m128i space = _mm_set1_epi8(' ');
    unsigned before = *blank;
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(bytes, below), _mm_cmplt_epi8(bytes, above));
        unsigned letters = (unsigned)_mm_movemask_epi8(letter);
        unsigned blanks = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, space));
        /* What is neither, and blanks behind a blank. */
        unsigned stops = (~(letters | blanks) & 0xffffu) | (blanks & (blanks << 1 | before));
        if (stops != 0) {
            unsigned len = (unsigned)__builtin_ctz(stops);
            if (len > 0)
                before = blanks >> (len - 1) & 1;
            at += len;
            break;
        }
        before = blanks >> 15;
        at += 16;
    }
    *blank = before != 0;
    return at;
}
#define GD_WORD_SKIP gd_word_skip_sse2
#else
#define GD_WORD_SKIP gd_word_skip_plain
#endif

#endif
