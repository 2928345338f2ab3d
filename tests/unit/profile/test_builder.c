/* SPDX-License-Identifier: Apache-2.0 */
/* What requests become: names, summaries, faults and limits, with memory failing at every step. */
#include "profile/builder.h"

#include "exchange.h"
#include "profile/builder_state.h"

#include <stdio.h>

static const struct gd_field *expect_field(const struct gd_profile *profile,
                                           enum guard_location location, const char *name)
{
    const struct gd_field *field = find_field(profile, location, name);
    if (field == NULL)
        fail_msg("no %s %s", guard_location_name(location), name);
    return field;
}

static uint32_t index_of(const struct gd_profile *profile, const struct gd_field *field)
{
    return (uint32_t)(field - profile->fields);
}

static void test_get(void **state)
{
    (void)state;
    const char *const headers[] = {"Host: shop", "X-ID: 7", "Cookie: sid=\"abc\"; Lang=de", NULL};
    struct exchange exchange;
    struct gd_profile *profile = exchange_run(
        &exchange, "GET", "/users/42/f81d4fae-7dec-11d0-a765-00a0c91e6bf6?username=tom%20x&n=1",
        headers, NULL, NULL);
    assert_true(gd_span_equal(profile->service, text("shop")));
    assert_true(gd_span_equal(profile->method, text("GET")));
    assert_int_equal(profile->version, 11);
    assert_int_equal(profile->latency_us, UINT32_MAX);
    assert_int_equal(profile->body_kind, GUARD_BODY_NONE);
    assert_int_equal(profile->segment_count, 3);
    assert_true(gd_span_equal(profile->segments[0].text, text("users")));
    assert_true(gd_span_equal(profile->segments[1].text, text("{int}")));
    assert_true(gd_span_equal(profile->segments[2].text, text("{uuid}")));
    const struct gd_field *field = expect_field(profile, GUARD_LOCATION_PATH, "seg1");
    assert_int_equal(field->summary.types, 1u << GUARD_TYPE_INT);
    assert_true(gd_span_equal(field->sample, text("42")));
    field = expect_field(profile, GUARD_LOCATION_QUERY, "username");
    assert_true(gd_span_equal(field->sample, text("tom x")));
    assert_int_equal(field->summary.length_max, 5);
    expect_field(profile, GUARD_LOCATION_HEADER, "host");
    expect_field(profile, GUARD_LOCATION_HEADER, "x-id");
    /* The header of cookies is none, their names keep their case. */
    assert_null(find_field(profile, GUARD_LOCATION_HEADER, "cookie"));
    expect_field(profile, GUARD_LOCATION_COOKIE, "Lang");
    assert_int_equal(expect_field(profile, GUARD_LOCATION_COOKIE, "sid")->summary.length_max, 3);
    for (unsigned i = 0; i < GUARD_LOCATION_COUNT; i++)
        assert_int_equal(profile->faults[i], 0);
    exchange_fini(&exchange);
}

static void test_secret_literals(void **state)
{
    (void)state;
    struct exchange exchange;
    struct gd_profile *profile = exchange_run(
        &exchange, "POST", "/login?user=tom&password=hunter2", NULL, "application/json",
        "{\"pin\":1234,\"tokens\":[\"ab\"],\"sort\":\"asc\",\"active\":true}");
    assert_true(expect_field(profile, GUARD_LOCATION_QUERY, "user")->summary.literal_known);
    assert_false(expect_field(profile, GUARD_LOCATION_QUERY, "password")->summary.literal_known);
    assert_false(expect_field(profile, GUARD_LOCATION_JSON, "pin")->summary.literal_known);
    assert_true(expect_field(profile, GUARD_LOCATION_JSON, "sort")->summary.literal_known);
    assert_true(expect_field(profile, GUARD_LOCATION_JSON, "active")->summary.literal_known);
    const struct gd_field *tokens = expect_field(profile, GUARD_LOCATION_JSON, "tokens");
    assert_false(find_child(profile, GUARD_LOCATION_JSON, index_of(profile, tokens), "[]")
                     ->summary.literal_known);
    exchange_fini(&exchange);
}

static void test_repeated(void **state)
{
    (void)state;
    const char *const headers[] = {"Accept: a", "Accept: b", NULL};
    struct exchange exchange;
    struct gd_profile *profile =
        exchange_run(&exchange, "GET", "/?a[]=1&a[]=2", headers, NULL, NULL);
    assert_int_equal(expect_field(profile, GUARD_LOCATION_QUERY, "a[]")->summary.count, 2);
    assert_int_equal(expect_field(profile, GUARD_LOCATION_HEADER, "accept")->summary.count, 2);
    assert_false(has_fault(profile, GUARD_LOCATION_QUERY, GUARD_FAULT_DUPLICATE_NAME));
    assert_false(has_fault(profile, GUARD_LOCATION_HEADER, GUARD_FAULT_DUPLICATE_NAME));
    exchange_fini(&exchange);

    const char *const singles[] = {"Host: a", "host: b", "Content-Type: text/plain",
                                   "Content-Type: text/html", NULL};
    profile = exchange_run(&exchange, "GET", "/?a=1&a=2", singles, NULL, NULL);
    assert_true(has_fault(profile, GUARD_LOCATION_QUERY, GUARD_FAULT_DUPLICATE_NAME));
    assert_true(has_fault(profile, GUARD_LOCATION_HEADER, GUARD_FAULT_DUPLICATE_NAME));
    assert_true(has_fault(profile, GUARD_LOCATION_HEADER, GUARD_FAULT_CONTENT_TYPE));
    assert_true(gd_span_equal(profile->media_type, text("text/plain")));
    exchange_fini(&exchange);
}

/* Some servers go by the target's authority, some by Host: they must say the same. */
static void test_authority(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        const char *host;
        bool conflict;
    } cases[] = {
        {"/a", "Host: shop", false},
        {"http://shop/a", "Host: shop", false},
        {"HTTP://Shop:80", "Host: shop:80", false},
        {"http://evil/a", "Host: shop", true},
        {"http://shop@evil/a", "Host: shop", true},
        {"http://shop/a", "Host: ", true},
        {"/http://evil/a", "Host: shop", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const headers[] = {cases[i].host, NULL};
        struct exchange exchange;
        struct gd_profile *profile =
            exchange_run(&exchange, "GET", cases[i].target, headers, NULL, NULL);
        assert_int_equal(has_fault(profile, GUARD_LOCATION_HEADER, GUARD_FAULT_DUPLICATE_NAME),
                         cases[i].conflict);
        exchange_fini(&exchange);
    }
}

static void test_header_names(void **state)
{
    (void)state;
    /* Every length around the words that are lowered at once, every byte beside the letters. */
    for (size_t len = 1; len < 40; len++) {
        struct exchange exchange;
        char name[40], lower[40];
        for (size_t i = 0; i < len; i++) {
            name[i] = "AZ@[az`{M-\xc4\x84"[(i * 7 + len) % 12];
            lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
        }
        lower[len] = '\0';
        assert_int_equal(exchange_begin(&exchange, 0), GUARD_OK);
        gd_builder_request(exchange.builder, text("GET"), text("/"), 11);
        gd_builder_header(exchange.builder, gd_span(name, len), text("x"));
        struct gd_profile *profile = exchange_end(&exchange);
        assert_int_equal(profile->field_count, 2);
        assert_true(gd_span_equal(profile->fields[1].name, text(lower)));
        exchange_fini(&exchange);
    }
}

/* One letter to be lowered, at each place of names of each length. */
static void test_header_name_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < 24 * 24; i++) {
        struct exchange exchange;
        size_t len = i / 24 + 1, place = i % 24;
        char name[25] = "abcdefghijklmnopqrstuvwx", lower[25];
        if (place >= len)
            continue;
        memcpy(lower, name, sizeof(lower));
        lower[len] = '\0';
        name[place] = (char)(name[place] & ~0x20);
        assert_int_equal(exchange_begin(&exchange, 0), GUARD_OK);
        gd_builder_header(exchange.builder, gd_span(name, len), text("x"));
        struct gd_profile *profile = exchange_end(&exchange);
        assert_int_equal(profile->field_count, 1);
        assert_true(gd_span_equal(profile->fields[0].name, text(lower)));
        exchange_fini(&exchange);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *headers[3];
        const char *body;
        bool conflict;
    } cases[] = {
        {{"Content-Length: 3", NULL}, "a=1", false},
        {{"Content-Length: 4", NULL}, "a=1", true},
        {{"Content-Length: 3", "Content-Length: 3", NULL}, "a=1", true},
        {{"Content-Length: 3", "Transfer-Encoding: chunked", NULL}, "a=1", true},
        {{"Transfer-Encoding: chunked", NULL}, "a=1", false},
        {{"Content-Length: -3", NULL}, NULL, true},
        {{"Content-Length: 99999999999999999999999", NULL}, NULL, true},
        {{"Content-Length:  ", NULL}, NULL, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exchange exchange;
        struct gd_profile *profile =
            exchange_run(&exchange, "POST", "/", cases[i].headers,
                         "application/x-www-form-urlencoded", cases[i].body);
        assert_int_equal(has_fault(profile, GUARD_LOCATION_HEADER, GUARD_FAULT_LENGTH_CONFLICT),
                         cases[i].conflict);
        assert_null(find_field(profile, GUARD_LOCATION_HEADER, "content-length"));
        assert_int_equal(profile->body_bytes, cases[i].body == NULL ? 0 : 3);
        exchange_fini(&exchange);
    }
}

static void test_json(void **state)
{
    (void)state;
    struct exchange exchange;
    struct gd_profile *profile = exchange_run(
        &exchange, "POST", "/", NULL, "application/json; charset=utf-8",
        "{\"a\":{\"b\":[{\"c\":\"x y\"},{\"c\":null,\"d\":1.5}]},\"n\":[1,\"2\",true],"
        "\"m\":{\"17\":{\"v\":1},\"18\":{\"v\":2},\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\":0}}");
    assert_int_equal(profile->body_kind, GUARD_BODY_JSON);
    assert_true(gd_span_equal(profile->media_type, text("application/json")));
    assert_int_equal(profile->depth, 4);
    const struct gd_field *document = expect_field(profile, GUARD_LOCATION_JSON, "");
    assert_int_equal(document->summary.types, 1u << GUARD_TYPE_OBJECT);
    assert_int_equal(document->summary.items_max, 3);
    const struct gd_field *a = expect_field(profile, GUARD_LOCATION_JSON, "a");
    const struct gd_field *b = find_child(profile, GUARD_LOCATION_JSON, index_of(profile, a), "b");
    assert_non_null(b);
    assert_int_equal(b->summary.types, 1u << GUARD_TYPE_ARRAY);
    assert_int_equal(b->summary.items_max, 2);
    const struct gd_field *element =
        find_child(profile, GUARD_LOCATION_JSON, index_of(profile, b), "[]");
    assert_int_equal(element->summary.count, 2);
    const struct gd_field *c =
        find_child(profile, GUARD_LOCATION_JSON, index_of(profile, element), "c");
    assert_int_equal(c->summary.types,
                     1u << GUARD_TYPE_NULL | 1u << GUARD_TYPE_STRING | 1u << GUARD_TYPE_TEXT);
    assert_int_equal(c->summary.count, 2);
    const struct gd_field *n = expect_field(profile, GUARD_LOCATION_JSON, "n");
    const struct gd_field *mixed =
        find_child(profile, GUARD_LOCATION_JSON, index_of(profile, n), "[]");
    assert_int_equal(mixed->summary.types,
                     1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_STRING | 1u << GUARD_TYPE_BOOL);
    /* Maps keyed by identities have one member, and that is no duplicate. */
    const struct gd_field *m = expect_field(profile, GUARD_LOCATION_JSON, "m");
    const struct gd_field *key =
        find_child(profile, GUARD_LOCATION_JSON, index_of(profile, m), "{int}");
    assert_int_equal(key->summary.count, 2);
    assert_non_null(find_child(profile, GUARD_LOCATION_JSON, index_of(profile, key), "v"));
    assert_non_null(find_child(profile, GUARD_LOCATION_JSON, index_of(profile, m), "{uuid}"));
    assert_int_equal(profile->faults[GUARD_LOCATION_JSON], 0);
    exchange_fini(&exchange);
}

static void test_json_faults(void **state)
{
    (void)state;
    struct exchange exchange;
    struct gd_profile *profile =
        exchange_run(&exchange, "POST", "/", NULL, "application/json", "{\"a\":1,\"a\":2}");
    assert_true(has_fault(profile, GUARD_LOCATION_JSON, GUARD_FAULT_JSON_DUPLICATE));
    exchange_fini(&exchange);
    profile = exchange_run(&exchange, "POST", "/", NULL, "application/json", "{\"a\":\"tom");
    assert_true(has_fault(profile, GUARD_LOCATION_JSON, GUARD_FAULT_TRUNCATED));
    assert_int_equal(expect_field(profile, GUARD_LOCATION_JSON, "a")->summary.length_max, 3);
    exchange_fini(&exchange);
    profile = exchange_run(&exchange, "POST", "/", NULL, NULL, " [1]");
    assert_int_equal(profile->body_kind, GUARD_BODY_JSON);
    assert_non_null(find_field(profile, GUARD_LOCATION_JSON, "[]"));
    exchange_fini(&exchange);
    profile = exchange_run(&exchange, "POST", "/", NULL, "application/json", "\"\xff\x01\"");
    assert_int_equal(expect_field(profile, GUARD_LOCATION_JSON, "")->summary.count, 1);
    exchange_fini(&exchange);
}

static void test_samples(void **state)
{
    (void)state;
    struct exchange exchange;
    struct gd_profile *profile =
        exchange_run(&exchange, "POST", "/", NULL, "application/json",
                     "{\"w\":\"tom\",\"n\":1234,\"t\":\"tom or 1=1\",\"l\":[\"ab\",\"a b\",\"a-b "
                     "c\",\"a b\",\"x'--\"],"
                     "\"z\":[null,true,\"\",\"A\",7,\"a \"]}");
    /* Letters or digits alone keep their shape, which is all that is shown. */
    assert_true(
        gd_span_equal(expect_field(profile, GUARD_LOCATION_JSON, "w")->sample, text("aaa")));
    assert_true(
        gd_span_equal(expect_field(profile, GUARD_LOCATION_JSON, "n")->sample, text("0000")));
    assert_true(
        gd_span_equal(expect_field(profile, GUARD_LOCATION_JSON, "t")->sample, text("tom or 1=1")));
    uint32_t list = index_of(profile, expect_field(profile, GUARD_LOCATION_JSON, "l"));
    /* The last one that brought something new. */
    assert_true(
        gd_span_equal(find_child(profile, GUARD_LOCATION_JSON, list, "[]")->sample, text("x'--")));
    list = index_of(profile, expect_field(profile, GUARD_LOCATION_JSON, "z"));
    assert_true(
        gd_span_equal(find_child(profile, GUARD_LOCATION_JSON, list, "[]")->sample, text("a ")));
    exchange_fini(&exchange);
}

static void test_form(void **state)
{
    (void)state;
    struct exchange exchange;
    struct gd_profile *profile =
        exchange_run(&exchange, "POST", "/", NULL, "application/x-www-form-urlencoded",
                     "user=tom+or+1%3D1&empty=&user=x");
    assert_int_equal(profile->body_kind, GUARD_BODY_FORM);
    const struct gd_field *field = expect_field(profile, GUARD_LOCATION_FORM, "user");
    assert_int_equal(field->summary.count, 2);
    assert_true(gd_span_equal(field->sample, text("tom or 1=1")));
    assert_true(has_fault(profile, GUARD_LOCATION_FORM, GUARD_FAULT_DUPLICATE_NAME));
    expect_field(profile, GUARD_LOCATION_FORM, "empty");
    exchange_fini(&exchange);
}

static void test_multipart(void **state)
{
    (void)state;
    struct exchange exchange;
    struct gd_profile *profile =
        exchange_run(&exchange, "POST", "/", NULL, "multipart/form-data; boundary=b",
                     "--b\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\ntom\r\n"
                     "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n"
                     "Content-Type: image/png\r\n\r\n<?php 1?>\r\n--b--\r\n");
    assert_int_equal(profile->body_kind, GUARD_BODY_MULTIPART);
    expect_field(profile, GUARD_LOCATION_MULTIPART, "t");
    const struct gd_field *field = expect_field(profile, GUARD_LOCATION_MULTIPART, "f");
    assert_int_equal(field->summary.length_max, 9);
    assert_true(gd_span_equal(field->sample, text("<?php 1?>")));
    assert_true(gd_span_equal(expect_field(profile, GUARD_LOCATION_MULTIPART, "f.filename")->sample,
                              text("a.php")));
    expect_field(profile, GUARD_LOCATION_MULTIPART, "f.type");
    for (unsigned i = 0; i < GUARD_LOCATION_COUNT; i++)
        assert_int_equal(profile->faults[i], 0);
    exchange_fini(&exchange);
}

static void test_blobs(void **state)
{
    (void)state;
    struct exchange exchange;
    struct gd_profile *profile = exchange_run(&exchange, "POST", "/", NULL, "text/xml", "<a>x</a>");
    assert_int_equal(profile->body_kind, GUARD_BODY_TEXT);
    assert_int_equal(expect_field(profile, GUARD_LOCATION_BODY, "")->summary.types,
                     1u << GUARD_TYPE_TEXT);
    exchange_fini(&exchange);
    const char *const encoded[] = {"Content-Encoding: gzip", NULL};
    profile = exchange_run(&exchange, "POST", "/", encoded, "application/json", "{\"a\":1}");
    assert_int_equal(profile->body_kind, GUARD_BODY_BYTES);
    assert_int_equal(profile->body_bytes, 7);
    assert_true(has_fault(profile, GUARD_LOCATION_BODY, GUARD_FAULT_CONTENT_ENCODING));
    assert_null(find_field(profile, GUARD_LOCATION_JSON, "a"));
    exchange_fini(&exchange);
}

static void test_body_limit(void **state)
{
    (void)state;
    struct exchange exchange;
    struct guard_txn_cfg cfg = {.service = text("shop"), .body_limit = 20};
    failing_alloc_init(&exchange.memory, 0);
    guard_arena_init(&exchange.arena, &exchange.memory.alloc, EXCHANGE_ARENA);
    for (size_t chunk = 1; chunk < 40; chunk++) {
        assert_int_equal(gd_builder_begin(&exchange.builder, &cfg, &exchange.arena), GUARD_OK);
        gd_builder_request(exchange.builder, text("POST"), text("/"), 11);
        exchange_header(&exchange, "Content-Type: application/json");
        (void)gd_builder_headers_end(exchange.builder);
        exchange_body(&exchange, text("{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12]}"), chunk);
        struct gd_profile *profile = exchange_end(&exchange);
        assert_true(has_fault(profile, GUARD_LOCATION_BODY, GUARD_FAULT_BODY_LENGTH));
        assert_false(has_fault(profile, GUARD_LOCATION_JSON, GUARD_FAULT_TRUNCATED));
        assert_int_equal(profile->body_bytes, 34);
        assert_int_equal(expect_field(profile, GUARD_LOCATION_JSON, "a")->summary.items_max, 7);
        guard_arena_reset(&exchange.arena);
    }
}

static void test_deep_path(void **state)
{
    (void)state;
    char target[512] = "";
    for (int i = 0; i < 40; i++)
        snprintf(target + strlen(target), sizeof(target) - strlen(target), "/s%d", i);
    struct exchange exchange;
    struct gd_profile *profile = exchange_run(&exchange, "GET", target, NULL, NULL, NULL);
    assert_int_equal(profile->segment_count, GD_SEGMENTS_MAX);
    assert_true(gd_span_equal(profile->segments[30].text, text("s30")));
    assert_true(gd_span_equal(profile->segments[31].text, text("{rest}")));
    assert_int_equal(expect_field(profile, GUARD_LOCATION_PATH, "seg31")->summary.count, 9);
    exchange_fini(&exchange);
    profile = exchange_run(&exchange, "GET", "/", NULL, NULL, NULL);
    assert_int_equal(profile->segment_count, 1);
    assert_int_equal(profile->segments[0].text.len, 0);
    exchange_fini(&exchange);
}

/* More names, members and leaves than there is room for: memory stays inside its limit and the
 * faults say so. */
static void test_floods(void **state)
{
    (void)state;
    struct exchange exchange;
    assert_int_equal(exchange_begin(&exchange, 0), GUARD_OK);
    gd_builder_request(exchange.builder, text("GET"), text("/"), 11);
    for (int i = 0; i < 300; i++) {
        char name[80];
        snprintf(name, sizeof(name),
                 "X-Header-Of-Some-Length-That-Is-More-Than-Sixty-Four-Bytes-Long-%d", i);
        gd_builder_header(exchange.builder, text(name), text("v"));
    }
    struct gd_profile *profile = exchange_end(&exchange);
    assert_true(has_fault(profile, GUARD_LOCATION_HEADER, GUARD_FAULT_NAMES));
    assert_int_equal(profile->field_count, 1 + GD_HEADERS_MAX);
    exchange_fini(&exchange);

    size_t size = 1 << 20;
    char *body = malloc(size);
    size_t len = 0;
    body[len++] = '{';
    for (int i = 0; len < size - 64; i++)
        len +=
            (size_t)snprintf(body + len, size - len, "%s\"k%d\":\"v %d'\"", i > 0 ? "," : "", i, i);
    body[len++] = '}';
    body[len] = '\0';
    profile = exchange_run(&exchange, "POST", "/", NULL, "application/json", body);
    assert_true(has_fault(profile, GUARD_LOCATION_JSON, GUARD_FAULT_MEMORY) ||
                has_fault(profile, GUARD_LOCATION_JSON, GUARD_FAULT_LEAVES));
    assert_true(profile->cut);
    assert_true(profile->field_count >= 800);
    assert_true(exchange.arena.used <= EXCHANGE_ARENA);
    uint8_t record[GUARD_RECORD_MAX];
    assert_int_equal(gd_record_encode(profile, record, sizeof(record), &len), GUARD_OK);
    exchange_fini(&exchange);
    free(body);
}

struct oom {
    const char *content_type;
    const char *body;
};

static enum guard_rc build(struct guard_alloc *alloc, void *ctx)
{
    const struct oom *oom = ctx;
    struct guard_arena arena;
    struct gd_builder *builder;
    struct guard_txn_cfg cfg = {.service = text("shop")};
    guard_arena_init(&arena, alloc, EXCHANGE_ARENA);
    enum guard_rc rc = gd_builder_begin(&builder, &cfg, &arena);
    if (rc == GUARD_OK) {
        struct guard_client client = {.unit = GUARD_UNIT_SUBJECT, .subject = text("tom")};
        char target[4096] = "/?";
        for (int i = 0; i < 150; i++)
            snprintf(target + strlen(target), sizeof(target) - strlen(target), "name%d=a%%20b&", i);
        gd_builder_client(builder, &client);
        gd_builder_request(builder, text("POST"), text(target), 11);
        gd_builder_header(builder, text("Content-Type"), text(oom->content_type));
        (void)gd_builder_headers_end(builder);
        for (size_t i = 0; i < strlen(oom->body); i++)
            gd_builder_body(builder, gd_span(oom->body + i, 1));
        gd_builder_end(builder);
        struct gd_profile *profile = gd_builder_profile(builder);
        uint8_t record[GUARD_RECORD_MAX];
        size_t len;
        rc = gd_record_encode(profile, record, sizeof(record), &len);
    }
    guard_arena_reset(&arena);
    return rc;
}

static void test_oom(void **state)
{
    (void)state;
    struct oom cases[] = {
        {"application/json", "{\"a\":[1,{\"b\":\"a text \\u00e4 with an escape\"}],\"c\":null}"},
        {"application/x-www-form-urlencoded", "a=b%20c&d=e"},
        {"multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\ny\r\n--b--"},
        {"text/plain", "a text"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(failing_alloc_sweep(build, &cases[i], true) > 0);
}

static void test_client(void **state)
{
    (void)state;
    struct exchange exchange;
    assert_int_equal(exchange_begin(&exchange, 0), GUARD_OK);
    char subject[] = "tom";
    struct guard_client client = {.unit = GUARD_UNIT_SUBJECT,
                                  .address_len = 4,
                                  .address = {10, 1, 2, 3},
                                  .subject = text(subject)};
    gd_builder_client(exchange.builder, &client);
    subject[0] = 'x';
    struct gd_profile *profile = exchange_end(&exchange);
    assert_true(gd_span_equal(profile->client.subject, text("tom")));
    assert_int_equal(profile->client.address_len, 4);
    client.address_len = 7;
    client.unit = GUARD_UNIT_PREFIX;
    gd_builder_client(exchange.builder, &client);
    assert_int_equal(profile->client.address_len, 0);
    assert_int_equal(profile->client.subject.len, 0);
    exchange_fini(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),          cmocka_unit_test(test_secret_literals),
        cmocka_unit_test(test_repeated),     cmocka_unit_test(test_authority),
        cmocka_unit_test(test_header_names), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_json),         cmocka_unit_test(test_json_faults),
        cmocka_unit_test(test_samples),      cmocka_unit_test(test_form),
        cmocka_unit_test(test_multipart),    cmocka_unit_test(test_blobs),
        cmocka_unit_test(test_body_limit),   cmocka_unit_test(test_deep_path),
        cmocka_unit_test(test_floods),       cmocka_unit_test(test_oom),
        cmocka_unit_test(test_client),       cmocka_unit_test(test_header_name_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
