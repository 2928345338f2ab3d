/* SPDX-License-Identifier: Apache-2.0 */
/* What is offered by one root and given by another is asked for until it came. */
#include "guardd/tree/offer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOW = 1000000, LONGEST = 4000, TOLD = 8 };

/* As when the parent said so and the answer is on its way. */
static struct offer on_its_way(uint64_t number, uint64_t have)
{
    struct offer offer = {.newest = 0};
    offer_said(&offer, number, have);
    assert_true(offer_is_due(&offer, NOW));
    offer_asked(&offer);
    offer.fetching = true;
    assert_false(offer_is_due(&offer, NOW));
    assert_true(offer_rests(&offer, NOW));
    offer.fetching = false;
    return offer;
}

static void test_what_is_in_place_is_not_asked_for(void **state)
{
    (void)state;
    struct offer offer = {.newest = 0};
    offer_said(&offer, 7, 7);
    assert_false(offer_is_due(&offer, NOW));
    offer_said(&offer, 6, 7);
    assert_false(offer_is_due(&offer, NOW));
    assert_false(offer_rests(&offer, NOW));
}

static void test_what_came_is_not_asked_for_again(void **state)
{
    (void)state;
    struct offer offer = on_its_way(7, 5);
    offer_came(&offer, 7, NOW, 0);
    assert_false(offer_is_due(&offer, NOW));
    assert_false(offer_rests(&offer, NOW));
    assert_false(offer_is_told(&offer, true));
}

static void test_one_that_was_offered_meanwhile_is_fetched_at_once(void **state)
{
    (void)state;
    struct offer offer = on_its_way(7, 5);
    offer_said(&offer, 9, 5);
    offer_came(&offer, 7, NOW, 0);
    assert_true(offer_is_due(&offer, NOW));
}

static void test_an_older_one_is_asked_for_again_after_a_pause(void **state)
{
    (void)state;
    struct offer offer = on_its_way(7, 5);
    offer_came(&offer, 5, NOW, 0);
    assert_true(offer_rests(&offer, NOW));
    offer_said(&offer, 7, 5);
    assert_false(offer_is_due(&offer, NOW)); /* told at once is not asked at once */
    assert_true(offer_is_due(&offer, NOW + LONGEST));
    assert_false(offer_rests(&offer, NOW + LONGEST));
}

static void test_pauses_end_for_who_waits_for_policies(void **state)
{
    (void)state;
    struct offer offer = on_its_way(7, 5);
    for (int i = 0; i < 100; i++) {
        offer_came(&offer, 5, NOW, 0);
        assert_in_range(offer.again_ms, NOW + 125, NOW + LONGEST);
        offer_asked(&offer);
    }
    offer_came(&offer, 5, NOW, 60); /* unless the parent asks for them */
    assert_true(offer.again_ms >= NOW + 60000);
}

static void test_a_clock_that_is_set_back_prolongs_no_pause(void **state)
{
    (void)state;
    const uint64_t days = UINT64_C(10) * 86400000;
    struct offer offer = on_its_way(7, 5);
    offer_came(&offer, 5, NOW + days, 0);
    offer_said(&offer, 7, 5);
    assert_true(offer_is_due(&offer, NOW));
}

static void test_people_are_told_once_in_a_row(void **state)
{
    (void)state;
    struct offer offer = on_its_way(7, 5);
    for (int i = 1; i < 3 * TOLD; i++) {
        offer_came(&offer, 5, NOW, 0);
        assert_int_equal(offer_is_told(&offer, false), i == TOLD);
        offer_asked(&offer);
    }
    offer_came(&offer, 7, NOW, 0);
    offer_said(&offer, 8, 7);
    offer_asked(&offer);
    offer_came(&offer, 7, NOW, 0);
    assert_false(offer_is_told(&offer, false));
    assert_true(offer_is_told(&offer, true)); /* one that can't be believed: at once */
    assert_false(offer_is_told(&offer, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_in_place_is_not_asked_for),
        cmocka_unit_test(test_what_came_is_not_asked_for_again),
        cmocka_unit_test(test_one_that_was_offered_meanwhile_is_fetched_at_once),
        cmocka_unit_test(test_an_older_one_is_asked_for_again_after_a_pause),
        cmocka_unit_test(test_pauses_end_for_who_waits_for_policies),
        cmocka_unit_test(test_a_clock_that_is_set_back_prolongs_no_pause),
        cmocka_unit_test(test_people_are_told_once_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
