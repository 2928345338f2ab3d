/* SPDX-License-Identifier: Apache-2.0 */
/* Files of databases: what another key signed, what was changed in any byte, cut off or made longer
 * is refused before anything is opened. */
#include "common/patterns/sealed.h"

#include <guard/crypto.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct guard_span content = GUARD_SPAN_LITERAL("the bytes of a database");
static const uint8_t name[GUARD_DIGEST_BYTES] = {7};

static void keys(uint8_t seed_byte, uint8_t public_key[GUARD_KEY_BYTES], uint8_t secret[64])
{
    uint8_t seed[GUARD_KEY_BYTES];
    memset(seed, seed_byte, sizeof(seed));
    guard_keypair(public_key, secret, seed);
}

static void test_reads_what_was_sealed(void **state)
{
    uint8_t public_key[GUARD_KEY_BYTES];
    uint8_t secret[64];
    uint8_t *file = NULL;
    size_t len = 0;
    struct sealed sealed;
    struct guard_span database;
    (void)state;
    keys(1, public_key, secret);
    assert_int_equal(seal(content, name, secret, &file, &len), GUARD_OK);
    assert_int_equal(len, SEALED_HEAD_BYTES + content.len);
    assert_int_equal(
        sealed_read(&sealed, (struct guard_span){file, len}, public_key, &database, NULL),
        GUARD_OK);
    assert_memory_equal(sealed.name, name, sizeof(name));
    assert_int_equal(database.len, content.len);
    assert_memory_equal(database.ptr, content.ptr, content.len);
    free(file);
}

static void test_refuses_each_change(void **state)
{
    uint8_t public_key[GUARD_KEY_BYTES];
    uint8_t secret[64];
    uint8_t *file = NULL;
    size_t len = 0;
    struct sealed sealed;
    struct guard_span database;
    (void)state;
    keys(1, public_key, secret);
    assert_int_equal(seal(content, name, secret, &file, &len), GUARD_OK);
    for (size_t i = 0; i < 8 * len; i++) {
        file[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(
            sealed_read(&sealed, (struct guard_span){file, len}, public_key, &database, NULL),
            GUARD_OK);
        file[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_not_equal(
            sealed_read(&sealed, (struct guard_span){file, cut}, public_key, &database, NULL),
            GUARD_OK);
    assert_int_equal(
        sealed_open(&sealed, (struct guard_span){file, len}, len + 1, public_key, NULL),
        GUARD_E_SYNTAX);
    free(file);
}

static void test_refuses_another_key(void **state)
{
    uint8_t ours[GUARD_KEY_BYTES];
    uint8_t theirs[GUARD_KEY_BYTES];
    uint8_t secret[64];
    uint8_t *file = NULL;
    size_t len = 0;
    struct sealed sealed;
    struct guard_span database;
    struct guard_err err;
    (void)state;
    keys(1, ours, secret);
    keys(2, theirs, secret);
    assert_int_equal(seal(content, name, secret, &file, &len), GUARD_OK);
    assert_int_equal(sealed_read(&sealed, (struct guard_span){file, len}, ours, &database, &err),
                     GUARD_E_SIGNATURE);
    assert_string_equal(err.text, "wasn't made by this node");
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_was_sealed),
        cmocka_unit_test(test_refuses_each_change),
        cmocka_unit_test(test_refuses_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
