/* SPDX-License-Identifier: Apache-2.0 */
/* Which revisions are new, and for how long: seen again they begin nothing. */
#include "guardd/revisions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { WINDOW = 1000 };

static struct revisions revisions;

static bool see(const char *text, uint64_t now_ms)
{
    struct guard_span span = {(const uint8_t *)text, strlen(text)};
    return revisions_observe(&revisions, span, now_ms, WINDOW);
}

static uint64_t until(void)
{
    return revisions_newest(&revisions)->until_ms;
}

static void test_newness(void **state)
{
    (void)state;
    memset(&revisions, 0, sizeof(revisions));
    assert_null(revisions_newest(&revisions));
    assert_false(see("", 5));
    assert_true(see("v1", 10));
    assert_int_equal(until(), 0); /* what was learned without a name */
    assert_false(see("v1", 20));
    assert_true(see("v2", 100));
    assert_int_equal(until(), 100 + WINDOW);
    /* Neither the same again nor the one before prolongs it, while it lasts or later. */
    for (uint64_t now = 101; now < 5000; now += 7) {
        assert_false(see("v2", now));
        assert_false(see("v1", now));
    }
    assert_int_equal(until(), 100 + WINDOW);
    assert_string_equal(revisions_newest(&revisions)->text, "v2");
}

static void test_names(void **state)
{
    (void)state;
    char longest[GUARD_REVISION_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[GUARD_REVISION_MAX + 1] = '\0';
    memset(&revisions, 0, sizeof(revisions));
    assert_false(see(longest, 1));
    assert_false(see("v 1", 1));
    assert_false(see("v\n1", 1));
    assert_false(see("\xc3\xa4", 1));
    assert_int_equal(revisions.count, 0);
    longest[GUARD_REVISION_MAX] = '\0';
    assert_true(see(longest, 1));
    assert_true(see("registry/shop:1.2.3@sha256+x_y-z", 2));
}

/* The oldest go; the newest of many stay known. */
static void test_many(void **state)
{
    (void)state;
    char text[16];
    memset(&revisions, 0, sizeof(revisions));
    for (int i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof(text), "v%d", i);
        assert_true(see(text, (uint64_t)i));
    }
    assert_int_equal(revisions.count, REVISIONS_KEPT);
    for (int i = 50 - REVISIONS_KEPT; i < 50; i++) {
        (void)snprintf(text, sizeof(text), "v%d", i);
        assert_false(see(text, 99));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newness),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
