/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed hashes of numbers, remembered: values of closed sets come again and again, and SipHash
 * costs twenty times as much as to find one that is known. */
#ifndef GD_BASE_HASH_MEMO_H
#define GD_BASE_HASH_MEMO_H

#include "base/hash.h"

enum { GD_HASH_MEMO_SLOTS = 512 };

/* Zeroed by its owner. A newcomer takes the place of what was there. */
struct gd_hash_memo {
    struct {
        uint64_t key; /* head of the key: keys are random */
        uint64_t number;
        uint64_t hash; /* 0: free */
    } slots[GD_HASH_MEMO_SLOTS];
};

/* As gd_hash_keyed of the number's 8 bytes. memo may be NULL. */
static inline uint64_t gd_hash_memo(struct gd_hash_memo *memo, const uint8_t key[16],
                                    uint64_t number)
{
    struct gd_hash_key whole;
    uint64_t head;
    memcpy(&whole, key, sizeof(whole));
    if (memo == NULL)
        return gd_hash_keyed(&whole, gd_span(&number, sizeof(number)));
    memcpy(&head, key, sizeof(head));
    uint64_t place = (number ^ head) * UINT64_C(0x9e3779b97f4a7c15) >> 55;
    if (memo->slots[place].number != number || memo->slots[place].key != head ||
        memo->slots[place].hash == 0) {
        memo->slots[place].key = head;
        memo->slots[place].number = number;
        memo->slots[place].hash = gd_hash_keyed(&whole, gd_span(&number, sizeof(number)));
    }
    return memo->slots[place].hash;
}

#endif
