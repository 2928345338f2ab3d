/* SPDX-License-Identifier: Apache-2.0 */
/* Whom an outbound call goes to: one name for all spellings of one destination, never one for two;
 * and the place that it has in the profile. */
#include "profile/destination.h"

#include "exchange.h"
#include "profile/builder_state.h"

#include <stdio.h>

struct row {
    const char *authority;
    const char *plain; /* by http */
    const char *tls;   /* by https; NULL: the same */
};

static const struct row rows[] = {
    {"payments", "payments", NULL},
    {"Payments.Example", "payments.example", NULL},
    {" payments\t", "payments", NULL},
    /* ports */
    {"payments:8443", "payments:8443", NULL},
    {"payments:80", "payments", "payments:80"},
    {"payments:443", "payments:443", "payments"},
    {"payments:", "payments", NULL},
    {"payments:0080", "payments", "payments:80"},
    {"payments:008080", "payments:8080", NULL},
    {"payments:00", "payments:0", NULL},
    {"payments:65536", "payments:65536", NULL},
    {"payments:123456", "payments:123456", NULL},
    {"payments:80a", "payments:80a", NULL},
    {"payments:+80", "payments:+80", NULL},
    {"payments:-1", "payments:-1", NULL},
    /* one dot of a complete name */
    {"payments.example.", "payments.example", NULL},
    {"payments.example.:8080", "payments.example:8080", NULL},
    {"payments..", "payments.", NULL},
    {".", ".", NULL},
    /* user information */
    {"tom:secret@Payments:8443", "payments:8443", NULL},
    {"payments:8443@evil", "evil", NULL},
    {"payments@evil@other", "other", NULL},
    {"payments@", "-", NULL},
    /* addresses */
    {"10.0.0.7:8080", "10.0.0.7:8080", NULL},
    {"[2001:DB8::1]:8080", "[2001:db8::1]:8080", NULL},
    {"[2001:0db8:0000:0000:0000:0000:0000:0001]", "[2001:db8::1]", NULL},
    {"[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]", NULL},
    {"[2001:db8:0:1:1:1:1:1]", "[2001:db8:0:1:1:1:1:1]", NULL},
    {"[::]:80", "[::]", "[::]:80"},
    {"[::1]:443", "[::1]:443", "[::1]"},
    {"[1::]", "[1::]", NULL},
    {"[0:0:0:0:0:ffff:192.0.2.1]", "[::ffff:c000:201]", NULL},
    {"[::ffff:c000:0201]", "[::ffff:c000:201]", NULL},
    {"[64:ff9b::192.0.2.33]", "[64:ff9b::c000:221]", NULL},
    /* what isn't one stays as it is */
    {"[::1", "[::1", NULL},
    {"[::1]x", "[::1]x", NULL},
    {"[1::2::3]", "[1::2::3]", NULL},
    {"[12345::]", "[12345::]", NULL},
    {"[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7]", NULL},
    {"[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8:9]", NULL},
    {"[1:2:3:4:5:6:7:8::]", "[1:2:3:4:5:6:7:8::]", NULL},
    {"[:1]", "[:1]", NULL},
    {"[1:]", "[1:]", NULL},
    {"[::1.2.3]", "[::1.2.3]", NULL},
    {"[::1.2.3.256]", "[::1.2.3.256]", NULL},
    {"[1:2:3:4:5:6:7:1.2.3.4]", "[1:2:3:4:5:6:7:1.2.3.4]", NULL},
    {"[fe80::1%25eth0]", "[fe80::1%25eth0]", NULL},
    {"[]", "[]", NULL},
    {"::1", "::1", NULL},
    {"a:b:80", "a:b:80", NULL},
    {"pay/../ments", "pay/../ments", NULL},
    {"pay\r\nments", "pay\r\nments", NULL},
    {"{int}", "{int}", NULL},
    /* nothing */
    {"", "-", NULL},
    {" ", "-", NULL},
    {":80", "-", ":80"},
    {"-", "-", NULL},
};

static void expect(const char *authority, bool tls, const char *wanted)
{
    uint8_t room[GD_NAME_MAX];
    /* A block of its own length, so that a byte too far is seen. */
    size_t len = strlen(authority);
    char *copy = malloc(len + 1);
    memcpy(copy, authority, len);
    struct guard_span got = gd_destination(gd_span(copy, len), tls, room);
    if (!gd_span_equal(got, text(wanted)))
        fail_msg("\"%s\" is \"%.*s\", not \"%s\"", authority, (int)got.len, (const char *)got.ptr,
                 wanted);
    free(copy);
}

static void test_spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect(rows[i].authority, false, rows[i].plain);
        expect(rows[i].authority, true, rows[i].tls != NULL ? rows[i].tls : rows[i].plain);
    }
}

/* What it is called is a destination of that name. */
static void test_stable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].authority, "payments..") != 0)
            expect(rows[i].plain, false, rows[i].plain);
    }
}

static void test_long(void **state)
{
    (void)state;
    enum { LONG = 100 * 1000 };
    uint8_t room[GD_NAME_MAX], other_room[GD_NAME_MAX];
    uint8_t *bytes = malloc(LONG);
    memset(bytes, 'a', LONG);
    struct guard_span name = gd_destination(gd_span(bytes, GD_NAME_MAX), false, room);
    assert_true(gd_span_equal(name, gd_span(bytes, GD_NAME_MAX)));
    for (size_t len = GD_NAME_MAX + 1; len <= LONG; len = len < 400 ? len + 1 : len * 3) {
        name = gd_destination(gd_span(bytes, len), false, room);
        assert_int_equal(name.len, GD_NAME_MAX);
        assert_memory_equal(name.ptr, bytes, 48);
        assert_int_equal(name.ptr[48], '~');
        bytes[len - 1] = 'b';
        struct guard_span other = gd_destination(gd_span(bytes, len), false, other_room);
        assert_false(gd_span_equal(name, other));
        bytes[len - 1] = 'A'; /* one more spelling, where the whole name is kept */
        other = gd_destination(gd_span(bytes, len), false, other_room);
        assert_true(len >= 320 || gd_span_equal(name, other));
        bytes[len - 1] = 'a';
    }
    free(bytes);
}

/* No byte is a destination that breaks anything. */
static void test_any_bytes(void **state)
{
    (void)state;
    static const char signs[] = "[]:.@%a0F/ \t\x01\xff";
    uint8_t room[GD_NAME_MAX];
    uint32_t seed = 7;
    for (int round = 0; round < 200000; round++) {
        uint8_t bytes[24];
        seed = seed * 1664525 + 1013904223;
        size_t len = (seed >> 24) % sizeof(bytes);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (uint8_t)signs[(seed >> 16) % (sizeof(signs) - 1)];
        }
        struct guard_span name = gd_destination(gd_span(bytes, len), seed >> 31, room);
        assert_true(name.len > 0 && name.len <= GD_NAME_MAX);
    }
}

static struct gd_profile *call(struct exchange *exchange, const char *method, const char *target,
                               const char *const *headers)
{
    struct guard_txn_cfg cfg = {.service = text("shop.egress"), .hash_seed = 42, .outbound = true};
    failing_alloc_init(&exchange->memory, 0);
    guard_arena_init(&exchange->arena, &exchange->memory.alloc, EXCHANGE_ARENA);
    assert_int_equal(gd_builder_begin(&exchange->builder, &cfg, &exchange->arena), GUARD_OK);
    gd_builder_request(exchange->builder, text(method), text(target), 11);
    for (; *headers != NULL; headers++)
        exchange_header(exchange, *headers);
    (void)gd_builder_headers_end(exchange->builder);
    return exchange_end(exchange);
}

static void expect_path(const char *method, const char *target, const char *host,
                        const char *wanted)
{
    const char *const headers[] = {"accept: */*", host, NULL};
    struct exchange exchange;
    struct gd_profile *profile = call(&exchange, method, target, headers);
    char path[512] = "";
    size_t len = 0;
    for (uint32_t i = 0; i < profile->segment_count; i++) {
        struct guard_span segment = profile->segments[i].text;
        len += (size_t)snprintf(path + len, sizeof(path) - len, "/%.*s", (int)segment.len,
                                (const char *)segment.ptr);
        /* The learner and the decision find a segment's field by its number. */
        assert_int_equal(profile->fields[i].location, GUARD_LOCATION_PATH);
        assert_int_equal(profile->fields[i].summary.count, 1);
    }
    assert_string_equal(path, wanted);
    assert_true(profile->outbound);
    assert_false(profile->segments[0].typed);
    assert_true(gd_span_equal(profile->fields[0].name, text("seg0")));
    assert_true(
        gd_span_equal(profile->fields[0].sample, gd_span_head(profile->segments[0].text, 48)));
    exchange_fini(&exchange);
}

static void test_paths(void **state)
{
    (void)state;
    expect_path("GET", "/charge/17?x=1", "Host: Payments:8443", "/payments:8443/charge/{int}");
    expect_path("GET", "/", "Host: payments", "/payments/");
    expect_path("GET", "http://Payments:8443/charge/17", "Host: payments:8443",
                "/payments:8443/charge/{int}");
    expect_path("GET", "https://payments:443/charge", "Host: payments", "/payments/charge");
    expect_path("GET", "http://evil/charge", "Host: payments", "/evil/charge");
    expect_path("GET", "http://payments", "Host: payments", "/payments/");
    expect_path("GET", "/charge", "X-Host: payments", "/-/charge");
    expect_path("CONNECT", "db2:5432", "Host: payments", "/db2:5432");
    expect_path("OPTIONS", "*", "Host: payments", "/payments/*");
    /* Never an identity: each address is a destination of its own. */
    expect_path("GET", "/a", "Host: 2130706433", "/2130706433/a");
    expect_path("GET", "/a", "Host: 0123456789abcdef0123456789abcdef",
                "/0123456789abcdef0123456789abcdef/a");
}

static void test_first_host_counts(void **state)
{
    (void)state;
    const char *const headers[] = {"Host: payments", "Host: evil", NULL};
    struct exchange exchange;
    struct gd_profile *profile = call(&exchange, "GET", "/a", headers);
    assert_true(gd_span_equal(profile->segments[0].text, text("payments")));
    /* What the destination says isn't said once more. */
    assert_null(find_field(profile, GUARD_LOCATION_HEADER, "host"));
    assert_true(has_fault(profile, GUARD_LOCATION_HEADER, GUARD_FAULT_DUPLICATE_NAME));
    exchange_fini(&exchange);
}

/* The limit of segments counts the destination. */
static void test_many_segments(void **state)
{
    (void)state;
    const char *const headers[] = {"Host: payments", NULL};
    char target[2 * 40 + 1] = "";
    for (size_t i = 0; i < 40; i++)
        memcpy(target + 2 * i, "/a", 3);
    struct exchange exchange;
    struct gd_profile *profile = call(&exchange, "GET", target, headers);
    assert_int_equal(profile->segment_count, GD_SEGMENTS_MAX);
    assert_true(gd_span_equal(profile->segments[GD_SEGMENTS_MAX - 1].text, text("{rest}")));
    assert_int_equal(find_field(profile, GUARD_LOCATION_PATH, "seg31")->summary.count, 10);
    exchange_fini(&exchange);
}

static void test_record(void **state)
{
    (void)state;
    const char *const headers[] = {"Host: payments:8443", NULL};
    struct exchange exchange;
    struct gd_profile *profile = call(&exchange, "GET", "/charge/17", headers);
    uint8_t bytes[GUARD_RECORD_MAX];
    size_t len = 0;
    struct guard_arena arena;
    struct gd_profile read;
    guard_arena_init(&arena, &exchange.memory.alloc, GD_RECORD_ARENA);
    assert_int_equal(gd_record_encode(profile, bytes, sizeof(bytes), &len), GUARD_OK);
    assert_int_equal(gd_record_decode(gd_span(bytes, len), &arena, &read), GUARD_OK);
    assert_true(read.outbound);
    assert_true(gd_span_equal(read.segments[0].text, text("payments:8443")));
    assert_int_equal(read.segment_count, 3);
    profile->outbound = false;
    assert_int_equal(gd_record_encode(profile, bytes, sizeof(bytes), &len), GUARD_OK);
    guard_arena_reset(&arena);
    assert_int_equal(gd_record_decode(gd_span(bytes, len), &arena, &read), GUARD_OK);
    assert_false(read.outbound);
    guard_arena_reset(&arena);
    exchange_fini(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),     cmocka_unit_test(test_stable),
        cmocka_unit_test(test_long),          cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_first_host_counts),
        cmocka_unit_test(test_many_segments), cmocka_unit_test(test_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
