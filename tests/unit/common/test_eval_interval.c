/* SPDX-License-Identifier: Apache-2.0 */
/* Exact intervals against published values and against their definition. */
#include "common/eval_interval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_known_values(void **state)
{
    static const struct {
        uint64_t hits, trials;
        double low, high;
    } known[] = {{0, 3000, 0, 0.0012289},
                 {3, 4077, 0.000152, 0.002149},
                 {5, 10, 0.187086, 0.812914},
                 {10, 10, 0.691503, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct eval_interval interval = eval_interval(known[i].hits, known[i].trials);
        assert_true(fabs(interval.low - known[i].low) < 1e-5);
        assert_true(fabs(interval.high - known[i].high) < 1e-5);
    }
}

static void test_without_trials_all_is_possible(void **state)
{
    struct eval_interval interval = eval_interval(0, 0);
    (void)state;
    assert_true(interval.low == 0 && interval.high == 1);
}

/* P(X >= k | low) = P(X <= k | high) = 2.5 %, summed term by term. */
static void test_the_definition_holds(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 60; n += 7) {
        for (uint64_t k = 0; k <= n; k++) {
            struct eval_interval interval = eval_interval(k, n);
            double above = 0;
            double below = 0;
            for (uint64_t i = 0; i <= n; i++) {
                double choose = exp(lgamma((double)n + 1) - lgamma((double)i + 1) -
                                    lgamma((double)(n - i) + 1));
                if (i >= k)
                    above += choose * pow(interval.low, (double)i) *
                             pow(1 - interval.low, (double)(n - i));
                if (i <= k)
                    below += choose * pow(interval.high, (double)i) *
                             pow(1 - interval.high, (double)(n - i));
            }
            assert_true(k == 0 || fabs(above - 0.025) < 1e-9);
            assert_true(k == n || fabs(below - 0.025) < 1e-9);
        }
    }
}

static void test_large_numbers_stay_ordered(void **state)
{
    double last = 0;
    (void)state;
    for (uint64_t k = 0; k <= 300000; k += 30000) {
        struct eval_interval interval = eval_interval(k, 300000);
        double rate = (double)k / 300000;
        assert_true(interval.low <= rate && rate <= interval.high);
        assert_true(interval.high >= last && interval.high - interval.low < 0.004);
        last = interval.high;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_without_trials_all_is_possible),
        cmocka_unit_test(test_the_definition_holds),
        cmocka_unit_test(test_large_numbers_stay_ordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
