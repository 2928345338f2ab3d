/* SPDX-License-Identifier: Apache-2.0 */
/* Multipart bodies: fields, files, and everything that parsers disagree about. */
#include "body_check.h"

#define LITERAL(text)                                                                              \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define CD "Content-Disposition: form-data; "

static void multipart(struct guard_span text, const struct gd_limits *limits, const char *expected)
{
    check_body(GUARD_BODY_MULTIPART, GUARD_SPAN_LITERAL("b"), text, limits, expected);
}

static void test_parts(void **state)
{
    (void)state;
    multipart(
        TEXT("--b\r\n" CD "name=\"a\"\r\n\r\n1\r\n--b\r\n" CD "name=\"f\"; filename=\"x.png\"\r\n"
             "Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\r\n-\r\n--\r\n--c\n\r\n--b--\r\n"),
        &trace_limits,
        "multipart a=1\nblob "
        "f|x.png|image/png|\\x89PNG\\x0D\\x0A\\x0D\\x0D\\x0A-\\x0D\\x0A--\\x0D\\x0A--c\\x0A|\n");
    multipart(
        TEXT("\r\n--b\r\ncontent-disposition:form-data;name=a\r\nX-Other: y\r\n\r\n\r\n--b--"),
        &trace_limits, "multipart a=\n");
    multipart(TEXT("--b\r\n" CD "name=\"a\\\"\\\\\\n\"; filename=\"\"\r\n\r\n\r\n--b--\r\n"),
              &trace_limits, "blob a\"\\\\n|||\x7c\n");
    multipart(TEXT("--b\r\n" CD "name=\"f\"; filename*=UTF-8''%e2%82%ac.txt\r\n\r\nx\r\n--b--\r\n"),
              &trace_limits, "blob f|\\xE2\\x82\\xAC.txt||x|\n");
    multipart(TEXT("--b--\r\n"), &trace_limits, "");
}

static void test_irregular(void **state)
{
    (void)state;
    static const struct {
        struct guard_span text;
        const char *expected;
    } cases[] = {
        {LITERAL("x\r\n--b\r\n" CD "name=a\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\n" CD "name=a\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a\n\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n\r\n1\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n\r\n1\r\n--bc\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\\x0D\\x0A--bc\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n\r\n1\r\n--b-x\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\\x0D\\x0A--b-x\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n\r\n1\r\n--b\rx\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\\x0D\\x0A--b\\x0Dx\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n\r\n1\r\n--b \t\r\n" CD "name=c\r\n\r\n2\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\nmultipart c=2\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n\r\n1\r\n--b--\r\nmore"),
         "multipart a=1\n! multipart multipart-syntax\n"},
        {LITERAL("--b\r\n\r\n1\r\n--b--"), "! multipart multipart-syntax\nmultipart =1\n"},
        {LITERAL("--b\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a; name=b\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n" CD "name=b\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=\"a\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart =1\n"},
        {LITERAL("--b\r\n" CD "name=a b\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a b=1\n"},
        {LITERAL("--b\r\n" CD "\r\n name=a\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a; filename=x; filename*=utf-8''y\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nblob a|y||1|\n"},
        {LITERAL("--b\r\n" CD "name=a; filename*=y\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nblob a|y||1|\n"},
        {LITERAL("--b\r\n" CD "name=a; filename*0=y\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a\r\nContent-Transfer-Encoding: 8BIT\r\n\r\n1\r\n--b--"),
         "multipart a=1\n"},
        {LITERAL("--b\r\nContent-Type: text/plain; charset=utf-8\r\n" CD
                 "name=a\r\n\r\n1\r\n--b--"),
         "multipart a=1\n"},
        {LITERAL("--b\r\nContent-Type: text/plain; charset=UTF-7\r\n" CD
                 "name=a\r\n\r\n+ACc-\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=+ACc-\n"},
        {LITERAL("--b\r\n" CD "name=a; filename=b\r\nContent-Type: text/csv; charset=utf-16\r\n"
                 "\r\n1\r\n--b--"),
         "blob a|b|text/csv; charset=utf-16|1|\n"},
        {LITERAL("--b\r\n" CD "name=a\r\nno colon\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n1\r\n--b--"),
         "! multipart multipart-syntax\nmultipart a=1\n"},
        {LITERAL("--b\r\n" CD "name=a\r\n\r\n\xff\r\n--b\r\n" CD "name=a\r\n\r\n2\r\n--b--"),
         "! multipart invalid-utf8\nmultipart a=\\xFF\nmultipart "
         "a=2\n"},
        {LITERAL("--b\r\n" CD "name=\"a%00\"; filename=\"\0\"\r\n\r\n\r\n--b--"),
         "! multipart nul\nblob a%00|\\x00|||\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        multipart(cases[i].text, &trace_limits, cases[i].expected);
}

static void test_truncated(void **state)
{
    (void)state;
    multipart(TEXT(""), &trace_limits, "! multipart truncated\n");
    multipart(TEXT("--b"), &trace_limits, "! multipart truncated\n");
    multipart(TEXT("nothing"), &trace_limits,
              "! multipart multipart-syntax\n! multipart truncated\n");
    multipart(TEXT("--b\r\n" CD "name=a"), &trace_limits,
              "! multipart truncated\n! multipart multipart-syntax\nmultipart a=\n");
    multipart(TEXT("--b\r\n" CD "name=a\r\n\r\nx' or 1\r\n--"), &trace_limits,
              "! multipart truncated\nmultipart a=x' or 1\\x0D\\x0A--\n");
    multipart(TEXT("--b\r\n" CD "name=a\r\n\r\nx\r\n--b"), &trace_limits,
              "! multipart truncated\nmultipart a=x\n");
    multipart(TEXT("--b\r\n" CD "name=a; filename=f\r\n\r\nx\r"), &trace_limits,
              "blob a|f||x! multipart truncated\n\\x0D|\n");
}

static void test_limits(void **state)
{
    (void)state;
    struct gd_limits limits = {.names = 2, .value = 50};
    multipart(
        TEXT("--b\r\n" CD
             "name=a\r\n\r\n01234567890123456789012345678901234567890123456789x\r\n--b\r\n" CD
             "name=b\r\n\r\n"
             "\r\n--b\r\n" CD "name=c\r\n\r\nx\r\n--b--"),
        &limits,
        "! multipart value-length\nmultipart a=01234567890123456789012345678901234567890123456789\n"
        "multipart b=\n! multipart names\n");
}

static void test_allocation_failures(void **state)
{
    (void)state;
    char *text = malloc(200000);
    size_t len = 0;
    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(text + len, 200000 - len,
                                "--b\r\n" CD "name=\"n\\\"%d\"%s\r\n\r\n%d\r\n", i,
                                i % 9 == 0 ? "; filename*=utf-8''%41" : "", i);
    len += (size_t)snprintf(text + len, 200000 - len, "--b\r\n" CD "name=long\r\n\r\n");
    memset(text + len, 'x', 60000);
    len += 60000;
    len += (size_t)snprintf(text + len, 200000 - len, "\r\n--b--\r\n");
    bool failed = true;
    for (unsigned at = 1; failed; at++) {
        struct trace_alloc alloc = {.fail_at = at};
        struct trace trace;
        trace_init(&trace);
        bool begun =
            trace_body(&trace, GUARD_BODY_MULTIPART, GUARD_SPAN_LITERAL("b"), gd_span(text, len),
                       &trace_limits, (struct trace_cuts){0, 0}, &alloc);
        failed = alloc.calls >= at;
        assert_int_equal(alloc.live, 0);
        assert_int_equal(trace.open, 0);
        assert_true(!failed || !begun || (trace.faults & BIT(GUARD_FAULT_MEMORY)) != 0);
        assert_true(failed || trace.faults == 0);
        trace_fini(&trace);
    }
    free(text);
}

static void test_hostile(void **state)
{
    (void)state;
    static const char *const units[] = {"\r\n--b\r\n\r\n", "\r",      "\n",           "\r\n-",
                                        "\r\n--b",         "--b\r\n", "\r\n--b\r\nx:"};
    char *text = malloc(1 << 18);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        for (size_t at = 0; at < 1 << 18; at++)
            text[at] = units[i][at % strlen(units[i])];
        memcpy(text, "--b\r\n" CD "name=a\r\n\r\n", 48);
        for (size_t step = 0; step < 2; step++) {
            struct trace trace;
            trace_init(&trace);
            assert_true(trace_body(&trace, GUARD_BODY_MULTIPART, GUARD_SPAN_LITERAL("b"),
                                   gd_span(text, 1 << 18), &trace_limits,
                                   (struct trace_cuts){step, 0}, NULL));
            assert_true(trace.calls <= 512);
            assert_int_equal(trace.open, 0);
            trace_fini(&trace);
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_irregular),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
