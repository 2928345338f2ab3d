/* SPDX-License-Identifier: Apache-2.0 */
/* What is urgent is told at once, and a flood of it in few files. */
#include "common/pods/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_the_first_ones_are_at_once(void **state)
{
    (void)state;
    struct pod_pace pace = {.limits = &pod_pace_hard};
    for (uint32_t i = 0; i < pod_pace_hard.at_once; i++)
        assert_true(pod_pace_allows(&pace, 1000));
    assert_int_equal(pace.waited, 0);
}

/* Of what comes every 10 ms for ten minutes, in intervals of ten seconds. */
static void test_a_flood_is_few_files(void **state)
{
    (void)state;
    struct pod_pace pace = {.limits = &pod_pace_hard};
    uint32_t files = 0, longest = 0, since = 0;
    for (uint64_t ms = 0; ms < 600000; ms += 10) {
        if (ms % 10000 == 0)
            pod_pace_interval(&pace);
        bool now = pod_pace_allows(&pace, ms);
        files += now;
        since = now ? 0 : since + 10;
        longest = since > longest ? since : longest;
    }
    assert_in_range(files, 60 * pod_pace_hard.at_once,
                    60 * (pod_pace_hard.at_once + 10000 / pod_pace_hard.gap_ms));
    assert_true(longest <= pod_pace_hard.gap_ms);
    assert_int_equal(pace.waited, 60000 - files);
}

static void test_a_long_interval_has_a_maximum(void **state)
{
    (void)state;
    struct pod_pace pace = {.limits = &pod_pace_hard};
    uint32_t files = 0;
    for (uint64_t ms = 0; ms < 3600000; ms += 100)
        files += pod_pace_allows(&pace, ms);
    assert_int_equal(files, pod_pace_hard.files_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_ones_are_at_once),
        cmocka_unit_test(test_a_flood_is_few_files),
        cmocka_unit_test(test_a_long_interval_has_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
