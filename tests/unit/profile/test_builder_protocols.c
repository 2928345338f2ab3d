/* SPDX-License-Identifier: Apache-2.0 */
/* What gRPC, GraphQL, WebSocket and server-sent events become, and that memory doesn't grow with
 * what streams. */
#include "exchange.h"
#include "profile/builder_state.h"

#include <stdio.h>

#define TEXT(bytes) gd_span(bytes, sizeof(bytes) - 1)
#define LITERAL(bytes)                                                                             \
    {                                                                                              \
        (const uint8_t *)(bytes), sizeof(bytes) - 1                                                \
    }

enum { DUMP_SIZE = 8192 };

struct out {
    char text[DUMP_SIZE];
    size_t len;
};

static void put(struct out *out, struct guard_span piece)
{
    assert_true(piece.len < DUMP_SIZE - out->len);
    if (piece.len > 0)
        memcpy(out->text + out->len, piece.ptr, piece.len);
    out->len += piece.len;
    out->text[out->len] = '\0';
}

static void put_number(struct out *out, const char *mark, uint32_t number)
{
    char line[32];
    put(out, gd_span(line, (size_t)snprintf(line, sizeof(line), " %s%u", mark, number)));
}

static void put_path(const struct gd_profile *profile, const struct gd_field *field,
                     struct out *out)
{
    if (field->parent != GD_NO_FIELD) {
        put_path(profile, &profile->fields[field->parent], out);
        put(out, text("/"));
    }
    put(out, field->name);
}

/* A line for each field of the location: path, types, and numbers that aren't usual. */
static void dump(const struct gd_profile *profile, enum guard_location location, struct out *out)
{
    for (uint32_t i = 0; i < profile->field_count; i++) {
        const struct gd_field *field = &profile->fields[i];
        if (field->location != location)
            continue;
        put_path(profile, field, out);
        for (uint32_t type = 0; type < GUARD_TYPE_COUNT; type++) {
            if ((field->summary.types >> type & 1) == 0)
                continue;
            put(out, text(" "));
            put(out, text(guard_type_name((enum guard_type)type)));
        }
        if (field->summary.count != 1)
            put_number(out, "x", field->summary.count);
        if (field->summary.items_max > 0)
            put_number(out, "#", field->summary.items_max);
        put(out, text("\n"));
    }
    for (unsigned i = 0; i < GUARD_FAULT_COUNT; i++) {
        if ((profile->faults[location] >> i & 1) == 0)
            continue;
        put(out, text("! "));
        put(out, text(guard_fault_name((enum guard_fault)i)));
        put(out, text("\n"));
    }
}

static void expect(const struct gd_profile *profile, enum guard_location location,
                   const char *expected)
{
    struct out found = {.len = 0};
    dump(profile, location, &found);
    if (strcmp(found.text, expected) != 0)
        fail_msg("%s:\n%s\nexpected:\n%s", guard_location_name(location), found.text, expected);
}

static struct gd_profile *run_bytes(struct exchange *exchange, const char *type,
                                    struct guard_span body, size_t chunk)
{
    assert_int_equal(exchange_begin(exchange, 0), GUARD_OK);
    gd_builder_request(exchange->builder, text("POST"), text("/"), 20);
    gd_builder_header(exchange->builder, text("content-type"), text(type));
    (void)gd_builder_headers_end(exchange->builder);
    exchange_body(exchange, body, chunk);
    return exchange_end(exchange);
}

static void check_bytes(const char *type, struct guard_span body, enum guard_location location,
                        enum guard_body_kind kind, const char *expected)
{
    for (size_t chunk = 1; chunk <= body.len; chunk = chunk < 8 ? chunk + 1 : chunk * 2) {
        struct exchange exchange;
        const struct gd_profile *profile = run_bytes(&exchange, type, body, chunk);
        assert_int_equal(profile->body_kind, kind);
        expect(profile, location, expected);
        exchange_fini(&exchange);
    }
}

static void test_grpc(void **state)
{
    (void)state;
    /* {1: 150, 2: "testing", 3: {1: 150}, 4: -1} twice; the second time without 2 and 4 */
    struct guard_span body = TEXT("\0\0\0\0\x1c\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01"
                                  "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                                  "\0\0\0\0\x08\x08\x96\x01\x1a\x03\x08\x96\x01");
    const char *expected = " object x2 #4\n1 int x2\n2 word\n3 object x2 #1\n3/1 int x2\n4 int\n";
    check_bytes("application/grpc", body, GUARD_LOCATION_PROTOBUF, GUARD_BODY_GRPC, expected);
    check_bytes("application/grpc-web+proto", body, GUARD_LOCATION_PROTOBUF, GUARD_BODY_GRPC,
                expected);
    check_bytes("application/x-protobuf", TEXT("\x08\x96\x01\x12\x03\xff\x00\x01\x1d\0\0\x80\x3f"),
                GUARD_LOCATION_PROTOBUF, GUARD_BODY_BYTES,
                " object #3\n1 int\n2 bytes\n3 decimal\n");
}

/* Both kinds have the same fields; trailers are header fields, though the chunks are gone. */
static void test_grpc_web(void **state)
{
    (void)state;
    struct guard_span binary = TEXT("\000\000\000\000\014\010\226\001\022\007testing"
                                    "\200\000\000\000\032grpc-status:0\015\012X-Note: a\015\012");
    struct guard_span in_text = TEXT("AAAAAAwIlgESB3Rlc3Rpbmc="
                                     "gAAAABpncnBjLXN0YXR1czowDQpYLU5vdGU6IGENCg==");
    const char *expected = " object #2\n1 int\n2 word\n";
    const char *types[] = {"application/grpc-web", "application/grpc-web+proto",
                           "application/grpc-web-text", "application/grpc-web-text+proto"};
    for (size_t i = 0; i < 4; i++) {
        struct guard_span body = i < 2 ? binary : in_text;
        check_bytes(types[i], body, GUARD_LOCATION_PROTOBUF, GUARD_BODY_GRPC, expected);
        struct exchange exchange;
        const struct gd_profile *profile = run_bytes(&exchange, types[i], body, 1);
        assert_int_equal(profile->faults[GUARD_LOCATION_HEADER], 0);
        uint32_t found = 0;
        for (uint32_t k = 0; k < profile->field_count; k++) {
            struct guard_span name = profile->fields[k].name;
            found +=
                gd_span_equal(name, TEXT("grpc-status")) || gd_span_equal(name, TEXT("x-note"));
        }
        assert_int_equal(found, 2);
        exchange_fini(&exchange);
    }
}

static void test_graphql(void **state)
{
    (void)state;
    const char *expected =
        "query object #2\nquery/user object x2 #2\nquery/user/(id) int token x2\n"
        "query/user/name null x2 #2\n";
    expected = "query object #2\nquery/user object x2 #2\nquery/user/(id) int text x2\n"
               "query/user/name null x2 #2\n";
    check_bytes("application/json",
                TEXT("{\"query\":\"{ a: user(id: 1) { name } b: user(id: $x) {name} }\"}"),
                GUARD_LOCATION_GRAPHQL, GUARD_BODY_JSON, expected);
    check_bytes(
        "application/json",
        TEXT("[{\"query\": \"query\\n{ a: user(id: 1) { name } b: user(id: $x) {name} }\"}]"),
        GUARD_LOCATION_GRAPHQL, GUARD_BODY_JSON, expected);
    check_bytes("application/graphql", TEXT("{ a: user(id: 1) { name } b: user(id: $x) {name} }"),
                GUARD_LOCATION_GRAPHQL, GUARD_BODY_TEXT, expected);
    struct exchange exchange;
    const struct gd_profile *profile = exchange_run(
        &exchange, "GET", "/?query=%7B+a:user(id:1)%7Bname%7D+b:user(id:%24x)%7Bname%7D+%7D", NULL,
        NULL, NULL);
    expect(profile, GUARD_LOCATION_GRAPHQL, expected);
    exchange_fini(&exchange);
}

static struct gd_profile *run_frames(struct exchange *exchange, bool from_client,
                                     struct guard_span frames, size_t chunk)
{
    assert_int_equal(exchange_begin(exchange, 0), GUARD_OK);
    gd_builder_request(exchange->builder, text("GET"), text("/"), 11);
    (void)gd_builder_headers_end(exchange->builder);
    gd_builder_upgraded(exchange->builder, from_client);
    exchange_body(exchange, frames, chunk);
    return exchange_end(exchange);
}

static void test_websocket(void **state)
{
    (void)state;
    struct guard_span frames = TEXT("\x81\x0a{\"a\":[1]} \x01\x03{\"a\x89\x00\x80\x08\":\"xyz\"}"
                                    "\x81\x05Hello\x82\x03\x00\x01\x02\x88\x05\x03\xe8"
                                    "bye");
    for (size_t chunk = 1; chunk <= frames.len; chunk++) {
        struct exchange exchange;
        const struct gd_profile *profile = run_frames(&exchange, false, frames, chunk);
        assert_int_equal(profile->body_kind, GUARD_BODY_WEBSOCKET);
        expect(profile, GUARD_LOCATION_WEBSOCKET,
               " word object x3 #1\na word array string x2 #1\na/[] int\n(ping) empty\n"
               "(binary) bytes\n(close) int\n(reason) word\n");
        exchange_fini(&exchange);
    }
}

/* The member is looked for in the document and in those of a batch, and nowhere else; it stays a
 * field of JSON, and what repeats it is a duplicate. */
static void test_graphql_member(void **state)
{
    (void)state;
    check_bytes("application/json", TEXT("{\"a\":{\"query\":\"{a}\"},\"query\":{\"x\":\"{a}\"}}"),
                GUARD_LOCATION_GRAPHQL, GUARD_BODY_JSON, "");
    check_bytes("application/json", TEXT("{\"query\":\"red shoes {size}\",\"b\":1}"),
                GUARD_LOCATION_GRAPHQL, GUARD_BODY_JSON, "");
    check_bytes("application/json",
                TEXT("{\"query\":{\"a\":[1,{\"query\":\"{a}\"}]},\"b\":1,\"c\":[]}"),
                GUARD_LOCATION_JSON, GUARD_BODY_JSON,
                " object #3\nquery object #1\nquery/a array #2\nquery/a/[] int object x2 #1\n"
                "query/a/[]/query text string\nb int\nc array\n");
    check_bytes("application/json",
                TEXT("{\"v\":1,\"query\":\"{a}\",\"b\":2, \"query\" : \"{b}\"}"),
                GUARD_LOCATION_JSON, GUARD_BODY_JSON,
                " object #4\nv int\nquery text string x2\nb int\n! json-duplicate\n");
    check_bytes("application/json", TEXT("{\"query\":\"{a}\",\"query\":\"query {b(\"}"),
                GUARD_LOCATION_GRAPHQL, GUARD_BODY_JSON,
                "query object x2 #2\nquery/a null\nquery/b x0\n! graphql-syntax\n");
    check_bytes("application/json",
                TEXT("[{\"query\":\"{a}\"},{\"query\":\"{a}\"},{\"query\":\"{a b}\",\"x\":1}]"),
                GUARD_LOCATION_GRAPHQL, GUARD_BODY_JSON,
                "query object x3 #3\nquery/a null x3 #3\nquery/b null\n");
    static const char *const targets[] = {"/?query=shoes", "/?query=%7B%22a%22:1%7D",
                                          "/?query=query+%7Bopen", "/?q=%7Ba%7D"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct exchange exchange;
        const struct gd_profile *profile =
            exchange_run(&exchange, "GET", targets[i], NULL, NULL, NULL);
        expect(profile, GUARD_LOCATION_GRAPHQL, "");
        exchange_fini(&exchange);
    }
}

/* Each allocation fails in turn; the profile is there and says so. */
static void test_memory(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        struct guard_span body;
    } cases[] = {
        {"application/grpc", LITERAL("\0\0\0\0\x0e\x08\1\x12\5hello\x1a\3\x08\x96\1")},
        {"application/graphql", LITERAL("{a(b: \"\\u00e4\") c}")},
        {NULL, LITERAL("\x81\x07{\"a\":1}\x82\3abc")},
        {"text/event-stream", LITERAL("data: 1\n\n")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool failed = true;
        for (uint64_t at = 1; failed; at++) {
            struct exchange exchange;
            if (exchange_begin(&exchange, at) == GUARD_OK) {
                gd_builder_request(exchange.builder, text("POST"), text("/"), 20);
                if (cases[i].type != NULL)
                    gd_builder_header(exchange.builder, text("content-type"), text(cases[i].type));
                (void)gd_builder_headers_end(exchange.builder);
                if (cases[i].type == NULL)
                    gd_builder_upgraded(exchange.builder, false);
                exchange_body(&exchange, cases[i].body, 2);
                (void)exchange_end(&exchange);
            }
            failed = exchange.memory.calls >= at;
            exchange_fini(&exchange);
            assert_true(at < 100);
        }
    }
}

/* However long a stream is, it needs no more memory than at its beginning, and its limits are those
 * of its messages. */
static void test_endless(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        struct guard_span message;
        enum guard_location location;
    } cases[] = {
        {"application/grpc", LITERAL("\0\0\0\0\x0e\x08\1\x12\5hello\x1a\3\x08\x96\1"),
         GUARD_LOCATION_PROTOBUF},
        {NULL,
         LITERAL("\x81\x1b{\"a\":[1,\"x\\u00e4-y\"],\"b\":2}\x82\3a\0c\x89\1x"
                 "\x81\3a-b\x81\x18{\"query\":\"{a(b:\\\"c\\\")}\"}"),
         GUARD_LOCATION_WEBSOCKET},
        {"text/event-stream", LITERAL("event: a\ndata: {\"x\": 1.5}\n\n"), GUARD_LOCATION_BODY},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum { WARM = 4, ROUNDS = 60000 };
        struct exchange exchange;
        size_t used = 0;
        assert_int_equal(exchange_begin(&exchange, 0), GUARD_OK);
        gd_builder_request(exchange.builder, text("POST"), text("/"), 20);
        if (cases[i].type != NULL)
            gd_builder_header(exchange.builder, text("content-type"), text(cases[i].type));
        (void)gd_builder_headers_end(exchange.builder);
        if (cases[i].type == NULL)
            gd_builder_upgraded(exchange.builder, false);
        for (int round = 0; round < ROUNDS; round++) {
            size_t half = (size_t)round % cases[i].message.len;
            gd_builder_body(exchange.builder, gd_span_head(cases[i].message, half));
            gd_builder_body(exchange.builder, gd_span_from(cases[i].message, half));
            size_t now = exchange.arena.used - (size_t)(exchange.arena.end - exchange.arena.next);
            if (round == WARM * (int)cases[i].message.len)
                used = now;
        }
        size_t end = exchange.arena.used - (size_t)(exchange.arena.end - exchange.arena.next);
        assert_int_equal(end, used);
        const struct gd_profile *profile = exchange_end(&exchange);
        assert_int_equal(profile->faults[cases[i].location], 0);
        assert_int_equal(profile->faults[GUARD_LOCATION_BODY], 0);
        assert_false(profile->cut);
        exchange_fini(&exchange);
    }
}

static void test_events(void **state)
{
    (void)state;
    check_bytes("text/event-stream",
                TEXT(": hello\n\nevent: add\ndata: 1\ndata:2\r\n\r\nid\nretry: 10\rodd: x\n\n"),
                GUARD_LOCATION_BODY, GUARD_BODY_EVENTS,
                "event word\ndata int x2\n word text x2\nretry int\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc),      cmocka_unit_test(test_grpc_web),
        cmocka_unit_test(test_graphql),   cmocka_unit_test(test_graphql_member),
        cmocka_unit_test(test_memory),    cmocka_unit_test(test_endless),
        cmocka_unit_test(test_websocket), cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
