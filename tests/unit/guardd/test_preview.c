/* SPDX-License-Identifier: Apache-2.0 */
/* Counting what would have been blocked by lines of alerts. */
#include "guardd/preview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct preview *preview;
static const struct guard_thresholds thresholds = {
    .request = 600, .alike = 500, .answer = 700, .time = 400, .client = 400};

static void begin(enum guard_mode mode, bool tighter, bool wider)
{
    const struct preview_wanted wanted = {.since_ms = 1000,
                                          .mode = mode,
                                          .tighter = tighter,
                                          .wider = wider,
                                          .thresholds = thresholds};
    preview_begin(preview, &wanted);
}

static bool line(const char *verdict, const char *action, const char *client, const char *more,
                 double score, unsigned count, unsigned last_ms)
{
    char text[1024];
    int len = snprintf(text, sizeof(text),
                       "{\"time_ms\":1,\"id\":\"a\",\"service\":\"shop\",\"verdict\":\"%s\","
                       "\"action\":\"%s\",\"client\":\"%s\",\"score\":%g,\"explanation\":"
                       "\"\\\"action\\\":\\\"block\\\"\",\"findings\":[{\"part\":\"request\",%s}],"
                       "\"suppressed\":0,\"count\":%u,\"first_ms\":1,\"last_ms\":%u}",
                       verdict, action, client, score, more, count, last_ms);
    return preview_line(preview, (struct guard_span){(const uint8_t *)text, (size_t)len});
}

static const char rule[] = "\"rule\":\"character\",\"p\":1e-7";
static const char alike[] = "\"rule\":\"likeness\",\"p\":1e-7";

static void is(uint64_t least, uint64_t most)
{
    assert_int_equal(preview->would_least, least);
    assert_int_equal(preview->would_most, most);
}

static int setup(void **state)
{
    (void)state;
    preview = malloc(sizeof(*preview));
    return preview != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(preview);
    return 0;
}

/* What was decided is told in every mode: another mode needs no guess. */
static void a_mode_is_exact(void **state)
{
    (void)state;
    begin(GUARD_MODE_BLOCK, false, false);
    assert_true(line("block", "alert", "192.0.2.1", rule, 1, 3, 5000));
    assert_true(line("block", "block", "192.0.2.1", rule, 9, 2, 4000));
    assert_true(line("alert", "alert", "192.0.2.2", rule, 99, 7, 3000));
    assert_true(line("block", "alert", "192.0.2.3", rule, 1, 0, 2000)); /* the end of a series */
    assert_false(line("block", "alert", "192.0.2.4", rule, 1, 50, 999));
    is(5, 5);
    assert_int_equal(preview->told, 12);
    assert_int_equal(preview->blocked, 2);
    assert_int_equal(preview->clients_blocked, 1);
    assert_int_equal(preview->clients_least, 1);
    assert_int_equal(preview->clients, 2);
    assert_int_equal(preview->example_count, 2);
    begin(GUARD_MODE_ALERT, false, false);
    assert_true(line("block", "block", "192.0.2.1", rule, 9, 2, 4000));
    is(0, 0);
    assert_int_equal(preview->blocked, 2);
}

static void what_is_late_is_told_only(void **state)
{
    (void)state;
    begin(GUARD_MODE_BLOCK, false, false);
    assert_true(line("block", "alert", "a", "\"rule\":\"latency\",\"p\":0", 9, 1, 4000));
    is(0, 0);
    assert_true(line("block", "block", "a", "\"rule\":\"latency\",\"p\":0", 9, 1, 4000));
    is(1, 1);
}

static void a_smaller_budget_has_bounds(void **state)
{
    (void)state;
    begin(GUARD_MODE_BLOCK, true, false);
    assert_true(line("block", "alert", "a", rule, 5.99, 1, 4000)); /* below */
    is(0, 0);
    assert_true(line("block", "alert", "b", rule, 6.0, 1, 4000));
    is(1, 1);
    assert_true(line("block", "alert", "c", alike, 5.5, 1, 4000)); /* by which of two isn't told */
    is(1, 2);
    assert_true(line("block", "alert", "d", alike, 4.99, 1, 4000));
    is(1, 2);
    assert_true(line("block", "alert", "e", "\"rule\":\"length\",\"configured\":true", 1, 1, 4000));
    assert_true(line("block", "alert", "f", "\"rule\":\"patch\",\"patch\":\"x\",\"shadow\":false",
                     1, 1, 4000));
    is(3, 4);
    assert_true(line("alert", "alert", "g", rule, 50, 1, 4000));
    is(3, 4);
    assert_int_equal(preview->clients_least, 3);
    assert_int_equal(preview->clients_most, 4);
}

static void a_larger_budget_is_told_as_far_as_it_is_known(void **state)
{
    (void)state;
    begin(GUARD_MODE_BLOCK, false, true);
    assert_true(line("block", "alert", "a", rule, 1, 1, 4000));
    assert_true(line("alert", "alert", "b", rule, 6, 1, 4000));
    assert_true(line("alert", "alert", "c", rule, 5, 1, 4000));
    assert_true(line("alert", "alert", "d", "\"rule\":\"x\",\"exception\":\"FP\"", 9, 1, 4000));
    is(1, 2);
}

static void clients_have_a_maximum(void **state)
{
    char name[16];
    (void)state;
    begin(GUARD_MODE_BLOCK, false, false);
    for (unsigned i = 0; i < PREVIEW_CLIENTS_MAX + 10; i++) {
        snprintf(name, sizeof(name), "c%u", i);
        assert_true(line("block", "alert", name, rule, 9, 1, 4000));
    }
    is(PREVIEW_CLIENTS_MAX + 10, PREVIEW_CLIENTS_MAX + 10);
    assert_int_equal(preview->clients_least, PREVIEW_CLIENTS_MAX);
    assert_true(preview->more_clients);
    assert_int_equal(preview->example_count, PREVIEW_EXAMPLES);
}

static void damaged_lines_count_nothing_wrong(void **state)
{
    static const char *const lines[] = {"", "{", "{\"count\":", "\"score\":eeee", "\"client\":\"x"};
    (void)state;
    begin(GUARD_MODE_BLOCK, true, false);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        (void)preview_line(preview,
                           (struct guard_span){(const uint8_t *)lines[i], strlen(lines[i])});
    is(0, 0);
    assert_int_equal(preview->clients, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mode_is_exact),
        cmocka_unit_test(what_is_late_is_told_only),
        cmocka_unit_test(a_smaller_budget_has_bounds),
        cmocka_unit_test(a_larger_budget_is_told_as_far_as_it_is_known),
        cmocka_unit_test(clients_have_a_maximum),
        cmocka_unit_test(damaged_lines_count_nothing_wrong),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
