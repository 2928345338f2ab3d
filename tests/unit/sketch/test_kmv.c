/* SPDX-License-Identifier: Apache-2.0 */
/* Bottom-k sets: the same whatever the order, exact while small, estimates within their error. */
#include "sketch/kmv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/random.h"

enum { MAX = 32, VALUES = 500 };

static void test_order_and_grouping_do_not_matter(void **state)
{
    (void)state;
    struct test_random random = test_random_start("kmv");
    for (int round = 0; round < 200; round++) {
        uint32_t all[MAX], parts[3][MAX], counts[3] = {0}, all_count = 0;
        uint32_t max = (uint32_t)test_random_between(&random, 1, MAX);
        uint32_t values = (uint32_t)test_random_between(&random, 0, VALUES);
        for (uint32_t i = 0; i < values; i++) {
            uint32_t value = (uint32_t)test_random_below(&random, 300);
            uint32_t part = (uint32_t)test_random_below(&random, 3);
            all_count = gd_bottom_add(all, all_count, max, value);
            counts[part] = gd_bottom_add(parts[part], counts[part], max, value);
        }
        counts[2] = gd_bottom_unite(parts[2], counts[2], max, parts[0], counts[0]);
        counts[2] = gd_bottom_unite(parts[2], counts[2], max, parts[1], counts[1]);
        counts[2] = gd_bottom_unite(parts[2], counts[2], max, parts[0], counts[0]);
        assert_int_equal(counts[2], all_count);
        assert_memory_equal(parts[2], all, all_count * sizeof(*all));
        for (uint32_t i = 1; i < all_count; i++)
            assert_true(all[i - 1] < all[i]);
    }
}

static void test_estimates(void **state)
{
    (void)state;
    struct test_random random = test_random_start("kmv");
    uint32_t set[MAX], count = 0;
    for (uint32_t i = 1; i <= 100000; i++) {
        count = gd_bottom_add(set, count, MAX, (uint32_t)test_random_next(&random));
        if (i < MAX)
            assert_int_equal(gd_bottom_estimate(set, count, MAX), i);
    }
    uint32_t estimate = gd_bottom_estimate(set, count, MAX);
    assert_true(estimate > 40000 && estimate < 250000); /* standard error 18 % */
    assert_int_equal(gd_bottom_estimate(set, 0, MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_grouping_do_not_matter),
        cmocka_unit_test(test_estimates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
