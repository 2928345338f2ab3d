/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen bytes of text by class, a bit for each byte. Both variants are compiled where they can
 * be, so that a test holds them against each other. */
#ifndef GD_BASE_BLOCK_H
#define GD_BASE_BLOCK_H

#include "base/span.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { GD_BLOCK = 16 };

struct gd_block {
    uint64_t words[2]; /* the bytes; zeros behind the last */
};

struct gd_block_masks {
    uint32_t lower;
    uint32_t upper;
    uint32_t digit;
};

static inline uint64_t gd_block_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* 1 to 16 bytes; none beyond them is read. What is loaded twice is the same. */
static inline struct gd_block gd_block_load(const uint8_t *at, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    struct gd_block block = {{0, 0}};
    if (len >= GD_BLOCK) {
        block.words[0] = gd_block_word(at);
        block.words[1] = gd_block_word(at + 8);
    } else if (len >= 8) {
        /* Two shifts: one by 64 would be none. */
        unsigned half = (unsigned)(GD_BLOCK - len) * 4;
        block.words[0] = gd_block_word(at);
        block.words[1] = gd_block_word(at + len - 8) >> half >> half;
    } else if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, at, sizeof(head));
        memcpy(&tail, at + len - 4, sizeof(tail));
        block.words[0] = head | (uint64_t)tail << (8 * (len - 4));
    } else {
        block.words[0] = at[0] | (uint64_t)at[len / 2] << (8 * (len / 2)) |
                         (uint64_t)at[len - 1] << (8 * (len - 1));
    }
#else
    struct gd_block block = {{0, 0}};
    memcpy(block.words, at, len < GD_BLOCK ? len : GD_BLOCK);
#endif
    return block;
}

/* The bytes from first to last, which are ASCII. */
static inline uint32_t gd_block_between_plain(const struct gd_block *block, char first, char last)
{
    uint32_t mask = 0;
    uint8_t bytes[GD_BLOCK];
    memcpy(bytes, block->words, sizeof(bytes));
    for (unsigned i = 0; i < GD_BLOCK; i++)
        mask |= (uint32_t)(bytes[i] >= (uint8_t)first && bytes[i] <= (uint8_t)last) << i;
    return mask;
}

#if defined(__SSE2__)
/* The comparisons are signed: they leave out what is high. */
static inline uint32_t gd_block_between_sse2(const struct gd_block *block, char first, char last)
{
    __m128i bytes = _mm_set_epi64x((int64_t)block->words[1], (int64_t)block->words[0]);
    return (uint32_t)_mm_movemask_epi8(
        _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)(first - 1))),
                      _mm_cmplt_epi8(bytes, _mm_set1_epi8((char)(last + 1)))));
}

static inline uint32_t gd_block_equal_sse2(const struct gd_block *block, char byte)
{
    __m128i bytes = _mm_set_epi64x((int64_t)block->words[1], (int64_t)block->words[0]);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)));
}
#define GD_BLOCK_BETWEEN gd_block_between_sse2
#define GD_BLOCK_EQUAL gd_block_equal_sse2
#else
#define GD_BLOCK_BETWEEN gd_block_between_plain
#define GD_BLOCK_EQUAL(block, byte) gd_block_between_plain(block, byte, byte)
#endif

/* Bits set among the lowest 16. */
static inline uint32_t gd_block_count(uint32_t mask)
{
    mask -= mask >> 1 & 0x5555;
    mask = (mask & 0x3333) + (mask >> 2 & 0x3333);
    mask = (mask + (mask >> 4)) & 0x0f0f;
    return (mask + (mask >> 8)) & 0x1f;
}

static inline struct gd_block_masks gd_block_masks(const struct gd_block *block)
{
    return (struct gd_block_masks){GD_BLOCK_BETWEEN(block, 'a', 'z'),
                                   GD_BLOCK_BETWEEN(block, 'A', 'Z'),
                                   GD_BLOCK_BETWEEN(block, '0', '9')};
}

#endif
