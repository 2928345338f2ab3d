/* SPDX-License-Identifier: Apache-2.0 */
/* Pauses grow, end, differ, and are never shorter than what the parent asked for. */
#include "guardd/tree/pause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

enum { TRIES = 200 };

static void test_they_grow_and_end(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        assert_in_range(uplink_pause(1, 0), 125, 250);
        assert_in_range(uplink_pause(5, 0), 2000, 4000);
        assert_in_range(uplink_pause(UINT32_MAX, 0), 15000, 30000);
    }
}

static void test_they_differ(void **state)
{
    (void)state;
    uint64_t first = uplink_pause(8, 0);
    uint64_t asked = uplink_pause(1, 5);
    bool differ = false;
    bool differ_asked = false;
    for (int i = 0; i < TRIES; i++) {
        differ = differ || uplink_pause(8, 0) != first;
        differ_asked = differ_asked || uplink_pause(1, 5) != asked;
    }
    assert_true(differ && differ_asked);
}

static void test_they_are_no_shorter_than_was_asked_for(void **state)
{
    (void)state;
    for (uint32_t seconds = 1; seconds < TRIES; seconds++) {
        assert_true(uplink_pause(1, seconds) >= seconds * 1000);
        assert_true(uplink_pause(9, seconds) >= seconds * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_grow_and_end),
        cmocka_unit_test(test_they_differ),
        cmocka_unit_test(test_they_are_no_shorter_than_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
