/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 in pieces: what others know files by. What Guard names itself it names with guard_digest.
 */
#ifndef GUARD_COMMON_SHA256_H
#define GUARD_COMMON_SHA256_H

#include <guard/types.h>

enum { SHA256_HEX_CAP = 65 };

/* Caller storage, large enough for the implementation's state. */
struct sha256 {
    uint64_t opaque[16];
};
void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, struct guard_span bytes);
void sha256_end_hex(struct sha256 *hash, char out[SHA256_HEX_CAP]);

#endif
