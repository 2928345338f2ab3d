/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows libsodium. sodium_init is not needed for what is used here: no
 * randomness, and every function works with the portable implementation. */
#include <guard/crypto.h>

#include "base/hash.h"

#include <sodium.h>

_Static_assert(sizeof(struct guard_digest_state) >= sizeof(crypto_generichash_blake2b_state),
               "caller storage must hold the state");
_Static_assert((int)GUARD_KEY_BYTES == (int)crypto_sign_ed25519_SEEDBYTES, "seed size");
_Static_assert((int)GUARD_KEY_BYTES == (int)crypto_sign_ed25519_PUBLICKEYBYTES, "public key size");
_Static_assert((int)GUARD_SIGNATURE_BYTES == (int)crypto_sign_ed25519_BYTES, "signature size");
_Static_assert(crypto_sign_ed25519_SECRETKEYBYTES == 64, "secret key size");
_Static_assert(crypto_shorthash_siphash24_KEYBYTES == sizeof(struct gd_hash_key), "SipHash key");

/* libsodium's state wants an alignment of 64 that caller storage doesn't have, and may be moved: so
 * it is copied. */
static void state_load(crypto_generichash_blake2b_state *to, const struct guard_digest_state *from)
{
    memcpy(to, from->opaque, sizeof(*to));
}

static void state_store(struct guard_digest_state *to, const crypto_generichash_blake2b_state *from)
{
    memcpy(to->opaque, from, sizeof(*from));
}

void guard_digest(uint8_t out[GUARD_DIGEST_BYTES], struct guard_span bytes)
{
    (void)crypto_generichash_blake2b(out, GUARD_DIGEST_BYTES, bytes.ptr, bytes.len, NULL, 0);
}

void guard_digest_begin(struct guard_digest_state *state)
{
    crypto_generichash_blake2b_state inner;
    (void)crypto_generichash_blake2b_init(&inner, NULL, 0, GUARD_DIGEST_BYTES);
    state_store(state, &inner);
}

void guard_digest_update(struct guard_digest_state *state, struct guard_span bytes)
{
    if (bytes.len == 0)
        return;
    crypto_generichash_blake2b_state inner;
    state_load(&inner, state);
    (void)crypto_generichash_blake2b_update(&inner, bytes.ptr, bytes.len);
    state_store(state, &inner);
}

void guard_digest_end(struct guard_digest_state *state, uint8_t out[GUARD_DIGEST_BYTES])
{
    crypto_generichash_blake2b_state inner;
    state_load(&inner, state);
    (void)crypto_generichash_blake2b_final(&inner, out, GUARD_DIGEST_BYTES);
    state_store(state, &inner);
}

void guard_key_derive(uint8_t out[GUARD_KEY_BYTES], const uint8_t key[GUARD_KEY_BYTES],
                      struct guard_span purpose)
{
    (void)crypto_generichash_blake2b(out, GUARD_KEY_BYTES, purpose.ptr, purpose.len, key,
                                     GUARD_KEY_BYTES);
}

void guard_keypair(uint8_t public_key[GUARD_KEY_BYTES], uint8_t secret[64],
                   const uint8_t seed[GUARD_KEY_BYTES])
{
    (void)crypto_sign_ed25519_seed_keypair(public_key, secret, seed);
}

void guard_sign(uint8_t signature[GUARD_SIGNATURE_BYTES], struct guard_span bytes,
                const uint8_t secret[64])
{
    (void)crypto_sign_ed25519_detached(signature, NULL, bytes.ptr, bytes.len, secret);
}

enum guard_rc guard_verify(const uint8_t signature[GUARD_SIGNATURE_BYTES], struct guard_span bytes,
                           const uint8_t public_key[GUARD_KEY_BYTES])
{
    if (crypto_sign_ed25519_verify_detached(signature, bytes.ptr, bytes.len, public_key) != 0)
        return GUARD_E_SIGNATURE;
    return GUARD_OK;
}

uint64_t gd_hash_keyed(const struct gd_hash_key *key, struct guard_span bytes)
{
    uint8_t out[crypto_shorthash_siphash24_BYTES];
    (void)crypto_shorthash_siphash24(out, bytes.len == 0 ? (const uint8_t *)"" : bytes.ptr,
                                     bytes.len, key->bytes);
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof(out); i++)
        hash |= (uint64_t)out[i] << (8 * i);
    return hash;
}
