/* SPDX-License-Identifier: Apache-2.0 */
/* API tokens: made of randomness, shown once, kept as Argon2id. The only file that asks libsodium
 * for what takes memory of its own, which libguard's crypto may not. */
#ifndef GUARD_COMMON_SECRET_H
#define GUARD_COMMON_SECRET_H

#include <guard/types.h>

enum {
    SECRET_ID_LEN = 16,    /* hexadecimal: names the token, is no secret */
    SECRET_TOKEN_LEN = 66, /* "guard_" id "_" and 32 random bytes as base64url */
    SECRET_HASH_CAP = 128,
    /* What a hash costs. What is hashed has 256 random bits, so that guessing is hopeless at any
     * cost; many agents that come at once after a restart are checked one after the other. */
    SECRET_KIB = 8192,
    SECRET_PASSES = 1,
    /* What a hash may at most cost: who writes one into the file doesn't stop guardd with it. */
    SECRET_KIB_MAX = 65536,
    SECRET_PASSES_MAX = 4,
};

/* A new token with a NUL. GUARD_E_IO: no randomness. */
GUARD_MUST_USE enum guard_rc secret_new(char out[SECRET_TOKEN_LEN + 1]);
/* The id in a text that has the form of a token; false when it hasn't. */
bool secret_id(const char *text, size_t len, char out[SECRET_ID_LEN + 1]);
/* GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc secret_hash(const char *token, char out[SECRET_HASH_CAP]);
/* Whether a text is a hash that costs no more than is allowed. */
bool secret_hash_valid(struct guard_span text);
/* Takes milliseconds. hash: one that is valid. False also without memory. */
bool secret_matches(const char *hash, const char *token);
/* Compared without telling by its time where they differ. */
bool secret_same(const uint8_t *a, const uint8_t *b, size_t len);

#endif
