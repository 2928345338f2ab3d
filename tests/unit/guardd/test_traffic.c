/* SPDX-License-Identifier: Apache-2.0 */
/* Each exchange counts once as a verdict, once as an answer, and in one step of the histogram. */
#include "guardd/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_counts(void **state)
{
    static const struct {
        uint32_t status;
        uint32_t latency_us;
        enum guard_decision decision;
    } exchanges[] = {{200, 1000, GUARD_PASS},          {204, 1001, GUARD_PASS},
                     {404, UINT32_MAX, GUARD_ALERT},   {403, 10000000, GUARD_BLOCK},
                     {502, 4000000000u, GUARD_BLOCK},  {0, 0, GUARD_PASS},
                     {4000000000u, 100001, GUARD_PASS}};
    struct traffic traffic = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        struct guard_record_head head;
        memset(&head, 0, sizeof(head));
        head.status = exchanges[i].status;
        head.latency_us = exchanges[i].latency_us;
        head.decision = exchanges[i].decision;
        traffic_observe(&traffic, &head);
    }
    assert_int_equal(traffic.verdicts[0], 4);
    assert_int_equal(traffic.verdicts[1], 1);
    assert_int_equal(traffic.verdicts[2], 2);
    assert_int_equal(traffic.classes[0], 2);
    assert_int_equal(traffic.classes[2], 2);
    assert_int_equal(traffic.classes[4], 2);
    assert_int_equal(traffic.classes[5], 1);
    assert_int_equal(traffic.timed, 6);
    assert_int_equal(traffic.within[0], 2); /* up to a millisecond */
    assert_int_equal(traffic.within[1], 1);
    assert_int_equal(traffic.within[7], 1);
    assert_int_equal(traffic.within[TRAFFIC_BOUNDS - 1], 1);
    assert_int_equal(traffic.time_us, 1000 + 1001 + 10000000 + UINT64_C(4000000000) + 100001);
}

static void test_quantiles_lie_between_the_bounds(void **state)
{
    struct traffic traffic = {.timed = 100, .within = {50, 0, 0, 50}};
    struct traffic sum = {.timed = 0};
    (void)state;
    assert_true(traffic_quantile(&traffic, 0.25) > 0.00049 &&
                traffic_quantile(&traffic, 0.25) < 0.00051);
    assert_true(traffic_quantile(&traffic, 0.5) < 0.00101);
    assert_true(traffic_quantile(&traffic, 0.51) > 0.005 && traffic_quantile(&traffic, 1) < 0.0101);
    traffic.timed = 1000; /* most of them took longer than the last bound */
    assert_true(traffic_quantile(&traffic, 0.99) == traffic_bounds[TRAFFIC_BOUNDS - 1]);
    traffic_add(&sum, &traffic);
    traffic_add(&sum, &traffic);
    assert_true(sum.timed == 2000 && sum.within[3] == 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts),
                                       cmocka_unit_test(test_quantiles_lie_between_the_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
