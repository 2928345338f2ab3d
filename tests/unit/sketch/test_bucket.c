/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets: monotone, exact when small, never more than a quarter too wide. */
#include "sketch/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(uint32_t value)
{
    uint32_t bucket = gd_bucket(value);
    assert_true(bucket < GD_BUCKETS);
    assert_true(gd_bucket_lower(bucket) <= value && value <= gd_bucket_upper(bucket));
    uint32_t width = gd_bucket_upper(bucket) - gd_bucket_lower(bucket);
    assert_true(width <= gd_bucket_lower(bucket) / 4);
    if (value > 0)
        assert_true(gd_bucket(value - 1) <= bucket);
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 16; value++)
        assert_int_equal(gd_bucket_lower(gd_bucket(value)), gd_bucket_upper(gd_bucket(value)));
}

static void test_every_value_lies_in_its_bucket(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 100000; value++)
        check(value);
    for (uint32_t shift = 16; shift < 32; shift++) {
        for (uint32_t near = 0; near < 8; near++) {
            check((UINT32_C(1) << shift) + near);
            check((UINT32_C(1) << shift) - near - 1);
        }
    }
    check(UINT32_MAX);
}

static void test_buckets_join_without_gaps(void **state)
{
    (void)state;
    for (uint32_t bucket = 0; bucket + 1 < GD_BUCKETS; bucket++)
        assert_int_equal(gd_bucket_upper(bucket) + 1, gd_bucket_lower(bucket + 1));
    assert_int_equal(gd_bucket_upper(GD_BUCKETS - 1), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_every_value_lies_in_its_bucket),
        cmocka_unit_test(test_buckets_join_without_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
