/* SPDX-License-Identifier: Apache-2.0 */
/* The signed text of withdrawals: whatever the bytes, nothing is taken that the root's key didn't
 * sign for this service; what is taken is bounded, is signed again and read the same. The first
 * byte says what is done with the rest: taken as it is, signed by the root, by another key, for
 * another service, or signed and then cut. */
#include "common/hex.h"
#include "common/pods/withdrawals.h"

#include <stdlib.h>
#include <string.h>

enum { SIGNED_AT = 2 * GUARD_SIGNATURE_BYTES + 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pod_withdrawals table, again;
static uint8_t text[SIGNED_AT + POD_WITHDRAWALS_BYTES];
static uint8_t root_public[GUARD_KEY_BYTES], root[64], other_public[GUARD_KEY_BYTES], other[64];

static const struct guard_span shop = {(const uint8_t *)"shop", 4};
static const struct guard_span cart = {(const uint8_t *)"cart", 4};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void make_keys(void)
{
    static const uint8_t seed[GUARD_KEY_BYTES] = {7}, foreign[GUARD_KEY_BYTES] = {8};
    static bool made;
    if (!made) {
        guard_keypair(root_public, root, seed);
        guard_keypair(other_public, other, foreign);
    }
    made = true;
}

static bool is_empty(void)
{
    static const struct pod_withdrawals none;
    return memcmp(&table, &none, sizeof(table)) == 0;
}

static void hold_bounds(void)
{
    check(table.count <= POD_WITHDRAWALS_MAX);
    for (uint32_t i = 0; i < table.count; i++) {
        const struct pod_withdrawal *one = &table.list[i];
        check(one->until_ms <= one->begun_ms + (uint64_t)POD_WITHDRAWAL_SECONDS_MAX * 1000);
        check(pod_order_id_valid((struct guard_span){(const uint8_t *)one->id, strlen(one->id)}));
    }
}

/* What was taken goes down the tree again, byte for byte the same thing to everybody. */
static void round_trip(void)
{
    static char written[POD_WITHDRAWALS_BYTES];
    size_t len = 0;
    struct guard_err err;
    check(pod_withdrawals_sign(&table, shop, root, written, sizeof(written), &len, &err) ==
          GUARD_OK);
    check(pod_withdrawals_read(&again, (struct guard_span){(uint8_t *)written, len}, shop,
                               root_public, &err) == GUARD_OK);
    check(memcmp(&table, &again, sizeof(table)) == 0);
    check(pod_withdrawals_read(&again, (struct guard_span){(uint8_t *)written, len}, cart,
                               root_public, &err) == GUARD_E_FOREIGN);
}

/* Whether it is taken as the root's for the shop. */
static bool take(struct guard_span input)
{
    struct guard_err err;
    if (pod_withdrawals_read(&table, input, shop, root_public, &err) != GUARD_OK) {
        check(is_empty());
        return false;
    }
    hold_bounds();
    round_trip();
    return true;
}

static struct guard_span sign_as(const uint8_t secret[64], struct guard_span body)
{
    uint8_t signature[GUARD_SIGNATURE_BYTES];
    if (body.len > POD_WITHDRAWALS_BYTES - SIGNED_AT)
        body.len = POD_WITHDRAWALS_BYTES - SIGNED_AT;
    guard_sign(signature, body, secret);
    hex_write((char *)text, signature, sizeof(signature));
    text[SIGNED_AT - 1] = '\n';
    if (body.len > 0)
        memcpy(text + SIGNED_AT, body.ptr, body.len);
    return (struct guard_span){text, SIGNED_AT + body.len};
}

/* What has another's signature, or lacks its last bytes, is never the root's. */
static void run_spoilt(uint8_t how, struct guard_span body)
{
    struct guard_span whole = sign_as(how == 2 ? other : root, body);
    if (how == 4 && body.len > 0)
        whole.len -= 1 + body.ptr[0] % body.len;
    check(!take(whole));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_err err;
    if (size == 0)
        return 0;
    const struct guard_span rest = {data + 1, size - 1};
    make_keys();
    switch (data[0] % 5) {
    case 0:
        (void)take(rest);
        break;
    case 1:
        (void)take(sign_as(root, rest));
        break;
    case 3:
        if (take(sign_as(root, rest)))
            check(pod_withdrawals_read(&again, sign_as(root, rest), cart, root_public, &err) ==
                  GUARD_E_FOREIGN);
        break;
    default:
        run_spoilt(data[0] % 5, rest);
        break;
    }
    return 0;
}
