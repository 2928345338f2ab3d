/* SPDX-License-Identifier: Apache-2.0 */
/* A log as events: each line once, with the place behind it, for about as many bytes read as there
 * are. */
#include "guardd/api/log_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINES = 1000, PADDING = 1000, PIECE = 5000, ROOM = 8 << 20 };

static char dir[64];
static char log_path[96];
static char *text;
static struct log_stream stream;

/* No reader of these tests has bounds. */
bool api_access_covers_line(const struct api_access *access, const struct document_node *line)
{
    (void)access;
    (void)line;
    return true;
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_log_stream.XXXXXX");
    text = malloc(ROOM);
    if (text == NULL || mkdtemp(dir) == NULL)
        return -1;
    snprintf(log_path, sizeof(log_path), "%s/log", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(text);
    unlink(log_path);
    return rmdir(dir);
}

static void write_lines(int count, int padding)
{
    FILE *file = fopen(log_path, "w");
    assert_non_null(file);
    for (int i = 0; i < count; i++)
        fprintf(file, "{\"time_ms\":%d,\"n\":\"<%d>\",\"p\":\"%0*d\"}\n", 100 + i, i, padding, 0);
    fclose(file);
}

/* All that comes from the place on, and how much that is. */
static size_t read_all(const struct log_position *at)
{
    size_t len = 0;
    log_stream_begin(&stream, dir, "log", 0);
    stream.at = *at;
    for (int64_t n = 1; n > 0; len += (size_t)n) {
        assert_true(len + PIECE < ROOM);
        n = log_stream_read(&stream, text + len, PIECE, 1);
        assert_true(n >= 0);
    }
    text[len] = '\0';
    return len;
}

static int count_of(const char *what)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static void test_each_line_comes_once(void **state)
{
    (void)state;
    write_lines(LINES, PADDING);
    read_all(&(struct log_position){.inode = 0});
    assert_int_equal(count_of("data: "), LINES);
    assert_int_equal(count_of("\nid: "), LINES);
    for (int i = 0; i < LINES; i++) {
        char number[16];
        snprintf(number, sizeof(number), "\"<%d>\"", i);
        assert_int_equal(count_of(number), 1);
    }
}

static void test_a_reader_goes_on_behind_any_of_them(void **state)
{
    (void)state;
    write_lines(LINES, PADDING);
    for (int last = 0; last < LINES - 1; last += 111) {
        struct log_position behind;
        char number[16];
        read_all(&(struct log_position){.inode = 0});
        snprintf(number, sizeof(number), "\"<%d>\"", last);
        const char *id = strstr(strstr(text, number), "\nid: ") + 5;
        *strchr(id, '\n') = '\0';
        assert_true(log_position_read(id, &behind));
        read_all(&behind);
        assert_int_equal(count_of("data: "), LINES - 1 - last);
        snprintf(number, sizeof(number), "\"<%d>\"", last + 1);
        assert_true(strstr(text, number) < strstr(text, "\nid: "));
    }
}

static void test_lines_that_have_no_room_yet_come_later(void **state)
{
    (void)state;
    write_lines(40, 60000);
    read_all(&(struct log_position){.inode = 0});
    assert_int_equal(count_of("data: "), 40);
}

static void test_what_is_no_longer_kept_is_told_first(void **state)
{
    (void)state;
    write_lines(LINES, PADDING);
    read_all(&(struct log_position){.inode = 1, .mark = 1, .offset = 7});
    assert_int_equal(strncmp(text, "event: gap\ndata: {}\n\ndata: {", 28), 0);
    assert_int_equal(count_of("event: gap"), 1);
    assert_int_equal(count_of("\nid: "), LINES);
}

/* Of this process; -1 where the kernel doesn't count it. */
static long bytes_read(void)
{
    long bytes = -1;
    FILE *file = fopen("/proc/self/io", "r");
    if (file != NULL) {
        if (fscanf(file, "rchar: %ld", &bytes) != 1)
            bytes = -1;
        fclose(file);
    }
    return bytes;
}

static void test_a_log_is_not_read_again_for_each_line(void **state)
{
    (void)state;
    write_lines(LINES, PADDING);
    long before = bytes_read();
    size_t len = read_all(&(struct log_position){.inode = 0});
    long after = bytes_read();
    if (before < 0 || after == before) {
        print_message("what is read isn't counted here\n");
        skip();
    }
    assert_true(after - before < 4 * (long)len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_line_comes_once),
        cmocka_unit_test(test_a_reader_goes_on_behind_any_of_them),
        cmocka_unit_test(test_lines_that_have_no_room_yet_come_later),
        cmocka_unit_test(test_what_is_no_longer_kept_is_told_first),
        cmocka_unit_test(test_a_log_is_not_read_again_for_each_line),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
