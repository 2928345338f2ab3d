/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens have their form, hashes match what they were made of, and none costs more than allowed. */
#include "common/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void tokens_have_their_form_and_differ(void **state)
{
    char one[SECRET_TOKEN_LEN + 1];
    char two[SECRET_TOKEN_LEN + 1];
    char id[SECRET_ID_LEN + 1];
    (void)state;
    assert_int_equal(secret_new(one), GUARD_OK);
    assert_int_equal(secret_new(two), GUARD_OK);
    assert_int_equal(strlen(one), SECRET_TOKEN_LEN);
    assert_string_not_equal(one, two);
    assert_true(secret_id(one, strlen(one), id));
    assert_memory_equal(one + strlen("guard_"), id, SECRET_ID_LEN);
    assert_memory_not_equal(one + 23, two + 23, 43);
}

static void other_texts_are_no_tokens(void **state)
{
    static const char *const bad[] = {
        "",
        "guard_",
        "guard_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "guard_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "guard_0123456789abcdeF_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "guard_0123456789abcdef-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "guard_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "Guard_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    char id[SECRET_ID_LEN + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(secret_id(bad[i], strlen(bad[i]), id));
    assert_true(secret_id("guard_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                          SECRET_TOKEN_LEN, id));
}

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void hashes_match_what_they_were_made_of(void **state)
{
    char token[SECRET_TOKEN_LEN + 1];
    char hash[SECRET_HASH_CAP];
    char again[SECRET_HASH_CAP];
    (void)state;
    assert_int_equal(secret_new(token), GUARD_OK);
    assert_int_equal(secret_hash(token, hash), GUARD_OK);
    assert_int_equal(secret_hash(token, again), GUARD_OK);
    assert_string_not_equal(hash, again); /* salted */
    assert_true(secret_hash_valid(span_of(hash)));
    assert_non_null(strstr(hash, "$m=8192,t=1,p=1$"));
    assert_true(secret_matches(hash, token));
    token[SECRET_TOKEN_LEN - 2] ^= 1;
    assert_false(secret_matches(hash, token));
}

static void hashes_that_cost_too_much_are_none(void **state)
{
    static const char *const bad[] = {
        "",
        "$argon2id$v=19$m=65537,t=2,p=1$c2FsdHNhbHQ$aGFzaA",
        "$argon2id$v=19$m=19456,t=5,p=1$c2FsdHNhbHQ$aGFzaA",
        "$argon2id$v=19$m=19456,t=2,p=2$c2FsdHNhbHQ$aGFzaA",
        "$argon2id$v=19$m=99999999999999999999,t=2,p=1$c2FsdHNhbHQ$aGFzaA",
        "$argon2id$v=19$m=019456,t=2,p=1$c2FsdHNhbHQ$aGFzaA",
        "$argon2id$v=19$t=2,m=19456,p=1$c2FsdHNhbHQ$aGFzaA",
        "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA",
        "$argon2id$v=19$m=19456,t=2,p=1$$aGFzaA",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGF\nzaA",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$a$b",
    };
    (void)state;
    assert_true(secret_hash_valid(span_of("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA")));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(secret_hash_valid(span_of(bad[i])));
    char longer[200];
    memset(longer, 'a', sizeof(longer));
    memcpy(longer, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$", 43);
    assert_false(secret_hash_valid((struct guard_span){(const uint8_t *)longer, sizeof(longer)}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_have_their_form_and_differ),
        cmocka_unit_test(other_texts_are_no_tokens),
        cmocka_unit_test(hashes_match_what_they_were_made_of),
        cmocka_unit_test(hashes_that_cost_too_much_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
