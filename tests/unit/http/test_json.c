/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON scanner against RFC 8259, its limits, and the promise that chunk borders don't matter.
 */
#include "trace.h"

#include "http/json_scan.h"
#include "json_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BIT(fault) (UINT64_C(1) << (fault))
#define TEXT(text) gd_span(text, sizeof(text) - 1)

static const struct guard_span no_boundary = {NULL, 0};
static const struct trace_cuts whole = {0, 0};

/* Repeated keys and zero bytes are data that the RFC allows. */
static const uint64_t accepted = BIT(GUARD_FAULT_JSON_DUPLICATE) | BIT(GUARD_FAULT_NUL);

static void run(struct trace *trace, struct guard_span text, const struct gd_limits *limits,
                struct trace_cuts cuts)
{
    trace_init(trace);
    assert_true(trace_body(trace, GUARD_BODY_JSON, no_boundary, text, limits, cuts, NULL));
    assert_int_equal(trace->open, 0);
}

/* The same trace for every cut into two and for single bytes. */
static void check_cuts(struct guard_span text, const struct gd_limits *limits, const char *expected)
{
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct trace trace;
        run(&trace, text, limits,
            cut == text.len ? (struct trace_cuts){1, 0} : (struct trace_cuts){0, cut});
        assert_string_equal(trace.text, expected);
        trace_fini(&trace);
    }
}

static void expect(struct guard_span text, const struct gd_limits *limits, const char *expected)
{
    struct trace trace;
    run(&trace, text, limits, whole);
    assert_string_equal(trace.text, expected);
    trace_fini(&trace);
    check_cuts(text, limits, expected);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(json_cases) / sizeof(json_cases[0]); i++) {
        const struct json_case *one = &json_cases[i];
        struct guard_span text = gd_span(one->text, one->len);
        struct trace trace;
        run(&trace, text, &trace_limits, whole);
        bool rejected = (trace.faults & ~accepted) != 0;
        if ((one->verdict == 'y' && rejected) || (one->verdict == 'n' && !rejected))
            fail_msg("case %zu (%c) %s gave:\n%s", i, one->verdict, one->text, trace.text);
        check_cuts(text, &trace_limits, trace.text);
        trace_fini(&trace);
    }
}

static void test_events(void **state)
{
    (void)state;
    expect(
        TEXT("{\"a\":{\"b\":[{\"c\":1},{\"c\":\"x\\u00e9\"}]},\"d\":[],\"e\":-1.50e+3}"),
        &trace_limits,
        "${\n$.a{\n$.a.b[\n$.a.b[]{\n$.a.b[].c=#1\n$.a.b[]}1\n$.a.b[]{\n$.a.b[].c=\"x\\xC3\\xA9\n"
        "$.a.b[]}1\n$.a.b]2\n$.a}1\n$.d[\n$.d]0\n$.e=#-1.50e+3\n$}3\n");
    expect(TEXT("[[1,2],[3],true,null]"), &trace_limits,
           "$[\n$[][\n$[][]=#1\n$[][]=#2\n$[]]2\n$[][\n$[][]=#3\n$[]]1\n$[]=true\n$[]=null\n$]4\n");
    expect(TEXT("[\"\\ud83d\\ude00\\u20ac\\u007f\\u07ff\\b\\f\\n\\r\\t\\/\\\\\\\"\"]"),
           &trace_limits,
           "$[\n$[]=\"\\xF0\\x9F\\x98\\x80\\xE2\\x82\\xAC\\x7F\\xDF\\xBF\\x08\\x0C\\x0A\\x0D\\x09/"
           "\\\"\n$]1\n");
    expect(TEXT(" 12 "), &trace_limits, "$=#12\n");
    expect(TEXT("12"), &trace_limits, "$=#12\n");
}

static void test_faults(void **state)
{
    (void)state;
    expect(TEXT("[007,+1,1.,.5,0x1F,-Infinity]"), &trace_limits,
           "$[\n! json "
           "json-number\n$[]=#007\n$[]=#+1\n$[]=#1.\n$[]=#.5\n$[]=#0x1F\n$[]=#-Infinity\n$]6\n");
    expect(TEXT("[1,-]"), &trace_limits, "$[\n$[]=#1\n! json json-syntax\n$]1\n");
    expect(TEXT("[\"a\\qb\\u12\",\"\\u12zz\"]"), &trace_limits,
           "$[\n! json bad-escape\n$[]=\"a\\qb\\u12\n$[]=\"\\u12zz\n$]2\n");
    expect(TEXT("\"\\ud83dx\\ude00\""), &trace_limits,
           "! json invalid-utf8\n$=\"\\xEF\\xBF\\xBDx\\xEF\\xBF\\xBD\n");
    expect(TEXT("\"\xc0\xaf\""), &trace_limits, "! json overlong\n$=\"\\xC0\\xAF\n");
    expect(TEXT("\"a\tb\""), &trace_limits, "! json control\n$=\"a\\x09b\n");
    expect(TEXT("\"\\u0000\""), &trace_limits, "! json nul\n$=\"\\x00\n");
    expect(TEXT("[1]x[2]"), &trace_limits, "$[\n$[]=#1\n$]1\n! json json-trailing\n");
    expect(TEXT("\xef\xbb\xbf[1]"), &trace_limits, "! json json-syntax\n$[\n$[]=#1\n$]1\n");
    expect(TEXT("{\"a\":1,\"b\":{\"a\":2},\"\\u0061\":3}"), &trace_limits,
           "${\n$.a=#1\n$.b{\n$.b.a=#2\n$.b}1\n! json json-duplicate\n$.a=#3\n$}3\n");
    expect(TEXT("[{\"a\":1},{\"a\":2}]"), &trace_limits,
           "$[\n$[]{\n$[].a=#1\n$[]}1\n$[]{\n$[].a=#2\n$[]}1\n$]2\n");
}

static void test_truncated(void **state)
{
    (void)state;
    expect(TEXT("{\"a\":\"tom' or 1"), &trace_limits,
           "${\n! json truncated\n$.a=\"tom' or 1\n$}1\n");
    expect(TEXT("{\"a\":\"x\\u00"), &trace_limits, "${\n! json truncated\n$.a=\"x\n$}1\n");
    expect(TEXT("[\"\xe2\x82"), &trace_limits, "$[\n! json truncated\n$[]=\"\n$]1\n");
    expect(TEXT("[12"), &trace_limits, "$[\n$[]=#12\n! json truncated\n$]1\n");
    expect(TEXT("[1."), &trace_limits, "$[\n! json truncated\n$[]=#1.\n$]1\n");
    expect(TEXT("[tr"), &trace_limits, "$[\n! json truncated\n$]0\n");
    expect(TEXT("[zz"), &trace_limits, "$[\n! json json-syntax\n$]0\n");
    expect(TEXT("{\"key"), &trace_limits, "${\n! json truncated\n$}0\n");
    expect(TEXT(""), &trace_limits, "! json truncated\n");
}

static void test_limits(void **state)
{
    (void)state;
    struct gd_limits limits = {.names = 8, .leaves = 3, .depth = 2, .value = 4};
    expect(TEXT("[1,2,3,4,5]"), &limits, "$[\n$[]=#1\n$[]=#2\n$[]=#3\n! json leaves\n$]3\n");
    expect(TEXT("[[],[],[],[]]"), &limits, "$[\n$[][\n$[]]0\n$[][\n$[]]0\n! json leaves\n$]2\n");
    expect(TEXT("[[[1,\"]\\\"\",{}]],2]"), &limits, "$[\n$[][\n! json depth\n$[]]0\n$[]=#2\n$]2\n");
    expect(TEXT("[\"abcdef\",\"abc\xc3\xa9\",\"\\u0061bc\\u00e9\"]"), &limits,
           "$[\n! json value-length\n$[]=\"abcd\n$[]=\"abc\n$[]=\"abc\n$]3\n");
    expect(TEXT("[123456,trueish]"), &limits,
           "$[\n! json value-length\n$[]=#1234\n! json json-syntax\n$]1\n");
    limits = (struct gd_limits){0};
    expect(TEXT("[1]"), &limits, "! json depth\n");
    limits = (struct gd_limits){.leaves = 9};
    expect(TEXT("12"), &limits, "! json value-length\n! json json-syntax\n");
    expect(TEXT("\"a\""), &limits, "! json value-length\n$=\"\n");
}

/* The same within the runs through plain members, which short limits keep from being entered. */
static void test_limits_in_runs(void **state)
{
    (void)state;
    struct gd_limits limits = {.names = 8, .leaves = 3, .depth = 2, .value = 20};
    expect(
        TEXT("{\"a\":\"0123456789012345678901234\",\"b\":[123456789012345678901234,1]}   "),
        &limits,
        "${\n! json value-length\n$.a=\"01234567890123456789\n$.b[\n$.b[]=#12345678901234567890\n"
        "$.b[]=#1\n$.b]2\n$}2\n");
    expect(TEXT("{\"012345678901234567890123456789\":1}    "), &limits,
           "${\n! json value-length\n$.01234567890123456789=#1\n$}1\n");
    expect(TEXT("{\"a\":1,\"b\":true,\"c\":\"x\",\"d\":4}   "), &limits,
           "${\n$.a=#1\n$.b=true\n$.c=\"x\n! json leaves\n$}3\n");
    expect(TEXT("{\"a\":{\"b\":{\"c\":1}},\"d\":2}"), &limits,
           "${\n$.a{\n! json depth\n$.a}0\n$.d=#2\n$}2\n");
    expect(TEXT("[{\"a\":{}},{},{\"a\":1}]   "), &limits,
           "$[\n$[]{\n! json depth\n$[]}0\n$[]{\n$[]}0\n! json leaves\n$]2\n");
}

static void test_skip(void **state)
{
    (void)state;
    struct guard_span text = TEXT("{\"a\":1,\"b\":{\"c\":[1,2],\"c\":3},\"a\":4,\"d\":x}");
    struct trace trace;
    trace_init(&trace);
    trace.skip_from = 2;
    assert_true(trace_body(&trace, GUARD_BODY_JSON, no_boundary, text, &trace_limits, whole, NULL));
    assert_string_equal(trace.text,
                        "${\n$.a=#1\n! json json-duplicate\n$.a=#4\n! json json-syntax\n$}3\n");
    trace_fini(&trace);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    /* A long string with escapes makes the buffer grow; many nodes need stamp pages. */
    size_t size = 300000;
    char *text = malloc(size);
    size_t len = 0;
    text[len++] = '{';
    for (int i = 0; i < 600; i++)
        len += (size_t)snprintf(text + len, size - len, "\"key%d\":%d,", i, i);
    len += (size_t)snprintf(text + len, size - len, "\"long\":\"\\n");
    memset(text + len, 'x', 60000);
    len += 60000;
    len += (size_t)snprintf(text + len, size - len, "\"}");
    bool failed = true;
    for (unsigned at = 1; failed; at++) {
        struct trace_alloc alloc = {.fail_at = at};
        struct trace trace;
        trace_init(&trace);
        bool begun = trace_body(&trace, GUARD_BODY_JSON, no_boundary, gd_span(text, len),
                                &trace_limits, whole, &alloc);
        failed = alloc.calls >= at;
        assert_int_equal(alloc.live, 0);
        assert_int_equal(trace.open, 0);
        assert_true(!failed || !begun || (trace.faults & BIT(GUARD_FAULT_MEMORY)) != 0);
        assert_true(failed || trace.faults == 0);
        trace_fini(&trace);
        assert_true(at < 100);
    }
    free(text);
}

static void test_scan_variants(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 20000; round++) {
        uint8_t text[70];
        size_t len = (size_t)round % sizeof(text);
        for (size_t i = 0; i < len; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint8_t byte = (uint8_t)(random >> 40);
            text[i] = random >> 59 == 0 ? byte
                                        : (uint8_t)(byte % 0x5c < 0x23 ? byte | 0x80 : byte % 0x5c);
        }
        unsigned high[3] = {0, 0, 0};
        const uint8_t *stop = gd_scan_tail(text, text + len, &high[0]);
        assert_ptr_equal(gd_scan_swar(text, text + len, &high[1]), stop);
        assert_int_equal(high[1] != 0, high[0] != 0);
        assert_ptr_equal(GD_SCAN_TEXT(text, text + len, &high[2]), stop);
        assert_int_equal(high[2] != 0, high[0] != 0);
    }
}

/* Hostile bodies stay linear and bounded: 256 KiB of each in single bytes. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const units[] = {"[",   "{\"a\":", "1,", "\"\\ud83d", "\\",
                                        "[],", "\"a\",",  " ",  "0"};
    size_t size = 1 << 18;
    char *text = malloc(size);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t unit = strlen(units[i]);
        for (size_t at = 0; at < size; at++)
            text[at] = at == 0 && i >= 2 ? '[' : units[i][at % unit];
        struct trace trace;
        run(&trace, gd_span(text, size), &trace_limits, (struct trace_cuts){1, 0});
        assert_true(trace.faults != 0);
        assert_true(trace.calls <= 4096);
        trace_fini(&trace);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_limits_in_runs),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_scan_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
