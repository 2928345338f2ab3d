/* SPDX-License-Identifier: Apache-2.0 */
/* libsodium's. */
#include "common/sha256.h"

#include <sodium/crypto_hash_sha256.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct sha256) >= sizeof(crypto_hash_sha256_state), "the state fits");

static crypto_hash_sha256_state *state_of(struct sha256 *hash)
{
    return (crypto_hash_sha256_state *)hash->opaque;
}

void sha256_begin(struct sha256 *hash)
{
    crypto_hash_sha256_init(state_of(hash));
}

void sha256_add(struct sha256 *hash, struct guard_span bytes)
{
    crypto_hash_sha256_update(state_of(hash), bytes.ptr, bytes.len);
}

void sha256_end_hex(struct sha256 *hash, char out[SHA256_HEX_CAP])
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(state_of(hash), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
