/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a log that is written and renamed meanwhile: each line once, in order, whatever the
 * lines are. */
#include "guardd/log_scan.h"

#include "common/file.h"
#include "common/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_api_log_scan.XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static void path_of(const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", dir, name);
}

static int teardown(void **state)
{
    static const char *const names[] = {"log", "log.1", "log.2", "log.3", "log.4"};
    char path[256];
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        path_of(names[i], path);
        unlink(path);
    }
    return rmdir(dir);
}

static void append(const char *name, const char *text)
{
    char path[256];
    path_of(name, path);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void append_line(int number, const char *service, size_t padding)
{
    static char line[80 * 1024];
    int len = snprintf(line, sizeof(line), "{\"time_ms\":%d,\"service\":\"%s\",\"n\":%d,\"p\":\"",
                       number, service, number);
    memset(line + len, 'x', padding);
    snprintf(line + len + padding, sizeof(line) - (size_t)len - padding, "\"}\n");
    append("log", line);
}

static void rotate_log(void)
{
    char path[256];
    path_of("log", path);
    file_rotate(path, 0, 4);
}

struct taken {
    int numbers[4096];
    int count;
    int room;
};

static bool take(void *ctx, struct guard_span line)
{
    struct taken *taken = ctx;
    const char *at = memmem(line.ptr, line.len, "\"n\":", 4);
    if (taken->count == taken->room)
        return false;
    if (at != NULL)
        taken->numbers[taken->count++] = (int)strtol(at + 4, NULL, 10);
    return true;
}

/* Pages of `limit` until the end; cursors go by way of their text. */
static void read_back(struct log_filter filter, int limit, struct taken *all)
{
    struct log_scan scan = {.filter = filter};
    char cursor[LOG_POSITION_CAP];
    all->count = 0;
    log_newest(dir, "log", &scan.at);
    for (enum log_step step = LOG_MORE; step != LOG_END;) {
        assert_int_not_equal(step, LOG_NOMEM);
        all->room = all->count + limit;
        do
            step = log_scan_back(&scan, dir, "log", take, all);
        while (step == LOG_MORE);
        log_position_write(&scan.at, cursor);
        assert_true(log_position_read(cursor, &scan.at));
    }
}

static void pages_hold_each_line_once(void **state)
{
    struct taken all;
    struct log_filter filter = {0};
    (void)state;
    for (int i = 0; i < 900; i++) {
        if (i == 300 || i == 600 || i == 601)
            rotate_log();
        append_line(i, i % 3 == 0 ? "a" : "b", (size_t)(i * 7919 % 3000));
    }
    read_back(filter, 7, &all);
    assert_int_equal(all.count, 900);
    for (int i = 0; i < 900; i++)
        assert_int_equal(all.numbers[i], 899 - i);
    assert_true(log_filter_add(&filter, "service", "a"));
    filter.since_ms = 450;
    read_back(filter, 13, &all);
    assert_int_equal(all.count, 150);
    assert_int_equal(all.numbers[0], 897);
    assert_int_equal(all.numbers[149], 450);
}

/* What a text says of itself is no member. */
static void filters_see_members_only(void **state)
{
    struct log_filter filter = {0};
    (void)state;
    assert_true(log_filter_add(&filter, "service", "a\"b"));
    assert_true(log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"service\":\"a\\\"b\"}")));
    filter = (struct log_filter){0};
    assert_true(log_filter_add(&filter, "service", "a"));
    assert_false(
        log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"x\":\"\\\"service\\\":\\\"a\\\"\"}")));
    assert_false(log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"service\":\"ab\"}")));
    assert_false(log_filter_matches(&filter, GUARD_SPAN_LITERAL("")));
    filter = (struct log_filter){.since_ms = 5};
    assert_true(log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"time_ms\":1,\"last_ms\":5}")));
    assert_false(log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"time_ms\":1,\"last_ms\":4}")));
    filter = (struct log_filter){.until_ms = 5};
    assert_true(log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"time_ms\":9,\"last_ms\":5}")));
    assert_true(log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"time_ms\":5}")));
    assert_false(log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"time_ms\":1,\"last_ms\":6}")));
    filter.since_ms = 5;
    assert_false(log_filter_matches(&filter, GUARD_SPAN_LITERAL("{\"time_ms\":4}")));
}

static void damaged_lines_are_passed_over(void **state)
{
    struct taken all;
    const struct log_filter filter = {0};
    char *junk = malloc(700 * 1024);
    (void)state;
    assert_non_null(junk);
    memset(junk, 'j', 700 * 1024 - 1);
    junk[700 * 1024 - 1] = '\0';
    append_line(1, "a", 10);
    append("log", junk); /* one line, longer than any block */
    append("log", "\n\n\n");
    append_line(2, "a", 10);
    append_line(3, "a", 70 * 1024); /* too long to be ours */
    append_line(4, "a", 60 * 1024);
    append("log", "{\"n\":5"); /* not written whole yet */
    read_back(filter, 2, &all);
    assert_int_equal(all.count, 3);
    assert_int_equal(all.numbers[0], 4);
    assert_int_equal(all.numbers[1], 2);
    assert_int_equal(all.numbers[2], 1);
    free(junk);
}

static void cursors_of_others_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "1",
                                      "1-",
                                      "-1",
                                      "1-1",
                                      "1-1-",
                                      "g-1-1",
                                      "1-1-G",
                                      "1-1-1-1",
                                      "1 -1-1",
                                      "11111111111111111-1-1",
                                      "1-1-ffffffffffffffff"};
    struct log_position position;
    struct log_scan scan = {0};
    struct taken all = {.room = 100};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(log_position_read(bad[i], &position));
    append_line(1, "a", 10);
    append_line(2, "a", 10);
    /* Of a file that is no longer kept; in the middle of a line; behind the end. */
    assert_true(log_position_read("123456-1-10", &scan.at));
    assert_int_equal(log_scan_back(&scan, dir, "log", take, &all), LOG_END);
    assert_int_equal(all.count, 0);
    log_newest(dir, "log", &scan.at);
    uint64_t end = scan.at.offset;
    scan.at.offset = end - 3;
    assert_int_equal(log_scan_back(&scan, dir, "log", take, &all), LOG_END);
    assert_int_equal(all.count, 1);
    log_newest(dir, "log", &scan.at);
    scan.at.offset = end + 1000000;
    all.count = 0;
    assert_int_equal(log_scan_back(&scan, dir, "log", take, &all), LOG_END);
    assert_int_equal(all.count, 2);
}

static int read_on(struct log_position *at, const struct log_filter *filter, struct taken *all,
                   bool *gap)
{
    enum log_step step;
    all->count = 0;
    all->room = 4096;
    *gap = false;
    do
        step = log_scan_on(at, filter, dir, "log", take, all, gap);
    while (step == LOG_MORE);
    return all->count;
}

static void goes_on_over_rotations(void **state)
{
    struct log_position at = {0};
    struct log_filter filter = {0};
    struct taken all;
    bool gap;
    (void)state;
    assert_int_equal(read_on(&at, &filter, &all, &gap), 0);
    append_line(1, "a", 10);
    assert_int_equal(read_on(&at, &filter, &all, &gap), 1);
    assert_false(gap);
    append("log", "{\"n\":2");
    assert_int_equal(read_on(&at, &filter, &all, &gap), 0);
    append("log", "}\n");
    append_line(3, "b", 10);
    rotate_log();
    append_line(4, "b", 10);
    rotate_log();
    append_line(5, "b", 10);
    assert_int_equal(read_on(&at, &filter, &all, &gap), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(all.numbers[i], i + 2);
    assert_false(gap);
    for (int i = 6; i < 20; i++) {
        rotate_log();
        append_line(i, "b", 10);
    }
    assert_int_equal(read_on(&at, &filter, &all, &gap), 5);
    assert_true(gap);
    assert_int_equal(all.numbers[4], 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_hold_each_line_once, setup, teardown),
        cmocka_unit_test(filters_see_members_only),
        cmocka_unit_test_setup_teardown(damaged_lines_are_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(cursors_of_others_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_over_rotations, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
