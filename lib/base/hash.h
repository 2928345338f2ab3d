/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes by purpose. gd_hash_keyed (SipHash-2-4) is for what an attacker chooses and for tags that
 * leave the process; gd_hash_fast (XXH3) for checksums, for values hashed under a secret, and for
 * tables whose keys were published by us (their probe sequences are bounded). */
#ifndef GD_BASE_HASH_H
#define GD_BASE_HASH_H

#include "base/span.h"

struct gd_hash_key {
    uint8_t bytes[16];
};

uint64_t gd_hash_keyed(const struct gd_hash_key *key, struct guard_span bytes);
uint64_t gd_hash_fast(uint64_t seed, struct guard_span bytes);

#endif
