/* SPDX-License-Identifier: Apache-2.0 */
/* Failures are told in one clean, bounded line. */
#include <guard/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_fail(void **state)
{
    (void)state;
    struct guard_err err;
    assert_int_equal(guard_fail(&err, GUARD_E_RANGE, "line %d: %s", 7, "a\nb\033[31m\x7f"),
                     GUARD_E_RANGE);
    assert_string_equal(err.text, "line 7: a?b?[31m?");
    assert_int_equal(guard_fail(NULL, GUARD_E_IO, "%s", "x"), GUARD_E_IO);
    char text[1000];
    memset(text, 'x', sizeof(text));
    text[999] = '\0';
    (void)guard_fail(&err, GUARD_E_IO, "%s", text);
    assert_int_equal(strlen(err.text), 255);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(guard_rc_name(GUARD_OK), "GUARD_OK");
    assert_string_equal(guard_rc_name(GUARD_E_IO), "GUARD_E_IO");
    assert_string_equal(guard_rc_name((enum guard_rc)77), "GUARD_E_UNKNOWN");
    for (int a = 0; a >= GUARD_E_IO; a--) {
        for (int b = a - 1; b >= GUARD_E_IO; b--)
            assert_string_not_equal(guard_rc_name((enum guard_rc)a),
                                    guard_rc_name((enum guard_rc)b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fail), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
