/* SPDX-License-Identifier: Apache-2.0 */
/* Access logs: formats, and lines as nginx and Apache write them. */
#include "common/traffic/access_log.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct guard_arena arena;
static struct access_log reader;

static int setup(void **state)
{
    struct guard_alloc heap = heap_alloc();
    (void)state;
    guard_arena_init(&arena, &heap, 8 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static void expect(struct guard_span span, const char *text)
{
    if (span.len != strlen(text) || memcmp(span.ptr, text, span.len) != 0)
        fail_msg("\"%.*s\" is not \"%s\"", (int)span.len, (const char *)span.ptr, text);
}

static void begin(const char *format)
{
    struct guard_err err = {.text = ""};
    if (access_log_init(&reader, format, &err) != GUARD_OK)
        fail_msg("%s", err.text);
}

/* 1 = exchange, 0 = skipped, else the error. */
static int read_line(const char *line, struct guard_exchange *exchange)
{
    struct guard_err err;
    bool skipped = false;
    guard_arena_reset(&arena);
    enum guard_rc rc =
        access_log_read(&reader, exchange, &skipped,
                        (struct guard_span){(const uint8_t *)line, strlen(line)}, &arena, &err);
    return rc != GUARD_OK ? (int)rc : !skipped;
}

static void expect_header(const struct guard_exchange *exchange, const char *name,
                          const char *value)
{
    for (uint32_t i = 0; i < exchange->header_count; i++) {
        if (exchange->headers[i].name.len == strlen(name) &&
            memcmp(exchange->headers[i].name.ptr, name, strlen(name)) == 0) {
            expect(exchange->headers[i].value, value);
            return;
        }
    }
    if (value != NULL)
        fail_msg("no header %s", name);
}

static void test_known_formats(void **state)
{
    (void)state;
    struct guard_exchange exchange;
    begin(NULL);
    assert_int_equal(read_line("192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] \"GET /a?b=c HTTP/1.0\" "
                               "200 2326\r",
                               &exchange),
                     1);
    expect(exchange.method, "GET");
    expect(exchange.target, "/a?b=c");
    assert_int_equal(exchange.version, 10);
    expect(exchange.client, "192.0.2.7");
    assert_int_equal(exchange.status, 200);
    assert_int_equal(exchange.time_ms, 971211336000u);
    assert_int_equal(exchange.latency_us, UINT32_MAX);
    assert_int_equal(exchange.header_count, 0);
    assert_int_equal(read_line("2001:db8::1 - tom [10/Oct/2000:13:55:36 -0700] \"POST /\\xC3\\xA4 "
                               "HTTP/2.0\" 201 - \"-\" \"a \\x22b\\x22 \\x5C\"",
                               &exchange),
                     1);
    expect(exchange.target, "/\xc3\xa4");
    assert_int_equal(exchange.version, 20);
    assert_int_equal(exchange.header_count, 1);
    expect_header(&exchange, "user-agent", "a \"b\" \\");
    assert_int_equal(
        read_line("192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 1 "
                  "\"r\" \"a \\\"b\\\"\" \"203.0.113.5\"",
                  &exchange),
        1);
    expect_header(&exchange, "user-agent", "a \"b\"");
    expect_header(&exchange, "x-forwarded-for", "203.0.113.5");
    assert_int_equal(read_line("shop.example:443 192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "
                               "\"GET / HTTP/1.1\" 200 1 \"-\" \"x\"",
                               &exchange),
                     1);
    expect_header(&exchange, "host", "shop.example");
    expect(exchange.client, "192.0.2.7");
}

static void test_no_request_and_no_line(void **state)
{
    (void)state;
    static const char *const skipped[] = {"-", "", "\\x16\\x03\\x01\\x02", "GET",
                                          "G\\x00T / HTTP/1.1"};
    static const char *const wrong[] = {
        "",
        "x",
        "192.0.2.7 - -",
        "192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200",
        "192.0.2.7 - - [10/Okt/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 1",
        "192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 2x0 1",
        "192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 1 \"-\" \"a\" 0.003"};
    struct guard_exchange exchange;
    char line[256];
    begin(NULL);
    for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        snprintf(line, sizeof(line),
                 "192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] \"%s\" 400 0 \"-\" "
                 "\"-\"",
                 skipped[i]);
        assert_int_equal(read_line(line, &exchange), 0);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(read_line(wrong[i], &exchange), GUARD_E_SYNTAX);
}

/* A name with which a client logs in may look like the rest of a line. */
static void test_forged_user(void **state)
{
    (void)state;
    struct guard_exchange exchange;
    begin(NULL);
    assert_int_equal(
        read_line("192.0.2.7 - x [01/Jan/2020:00:00:00 +0000] \\x22GET /forged HTTP/1.1"
                  "\\x22 200 1 - [10/Oct/2000:13:55:36 -0700] \"GET /real HTTP/1.1\" "
                  "401 1 \"-\" \"-\"",
                  &exchange),
        1);
    expect(exchange.target, "/real");
    assert_int_equal(exchange.status, 401);
    assert_int_equal(exchange.time_ms, 971211336000u);
}

static void test_a_format_of_ones_own(void **state)
{
    (void)state;
    struct guard_exchange exchange;
    begin(
        "'$msec|$time_iso8601|$remote_addr|$request_method $scheme://$host$request_uri "
        "$server_protocol'"
        " '|$status|$upstream_response_time|$request_time|$http_x_tenant|$sent_http_content_type|' "
        "'${request_id}|$http_content_type';");
    assert_int_equal(
        read_line(
            "1772366400.123|2026-03-01T12:00:00+00:00|192.0.2.7|PUT https://shop.example/a?b=c "
            "HTTP/1.1|204|0.004, 0.010 : -, 0.001|0.100|acme|text/html|77ab|text/plain",
            &exchange),
        1);
    assert_int_equal(exchange.time_ms, 1772366400123u);
    expect(exchange.method, "PUT");
    expect(exchange.target, "/a?b=c");
    expect_header(&exchange, "host", "shop.example");
    expect_header(&exchange, "x-tenant", "acme");
    expect_header(&exchange, "content-type", NULL);
    expect(exchange.id, "77ab");
    assert_int_equal(exchange.latency_us, 15000);
    assert_true(exchange.response_known);
    expect(exchange.response_headers[0].name, "content-type");
    begin("$request_time $uri $args");
    assert_int_equal(read_line("0.250 /a b%?\xc3\xa4 x=1&y=%20", &exchange), 1);
    expect(exchange.method, "GET");
    expect(exchange.target, "/a%20b%25%3F%C3%A4?x=1&y=%20");
    assert_int_equal(exchange.latency_us, 250000);
}

static void test_json_escapes(void **state)
{
    (void)state;
    struct guard_exchange exchange;
    begin("escape=json '{\"r\":\"$request\",\"ua\":\"$http_user_agent\",\"s\":$status}'");
    assert_int_equal(
        read_line("{\"r\":\"GET /\\u00e4\\\\ HTTP/1.1\",\"ua\":\"x\\\",\\\"s\\\":200}\","
                  "\"s\":404}",
                  &exchange),
        1);
    expect(exchange.target, "/\xc3\xa4\\");
    expect_header(&exchange, "user-agent", "x\",\"s\":200}");
    assert_int_equal(exchange.status, 404);
}

static void test_wrong_formats(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "$status",
                                        "$request $",
                                        "$http_a$http_b $request",
                                        "'$request' '",
                                        "'$request' x '$status'",
                                        "${request",
                                        "combine"};
    struct guard_err err;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (access_log_init(&reader, wrong[i], &err) != GUARD_E_SYNTAX)
            fail_msg("accepted: %s", wrong[i]);
    }
    char many[LOG_PIECES_MAX * 10 + 16];
    size_t len = (size_t)snprintf(many, sizeof(many), "$request");
    for (size_t i = 0; i < LOG_PIECES_MAX; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, " $status");
    assert_int_equal(access_log_init(&reader, many, &err), GUARD_E_LIMIT);
    char *large = malloc(2 * LOG_FORMAT_BYTES_MAX);
    memset(large, 'x', 2 * LOG_FORMAT_BYTES_MAX - 1);
    large[2 * LOG_FORMAT_BYTES_MAX - 1] = '\0';
    assert_int_equal(access_log_init(&reader, large, &err), GUARD_E_LIMIT);
    free(large);
}

/* Who wants the reader to try every end of every value is left alone soon. */
static void test_bounded_search(void **state)
{
    (void)state;
    struct guard_exchange exchange;
    char *line = malloc(ACCESS_LOG_LINE_MAX + 2);
    begin("$foo $bar $baz $request_uri $status");
    for (size_t i = 0; i < ACCESS_LOG_LINE_MAX; i++)
        line[i] = i % 2 == 0 ? '/' : ' ';
    line[ACCESS_LOG_LINE_MAX] = '\0';
    assert_int_equal(read_line(line, &exchange), GUARD_E_SYNTAX);
    memset(line, '1', ACCESS_LOG_LINE_MAX + 1);
    line[ACCESS_LOG_LINE_MAX + 1] = '\0';
    assert_int_equal(read_line(line, &exchange), GUARD_E_LIMIT);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_formats),  cmocka_unit_test(test_no_request_and_no_line),
        cmocka_unit_test(test_forged_user),    cmocka_unit_test(test_a_format_of_ones_own),
        cmocka_unit_test(test_json_escapes),   cmocka_unit_test(test_wrong_formats),
        cmocka_unit_test(test_bounded_search),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
