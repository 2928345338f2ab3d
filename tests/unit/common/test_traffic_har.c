/* SPDX-License-Identifier: Apache-2.0 */
/* HAR documents: where entries are, and what they say. */
#include "common/traffic/har_entry.h"
#include "common/traffic/har_scanner.h"
#include "common/traffic/sniff.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct guard_arena arena;

static int setup(void **state)
{
    struct guard_alloc heap = heap_alloc();
    (void)state;
    guard_arena_init(&arena, &heap, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void expect(struct guard_span span, const char *text)
{
    if (span.len != strlen(text) || memcmp(span.ptr, text, span.len) != 0)
        fail_msg("\"%.*s\" is not \"%s\"", (int)span.len, (const char *)span.ptr, text);
}

/* The entries of a document, joined by '|'; then '!' and the fault. Fed in steps of some bytes. */
static void scan(const char *document, size_t step, char *out, size_t cap)
{
    struct har_scanner scanner;
    struct guard_span rest = span(document);
    const uint8_t *begin = NULL;
    size_t len = 0;
    har_scanner_init(&scanner);
    out[0] = '\0';
    while (rest.len > 0) {
        size_t used = 0;
        struct guard_span part = {rest.ptr, rest.len < step ? rest.len : step};
        enum har_event event = har_scanner_feed(&scanner, part, &used);
        rest = (struct guard_span){rest.ptr + used, rest.len - used};
        if (event == HAR_ENTRY_BEGIN)
            begin = rest.ptr - 1;
        if (event == HAR_ENTRY_END)
            len += (size_t)snprintf(out + len, cap - len, "%.*s|", (int)(rest.ptr - begin),
                                    (const char *)begin);
        if (event == HAR_FAULT) {
            snprintf(out + len, cap - len, "!%s", scanner.wrong);
            return;
        }
    }
    snprintf(out + len, cap - len, "%s", scanner.done ? "" : "?");
}

static void test_boundaries(void **state)
{
    (void)state;
    static const struct {
        const char *document;
        const char *expected;
    } cases[] = {
        {"{\"log\":{\"entries\":[{\"a\":\"}]\"},{\"b\":[{}]}, null, {}]}}",
         "{\"a\":\"}]\"}|{\"b\":[{}]}|{}|"},
        {"{\"x\":{\"entries\":[{}]},\"log\":{\"pages\":[{\"entries\":[{}]}],\"entries\":[{}]},"
         "\"entries\":[{}]}\n",
         "{}|"},
        {"{\"log\":{\"entries\":[{}],\"pages\":[{\"a\":1}]}}", "{}|"},
        {"{\"log\":{\"comment\":\"entries\",\"entries\":[]}}", ""},
        {"{\"log\":[{\"entries\":[{}]}]}", ""},
        {"{\"log\":\"entries\"}", ""},
        {"{\"log\":{\"entries\":[{\"a\":\"\\\\\\\"}\"}]}}", "{\"a\":\"\\\\\\\"}\"}|"},
        {"{\"log\":{\"entries\":[{\"a\":1},{\"b\"", "{\"a\":1}|?"},
        {"{\"log\":{\"entries\":[{}}}", "{}|!a closing bracket fits no opening one"},
        {"{\"log\":{\"entries\":[]}} {", "!something follows the document"},
        {"[{}]", "!the document is no JSON object"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step < 80; step++) {
            char out[512];
            scan(cases[i].document, step, out, sizeof(out));
            assert_string_equal(out, cases[i].expected);
        }
    }
}

static void test_place(void **state)
{
    (void)state;
    struct har_scanner scanner;
    size_t used;
    har_scanner_init(&scanner);
    const char document[] = "{\"log\":{\n\"entries\":[\n  {}]}}";
    assert_int_equal(har_scanner_feed(&scanner, span(document), &used), HAR_ENTRY_BEGIN);
    assert_int_equal(scanner.line, 3);
    assert_int_equal(scanner.column, 4);
}

static void test_kinds(void **state)
{
    (void)state;
    assert_true(traffic_is_har(span("\xef\xbb\xbf { \"log\" : { "), NULL));
    assert_true(traffic_is_har(span("{\"_tool\":{\"log\":1},\"log\":{"), NULL));
    assert_false(traffic_is_har(span("{\"request\":{\"method\":\"GET\"},\"log\":{}}"), NULL));
    assert_false(traffic_is_har(span("{\"id\":\"1\",\"label\":{\"log\":{}}}\n{\"log\":{}}"), NULL));
    assert_false(traffic_is_har(span("{\"log\":{}}"), "escape=json '{\"u\":\"$request\"}'"));
    assert_false(traffic_is_har(span(""), NULL));
    assert_int_equal(traffic_line_kind(span(" {\"request\""), false), TRAFFIC_JSONL);
    assert_int_equal(traffic_line_kind(span("{\"u\""), true), TRAFFIC_LOG);
    assert_int_equal(traffic_line_kind(span("127.0.0.1 - -"), false), TRAFFIC_LOG);
    assert_false(traffic_format_is_json("escape=default '$request'"));
}

static enum guard_rc read_entry(const char *entry, struct guard_exchange *out, bool *skipped)
{
    struct guard_err err = {.text = ""};
    guard_arena_reset(&arena);
    return har_entry_read(out, skipped, span(entry), &arena, &err);
}

static void test_an_entry(void **state)
{
    (void)state;
    struct guard_exchange exchange;
    bool skipped;
    assert_int_equal(
        read_entry(
            "{\"_initiator\":{\"type\":\"script\",\"stack\":{\"callFrames\":[]}},\"comment\":\"x\","
            "\"startedDateTime\":\"2026-03-01T12:00:00.500Z\",\"time\":9.1,"
            "\"request\":{\"method\":\"POST\",\"url\":\"https://u:p@shop.example:8443/"
            "a?b=%20c#top\","
            "\"httpVersion\":\"http/2.0\",\"headers\":[{\"name\":\":method\",\"value\":\"POST\"},"
            "{\"name\":\":authority\",\"value\":\"shop.example:8443\"},"
            "{\"name\":\"Content-Encoding\",\"value\":\"gzip\"},"
            "{\"name\":\"Content-Length\",\"value\":\"99\"},"
            "{\"name\":\"accept\",\"value\":\"*/*\",\"comment\":\"\"}],"
            "\"cookies\":[{\"name\":\"a\",\"value\":\"b\"}],\"queryString\":[],"
            "\"postData\":{\"mimeType\":\"text/plain\",\"params\":[],\"text\":\"h\\u00e9\"},"
            "\"headersSize\":-1,\"bodySize\":3},"
            "\"response\":{\"status\":201,\"statusText\":\"\",\"headers\":["
            "{\"name\":\"set-cookie\",\"value\":\"a=1\\nb=2\"}],\"content\":{\"size\":3,"
            "\"mimeType\":\"x/y\",\"text\":\"AP9i\",\"encoding\":\"base64\"},\"_error\":null},"
            "\"cache\":{},\"timings\":{\"blocked\":-1,\"wait\":8.82,\"receive\":1e-3},"
            "\"serverIPAddress\":\"192.0.2.1\"}",
            &exchange, &skipped),
        GUARD_OK);
    assert_false(skipped);
    expect(exchange.method, "POST");
    expect(exchange.target, "/a?b=%20c");
    assert_int_equal(exchange.version, 20);
    assert_int_equal(exchange.header_count, 2);
    expect(exchange.headers[0].name, "host");
    expect(exchange.headers[0].value, "shop.example:8443");
    expect(exchange.headers[1].name, "accept");
    assert_true(exchange.body_known);
    expect(exchange.body, "h\xc3\xa9");
    assert_int_equal(exchange.status, 201);
    assert_int_equal(exchange.latency_us, 8820);
    assert_int_equal(exchange.time_ms, 1772366400500u);
    assert_int_equal(exchange.client.len, 0);
    assert_true(exchange.response_known);
    assert_int_equal(exchange.response_header_count, 2);
    expect(exchange.response_headers[0].value, "a=1");
    expect(exchange.response_headers[1].value, "b=2");
    assert_true(exchange.response_body_known);
    assert_int_equal(exchange.response_body.len, 3);
    assert_memory_equal(exchange.response_body.ptr, "\x00\xff\x62", 3);
}

static void body_of(const char *post_data, const char *expected)
{
    struct guard_exchange exchange;
    bool skipped;
    char entry[1024];
    snprintf(entry, sizeof(entry),
             "{\"request\":{\"method\":\"POST\",\"url\":\"/\",\"postData\":%s}}", post_data);
    assert_int_equal(read_entry(entry, &exchange, &skipped), GUARD_OK);
    if (expected == NULL)
        assert_false(exchange.body_known);
    else
        expect(exchange.body, expected);
}

static void test_bodies(void **state)
{
    (void)state;
    body_of("{\"mimeType\":\"application/x-www-form-urlencoded\",\"params\":[{\"name\":\"a b\","
            "\"value\":\"1&2\"},{\"name\":\"c\"}]}",
            "a+b=1%262&c=");
    body_of(
        "{\"mimeType\":\"multipart/form-data; boundary=\\\"xx\\\"\",\"params\":[{\"name\":\"f\","
        "\"fileName\":\"n.txt\",\"contentType\":\"text/plain\",\"value\":\"v\"}]}",
        "--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.txt\"\r\n"
        "Content-Type: text/plain\r\n\r\nv\r\n--xx--\r\n");
    body_of("{\"mimeType\":\"text/plain\",\"text\":\"aGk=\",\"encoding\":\"base64\"}", "hi");
    body_of("{\"text\":\"a=1\",\"params\":[{\"name\":\"b\",\"value\":\"2\"}]}", "a=1");
    body_of("{\"mimeType\":\"multipart/form-data\",\"params\":[{\"name\":\"b\"}]}", NULL);
    body_of("{\"mimeType\":\"text/plain\"}", NULL);
    body_of("null", NULL);
}

static void test_skipped_and_wrong(void **state)
{
    (void)state;
    static const char *const others[] = {"data:text/css,x", "wss://shop.example/socket",
                                         "blob:https://x/1", "chrome-extension://a/b.js",
                                         "about:blank"};
    static const char *const wrong[] = {
        "{}",
        "{\"request\":{\"method\":\"GET\"}}",
        "{\"request\":{\"url\":\"http://a/\"}}",
        "{\"request\":{\"method\":\"GET\",\"url\":\"http://a/\"}",
        "{\"request\":{\"method\":\"GET\",\"url\":\"http://a/\"} \"x\":1}",
        "{\"startedDateTime\":\"now\",\"request\":{\"method\":\"GET\",\"url\":\"http://a/\"}}",
        ("{\"request\":{\"method\":\"GET\",\"url\":\"http://a/\",\"postData\":{\"text\":\"*\","
         "\"encoding\":\"base64\"}}}"),
    };
    struct guard_exchange exchange;
    bool skipped;
    char entry[256];
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(entry, sizeof(entry), "{\"request\":{\"method\":\"GET\",\"url\":\"%s\"}}",
                 others[i]);
        assert_int_equal(read_entry(entry, &exchange, &skipped), GUARD_OK);
        assert_true(skipped);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (read_entry(wrong[i], &exchange, &skipped) != GUARD_E_SYNTAX)
            fail_msg("accepted: %s", wrong[i]);
    }
    assert_int_equal(
        read_entry("{\"request\":{\"method\":\"GET\",\"url\":\"http://a\"}}", &exchange, &skipped),
        GUARD_OK);
    expect(exchange.target, "/");
    assert_int_equal(read_entry("{\"request\":{\"method\":\"GET\",\"url\":\"HTTP://a?b#c\"}}",
                                &exchange, &skipped),
                     GUARD_OK);
    expect(exchange.target, "/?b");
    expect(exchange.headers[0].value, "a");
}

static void test_too_many_headers(void **state)
{
    (void)state;
    struct guard_exchange exchange;
    bool skipped;
    static char entry[32 * 300];
    size_t len = (size_t)snprintf(entry, sizeof(entry),
                                  "{\"request\":{\"method\":\"GET\",\"url\":\"http://a/\","
                                  "\"headers\":[");
    for (int i = 0; i < 256; i++)
        len += (size_t)snprintf(entry + len, sizeof(entry) - len, "%s{\"name\":\"a\"}",
                                i > 0 ? "," : "");
    snprintf(entry + len, sizeof(entry) - len, "]}}");
    /* With the host they are 257. */
    assert_int_equal(read_entry(entry, &exchange, &skipped), GUARD_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_an_entry),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_skipped_and_wrong),
        cmocka_unit_test(test_too_many_headers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
