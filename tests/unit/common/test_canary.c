/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs of canaries: what holds, and that each way of changing one ends it. */
#include "common/canary.h"

#include <guard/crypto.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t now_ms = 1800000000123;
static const uint8_t nonce[CANARY_NONCE_BYTES] = {1, 2, 3, 0xff};
static const uint8_t key[GUARD_KEY_BYTES] = {7, 8, 9};
static const uint8_t other_key[GUARD_KEY_BYTES] = {7, 8, 10};
#define SHOP GUARD_SPAN_LITERAL("prod.shop")

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void ask(char out[CANARY_PROOF_CAP])
{
    assert_int_equal(canary_ask(out, key, SHOP, nonce, now_ms), GUARD_OK);
    assert_int_equal(strlen(out), CANARY_PROOF_LEN);
}

static void test_the_form_is_the_one_that_is_written_down(void **state)
{
    (void)state;
    char proof[CANARY_PROOF_CAP];
    char expected[CANARY_PROOF_CAP];
    uint8_t mac[GUARD_KEY_BYTES];
    const char *message =
        "guard canary asked\nprod.shop\n1.000001a3185c507b.010203ff000000000000000000000000";
    ask(proof);
    guard_key_derive(mac, key, span(message));
    int len = snprintf(expected, sizeof(expected), "%s.", strchr(message, '1'));
    for (size_t i = 0; i < sizeof(mac); i++)
        len += snprintf(expected + len, sizeof(expected) - (size_t)len, "%02x", mac[i]);
    assert_string_equal(proof, expected);
}

static void test_a_proof_holds_for_its_service_key_and_time(void **state)
{
    (void)state;
    char proof[CANARY_PROOF_CAP];
    ask(proof);
    assert_true(canary_check(span(proof), key, SHOP, now_ms));
    assert_true(canary_check(span(proof), key, SHOP, now_ms + CANARY_WINDOW_MS));
    assert_true(canary_check(span(proof), key, SHOP, now_ms - CANARY_WINDOW_MS));
    assert_false(canary_check(span(proof), key, SHOP, now_ms + CANARY_WINDOW_MS + 1));
    assert_false(canary_check(span(proof), key, SHOP, now_ms - CANARY_WINDOW_MS - 1));
    assert_false(canary_check(span(proof), key, SHOP, 0));
    assert_false(canary_check(span(proof), key, SHOP, UINT64_MAX));
    assert_false(canary_check(span(proof), other_key, SHOP, now_ms));
    assert_false(canary_check(span(proof), key, span("prod.shoq"), now_ms));
    assert_false(canary_check(span(proof), key, span("prod.sho"), now_ms));
    assert_false(canary_check(span(proof), key, (struct guard_span){NULL, 0}, now_ms));
}

static void test_every_byte_of_a_proof_counts(void **state)
{
    (void)state;
    char proof[CANARY_PROOF_CAP + 1];
    ask(proof);
    for (size_t i = 0; i < CANARY_PROOF_LEN; i++) {
        char was = proof[i];
        for (int byte = 0; byte < 256; byte++) {
            proof[i] = (char)byte;
            if (proof[i] != was &&
                canary_check((struct guard_span){(uint8_t *)proof, CANARY_PROOF_LEN}, key, SHOP,
                             now_ms))
                fail_msg("byte %zu may be %d", i, byte);
        }
        proof[i] = was;
    }
    for (size_t len = 0; len < CANARY_PROOF_LEN; len++)
        assert_false(canary_check((struct guard_span){(uint8_t *)proof, len}, key, SHOP, now_ms));
    memcpy(proof + CANARY_PROOF_LEN, "0", 2);
    assert_false(canary_check(span(proof), key, SHOP, now_ms));
}

static void test_a_service_without_a_name_isnt_asked(void **state)
{
    (void)state;
    char proof[CANARY_PROOF_CAP];
    static char long_name[300];
    memset(long_name, 'a', sizeof(long_name) - 1);
    assert_int_equal(canary_ask(proof, key, (struct guard_span){NULL, 0}, nonce, now_ms),
                     GUARD_E_RANGE);
    assert_int_equal(canary_ask(proof, key, span(long_name), nonce, now_ms), GUARD_E_RANGE);
}

static void test_an_answer_says_who_gave_it(void **state)
{
    (void)state;
    char proof[CANARY_PROOF_CAP], later[CANARY_PROOF_CAP];
    char body[CANARY_ANSWER_CAP];
    struct canary_gate said;
    const struct canary_gate gate = {"shop-5d9c-x2x", "v1 .2\n", UINT64_MAX};
    ask(proof);
    size_t len = canary_answer(body, key, span(proof), &gate);
    const struct guard_span whole = {(const uint8_t *)body, len};
    assert_true(canary_answered(&said, whole, key, span(proof)));
    assert_string_equal(said.pod, "shop-5d9c-x2x");
    assert_string_equal(said.revision, "v1.2");
    assert_true(said.generation == UINT64_MAX);
    /* To this canary, by who has the key. */
    assert_int_equal(canary_ask(later, key, SHOP, nonce, now_ms + 1), GUARD_OK);
    assert_false(canary_answered(&said, whole, key, span(later)));
    assert_false(canary_answered(&said, whole, other_key, span(proof)));
    /* What a service gives back of what it got is no answer. */
    assert_false(canary_answered(&said, span(proof), key, span(proof)));
    for (size_t i = 0; i < len; i++) {
        body[i] ^= 1;
        assert_false(canary_answered(&said, whole, key, span(proof)));
        body[i] ^= 1;
        assert_false(canary_answered(&said, (struct guard_span){whole.ptr, i}, key, span(proof)));
    }
    assert_true(canary_answered(&said, whole, key, span(proof)));
}

static void test_the_longest_answer_is_read(void **state)
{
    (void)state;
    char proof[CANARY_PROOF_CAP];
    char body[CANARY_ANSWER_CAP];
    struct canary_gate said, gate = {.generation = 1};
    memset(gate.pod, 'p', sizeof(gate.pod) - 1);
    memset(gate.revision, 'r', sizeof(gate.revision) - 1);
    ask(proof);
    size_t len = canary_answer(body, key, span(proof), &gate);
    assert_true(len > 0 && len <= sizeof(body));
    assert_true(
        canary_answered(&said, (struct guard_span){(uint8_t *)body, len}, key, span(proof)));
    assert_string_equal(said.pod, gate.pod);
    assert_string_equal(said.revision, gate.revision);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_form_is_the_one_that_is_written_down),
        cmocka_unit_test(test_a_proof_holds_for_its_service_key_and_time),
        cmocka_unit_test(test_every_byte_of_a_proof_counts),
        cmocka_unit_test(test_a_service_without_a_name_isnt_asked),
        cmocka_unit_test(test_an_answer_says_who_gave_it),
        cmocka_unit_test(test_the_longest_answer_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
