/* SPDX-License-Identifier: Apache-2.0 */
/* Times of logs and HAR files. */
#include "common/traffic/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint64_t read_by(bool (*read)(struct guard_span text, uint64_t *out), const char *text)
{
    uint64_t ms = 0;
    return read((struct guard_span){(const uint8_t *)text, strlen(text)}, &ms) ? ms : UINT64_MAX;
}

static void test_iso8601(void **state)
{
    (void)state;
    assert_int_equal(read_by(timestamp_iso8601, "2026-03-01T12:00:00.123Z"), 1772366400123u);
    assert_int_equal(read_by(timestamp_iso8601, "2026-03-01T13:00:00.123+01:00"), 1772366400123u);
    assert_int_equal(read_by(timestamp_iso8601, "2026-03-01T06:30:00.1239999-0530"),
                     1772366400123u);
    assert_int_equal(read_by(timestamp_iso8601, "2024-02-29T00:00:00Z"), 1709164800000u);
    assert_int_equal(read_by(timestamp_iso8601, "2000-03-01T00:00:00"), 951868800000u);
    assert_int_equal(read_by(timestamp_iso8601, "1970-01-01T00:00:00Z"), 0);
    const char *const bad[] = {"",
                               "2026",
                               "2026-13-01T12:00:00Z",
                               "2026-00-01T12:00:00Z",
                               "2026-03-01T24:00:00Z",
                               "2026-03-01T12:00:00+1",
                               "2026-03-01T12:00:00Zx",
                               "1969-12-31T23:59:59Z",
                               "1970-01-01T00:00:00+01:00",
                               "2026-03-01"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(read_by(timestamp_iso8601, bad[i]), UINT64_MAX);
}

static void test_log(void **state)
{
    (void)state;
    assert_int_equal(read_by(timestamp_log, "10/Oct/2000:13:55:36 -0700"), 971211336000u);
    assert_int_equal(read_by(timestamp_log, "01/Mar/2026:13:00:00 +0100"), 1772366400000u);
    const char *const bad[] = {"10/Okt/2000:13:55:36 -0700", "10/Oct/2000:13:55:36",
                               "1/Oct/2000:13:55:36 -0700", "10/Oct/2000:13:55:36 -0700 "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(read_by(timestamp_log, bad[i]), UINT64_MAX);
}

static void test_thousandths(void **state)
{
    (void)state;
    assert_int_equal(read_by(timestamp_thousandths, "1772410168.794"), 1772410168794u);
    assert_int_equal(read_by(timestamp_thousandths, "0.004"), 4);
    assert_int_equal(read_by(timestamp_thousandths, "-"), UINT64_MAX);
    assert_int_equal(read_by(timestamp_thousandths, "99999999999999999999"), UINT64_MAX);
    assert_int_equal(read_by(timestamp_thousandths, "1.5s"), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iso8601),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_thousandths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
