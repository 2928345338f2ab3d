/* SPDX-License-Identifier: Apache-2.0 */
/* Values and clients are named in policies by keyed hashes only: a policy that leaks names nobody.
 */
#include "policy/policy.h"

static uint64_t keyed(const uint8_t key[16], struct guard_span bytes)
{
    struct gd_hash_key hash_key;
    memcpy(hash_key.bytes, key, sizeof(hash_key.bytes));
    return gd_hash_keyed(&hash_key, bytes);
}

uint64_t gd_policy_literal(const uint8_t key[16], uint64_t literal, struct gd_hash_memo *memo)
{
    return gd_hash_memo(memo, key, literal);
}

uint32_t gd_policy_client(const uint8_t key[16], const struct guard_client *client)
{
    if (client->unit == GUARD_UNIT_SUBJECT && client->subject.len > 0)
        return (uint32_t)keyed(key, client->subject);
    return (uint32_t)keyed(key, gd_span(client->address, client->address_len == 4 ? 3 : 7));
}
