/* SPDX-License-Identifier: Apache-2.0 */
/* Form bodies: decoding, faults and limits, whatever the chunks. */
#include "body_check.h"

static void form(struct guard_span text, const struct gd_limits *limits, const char *expected)
{
    check_body(GUARD_BODY_FORM, gd_span(NULL, 0), text, limits, expected);
}

static void test_pairs(void **state)
{
    (void)state;
    form(TEXT("a=1&b=x+y%20z&c=&&%64=%C3%A9&e[]=="), &trace_limits,
         "form a=1\nform b=x y z\nform c=\nform d=\\xC3\\xA9\nform e[]==\n");
    form(TEXT("username=tom' or 1=1"), &trace_limits, "form username=tom' or 1=1\n");
    form(TEXT(""), &trace_limits, "");
    form(TEXT("&&&"), &trace_limits, "");
}

static void test_faults(void **state)
{
    (void)state;
    form(TEXT("a=1&a=2&%61=3"), &trace_limits, "form a=1\nform a=2\nform a=3\n");
    form(TEXT("a=1;b=2"), &trace_limits, "! form semicolon-pair\nform a=1;b=2\n");
    form(TEXT("a;b=2&c=;=;&d=x;%62=1"), &trace_limits,
         "! form semicolon-pair\nform a;b=2\nform c=;=;\nform d=x;b=1\n");
    form(TEXT("a=;=1"), &trace_limits, "form a=;=1\n");
    form(
        TEXT("a=%2541&b=%2&c=%zz&d=%%41"), &trace_limits,
        "! form double-encoded\nform a=%41\n! form bad-escape\nform b=%2\nform c=%zz\nform d=%A\n");
    form(TEXT("a=%00&b=%c0%af&c=\xff"), &trace_limits,
         "! form nul\nform a=\\x00\n! form overlong\nform b=\\xC0\\xAF\n! form invalid-utf8\nform "
         "c=\\xFF\n");
    form(TEXT("justtext"), &trace_limits, "! form form-syntax\nform justtext=\n");
    form(TEXT("a=1\r\n"), &trace_limits, "! form form-syntax\nform a=1\\x0D\\x0A\n");
    form(TEXT("a=%"), &trace_limits, "! form bad-escape\nform a=%\n");
}

static void test_limits(void **state)
{
    (void)state;
    struct gd_limits limits = {.names = 2, .value = 4};
    form(TEXT("a=1&b=2&c=3&d=4"), &limits, "form a=1\nform b=2\n! form names\n");
    form(TEXT("abcdef=%41%42%43%44%45&x=abc\xc3\xa9"), &limits,
         "! form value-length\nform abcd=ABCD\nform x=abc\n");
}

static void test_allocation_failures(void **state)
{
    (void)state;
    char *text = malloc(100000);
    size_t len = 0;
    for (int i = 0; i < 400; i++)
        len += (size_t)snprintf(text + len, 100000 - len, "name%d=%d&", i, i);
    memset(text + len, 'x', 70000);
    sweep_body(GUARD_BODY_FORM, gd_span(NULL, 0), gd_span(text, len + 70000), 0);
    free(text);
}

static void test_hostile(void **state)
{
    (void)state;
    char *text = malloc(1 << 18);
    for (const char *byte = "&=;%+a\n"; *byte != '\0'; byte++) {
        memset(text, *byte, 1 << 18);
        struct trace trace;
        trace_init(&trace);
        assert_true(trace_body(&trace, GUARD_BODY_FORM, gd_span(NULL, 0), gd_span(text, 1 << 18),
                               &trace_limits, (struct trace_cuts){1, 0}, NULL));
        assert_true(trace.calls <= 512);
        trace_fini(&trace);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),   cmocka_unit_test(test_faults),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
