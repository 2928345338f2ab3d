/* SPDX-License-Identifier: Apache-2.0 */
/* libsodium's, which takes keys of any length. */
#include "common/hmac.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <stdio.h>
#include <string.h>

void hmac_sha256_hex(char out[HMAC_HEX_CAP], struct guard_span key, const struct guard_span *parts,
                     size_t count)
{
    crypto_auth_hmacsha256_state state;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_init(&state, key.ptr, key.len);
    for (size_t i = 0; i < count; i++)
        crypto_auth_hmacsha256_update(&state, parts[i].ptr, parts[i].len);
    crypto_auth_hmacsha256_final(&state, mac);
    for (size_t i = 0; i < sizeof(mac); i++)
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
}
