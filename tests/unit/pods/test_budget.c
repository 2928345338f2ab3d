/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever frames pods gets few of them replaced, ever more slowly, and never the last one. */
#include <guard/pod_response.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MINUTE = 60 * 1000 };

static const uint64_t start = UINT64_C(1700000000000);

static void test_one_at_a_time(void **state)
{
    (void)state;
    struct guard_pod_budget budget = {.begun = 0};
    struct guard_pod_budget_cfg cfg;
    guard_pod_budget_default(&cfg);
    assert_int_equal(guard_pod_budget_begin(&budget, &cfg, 100, 99, start), GUARD_OK);
    assert_int_equal(guard_pod_budget_ask(&budget, &cfg, 100, 99, start + 60 * MINUTE),
                     GUARD_POD_IN_FLIGHT);
    assert_int_equal(guard_pod_budget_begin(&budget, &cfg, 100, 99, start + 1), GUARD_E_STATE);
    guard_pod_budget_end(&budget, start + MINUTE);
    assert_int_equal(guard_pod_budget_ask(&budget, &cfg, 100, 99, start + MINUTE + 1),
                     GUARD_POD_PAUSED);
    assert_int_equal(guard_pod_budget_until(&budget, &cfg, 100, start + MINUTE + 1),
                     start + 2 * MINUTE);
    assert_int_equal(guard_pod_budget_ask(&budget, &cfg, 100, 99, start + 2 * MINUTE),
                     GUARD_POD_PERMITTED);
}

static void test_why_none_is_permitted_can_be_seen(void **state)
{
    (void)state;
    struct guard_pod_budget budget = {.begun = 0};
    struct guard_pod_budget_cfg cfg;
    struct guard_pod_budget_look look;
    guard_pod_budget_default(&cfg);
    guard_pod_budget_look(&budget, &cfg, 25, start, &look);
    assert_true(look.allowed == 2 && look.spent == 0 && look.pause_until_ms == 0);
    assert_int_equal(guard_pod_budget_begin(&budget, &cfg, 25, 24, start), GUARD_OK);
    guard_pod_budget_end(&budget, start + 1);
    guard_pod_budget_look(&budget, &cfg, 25, start + 2, &look);
    assert_true(look.spent == 1 && look.pause_until_ms == start + 1 + MINUTE);
    assert_int_equal(guard_pod_budget_until(&budget, &cfg, 25, start + 2), look.pause_until_ms);
    guard_pod_budget_look(&budget, &cfg, 3, start + 1 + MINUTE, &look);
    assert_true(look.allowed == 1 && look.spent == 1 && look.pause_until_ms == 0);
    guard_pod_budget_look(&budget, &cfg, 3, start + 10 * MINUTE, &look);
    assert_int_equal(look.spent, 0);
}

static void test_never_the_last(void **state)
{
    (void)state;
    struct guard_pod_budget budget = {.begun = 0};
    struct guard_pod_budget_cfg cfg;
    guard_pod_budget_default(&cfg);
    assert_int_equal(guard_pod_budget_ask(&budget, &cfg, 1, 1, start), GUARD_POD_TOO_FEW);
    assert_int_equal(guard_pod_budget_ask(&budget, &cfg, 5, 0, start), GUARD_POD_TOO_FEW);
}

/* An attacker who frames pods without end, for a day: never more than a tenth in ten minutes. */
static void test_a_flood_is_slow(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 9, 30, 100};
    for (size_t at = 0; at < sizeof(sizes) / sizeof(sizes[0]); at++) {
        struct guard_pod_budget budget = {.begun = 0};
        struct guard_pod_budget_cfg cfg;
        uint64_t begun[2048];
        uint32_t count = 0;
        uint32_t most = sizes[at] / 10 == 0 ? 1 : sizes[at] / 10;
        guard_pod_budget_default(&cfg);
        for (uint64_t now = start; now < start + UINT64_C(1440) * MINUTE; now += 1000) {
            if (guard_pod_budget_begin(&budget, &cfg, sizes[at], sizes[at] - 1, now) != GUARD_OK)
                continue;
            begun[count++] = now;
            guard_pod_budget_end(&budget, now + 500);
            assert_true(count <= most ||
                        begun[count - 1] - begun[count - 1 - most] >= cfg.window_ms);
        }
        /* Pauses of up to half an hour. */
        assert_in_range(count, 20, 60);
    }
}

static void test_calm_forgets(void **state)
{
    (void)state;
    struct guard_pod_budget budget = {.begun = 0};
    struct guard_pod_budget_cfg cfg;
    uint64_t now = start;
    guard_pod_budget_default(&cfg);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(guard_pod_budget_begin(&budget, &cfg, 10, 9, now), GUARD_OK);
        guard_pod_budget_end(&budget, now);
        now += cfg.backoff_max_ms;
    }
    now += cfg.calm_ms;
    assert_int_equal(guard_pod_budget_begin(&budget, &cfg, 30, 29, now), GUARD_OK);
    guard_pod_budget_end(&budget, now);
    assert_int_equal(guard_pod_budget_ask(&budget, &cfg, 30, 29, now + cfg.backoff_first_ms),
                     GUARD_POD_PERMITTED);
}

static void test_a_stop_holds(void **state)
{
    (void)state;
    struct guard_pod_budget budget = {.begun = 0};
    struct guard_pod_budget_cfg cfg;
    guard_pod_budget_default(&cfg);
    guard_pod_budget_stop(&budget);
    assert_int_equal(guard_pod_budget_ask(&budget, &cfg, 10, 9, start), GUARD_POD_STOPPED);
    assert_int_equal(guard_pod_budget_until(&budget, &cfg, 10, start), 0);
    guard_pod_budget_resume(&budget);
    assert_int_equal(guard_pod_budget_ask(&budget, &cfg, 10, 9, start), GUARD_POD_PERMITTED);
}

static void test_limits_of_the_configuration(void **state)
{
    (void)state;
    struct guard_err err;
    struct guard_pod_budget_cfg cfg;
    guard_pod_budget_default(&cfg);
    assert_int_equal(guard_pod_budget_check(&cfg, &err), GUARD_OK);
    cfg.share = 33; /* percent */
    assert_int_equal(guard_pod_budget_check(&cfg, &err), GUARD_E_RANGE);
    guard_pod_budget_default(&cfg);
    cfg.backoff_first_ms = 0;
    assert_int_equal(guard_pod_budget_check(&cfg, &err), GUARD_E_RANGE);
    /* Times that reach beyond the end of counting would be over at once. */
    guard_pod_budget_default(&cfg);
    cfg.window_ms = UINT64_MAX;
    assert_int_equal(guard_pod_budget_check(&cfg, &err), GUARD_E_RANGE);
    guard_pod_budget_default(&cfg);
    cfg.calm_ms = UINT64_MAX;
    assert_int_equal(guard_pod_budget_check(&cfg, &err), GUARD_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_why_none_is_permitted_can_be_seen),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_never_the_last),
        cmocka_unit_test(test_a_flood_is_slow),
        cmocka_unit_test(test_calm_forgets),
        cmocka_unit_test(test_a_stop_holds),
        cmocka_unit_test(test_limits_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
