/* SPDX-License-Identifier: Apache-2.0 */
/* Which parser reads a body, and that whole bodies reach the sink in pieces. */
#include "body_check.h"

static void body(enum guard_body_kind kind, struct guard_span text, const char *expected)
{
    check_body(kind, GUARD_SPAN_LITERAL("b"), text, &trace_limits, expected);
}

static void test_kinds(void **state)
{
    (void)state;
    body(GUARD_BODY_JSON, TEXT("[1]"), "$[\n$[]=#1\n$]1\n");
    body(GUARD_BODY_FORM, TEXT("a=1"), "form a=1\n");
    body(GUARD_BODY_MULTIPART, TEXT("--b--"), "");
    body(GUARD_BODY_TEXT, TEXT("<a/>"), "blob |||<a/>|\n");
    body(GUARD_BODY_BYTES, TEXT("{\"a\":1}"), "blob |||{\"a\":1}|\n");
    body(GUARD_BODY_TEXT, TEXT(""), "");
}

static void test_first_byte(void **state)
{
    (void)state;
    body(GUARD_BODY_NONE, TEXT(""), "");
    body(GUARD_BODY_NONE, TEXT(" \r\n\t[1]"), "$[\n$[]=#1\n$]1\n");
    body(GUARD_BODY_NONE, TEXT("{}"), "${\n$}0\n");
    body(GUARD_BODY_NONE, TEXT(" x"), "blob ||| x|\n");
    body(GUARD_BODY_NONE, TEXT(" "), "blob ||| |\n");
    body(GUARD_BODY_FORM, TEXT("{\"a\":\"x&y=1\"}"), "! body content-type\n${\n$.a=\"x&y=1\n$}1\n");
    body(GUARD_BODY_FORM, TEXT(" a=1"), "form  a=1\n");
    body(GUARD_BODY_FORM, TEXT(" "), "! form form-syntax\nform  =\n");
}

static void test_many_blanks(void **state)
{
    (void)state;
    char text[100];
    memset(text, ' ', sizeof(text));
    text[99] = '{';
    char expected[200] = "blob |||";
    memcpy(expected + 8, text, 100);
    memcpy(expected + 108, "|\n", 3);
    body(GUARD_BODY_NONE, gd_span(text, 100), expected);
}

static void test_kind_read(void **state)
{
    (void)state;
    struct trace_alloc alloc = {0};
    struct guard_alloc source = trace_allocator(&alloc);
    struct guard_arena arena;
    struct trace trace;
    struct gd_body *one;
    trace_init(&trace);
    struct gd_body_sink sink = trace_sink(&trace);
    guard_arena_init(&arena, &source, 1 << 20);
    assert_int_equal(
        gd_body_begin(&one, GUARD_BODY_NONE, gd_span(NULL, 0), &sink, &trace_limits, &arena),
        GUARD_OK);
    assert_int_equal(gd_body_kind_read(one), GUARD_BODY_NONE);
    gd_body_feed(one, TEXT("{"));
    assert_int_equal(gd_body_kind_read(one), GUARD_BODY_JSON);
    gd_body_end(one);
    gd_body_feed(one, TEXT("}"));
    gd_body_end(one);
    assert_string_equal(trace.text, "${\n! json truncated\n$}0\n");
    trace_fini(&trace);
    guard_arena_reset(&arena);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    sweep_body(GUARD_BODY_NONE, gd_span(NULL, 0), TEXT(" [1]"), 1);
    sweep_body(GUARD_BODY_TEXT, gd_span(NULL, 0), TEXT("text"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_first_byte),
        cmocka_unit_test(test_many_blanks),
        cmocka_unit_test(test_kind_read),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
