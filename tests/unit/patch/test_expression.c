/* SPDX-License-Identifier: Apache-2.0 */
/* Which regular expressions patches may hold, as far as their text tells. */
#include "patch/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void common_ones_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a",           "(a|b)+",     "[^]a-z]",     "\\$\\{[^}]{0,64}(:|lower)",
        "(?:x)",       "(?i:x)",     "(?=x)y",      "(?!x)y",
        "[[:alpha:]]", "(?<name>x)", "(?P<name>x)", "\\d\\.\\(",
        "(?>x+)",      "[\\]()]",    "^x$",         "(?is-m)x"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t at;
        assert_null(gd_expression_check(gd_span(good[i], strlen(good[i])), &at));
    }
}

static void what_is_refused_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"(a", 2},       {"a)", 1},      {"[a", 0},     {"x\\", 1},    {"(?<=a)b", 0},
        {"a(?<!a)b", 1}, {"(a)\\1", 3},  {"\\Ax", 0},   {"x\\z", 1},   {"\\Gx", 0},
        {"(?R)", 0},     {"(?1)", 0},    {"(?&n)", 0},  {"(?C1)", 0},  {"(*UTF)x", 0},
        {"a\\Cb", 1},    {"\\Qa\\E", 0}, {"(?P=n)", 0}, {"(?P>n)", 0}, {"(?(1)a)", 0},
        {"\\k<n>", 0},   {"[]", 0},      {"[\\", 1},    {"(?#x)", 0},  {"(?x)a b", 0},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t at;
        assert_non_null(gd_expression_check(gd_span(bad[i].text, strlen(bad[i].text)), &at));
        assert_int_equal(at, bad[i].at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_ones_are_taken),
        cmocka_unit_test(what_is_refused_is_told_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
