/* SPDX-License-Identifier: Apache-2.0 */
/* Which values are read: those with syntax, as far as an exchange may, and each as often as it
 * comes; what a memo holds is what was read. */
#include "exchange.h"

#include <guard/likeness.h>
#include <guard/memo.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t asked;
static uint32_t told; /* of what shall not be recognised */
static size_t asked_bytes;

/* A reader of its own: "<" is script, "'" is SQL. */
static struct gd_reading read_value(struct guard_span value, uint32_t without)
{
    struct gd_reading reading = {0, GUARD_CONSTRUCT_NONE};
    asked++;
    told = without;
    asked_bytes += value.len;
    if (memchr(value.ptr, '\'', value.len) != NULL) {
        reading.classes |= 1u << GUARD_LIKENESS_SQL;
        reading.construct = GUARD_CONSTRUCT_SQL_QUERY;
    }
    if (memchr(value.ptr, '<', value.len) != NULL) {
        reading.classes |= 1u << GUARD_LIKENESS_SCRIPT;
        reading.construct = GUARD_CONSTRUCT_SCRIPT_ELEMENT;
    }
    return reading;
}

static void begin(struct exchange *exchange, struct guard_memo *memo)
{
    struct guard_txn_cfg cfg = {.service = text("shop"), .hash_seed = 42, .memo = memo};
    failing_alloc_init(&exchange->memory, 0);
    guard_arena_init(&exchange->arena, &exchange->memory.alloc, EXCHANGE_ARENA);
    assert_int_equal(gd_builder_begin(&exchange->builder, &cfg, &exchange->arena), GUARD_OK);
    asked = 0;
    asked_bytes = 0;
}

static struct gd_profile *run(struct exchange *exchange, const char *target, const char *type,
                              struct guard_span body)
{
    begin(exchange, NULL);
    gd_builder_reads(exchange->builder, read_value);
    gd_builder_request(exchange->builder, text("POST"), text(target), 11);
    if (type != NULL)
        gd_builder_header(exchange->builder, text("content-type"), text(type));
    (void)gd_builder_headers_end(exchange->builder);
    exchange_body(exchange, body, 100);
    return exchange_end(exchange);
}

static void test_asked(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint32_t times;
    } values[] = {
        {"abc", 0},      {"4711", 0},        {"a-b.c", 0},  {"a/b/c", 0},  {"x@y.org", 0},
        {"a%20b", 0},    {"%27", 0},         {"x%27y", 1},  {"..%2Fa", 1}, {"a%3Cb", 1},
        {"a%3Bb", 1},    {"http://x.y/", 1}, {"a%0Ab", 1},  {"a%7Cb", 1},  {"%7B%7Ba", 1},
        {"a%60b", 1},    {"a%5Cb", 1},       {"a%3Db", 1},  {"a%22b", 1},  {"%24a_b", 1},
        {"a%2C+b+c", 0}, {"a%5B0%5D", 0},    {"a%2528", 1}, {"a(b)", 1},   {"a!b", 1},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct exchange exchange;
        char target[64];
        (void)snprintf(target, sizeof(target), "/a?q=%s", values[i].value);
        (void)run(&exchange, target, NULL, gd_span(NULL, 0));
        if (asked != values[i].times)
            fail_msg("%s was asked for %u times", values[i].value, asked);
        exchange_fini(&exchange);
    }
}

static void test_kept(void **state)
{
    (void)state;
    struct exchange exchange;
    const struct gd_profile *profile =
        run(&exchange, "/a?q=x%27y&q=x%3Cy&r=z%3Dz", NULL, gd_span(NULL, 0));
    const struct gd_field *field = find_field(profile, GUARD_LOCATION_QUERY, "q");
    assert_true(profile->likeness);
    assert_int_equal(field->summary.likeness,
                     1u << GUARD_LIKENESS_SQL | 1u << GUARD_LIKENESS_SCRIPT);
    assert_int_equal(field->summary.construct, GUARD_CONSTRUCT_SCRIPT_ELEMENT);
    field = find_field(profile, GUARD_LOCATION_QUERY, "r");
    assert_int_equal(field->summary.likeness, 0);
    exchange_fini(&exchange);
    assert_false(run(&exchange, "/a?q=x%3Dy", NULL, gd_span(NULL, 0))->likeness);
    exchange_fini(&exchange);
    assert_false(exchange_run(&exchange, "GET", "/a?q=x%27y", NULL, NULL, NULL)->likeness);
    exchange_fini(&exchange);
}

/* What isn't looked for is told to the reader. */
static void test_without(void **state)
{
    (void)state;
    struct exchange exchange;
    struct guard_txn_cfg cfg = {.service = text("shop"), .likeness_without = 5};
    failing_alloc_init(&exchange.memory, 0);
    guard_arena_init(&exchange.arena, &exchange.memory.alloc, EXCHANGE_ARENA);
    assert_int_equal(gd_builder_begin(&exchange.builder, &cfg, &exchange.arena), GUARD_OK);
    gd_builder_reads(exchange.builder, read_value);
    gd_builder_request(exchange.builder, text("GET"), text("/a?q=x%27y"), 11);
    (void)gd_builder_headers_end(exchange.builder);
    assert_int_equal(exchange_end(&exchange)->likeness_without, 5);
    assert_int_equal(told, 5);
    exchange_fini(&exchange);
    (void)run(&exchange, "/a?q=x%27y", NULL, gd_span(NULL, 0));
    assert_int_equal(told, 0);
    exchange_fini(&exchange);
}

/* The head of a text that comes in pieces, 4 KiB of it. */
static void test_stream(void **state)
{
    (void)state;
    static char body[20000];
    struct exchange exchange;
    memset(body, 'a', sizeof(body));
    body[4000] = '<';
    const struct gd_profile *profile =
        run(&exchange, "/a", "text/plain", gd_span(body, sizeof(body)));
    assert_int_equal(asked, 1);
    assert_int_equal(asked_bytes, 4096);
    assert_int_equal(find_field(profile, GUARD_LOCATION_BODY, "")->summary.construct,
                     GUARD_CONSTRUCT_SCRIPT_ELEMENT);
    exchange_fini(&exchange);
}

/* Of an exchange 80 KiB are read, and of a value no more than the reader looks at counts. */
static void test_budget(void **state)
{
    (void)state;
    struct exchange exchange;
    size_t cap = 300 * 1100, len = 0;
    char *body = malloc(cap);
    body[len++] = '[';
    for (int i = 0; i < 300; i++) {
        len += (size_t)snprintf(body + len, cap - len, "%s\"'", i > 0 ? "," : "");
        memset(body + len, 'a', 1000);
        len += 1000;
        body[len++] = '"';
    }
    body[len++] = ']';
    (void)run(&exchange, "/a", "application/json", gd_span(body, len));
    assert_in_range(asked_bytes, 79 * 1024, 80 * 1024);
    exchange_fini(&exchange);
    free(body);
}

/* A header that comes again is taken from the memo, but not from where nobody read it. */
static void test_memo(void **state)
{
    (void)state;
    struct exchange exchange;
    struct failing_alloc memory;
    struct guard_memo *memo;
    failing_alloc_init(&memory, 0);
    assert_int_equal(guard_memo_new(&memo, &memory.alloc), GUARD_OK);
    for (int round = 0; round < 8; round++) {
        begin(&exchange, memo);
        if (round >= 3)
            gd_builder_reads(exchange.builder, read_value);
        gd_builder_request(exchange.builder, text("GET"), text("/"), 11);
        exchange_header(&exchange, "x-note: a'b");
        (void)gd_builder_headers_end(exchange.builder);
        const struct gd_profile *profile = exchange_end(&exchange);
        const struct gd_field *field = find_field(profile, GUARD_LOCATION_HEADER, "x-note");
        assert_int_equal(field->summary.likeness, round >= 3 ? 1u << GUARD_LIKENESS_SQL : 0);
        assert_int_equal(profile->likeness, round >= 3);
        assert_int_equal(asked, round == 3 || round == 4);
        exchange_fini(&exchange);
    }
    guard_memo_free(memo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),  cmocka_unit_test(test_kept),
        cmocka_unit_test(test_stream), cmocka_unit_test(test_without),
        cmocka_unit_test(test_budget), cmocka_unit_test(test_memo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
