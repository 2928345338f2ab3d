/* SPDX-License-Identifier: Apache-2.0 */
/* Files under names that somebody else had first. */
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

static char folder[] = "/tmp/guard-file-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_content(const char *path, const char *text)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    assert_int_equal(file_read(path, 100, &bytes, &len, &err), GUARD_OK);
    assert_string_equal((char *)bytes, text);
    assert_int_equal(len, strlen(text));
    free(bytes);
}

/* A pipe that nobody writes to would be waited for without end. */
static void test_no_regular_file(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    alarm(120);
    assert_int_equal(file_read("pipe", 100, &bytes, &len, &err), GUARD_E_IO);
    assert_int_equal(file_read(".", 100, &bytes, &len, &err), GUARD_E_IO);
    alarm(0);
    assert_int_equal(unlink("pipe"), 0);
}

/* The temporary name can be guessed: neither a link nor a file of others may be there in its place.
 */
static void test_temporary_names(void **state)
{
    (void)state;
    char temporary[64];
    struct stat info;
    struct guard_err err;
    const struct guard_span bytes = {(const uint8_t *)"secret", 6};
    snprintf(temporary, sizeof(temporary), "key.%ld.tmp", (long)getpid());
    write_file("victim", "precious", 0644);
    assert_int_equal(symlink("victim", temporary), 0);
    assert_int_equal(file_replace("key", bytes, 0600, true, &err), GUARD_OK);
    expect_content("victim", "precious");
    expect_content("key", "secret");

    write_file(temporary, "left behind by a process of this number", 0666);
    assert_int_equal(file_replace("key", bytes, 0600, false, &err), GUARD_OK);
    expect_content("key", "secret");
    assert_int_equal(stat("key", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);

    assert_int_equal(mkdir(temporary, 0700), 0);
    assert_int_equal(file_replace("key", bytes, 0600, false, &err), GUARD_E_IO);
    assert_int_equal(rmdir(temporary), 0);
    assert_int_equal(unlink("key"), 0);
    assert_int_equal(unlink("victim"), 0);
}

/* A process that is killed may leave the begin of a line: it spoils no other. */
static void test_lines_begin_anew(void **state)
{
    struct guard_err err;
    (void)state;
    assert_int_equal(file_append_line("log", GUARD_SPAN_LITERAL("one"), &err), GUARD_OK);
    expect_content("log", "one\n");
    write_file("log", "one\ntw", 0600);
    assert_int_equal(file_append_line("log", GUARD_SPAN_LITERAL("three"), &err), GUARD_OK);
    assert_int_equal(file_append_line("log", GUARD_SPAN_LITERAL(""), &err), GUARD_OK);
    expect_content("log", "one\ntw\nthree\n\n");
    file_rotate("log", 100, 2);
    expect_content("log", "one\ntw\nthree\n\n");
    file_rotate("log", 10, 2);
    assert_int_equal(access("log", F_OK), -1);
    assert_int_equal(file_append_line("log", GUARD_SPAN_LITERAL("four"), &err), GUARD_OK);
    file_rotate("log", 1, 2);
    expect_content("log.1", "four\n");
    expect_content("log.2", "one\ntw\nthree\n\n");
    assert_int_equal(unlink("log.1"), 0);
    assert_int_equal(unlink("log.2"), 0);
}

/* In a folder that others write into. */
static void test_only_plain_files(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct stat info;
    struct guard_err err;
    write_file("plain", "text", 0600);
    assert_int_equal(file_read_plain("plain", 100, &bytes, &len, &info, &err), GUARD_OK);
    assert_int_equal(info.st_size, 4);
    assert_string_equal((char *)bytes, "text");
    free(bytes);
    assert_int_equal(symlink("plain", "other"), 0);
    assert_int_equal(file_read_plain("other", 100, &bytes, &len, &info, &err), GUARD_E_IO);
    assert_int_equal(unlink("other"), 0);
    assert_int_equal(link("plain", "other"), 0);
    assert_int_equal(file_read_plain("other", 100, &bytes, &len, &info, &err), GUARD_E_IO);
    assert_int_equal(unlink("other"), 0);
    assert_int_equal(mkfifo("other", 0600), 0);
    assert_int_equal(file_read_plain("other", 100, &bytes, &len, &info, &err), GUARD_E_IO);
    assert_int_equal(unlink("other"), 0);
    assert_int_equal(file_read_plain("other", 100, &bytes, &len, &info, &err), GUARD_E_IO);
    assert_int_equal(unlink("plain"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_regular_file),
        cmocka_unit_test(test_only_plain_files),
        cmocka_unit_test(test_temporary_names),
        cmocka_unit_test(test_lines_begin_anew),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
