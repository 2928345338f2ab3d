/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at evidence are told once, counted when they are repeated, and none is lost silently. */
#include "guardd/api/looks.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/looks-XXXXXX";
static char path[64];
static struct looks looks;

static int setup(void **state)
{
    (void)state;
    strncpy(dir + sizeof(dir) - 7, "XXXXXX", 7);
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/" LOOKS_FILE, dir);
    looks = (struct looks){.dir = dir};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char lock[64];
    snprintf(lock, sizeof(lock), "%s/audit.lock", dir);
    unlink(path);
    unlink(lock);
    return rmdir(dir);
}

static enum guard_rc look(const char *by, const char *what, uint64_t now_ms)
{
    const struct audit_who who = {
        .by = by, .uid = 7, .via = "api", .token = "0123456789abcdef", .subject = ""};
    struct guard_err err;
    return looks_note(&looks, &who, "shop", what, now_ms, &err);
}

/* The lines, and the sum of their counts. */
static int lines(uint64_t *sum)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    int count = 0;
    *sum = 0;
    if (file_read(path, 1 << 20, &bytes, &len, NULL) != GUARD_OK)
        return 0;
    for (char *at = (char *)bytes; (at = strstr(at, "\"count\":")) != NULL; at++, count++)
        *sum += strtoull(at + 8, NULL, 10);
    free(bytes);
    return count;
}

static void a_page_that_is_polled_is_two_lines_in_ten_minutes(void **state)
{
    uint64_t sum;
    (void)state;
    for (uint64_t s = 0; s < 600; s++) {
        assert_int_equal(look("ann", "/alerts", 1000000 + s * 1000), GUARD_OK);
        assert_int_equal(lines(&sum), 1); /* at once, and no more */
    }
    looks_tell(&looks, 1000000 + LOOKS_WINDOW_MS, false);
    assert_int_equal(lines(&sum), 2);
    assert_int_equal(sum, 600);
}

static void others_and_other_things_are_lines_of_their_own(void **state)
{
    uint64_t sum;
    (void)state;
    assert_int_equal(look("ann", "/alerts", 1), GUARD_OK);
    assert_int_equal(look("bob", "/alerts", 1), GUARD_OK);
    assert_int_equal(look("ann", "/alerts/1", 1), GUARD_OK);
    assert_int_equal(look("ann", "/alerts", 2), GUARD_OK);
    assert_int_equal(lines(&sum), 3);
    looks_tell(&looks, 3, true);
    assert_int_equal(lines(&sum), 4);
    assert_int_equal(sum, 4);
}

static void more_than_are_counted_are_told_early(void **state)
{
    char what[32];
    uint64_t sum;
    (void)state;
    for (int i = 0; i < 2 * LOOKS_MAX; i++) {
        snprintf(what, sizeof(what), "/alerts/%d", i);
        assert_int_equal(look("ann", what, 1000), GUARD_OK);
        assert_int_equal(look("ann", what, 1000), GUARD_OK);
    }
    looks_tell(&looks, 1000, true);
    assert_int_equal(lines(&sum), 4 * LOOKS_MAX);
    assert_int_equal(sum, 4 * LOOKS_MAX);
}

static void a_clock_that_is_set_back_keeps_nothing(void **state)
{
    uint64_t sum;
    (void)state;
    assert_int_equal(look("ann", "/alerts", 1000000), GUARD_OK);
    assert_int_equal(look("ann", "/alerts", 1000001), GUARD_OK);
    looks_tell(&looks, 5, false);
    assert_int_equal(lines(&sum), 2);
    assert_int_equal(looks.count, 0);
}

static void what_cannot_be_told_is_an_error(void **state)
{
    (void)state;
    looks.dir = "/nonexistent";
    assert_int_equal(look("ann", "/alerts", 1), GUARD_E_IO);
    assert_int_equal(looks.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_page_that_is_polled_is_two_lines_in_ten_minutes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(others_and_other_things_are_lines_of_their_own, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(more_than_are_counted_are_told_early, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_keeps_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
