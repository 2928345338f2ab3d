/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, derived keys and signatures against published vectors. */
#include <guard/crypto.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_hex(const uint8_t *bytes, size_t len, const char *expected)
{
    char text[129];
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, expected);
}

static void test_digest(void **state)
{
    (void)state;
    uint8_t out[GUARD_DIGEST_BYTES];
    guard_digest(out, (struct guard_span){NULL, 0});
    assert_hex(out, 32, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    guard_digest(out, GUARD_SPAN_LITERAL("abc"));
    assert_hex(out, 32, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

static void test_digest_in_pieces(void **state)
{
    (void)state;
    uint8_t text[1000], whole[GUARD_DIGEST_BYTES], pieces[GUARD_DIGEST_BYTES];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 7);
    guard_digest(whole, (struct guard_span){text, sizeof(text)});
    /* The state may lie anywhere and be moved between two pieces. */
    struct guard_digest_state states[2];
    guard_digest_begin(&states[0]);
    int at = 0;
    for (size_t i = 0; i < sizeof(text); i += 100) {
        guard_digest_update(&states[at], (struct guard_span){text + i, 100});
        guard_digest_update(&states[at], (struct guard_span){NULL, 0});
        states[1 - at] = states[at];
        at = 1 - at;
    }
    guard_digest_end(&states[at], pieces);
    assert_memory_equal(whole, pieces, sizeof(whole));
}

static void test_derived_keys(void **state)
{
    (void)state;
    uint8_t key[GUARD_KEY_BYTES] = {1}, a[GUARD_KEY_BYTES], b[GUARD_KEY_BYTES];
    guard_key_derive(a, key, GUARD_SPAN_LITERAL("literal"));
    guard_key_derive(b, key, GUARD_SPAN_LITERAL("client"));
    assert_memory_not_equal(a, b, sizeof(a));
    key[31] = 1;
    guard_key_derive(b, key, GUARD_SPAN_LITERAL("literal"));
    assert_memory_not_equal(a, b, sizeof(a));
}

/* RFC 8032, 7.1, test 2. */
static void test_signatures(void **state)
{
    (void)state;
    static const uint8_t seed[32] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda,
                                     0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f,
                                     0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24,
                                     0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
    uint8_t public_key[32], secret[64], signature[64];
    guard_keypair(public_key, secret, seed);
    assert_hex(public_key, 32, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    guard_sign(signature, GUARD_SPAN_LITERAL("r"), secret);
    assert_hex(signature, 64,
               "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
               "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    assert_int_equal(guard_verify(signature, GUARD_SPAN_LITERAL("r"), public_key), GUARD_OK);
    assert_int_equal(guard_verify(signature, GUARD_SPAN_LITERAL("s"), public_key),
                     GUARD_E_SIGNATURE);
    signature[5] ^= 1;
    assert_int_equal(guard_verify(signature, GUARD_SPAN_LITERAL("r"), public_key),
                     GUARD_E_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_digest_in_pieces),
        cmocka_unit_test(test_derived_keys),
        cmocka_unit_test(test_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
