/* SPDX-License-Identifier: Apache-2.0 */
/* Which generations are kept: never too many, the newest two always, and spread over the time. */
#include "guardd/generations.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MINUTE_MS = 60000 };
static const uint64_t begin_ms = UINT64_C(1700000000000);

static void test_few_are_all_kept(void **state)
{
    struct generations kept = {.count = 0};
    uint64_t dropped[GENERATIONS_KEPT];
    (void)state;
    for (uint64_t i = 1; i <= GENERATIONS_KEPT; i++) {
        struct generation one = {i, begin_ms + i * MINUTE_MS, i * 10};
        assert_int_equal(generations_add(&kept, &one, dropped), 0);
    }
    assert_int_equal(kept.count, GENERATIONS_KEPT);
    assert_int_equal(generations_find(&kept, 7)->exchanges, 70);
    assert_null(generations_find(&kept, 17));
    assert_int_equal(generations_before(&kept, 7)->number, 6);
    assert_int_equal(generations_before(&kept, 99)->number, GENERATIONS_KEPT);
    assert_null(generations_before(&kept, 1));
}

static void test_an_older_number_is_no_news(void **state)
{
    struct generations kept = {.count = 0};
    uint64_t dropped[GENERATIONS_KEPT];
    struct generation five = {5, begin_ms, 1};
    struct generation four = {4, begin_ms + 1, 1};
    (void)state;
    assert_int_equal(generations_add(&kept, &five, dropped), 0);
    assert_int_equal(generations_add(&kept, &four, dropped), 0);
    assert_int_equal(generations_add(&kept, &five, dropped), 0);
    assert_int_equal(kept.count, 1);
}

/* One a minute for three days: what is kept reaches from the last minutes to the first day, each
 * gap at most a few times the one before it. */
static void test_what_is_kept_is_spread(void **state)
{
    enum { COUNT = 3 * 24 * 60 };
    struct generations kept = {.count = 0};
    (void)state;
    for (uint64_t i = 1; i <= COUNT; i++) {
        uint64_t dropped[GENERATIONS_KEPT];
        struct generation one = {i, begin_ms + i * MINUTE_MS, i};
        uint32_t before = kept.count;
        uint32_t gone = generations_add(&kept, &one, dropped);
        assert_int_equal(kept.count, before + 1 - gone);
        assert_true(kept.count <= GENERATIONS_KEPT);
        for (uint32_t j = 0; j < gone; j++)
            assert_null(generations_find(&kept, dropped[j]));
        assert_int_equal(kept.list[kept.count - 1].number, i);
        if (i > 1)
            assert_int_equal(kept.list[kept.count - 2].number, i - 1);
    }
    assert_int_equal(kept.list[0].number, 1);
    uint32_t last_hour = 0;
    uint32_t first_two_days = 0;
    for (uint32_t i = 0; i < kept.count; i++) {
        last_hour += kept.list[i].number > COUNT - 60;
        first_two_days += kept.list[i].number < COUNT - 24 * 60;
    }
    assert_in_range(last_hour, 3, 12);
    assert_in_range(first_two_days, 2, 8);
}

static void test_a_month_later_the_old_ones_go(void **state)
{
    struct generations kept = {.count = 0};
    uint64_t dropped[GENERATIONS_KEPT];
    (void)state;
    for (uint64_t i = 1; i <= 5; i++) {
        struct generation one = {i, begin_ms + i, i};
        (void)generations_add(&kept, &one, dropped);
    }
    struct generation late = {6, begin_ms + UINT64_C(86400000) * (GENERATIONS_DAYS + 1), 6};
    assert_int_equal(generations_add(&kept, &late, dropped), 4);
    assert_int_equal(kept.count, 2); /* there is always one to go back to */
    assert_int_equal(kept.list[0].number, 5);
}

static void test_clocks_that_are_set_back_harm_nothing(void **state)
{
    struct generations kept = {.count = 0};
    (void)state;
    struct test_random random = test_random_start("clocks");
    for (uint64_t i = 1; i <= 2000; i++) {
        uint64_t dropped[GENERATIONS_KEPT];
        struct generation one = {i, begin_ms + test_random_next(&random) % 1000000, i};
        (void)generations_add(&kept, &one, dropped);
        assert_in_range(kept.count, 1, GENERATIONS_KEPT);
        for (uint32_t j = 1; j < kept.count; j++)
            assert_true(kept.list[j - 1].number < kept.list[j].number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_are_all_kept),
        cmocka_unit_test(test_an_older_number_is_no_news),
        cmocka_unit_test(test_what_is_kept_is_spread),
        cmocka_unit_test(test_a_month_later_the_old_ones_go),
        cmocka_unit_test(test_clocks_that_are_set_back_harm_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
