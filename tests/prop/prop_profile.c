/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles of random requests: a record says all of them, and chunk borders change nothing. */
#include "base/span.h"
#include "profile/builder.h"
#include "profile/record.h"
#include "support/failing_alloc.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 400, BODY_SIZE = 6000 };

static struct guard_span text(const char *string)
{
    return gd_span(string, strlen(string));
}

struct request {
    char target[512];
    char body[BODY_SIZE];
    size_t body_len;
    const char *content_type;
    struct guard_client client;
    uint32_t status;
    bool upgraded;
};

struct out {
    char *ptr;
    size_t len;
};

static void put(struct out *out, const char *string)
{
    size_t len = strlen(string);
    if (out->len + len < BODY_SIZE - 64) {
        memcpy(out->ptr + out->len, string, len);
        out->len += len;
    }
}

static const char *pick(struct test_random *random)
{
    static const char *const words[] = {
        "tom",
        "id",
        "user name",
        "42",
        "-1.5e3",
        "a@b.de",
        "2024-02-29",
        "x'--",
        "\xc3\xa4\xc3\xb6",
        "",
        "a[]",
        "token",
        "<b>",
        "..",
        "true",
        "10.0.0.1",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "%27",
        "a b c",
        "name",
        "items",
        "1234567",
        "status",
        "0123456789abcdef0",
        "https://x.de/",
        "((",
    };
    return words[test_random_below(random, sizeof(words) / sizeof(words[0]))];
}

static void put_json(struct test_random *random, struct out *out, int depth)
{
    uint64_t kind = test_random_below(random, depth > 4 ? 4 : 7);
    char number[32];
    if (kind == 0) {
        put(out, test_random_once_in(random, 2) ? "null" : "true");
    } else if (kind == 1) {
        snprintf(number, sizeof(number), "%llu.%llu",
                 (unsigned long long)test_random_below(random, 10000),
                 (unsigned long long)test_random_below(random, 100));
        put(out, number);
    } else if (kind < 4) {
        put(out, "\"");
        put(out, pick(random));
        put(out, test_random_once_in(random, 4) ? "\\u00e4\\n\"" : "\"");
    } else {
        bool array = kind == 4;
        put(out, array ? "[" : "{");
        uint64_t count = test_random_below(random, 12);
        for (uint64_t i = 0; i < count; i++) {
            put(out, i > 0 ? ", " : "");
            if (!array) {
                snprintf(number, sizeof(number), "%llu",
                         (unsigned long long)test_random_below(random, 40));
                put(out, "\"");
                put(out, pick(random));
                put(out, number);
                put(out, "\":");
            }
            put_json(random, out, depth + 1);
        }
        put(out, array ? "]" : "}");
    }
}

static void put_pairs(struct test_random *random, struct out *out)
{
    for (uint64_t i = test_random_below(random, 60); i > 0; i--) {
        char name[32];
        snprintf(name, sizeof(name), "n%llu=", (unsigned long long)test_random_below(random, 50));
        put(out, name);
        put(out, pick(random));
        put(out, "&");
    }
}

static void put_parts(struct test_random *random, struct out *out)
{
    for (uint64_t i = test_random_below(random, 8); i > 0; i--) {
        put(out, "--b\r\nContent-Disposition: form-data; name=\"");
        put(out, pick(random));
        put(out, test_random_once_in(random, 2) ? "\"; filename=\"x.png\"\r\n\r\n" : "\"\r\n\r\n");
        put(out, pick(random));
        put(out, "\xe2\x82");
        put(out, pick(random));
        put(out, "\r\n");
    }
    put(out, "--b--\r\n");
}

static void put_bytes(struct out *out, const void *ptr, size_t len)
{
    if (out->len + len < BODY_SIZE - 64) {
        memcpy(out->ptr + out->len, ptr, len);
        out->len += len;
    }
}

/* Tag, length, content; messages in messages. */
static void put_message(struct test_random *random, struct out *out, int depth)
{
    for (uint64_t i = test_random_below(random, 6); i > 0; i--) {
        char room[BODY_SIZE];
        uint8_t field = (uint8_t)(test_random_between(random, 1, 15) << 3);
        uint8_t head[2] = {field, (uint8_t)test_random_below(random, 128)};
        struct out inner = {room, 0};
        uint64_t kind = test_random_below(random, 4);
        if (kind == 0) {
            put_bytes(out, head, 2);
            continue;
        }
        if (kind == 1) {
            head[0] |= 5;
            put_bytes(out, head, 1);
            put_bytes(out, "abcd", 4);
            continue;
        }
        if (kind == 2 && depth < 3)
            put_message(random, &inner, depth + 1);
        else
            put(&inner, pick(random));
        head[0] |= 2;
        head[1] = (uint8_t)(inner.len & 127);
        put_bytes(out, head, 2);
        put_bytes(out, room, inner.len & 127);
    }
}

static void put_grpc(struct test_random *random, struct out *out)
{
    for (uint64_t i = test_random_below(random, 5); i > 0; i--) {
        char room[BODY_SIZE];
        struct out inner = {room, 0};
        put_message(random, &inner, 0);
        uint8_t head[5] = {test_random_once_in(random, 9), 0, 0, (uint8_t)(inner.len >> 8),
                           (uint8_t)inner.len};
        put_bytes(out, head, 5);
        put_bytes(out, room, inner.len);
    }
}

static void put_frames(struct test_random *random, struct out *out)
{
    static const uint8_t opcodes[] = {0x81, 0x81, 0x82, 0x01, 0x80, 0x89, 0x8a, 0x88};
    for (uint64_t i = test_random_below(random, 12); i > 0; i--) {
        char room[BODY_SIZE];
        struct out inner = {room, 0};
        if (test_random_once_in(random, 2))
            put_json(random, &inner, 3);
        else
            put(&inner, pick(random));
        uint8_t head[8] = {opcodes[test_random_below(random, sizeof(opcodes))], 0x80 | 126,
                           (uint8_t)(inner.len >> 8), (uint8_t)inner.len};
        bool wide = inner.len > 125;
        if (!wide)
            head[1] = (uint8_t)(0x80 | inner.len);
        test_random_bytes(random, head + (wide ? 4 : 2), 4);
        for (size_t at = 0; at < inner.len; at++)
            room[at] = (char)(room[at] ^ head[(wide ? 4 : 2) + at % 4]);
        put_bytes(out, head, wide ? 8 : 6);
        put_bytes(out, room, inner.len);
    }
}

static void put_graphql(struct test_random *random, struct out *out, int depth)
{
    static const char *const names[] = {"user", "id", "a: user", "items", "login", "... on T"};
    put(out, "{ ");
    for (uint64_t i = test_random_between(random, 1, 5); i > 0; i--) {
        uint64_t name = test_random_below(random, 6);
        put(out, names[name]);
        if (name < 5 && test_random_once_in(random, 3)) {
            put(out, "(id: \"");
            put(out, pick(random));
            put(out, "\", n: [1, {x: $y}])");
        }
        if (name == 5 || (depth < 4 && test_random_once_in(random, 3)))
            put_graphql(random, out, depth + 1);
        put(out, " ");
    }
    put(out, "}");
}

/* In a JSON string, where its quotes and line breaks are escaped. */
static void put_operation(struct test_random *random, struct out *out)
{
    char room[BODY_SIZE];
    struct out inner = {room, 0};
    put(&inner, test_random_once_in(random, 2) ? "query Q " : "");
    put_graphql(random, &inner, 0);
    put(out, "{\"query\": \"");
    for (size_t i = 0; i < inner.len; i++) {
        put(out, room[i] == '"' ? "\\" : "");
        put_bytes(out, room + i, 1);
    }
    put(out, "\", \"variables\": {\"y\": 1}}");
}

static void put_events(struct test_random *random, struct out *out)
{
    static const char *const heads[] = {"data: ", "event:", "id", ": ", "retry: ", "other: ", ""};
    static const char *const ends[] = {"\n", "\r\n", "\r", "\n\n"};
    for (uint64_t i = test_random_below(random, 20); i > 0; i--) {
        put(out, heads[test_random_below(random, 7)]);
        put(out, pick(random));
        put(out, ends[test_random_below(random, 4)]);
    }
}

static void make(struct test_random *random, struct request *request)
{
    static const char *const types[] = {"application/json",
                                        "application/x-www-form-urlencoded",
                                        "multipart/form-data; boundary=b",
                                        "text/plain",
                                        "image/png",
                                        NULL,
                                        "application/grpc",
                                        "application/x-protobuf",
                                        "application/graphql",
                                        "application/json",
                                        "text/event-stream",
                                        NULL};
    memset(request, 0, sizeof(*request));
    struct out out = {request->target, 0};
    char part[32];
    for (uint64_t i = test_random_below(random, 5); i > 0; i--) {
        put(&out, "/");
        put(&out, pick(random));
    }
    put(&out, "/?");
    for (uint64_t i = test_random_below(random, 6); i > 0 && out.len < 400; i--) {
        snprintf(part, sizeof(part), "q%llu=", (unsigned long long)test_random_below(random, 4));
        put(&out, part);
        put(&out, pick(random));
        put(&out, "&");
    }
    request->target[out.len] = '\0';
    uint64_t type = test_random_below(random, 12);
    request->upgraded = type == 11;
    request->content_type = types[type];
    out = (struct out){request->body, 0};
    if (type == 0)
        put_json(random, &out, 0);
    else if (type == 1)
        put_pairs(random, &out);
    else if (type == 2)
        put_parts(random, &out);
    else if (type == 6)
        put_grpc(random, &out);
    else if (type == 7)
        put_message(random, &out, 0);
    else if (type == 8)
        put_graphql(random, &out, 0);
    else if (type == 10)
        put_events(random, &out);
    else if (type == 11)
        put_frames(random, &out);
    else if (type == 9)
        put_operation(random, &out);
    else
        put_pairs(random, &out);
    if (out.len > 0 && test_random_once_in(random, 5))
        out.len = test_random_below(random, out.len);
    for (uint64_t i = test_random_once_in(random, 5) && out.len > 0 ? 5 : 0; i > 0; i--)
        request->body[test_random_below(random, out.len)] = (char)test_random_next(random);
    request->body_len = out.len;
    request->client.unit = (enum guard_unit)test_random_below(random, 4);
    request->client.address_len = (uint8_t)(test_random_below(random, 3) * 4);
    if (request->client.address_len == 8)
        request->client.address_len = 16;
    test_random_bytes(random, request->client.address, 16);
    request->client.subject = text("subject");
    request->status = (uint32_t)test_random_below(random, 600);
}

/* Builds the profile with the body in pieces of up to `chunk` random bytes; 0 = whole. */
static struct gd_profile *build(struct test_random *random, const struct request *request,
                                size_t chunk, struct guard_arena *arena)
{
    struct gd_builder *builder;
    struct guard_txn_cfg cfg = {.service = text("shop"), .hash_seed = 7, .time_ms = 1};
    assert_int_equal(gd_builder_begin(&builder, &cfg, arena), GUARD_OK);
    gd_builder_client(builder, &request->client);
    gd_builder_request(builder, text("POST"), text(request->target), 20);
    gd_builder_header(builder, text("X-One"), text("some; value=1"));
    if (request->content_type != NULL)
        gd_builder_header(builder, text("content-type"), text(request->content_type));
    (void)gd_builder_headers_end(builder);
    if (request->upgraded)
        gd_builder_upgraded(builder, true);
    for (size_t at = 0; at < request->body_len;) {
        size_t len = chunk == 0 ? request->body_len : test_random_between(random, 1, chunk);
        struct guard_span piece =
            gd_span_head(gd_span(request->body + at, request->body_len - at), len);
        uint8_t *copy = malloc(piece.len);
        memcpy(copy, piece.ptr, piece.len);
        gd_builder_body(builder, gd_span(copy, piece.len));
        memset(copy, 0xdd, piece.len);
        free(copy);
        at += piece.len;
    }
    gd_builder_end(builder);
    struct gd_profile *profile = gd_builder_profile(builder);
    profile->status = request->status;
    return profile;
}

static void prop_chunks(void **state)
{
    (void)state;
    struct test_random random = test_random_start("prop_profile chunks");
    static uint8_t expected[GUARD_RECORD_MAX], found[GUARD_RECORD_MAX];
    for (int round = 0; round < ROUNDS; round++) {
        struct request request;
        make(&random, &request);
        size_t expected_len = 0;
        for (size_t i = 0; i < 4; i++) {
            struct failing_alloc memory;
            struct guard_arena arena;
            size_t len;
            failing_alloc_init(&memory, 0);
            guard_arena_init(&arena, &memory.alloc, 256 * 1024);
            const size_t chunks[] = {0, 1, 7, 300};
            struct gd_profile *profile = build(&random, &request, chunks[i], &arena);
            assert_int_equal(
                gd_record_encode(profile, i == 0 ? expected : found, GUARD_RECORD_MAX, &len),
                GUARD_OK);
            if (i == 0)
                expected_len = len;
            assert_int_equal(len, expected_len);
            if (i > 0)
                assert_memory_equal(found, expected, len);
            guard_arena_reset(&arena);
            assert_int_equal(memory.live, 0);
        }
    }
}

static void check_field(const struct gd_field *a, const struct gd_field *b)
{
    const struct gd_summary *x = &a->summary;
    const struct gd_summary *y = &b->summary;
    assert_int_equal(a->location, b->location);
    assert_int_equal(a->parent, b->parent);
    assert_true(gd_span_equal(a->name, b->name));
    assert_int_equal(x->classes, y->classes);
    assert_int_equal(x->types, y->types);
    assert_int_equal(x->length_min, y->length_min);
    assert_int_equal(x->length_max, y->length_max);
    assert_int_equal(x->digits_max, y->digits_max);
    assert_int_equal(x->specials_max, y->specials_max);
    assert_int_equal(x->items_max, y->items_max);
    assert_int_equal(x->count, y->count);
    assert_int_equal(x->frequent, y->frequent);
    assert_int_equal(x->transition_count, y->transition_count);
    for (uint32_t i = 0; i < x->transition_count; i++)
        assert_int_equal(x->transitions[i], y->transitions[i]);
    assert_int_equal(x->transitions_full, y->transitions_full);
    assert_int_equal(x->literal_known, y->literal_known);
    if (x->literal_known)
        assert_int_equal(x->literal, y->literal);
}

static void prop_round_trip(void **state)
{
    (void)state;
    struct test_random random = test_random_start("prop_profile round trip");
    static uint8_t first[GUARD_RECORD_MAX], second[GUARD_RECORD_MAX];
    for (int round = 0; round < 4 * ROUNDS; round++) {
        struct request request;
        struct failing_alloc memory;
        struct guard_arena arena, decoded;
        struct gd_profile out;
        size_t len, again;
        make(&random, &request);
        failing_alloc_init(&memory, 0);
        guard_arena_init(&arena, &memory.alloc, 256 * 1024);
        guard_arena_init(&decoded, &memory.alloc, GD_RECORD_ARENA);
        struct gd_profile *profile = build(&random, &request, 0, &arena);
        size_t cap = test_random_once_in(&random, 4) ? test_random_between(&random, 200, 2000)
                                                     : GUARD_RECORD_MAX;
        enum guard_rc rc = gd_record_encode(profile, first, cap, &len);
        if (rc == GUARD_OK) {
            assert_true(len <= cap);
            assert_int_equal(gd_record_decode(gd_span(first, len), &decoded, &out), GUARD_OK);
            assert_true(out.field_count <= profile->field_count);
            for (uint32_t i = 0; i < out.field_count; i++)
                check_field(&out.fields[i], &profile->fields[i]);
            bool whole = out.field_count == profile->field_count;
            assert_int_equal(out.cut, !whole || profile->cut);
            /* What was decoded says the same again. */
            out.client.subject = profile->client.subject;
            assert_int_equal(gd_record_encode(&out, second, GUARD_RECORD_MAX, &again), GUARD_OK);
            if (whole) {
                assert_int_equal(again, len);
                assert_memory_equal(first, second, len);
            }
        } else {
            assert_int_equal(rc, GUARD_E_LIMIT);
            assert_true(cap < GUARD_RECORD_MAX);
        }
        guard_arena_reset(&arena);
        guard_arena_reset(&decoded);
        assert_int_equal(memory.live, 0);
    }
}

/* Many names and few: each is found again, whatever the table's size. */
static void prop_names(void **state)
{
    (void)state;
    struct test_random random = test_random_start("prop_profile names");
    for (int round = 0; round < 60; round++) {
        static char body[65536];
        size_t len = 0;
        uint64_t names = test_random_between(&random, 1, 500);
        uint64_t pairs = names * 3;
        for (uint64_t i = 0; i < pairs; i++)
            len += (size_t)snprintf(body + len, sizeof(body) - len, "name%llu[]=%llu&",
                                    (unsigned long long)(i % names), (unsigned long long)i);
        struct request request = {.target = "/",
                                  .content_type = "application/x-www-form-urlencoded"};
        struct failing_alloc memory;
        struct guard_arena arena;
        failing_alloc_init(&memory, 0);
        guard_arena_init(&arena, &memory.alloc, 256 * 1024);
        struct gd_builder *builder;
        struct guard_txn_cfg cfg = {.service = text("shop"),
                                    .hash_seed = test_random_next(&random)};
        assert_int_equal(gd_builder_begin(&builder, &cfg, &arena), GUARD_OK);
        gd_builder_request(builder, text("POST"), text(request.target), 11);
        gd_builder_header(builder, text("Content-Type"), text(request.content_type));
        (void)gd_builder_headers_end(builder);
        gd_builder_body(builder, gd_span(body, len));
        gd_builder_end(builder);
        struct gd_profile *profile = gd_builder_profile(builder);
        uint32_t forms = 0;
        for (uint32_t i = 0; i < profile->field_count; i++) {
            if (profile->fields[i].location != GUARD_LOCATION_FORM)
                continue;
            forms++;
            if (pairs <= 512)
                assert_int_equal(profile->fields[i].summary.count, 3);
        }
        assert_int_equal(forms, names);
        guard_arena_reset(&arena);
        assert_int_equal(memory.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prop_chunks),
        cmocka_unit_test(prop_round_trip),
        cmocka_unit_test(prop_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
