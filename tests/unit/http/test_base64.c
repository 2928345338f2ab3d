/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in chunks: the vectors of RFC 4648, pieces one behind the other, and what is none. */
#include "http/base64.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TEXT(text) gd_span(text, sizeof(text) - 1)

/* However it is cut, and however much room there is. bad: where it isn't base64. */
static void check(struct guard_span text, struct guard_span expected, bool bad, bool complete)
{
    for (size_t step = 1; step <= text.len + 1; step++) {
        for (size_t cap = 3; cap <= 8; cap++) {
            struct gd_base64 base64 = {.bits = 0};
            uint8_t out[256];
            size_t len = 0;
            for (size_t at = 0; at < text.len; at += step) {
                struct guard_span chunk = gd_span_head(gd_span_from(text, at), step);
                while (chunk.len > 0)
                    len += gd_base64_feed(&base64, &chunk, out + len, cap);
            }
            assert_true(gd_span_equal(gd_span(out, len), expected));
            assert_int_equal(base64.bad, bad);
            if (!bad)
                assert_int_equal(gd_base64_complete(&base64), complete);
        }
    }
}

static void test_vectors(void **state)
{
    (void)state;
    check(TEXT(""), TEXT(""), false, true);
    check(TEXT("Zg=="), TEXT("f"), false, true);
    check(TEXT("Zm8="), TEXT("fo"), false, true);
    check(TEXT("Zm9v"), TEXT("foo"), false, true);
    check(TEXT("Zm9vYg=="), TEXT("foob"), false, true);
    check(TEXT("Zm9vYmE="), TEXT("fooba"), false, true);
    check(TEXT("Zm9vYmFy"), TEXT("foobar"), false, true);
    check(TEXT("+/+/"), TEXT("\xfb\xff\xbf"), false, true);
}

static void test_pieces(void **state)
{
    (void)state;
    check(TEXT("Zg==Zg==Zm8=Zm9v"), TEXT("fffofoo"), false, true);
    check(TEXT("Zm9vZ"), TEXT("foo"), false, false);
    check(TEXT("Zg="), TEXT(""), false, false);
}

static void test_none(void **state)
{
    (void)state;
    check(TEXT("Zm9v!g=="), TEXT("foo"), true, false);
    check(TEXT("Zm9v\nZg=="), TEXT("foo"), true, false);
    check(TEXT("Zm-_"), TEXT(""), true, false);
    check(TEXT("Zm9vZ==="), TEXT("foo"), true, false);
    check(TEXT("===="), TEXT(""), true, false);
    check(TEXT("Zg=g"), TEXT(""), true, false);
    check(TEXT("Zg==="), TEXT("f"), true, false);
    /* Bits that belong to no byte: others would decode another text to the same. */
    check(TEXT("Zh==Zg=="), TEXT("f"), true, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
