/* SPDX-License-Identifier: Apache-2.0 */
/* A service's name becomes a part of a path: nothing but a plain file name may pass. */
#include "common/file.h"
#include "common/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void only_plain_names_are_services(void **state)
{
    static const char *const bad[] = {"",    ".",   "..",       ".x", "a/b",
                                      "a b", "a\n", "\xc3\xa4", "a;", "$x"};
    char path[STATE_PATH_MAX];
    char longest[STATE_SERVICE_MAX + 2];
    (void)state;
    assert_true(state_service_valid(span("shop-1.prod_A")));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(state_service_valid(span(bad[i])));
    assert_false(state_service_valid((struct guard_span){(const uint8_t *)"a\0b", 3}));
    memset(longest, 'a', sizeof(longest));
    assert_true(
        state_service_valid((struct guard_span){(const uint8_t *)longest, STATE_SERVICE_MAX}));
    assert_false(
        state_service_valid((struct guard_span){(const uint8_t *)longest, STATE_SERVICE_MAX + 1}));
    assert_int_equal(state_path(path, "/s", "policies", span("../../etc/x"), ".policy"),
                     GUARD_E_RANGE);
    assert_int_equal(state_path(path, "/s", "policies", span("a"), ".policy"), GUARD_OK);
    assert_string_equal(path, "/s/policies/a.policy");
    assert_int_equal(state_path(path, "/s", "", span(""), "guard.db"), GUARD_OK);
    assert_string_equal(path, "/s/guard.db");
    assert_int_equal(state_path(path, "/s", "nginx", span(""), ""), GUARD_OK);
    assert_string_equal(path, "/s/nginx");
}

static void paths_that_do_not_fit_are_refused(void **state)
{
    static char dir[STATE_PATH_MAX];
    char path[STATE_PATH_MAX];
    (void)state;
    memset(dir, 'd', sizeof(dir) - 1);
    assert_int_equal(state_path(path, dir, "policies", span("a"), ".policy"), GUARD_E_LIMIT);
}

static void files_are_replaced_whole_and_read_bounded(void **state)
{
    char dir[] = "/tmp/guard-test-XXXXXX";
    char path[64];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct stat info;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/file", dir);
    assert_int_equal(file_replace(path, span("one"), 0600, true, &err), GUARD_OK);
    assert_int_equal(file_replace(path, span("second"), 0600, true, &err), GUARD_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(file_read(path, 6, &bytes, &len, &err), GUARD_OK);
    assert_int_equal(len, 6);
    assert_string_equal((const char *)bytes, "second");
    free(bytes);
    assert_int_equal(file_read(path, 5, &bytes, &len, &err), GUARD_E_LIMIT);
    assert_int_equal(file_read(dir, 100, &bytes, &len, &err), GUARD_E_IO);
    assert_int_equal(file_append_line(path, span("x"), &err), GUARD_OK);
    assert_int_equal(file_read(path, 100, &bytes, &len, &err), GUARD_OK);
    assert_string_equal((const char *)bytes, "second\nx\n");
    free(bytes);
    assert_int_equal(file_replace("/nonexistent/x", span("x"), 0600, true, &err), GUARD_E_IO);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_plain_names_are_services),
        cmocka_unit_test(paths_that_do_not_fit_are_refused),
        cmocka_unit_test(files_are_replaced_whole_and_read_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
