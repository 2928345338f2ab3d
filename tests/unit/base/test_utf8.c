/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: every code point, and the ways to get it wrong. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static size_t encode(uint8_t out[4], uint32_t code, size_t len)
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)(leads[len] | code);
    return len;
}

static size_t shortest(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* Every code point in every length that can hold it. */
static void test_all_code_points(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x120000; code++) {
        for (size_t len = shortest(code); len <= 4; len++) {
            uint8_t text[4];
            enum gd_utf8 expected = len > shortest(code) ? GD_UTF8_OVERLONG : GD_UTF8_VALID;
            if (code > 0x10ffff || (len == 3 && code >= 0xd800 && code < 0xe000))
                expected = GD_UTF8_INVALID;
            assert_int_equal(gd_utf8_check(gd_span(text, encode(text, code, len))), expected);
        }
    }
}

static void test_broken(void **state)
{
    (void)state;
    static const char *const broken[] = {"\x80",
                                         "\xbf",
                                         "\xc3",
                                         "\xc3(",
                                         "\xe2\x82",
                                         "\xe2(\x82",
                                         "\xf0\x9f\x98",
                                         "\xf5\x80\x80\x80",
                                         "\xf8\x88\x80\x80\x80",
                                         "\xfe",
                                         "\xff",
                                         "\xc0",
                                         "abcdefgh\xff",
                                         "abcdefg\xc3",
                                         "\xc3\xa9\xa9",
                                         "\xe0\x80"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_int_equal(gd_utf8_check(gd_span(broken[i], strlen(broken[i]))), GD_UTF8_INVALID);
    assert_int_equal(gd_utf8_check(GUARD_SPAN_LITERAL("\xc0\xaf\xff")), GD_UTF8_INVALID);
    assert_int_equal(gd_utf8_check(GUARD_SPAN_LITERAL("abcdefgh\xc0\xaf 12345678")),
                     GD_UTF8_OVERLONG);
    assert_int_equal(gd_utf8_check(gd_span(NULL, 0)), GD_UTF8_VALID);
}

static void test_trim(void **state)
{
    (void)state;
    assert_int_equal(gd_utf8_trim(GUARD_SPAN_LITERAL("ab\xf0\x9f\x98")).len, 2);
    assert_int_equal(gd_utf8_trim(GUARD_SPAN_LITERAL("ab\xf0\x9f\x98\x80")).len, 6);
    assert_int_equal(gd_utf8_trim(GUARD_SPAN_LITERAL("ab\xc3")).len, 2);
    assert_int_equal(gd_utf8_trim(GUARD_SPAN_LITERAL("ab")).len, 2);
    assert_int_equal(gd_utf8_trim(GUARD_SPAN_LITERAL("\x80\x80\x80\x80")).len, 4);
    assert_int_equal(gd_utf8_trim(gd_span(NULL, 0)).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_code_points),
                                       cmocka_unit_test(test_broken), cmocka_unit_test(test_trim)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
