/* SPDX-License-Identifier: Apache-2.0 */
/* Card numbers: the issuers' published test numbers, printed in every usual way, and numbers that
 * only look like them. */
#include "detect/leak_rule.h"

#include "base/span.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum gd_leak_card card(const char *text)
{
    size_t len = strlen(text);
    enum gd_leak_card found = GD_LEAK_CARD_NONE;
    for (size_t at = 1; at < len; at++) {
        if (text[at] < '0' || text[at] > '9' || text[at - 1] < '0' || text[at - 1] > '9')
            continue;
        uint64_t number;
        enum gd_leak_card here = gd_leak_card((const uint8_t *)text, len, at, &number);
        found = here > found ? here : found;
    }
    return found;
}

static void test_cards(void **state)
{
    (void)state;
    static const char *const cards[] = {
        "4111111111111111",
        "4012888888881881",
        "4222222222222",
        "5555555555554444",
        "5105105105105100",
        "2223003122003222",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "3530111333300000",
        "30569309025904",
        "38520000023237",
        "6200000000000005",
        "2200000000000004",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "3056 930902 5904",
        "{\"card\":4111111111111111,\"x\":1}",
        "{\"card\":\"4111 1111 1111 1111\"}",
        "Anna\\n4111111111111111\\n",
        "17 4111111111111111 12/27",
        "4111 1111 1111 1111 12/27 123",
        "a,4111111111111111.",
        "card=4111111111111111&x=1",
    };
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)
        if (card(cards[i]) < GD_LEAK_CARD_LIKE)
            fail_msg("not found: %s", cards[i]);
}

static void test_others(void **state)
{
    (void)state;
    static const char *const others[] = {
        "4111111111111112",
        "411111111111111",
        "41111111111111111",
        "94111111111111111",
        "4111111111111111000000000",
        "1764209134000",
        "1764209134000123",
        "1764209134000123456",
        "4444444444444444",
        "0.4111111111111111",
        "/orders/4111111111111111",
        "id_4111111111111111",
        "x4111111111111111",
        "4111111111111111x",
        "4111111111111111.5",
        "4111 1111 1111 1111 1111",
        "1234 4111 1111 1111 1111",
        "4111 1111-1111 1111",
        "4111 11111 111 1111",
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB29 NWBK 6016 1331 9268 19",
        "+4915112345678901",
        "41111111-1111-4111-8111-111111111111",
        "a4111111-1111-4111-8111-111111111111",
        "2026-11-27 10:11:12.123456",
        "3782 822463 1000",
        "4111\t1111\t1111\t1111",
        "[4111,1111,1111,1111]",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (card(others[i]) > GD_LEAK_CARD_UNLIKE)
            fail_msg("found: %s", others[i]);
}

/* One alone is believed in groups, or when its name says so. */
static void test_sure(void **state)
{
    (void)state;
    static const char *const sure[] = {
        "4111 1111 1111 1111",
        "x 4012-8888-8888-1881",
        "amex: 3782 822463 10005",
        "{\"card\":4111111111111111}",
        "{\"cardNumber\" : \"4111111111111111\"}",
        "{\"credit_card\":\"4111111111111111\"}",
        "{\"creditCardNo\":\"5555555555554444\"}",
        "creditcard=378282246310005&x=1",
        "<CardNumber>6011111111111117</CardNumber>",
        "<pan>3530111333300000</pan>",
        "{\"PAN\":\"30569309025904\"}",
        "{\"customer_pan\":\"30569309025904\"}",
        "{\"ccnum\":\"6200000000000005\"}",
        "{\"cc_number\":\"2200000000000004\"}",
        "{\"card1\":\"2223003122003222\"}",
        "{\"cards\":[\"4222222222222\"]}",
        "{\"number_of_card\":\"4222222222222\"}",
        "{\"card\":{\"number\":\"4111111111111111\"}}",
        "card number: 4111111111111111",
        "Card No. 4111111111111111",
    };
    static const char *const like[] = {
        "{\"order\":4111111111111111}",
        "{\"number\":4111111111111111}",
        "{\"tracking_number\":\"6011111111111117\"}",
        "{\"id\":4111111111111111,\"card\":1}",
        "{\"card\":null,\"id\":4111111111111111}",
        "{\"card\":{\"id\":4111111111111111}}",
        "{\"card_id\":4111111111111111}",
        "{\"cardId\":4111111111111111}",
        "{\"cardToken\":4111111111111111}",
        "{\"discard\":4111111111111111}",
        "{\"wildcard\":4111111111111111}",
        "{\"cardinality\":4111111111111111}",
        "{\"company\":4111111111111111}",
        "<span>4111111111111111</span>",
        "{\"panel\":4111111111111111}",
        "{\"account\":4111111111111111}",
        "{\"success\":4111111111111111}",
    };
    for (size_t i = 0; i < sizeof(sure) / sizeof(sure[0]); i++)
        if (card(sure[i]) != GD_LEAK_CARD_SURE)
            fail_msg("not sure: %s", sure[i]);
    for (size_t i = 0; i < sizeof(like) / sizeof(like[0]); i++)
        if (card(like[i]) != GD_LEAK_CARD_LIKE)
            fail_msg("%d: %s", card(like[i]), like[i]);
}

/* Ids, times in micro- and nanoseconds, and floats of ordinary services: never sure. */
static void test_random_numbers(void **state)
{
    (void)state;
    struct test_random random = test_random_start("cards");
    unsigned like = 0;
    for (unsigned i = 0; i < 20000; i++) {
        char text[96];
        unsigned long long r = test_random_next(&random);
        snprintf(text, sizeof(text),
                 i % 4 == 0   ? "{\"order_id\":%016llu}"
                 : i % 4 == 1 ? "{\"tracking\":\"4%015llu\"}"
                 : i % 4 == 2 ? "{\"ns\":17%017llu,\"us\":1764209134000123}"
                              : "{\"ratio\":0.4%015llu,\"lat\":48.5%015llu}",
                 i % 4 == 0 ? r % 10000000000000000 : r % 1000000000000000, r % 1000000000000000);
        enum gd_leak_card found = card(text);
        assert_int_not_equal(found, GD_LEAK_CARD_SURE);
        like += found == GD_LEAK_CARD_LIKE;
        if (i % 4 >= 2)
            assert_int_equal(found, GD_LEAK_CARD_NONE);
    }
    assert_in_range(like, 300, 900); /* why the number alone isn't enough */
}

/* Whatever has the right prefix and length: nine of ten fail by their check digit. */
static void test_check_digit(void **state)
{
    (void)state;
    unsigned found = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "453201511283%04u", i);
        found += card(text) == GD_LEAK_CARD_LIKE;
    }
    assert_int_equal(found, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cards), cmocka_unit_test(test_others), cmocka_unit_test(test_sure),
        cmocka_unit_test(test_random_numbers), cmocka_unit_test(test_check_digit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
