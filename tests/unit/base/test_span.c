/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing and cutting spans. */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TEXT(text) GUARD_SPAN_LITERAL(text)

static void test_equal(void **state)
{
    (void)state;
    assert_true(gd_span_equal(TEXT("ab"), TEXT("ab")));
    assert_false(gd_span_equal(TEXT("ab"), TEXT("aB")));
    assert_true(gd_span_equal(gd_span(NULL, 0), TEXT("")));
    assert_true(gd_span_equal_nocase(TEXT("Content-TYPE"), TEXT("content-type")));
    assert_false(gd_span_equal_nocase(TEXT("a@"), TEXT("a`")));
    assert_false(gd_span_equal_nocase(TEXT("a"), TEXT("ab")));
    assert_false(gd_span_equal_nocase(TEXT("["), TEXT("{")));
}

static void test_compare(void **state)
{
    (void)state;
    static const struct guard_span sorted[] = {
        GUARD_SPAN_LITERAL(""),     GUARD_SPAN_LITERAL("A"),  GUARD_SPAN_LITERAL("a"),
        GUARD_SPAN_LITERAL("a\0"),  GUARD_SPAN_LITERAL("ab"), GUARD_SPAN_LITERAL("b"),
        GUARD_SPAN_LITERAL("\xff"),
    };
    for (int i = 0; i < 7; i++) {
        for (int k = 0; k < 7; k++)
            assert_int_equal(gd_span_compare(sorted[i], sorted[k]), (i > k) - (i < k));
    }
}

static void test_cut(void **state)
{
    (void)state;
    assert_true(gd_span_equal(gd_span_from(TEXT("abc"), 1), TEXT("bc")));
    assert_int_equal(gd_span_from(TEXT("abc"), 3).len, 0);
    assert_int_equal(gd_span_from(TEXT("abc"), SIZE_MAX).len, 0);
    assert_true(gd_span_equal(gd_span_head(TEXT("abc"), 2), TEXT("ab")));
    assert_int_equal(gd_span_head(TEXT("abc"), 9).len, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal), cmocka_unit_test(test_compare),
                                       cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
