/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits keeps nobody else waiting, however many they are. */
#include "guardd/pods/waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct guard_span name_of(char name[32], unsigned number)
{
    int len = snprintf(name, 32, "service-%u", number);
    return (struct guard_span){(const uint8_t *)name, (size_t)len};
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct pod_waiting));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void test_one_waits_until_the_next_pass(void **state)
{
    struct pod_waiting *waiting = *state;
    char name[32];
    assert_false(pod_waiting_has(waiting, name_of(name, 1)));
    pod_waiting_add(waiting, name_of(name, 1));
    pod_waiting_add(waiting, name_of(name, 1));
    assert_int_equal(waiting->count, 1);
    assert_true(pod_waiting_has(waiting, name_of(name, 1)));
    assert_false(pod_waiting_has(waiting, name_of(name, 2)));
    pod_waiting_restart(waiting);
    assert_false(pod_waiting_has(waiting, name_of(name, 1)));
}

/* All but one of another guardd's, or without a key. */
static void test_all_others_wait_and_one_does_not(void **state)
{
    struct pod_waiting *waiting = *state;
    const unsigned others = SERVICES_MAX - 1 + UPLINK_WANTED_MAX;
    char name[32];
    for (unsigned i = 0; i < others; i++)
        pod_waiting_add(waiting, name_of(name, i));
    for (unsigned i = 0; i < others; i++)
        assert_true(pod_waiting_has(waiting, name_of(name, i)));
    assert_false(pod_waiting_has(waiting, name_of(name, others)));
}

static void test_without_room_all_wait(void **state)
{
    struct pod_waiting *waiting = *state;
    char name[32];
    for (unsigned i = 0; i < 2 * POD_WAITING_MAX; i++)
        pod_waiting_add(waiting, name_of(name, i));
    assert_int_equal(waiting->count, POD_WAITING_MAX);
    assert_true(pod_waiting_has(waiting, name_of(name, 2 * POD_WAITING_MAX)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_waits_until_the_next_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_others_wait_and_one_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_room_all_wait, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
