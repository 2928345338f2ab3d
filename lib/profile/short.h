/* SPDX-License-Identifier: Apache-2.0 */
/* Copies, comparisons and hashes of names, most of which have less than 17 bytes: inlined, without
 * calls. */
#ifndef GD_PROFILE_SHORT_H
#define GD_PROFILE_SHORT_H

#include "base/hash.h"
#include "base/span.h"

enum { GD_SHORT_MAX = 16 };

static inline void gd_copy_short(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len >= 8) {
        uint64_t head, tail;
        if (__builtin_expect(len > GD_SHORT_MAX, 0)) {
            memcpy(to, from, len);
            return;
        }
        memcpy(&head, from, 8);
        memcpy(&tail, from + len - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + len - 8, &tail, 8);
    } else if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + len - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + len - 4, &tail, 4);
    } else if (len > 0) {
        to[0] = from[0];
        to[len / 2] = from[len / 2];
        to[len - 1] = from[len - 1];
    }
}

/* Up to 16 bytes as two words, which with the length tell all of them apart. */
static inline void gd_load_short(struct guard_span text, uint64_t *head, uint64_t *tail)
{
    if (text.len >= 8) {
        memcpy(head, text.ptr, 8);
        memcpy(tail, text.ptr + text.len - 8, 8);
    } else if (text.len >= 4) {
        uint32_t low, high;
        memcpy(&low, text.ptr, 4);
        memcpy(&high, text.ptr + text.len - 4, 4);
        *head = low;
        *tail = high;
    } else {
        *head = text.len > 0 ? (uint64_t)text.ptr[0] << 8 | text.ptr[text.len / 2] : 0;
        *tail = text.len > 0 ? text.ptr[text.len - 1] : 0;
    }
}

static inline bool gd_equal_short(struct guard_span a, struct guard_span b)
{
    uint64_t words[4];
    if (a.len != b.len)
        return false;
    if (__builtin_expect(a.len > GD_SHORT_MAX, 0))
        return memcmp(a.ptr, b.ptr, a.len) == 0;
    gd_load_short(a, &words[0], &words[1]);
    gd_load_short(b, &words[2], &words[3]);
    return words[0] == words[2] && words[1] == words[3];
}

__extension__ typedef unsigned __int128 gd_uint128;

/* For tables of one exchange: keyed by a secret of the process, so that collisions can't be
 * prepared. place tells equal names of different places apart. */
static inline uint32_t gd_hash_short(uint64_t secret, uint64_t place, struct guard_span text)
{
    uint64_t head, tail;
    if (__builtin_expect(text.len > GD_SHORT_MAX, 0)) {
        head = gd_hash_fast(secret, text);
        tail = place;
    } else {
        gd_load_short(text, &head, &tail);
    }
    gd_uint128 product =
        (gd_uint128)(head ^ secret ^ UINT64_C(0x9e3779b97f4a7c15)) *
        (tail ^ (secret >> 32 | secret << 32) ^ (place * UINT64_C(0xff51afd7ed558ccd) + text.len));
    uint64_t folded = (uint64_t)(product >> 64) ^ (uint64_t)product;
    return (uint32_t)(folded >> 32) ^ (uint32_t)folded;
}

#endif
