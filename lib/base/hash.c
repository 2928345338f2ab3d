/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows xxHash. The keyed hash is in crypto.c, beside the library that
 * implements it. */
#include "base/hash.h"

#include <guard/crypto.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static __attribute__((noinline)) uint64_t hash_long(uint64_t seed, struct guard_span bytes)
{
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

/* Nearly all are names and values of few bytes: for them a copy of its own, without the rest. */
__attribute__((flatten)) uint64_t gd_hash_fast(uint64_t seed, struct guard_span bytes)
{
    enum { SHORT = 16 };
    if (bytes.len > SHORT)
        return hash_long(seed, bytes);
    return XXH3_64bits_withSeed(bytes.len == 0 ? (const uint8_t *)"" : bytes.ptr, bytes.len, seed);
}

uint64_t guard_checksum(uint64_t seed, struct guard_span bytes)
{
    return gd_hash_fast(seed, bytes);
}
