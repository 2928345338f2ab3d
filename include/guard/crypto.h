/* SPDX-License-Identifier: Apache-2.0 */
/* The few cryptographic operations that Guard needs: digests that name piles and policies, and
 * Ed25519 signatures of policies, implemented by libsodium; and a checksum. Randomness is always an
 * argument. */
#ifndef GUARD_CRYPTO_H
#define GUARD_CRYPTO_H

#include <guard/types.h>

/* Caller storage, large enough for the implementation's state; aligned. */
struct guard_digest_state {
    uint64_t opaque[64];
};

/* BLAKE2b-256, in one step or in pieces (a gate hashes a policy file in slices). */
GUARD_API void guard_digest(uint8_t out[GUARD_DIGEST_BYTES], struct guard_span bytes);
GUARD_API void guard_digest_begin(struct guard_digest_state *state);
GUARD_API void guard_digest_update(struct guard_digest_state *state, struct guard_span bytes);
GUARD_API void guard_digest_end(struct guard_digest_state *state, uint8_t out[GUARD_DIGEST_BYTES]);

/* XXH3: fast, for telling contents apart that nobody profits from confusing. Of a long content
 * block by block: the result for one is the seed for the next. */
GUARD_API uint64_t guard_checksum(uint64_t seed, struct guard_span bytes);

/* Derive a sub-key for a purpose ("literal", "client", ...) from a secret; source: keyed BLAKE2b.
 */
GUARD_API void guard_key_derive(uint8_t out[GUARD_KEY_BYTES], const uint8_t key[GUARD_KEY_BYTES],
                                struct guard_span purpose);

/* seed: 32 random bytes. secret holds seed and public key (64 bytes). */
GUARD_API void guard_keypair(uint8_t public_key[GUARD_KEY_BYTES], uint8_t secret[64],
                             const uint8_t seed[GUARD_KEY_BYTES]);
GUARD_API void guard_sign(uint8_t signature[GUARD_SIGNATURE_BYTES], struct guard_span bytes,
                          const uint8_t secret[64]);
/* GUARD_OK or GUARD_E_SIGNATURE. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_verify(const uint8_t signature[GUARD_SIGNATURE_BYTES],
                                                    struct guard_span bytes,
                                                    const uint8_t public_key[GUARD_KEY_BYTES]);

#endif
