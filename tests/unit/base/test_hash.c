/* SPDX-License-Identifier: Apache-2.0 */
/* The keyed hash against its published vectors; the fast one for being what it was. */
#include "base/hash_memo.h"

#include <guard/crypto.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_keyed(void **state)
{
    (void)state;
    struct gd_hash_key key;
    uint8_t text[15];
    for (uint8_t i = 0; i < 16; i++)
        key.bytes[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        text[i] = i;
    /* The SipHash paper's example, and the first of its authors' vectors. */
    assert_true(gd_hash_keyed(&key, gd_span(text, 15)) == UINT64_C(0xa129ca6149be45e5));
    assert_true(gd_hash_keyed(&key, gd_span(NULL, 0)) == UINT64_C(0x726fdb47dd0e0e31));
    key.bytes[0] = 1;
    assert_true(gd_hash_keyed(&key, gd_span(text, 15)) != UINT64_C(0xa129ca6149be45e5));
}

static void test_fast(void **state)
{
    (void)state;
    /* XXH3's own value for nothing: piles and policies of another version of it would be
     * unreadable. */
    assert_true(gd_hash_fast(0, gd_span(NULL, 0)) == UINT64_C(0x2d06800538d394c2));
    assert_true(gd_hash_fast(0, GUARD_SPAN_LITERAL("a")) !=
                gd_hash_fast(1, GUARD_SPAN_LITERAL("a")));
    assert_true(gd_hash_fast(0, GUARD_SPAN_LITERAL("a")) !=
                gd_hash_fast(0, GUARD_SPAN_LITERAL("b")));
}

/* Piles name traffic files by it. */
static void test_checksum(void **state)
{
    (void)state;
    assert_true(guard_checksum(7, GUARD_SPAN_LITERAL("a")) ==
                gd_hash_fast(7, GUARD_SPAN_LITERAL("a")));
    assert_true(
        guard_checksum(guard_checksum(0, GUARD_SPAN_LITERAL("a")), GUARD_SPAN_LITERAL("b")) !=
        guard_checksum(guard_checksum(0, GUARD_SPAN_LITERAL("b")), GUARD_SPAN_LITERAL("a")));
}

static void test_memo(void **state)
{
    (void)state;
    static struct gd_hash_memo memo;
    struct gd_hash_key keys[2] = {{{1}}, {{2}}};
    memset(&memo, 0, sizeof(memo));
    /* Far more numbers than there is room for, each of them twice, under two keys. */
    for (uint64_t i = 0; i < 4 * GD_HASH_MEMO_SLOTS; i++) {
        const struct gd_hash_key *key = &keys[i & 1];
        uint64_t number = i / 4 * UINT64_C(0x9e3779b97f4a7c15);
        uint64_t hash = gd_hash_keyed(key, gd_span(&number, sizeof(number)));
        assert_true(gd_hash_memo(&memo, key->bytes, number) == hash);
        assert_true(gd_hash_memo(NULL, key->bytes, number) == hash);
    }
    /* A free slot isn't taken for the hash of zero under a key of zeros. */
    struct gd_hash_key zero = {{0}};
    uint64_t nothing = 0;
    memset(&memo, 0, sizeof(memo));
    assert_true(gd_hash_memo(&memo, zero.bytes, 0) ==
                gd_hash_keyed(&zero, gd_span(&nothing, sizeof(nothing))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keyed), cmocka_unit_test(test_fast),
                                       cmocka_unit_test(test_checksum),
                                       cmocka_unit_test(test_memo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
