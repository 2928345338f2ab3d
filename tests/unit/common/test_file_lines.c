/* SPDX-License-Identifier: Apache-2.0 */
/* Lines go, change or stay; a file in which nothing changes isn't written. */
#include "common/file_lines.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/guard-lines-XXXXXX";

static enum line_fate fate(void *ctx, struct guard_span line, char *out, size_t *len)
{
    (void)ctx;
    if (line.len > 0 && line.ptr[0] == 'd')
        return LINE_DROPPED;
    if (line.len == 0 || line.ptr[0] != 'c')
        return LINE_KEPT;
    memcpy(out, "other", 5);
    *len = 5;
    return LINE_CHANGED;
}

static void write_text(const char *text)
{
    struct guard_err err;
    assert_int_equal(file_replace(path, (struct guard_span){(const uint8_t *)text, strlen(text)},
                                  0640, false, &err),
                     GUARD_OK);
}

static void expect_text(const char *text)
{
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_int_equal(file_read(path, 1 << 22, &bytes, &len, &err), GUARD_OK);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(bytes, text, len);
    free(bytes);
}

static ino_t inode(void)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_ino;
}

static void test_lines(void **state)
{
    static const struct {
        const char *before;
        const char *after;
        uint64_t dropped;
        uint64_t changed;
    } cases[] = {
        {"", "", 0, 0},
        {"a\n\nb\n", "a\n\nb\n", 0, 0},
        {"a\nd1\nb\n", "a\nb\n", 1, 0},
        {"d1\nd2\n", "", 2, 0},
        {"a\nc1\nb", "a\nother\nb", 0, 1},
        {"a\nd without an end", "a\n", 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_err err;
        struct line_filter filter = {.fate = fate, .dry = true};
        write_text(cases[i].before);
        ino_t before = inode();
        assert_int_equal(file_filter_lines(path, &filter, &err), GUARD_OK);
        expect_text(cases[i].before);
        filter.dry = false;
        filter.dropped = 100; /* added to */
        filter.changed = 100;
        assert_int_equal(file_filter_lines(path, &filter, &err), GUARD_OK);
        expect_text(cases[i].after);
        assert_int_equal(filter.dropped, 100 + cases[i].dropped);
        assert_int_equal(filter.changed, 100 + cases[i].changed);
        assert_int_equal(inode() == before, cases[i].dropped + cases[i].changed == 0);
    }
}

static void test_a_line_too_long_stays(void **state)
{
    struct guard_err err;
    struct line_filter filter = {.fate = fate};
    char *text = malloc(LINE_MAX_BYTES + 8);
    (void)state;
    assert_non_null(text);
    memset(text, 'd', LINE_MAX_BYTES + 1);
    memcpy(text + LINE_MAX_BYTES + 1, "\nd\n", 4);
    write_text(text);
    assert_int_equal(file_filter_lines(path, &filter, &err), GUARD_OK);
    assert_int_equal(filter.dropped, 1);
    text[LINE_MAX_BYTES + 2] = '\0';
    expect_text(text);
    free(text);
}

static void test_no_file_is_nothing_to_do(void **state)
{
    struct guard_err err;
    struct line_filter filter = {.fate = fate};
    (void)state;
    (void)unlink(path);
    assert_int_equal(file_filter_lines(path, &filter, &err), GUARD_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(file_filter_lines("/", &filter, &err), GUARD_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_a_line_too_long_stays),
        cmocka_unit_test(test_no_file_is_nothing_to_do),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return failed;
}
