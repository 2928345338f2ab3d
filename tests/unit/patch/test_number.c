/* SPDX-License-Identifier: Apache-2.0 */
/* Which patterns can't be found in a number: only where some byte is surely in what they match. */
#include "patch/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool in_numbers(const char *text, bool regex)
{
    return gd_pattern_in_numbers(gd_span(text, strlen(text)), regex);
}

static void texts_are_told_by_their_bytes(void **state)
{
    (void)state;
    static const char *const may[] = {"", "1", "e", "E", "-1", "1.5", "1e+5", ".", "0."};
    static const char *const cannot[] = {"a", "..", "1.2.3", "1 ", "1e5e", "0x1", "evil", "${"};
    for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++)
        assert_true(in_numbers(may[i], false));
    for (size_t i = 0; i < sizeof(cannot) / sizeof(cannot[0]); i++)
        assert_false(in_numbers(cannot[i], false));
}

static void expressions_need_a_byte_that_is_surely_there(void **state)
{
    (void)state;
    static const char *const may[] = {
        "",         "[a-z]",     "[a]1", "a?1",          "a*",   "a{0,3}1", "x|y",
        "(evil)?1", "(evil)",    "\\d+", "\\w",          ".*",   "^1$",     "1+",
        "\\x61",    "\\0",       "\\n",  "[0-9]{2}",     "a??1", "(?i)1",   "[^]a]1",
        "\\S\\D",   "(?!evil)1", "a{2",  "[[:alpha:]]1", "e+1",  "\\bx?1",  "(?:a|b)",
        "x{1,2}|1", "\\.",       "\\W",  "a\\cA"};
    static const char *const cannot[] = {
        "evil",    "a",         "a+",   "a+?",        "a++",     "\\s1",         "\\$\\{[^}]{0,9}1",
        "(1|2)a",  "[0-9]a",    "[]]a", "(?i)select", "1{2}a",   "/etc",         "\\(",
        "(a|b)?c", "(?:(x))1_", "^/a",  "a$",         "\\.\\./", "[[:alpha:]]x", "1]"};
    for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
        if (!in_numbers(may[i], true))
            fail_msg("%s is left out", may[i]);
    }
    for (size_t i = 0; i < sizeof(cannot) / sizeof(cannot[0]); i++) {
        if (in_numbers(cannot[i], true))
            fail_msg("%s is thought to be in numbers", cannot[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_told_by_their_bytes),
        cmocka_unit_test(expressions_need_a_byte_that_is_surely_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
