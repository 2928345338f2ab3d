/* SPDX-License-Identifier: Apache-2.0 */
/* Records say all of a profile, refuse what is no record, and drop fields from the end when room is
 * short. */
#include "profile/record.h"

#include "exchange.h"

#include <guard/crypto.h>
#include <guard/likeness.h>

#include <stdio.h>

static uint8_t record[GUARD_RECORD_MAX];
static size_t record_len;

static const char *const headers[] = {"Host: shop", "Accept: */*", "Cookie: lang=de", NULL};
static const char body[] =
    "{\"id\":17,\"tags\":[\"a b\",\"c-d\",null],\"note\":\"Gr\xc3\xbc\xc3\x9f"
    "e <1>\",\"o\":{\"x\":1.5}}";

static void reads(struct gd_field *field, uint32_t classes, enum guard_construct construct)
{
    field->summary.likeness = (uint16_t)classes;
    field->summary.construct = (uint8_t)construct;
}

static void make(struct exchange *exchange)
{
    struct gd_profile *profile =
        exchange_run(exchange, "POST", "/users/42?q=tom", headers, "application/json", body);
    struct guard_client client = {.unit = GUARD_UNIT_SUBJECT,
                                  .address_len = 4,
                                  .address = {10, 1, 2, 3},
                                  .subject = text("tom")};
    gd_builder_client(exchange->builder, &client);
    profile->status = 201;
    profile->latency_us = 1234;
    profile->decision = GUARD_ALERT;
    profile->likeness = true;
    reads(&profile->fields[1], 1u << GUARD_LIKENESS_SQL | 1u << GUARD_LIKENESS_FORMAT,
          GUARD_CONSTRUCT_SQL_UNION);
    reads(&profile->fields[profile->field_count - 1], 1u << GUARD_LIKENESS_XML,
          GUARD_CONSTRUCT_XML_ENTITY);
    assert_int_equal(gd_record_encode(profile, record, sizeof(record), &record_len), GUARD_OK);
}

static enum guard_rc decode(struct guard_span bytes, struct guard_arena *arena,
                            struct failing_alloc *memory, struct gd_profile *out)
{
    failing_alloc_init(memory, 0);
    guard_arena_init(arena, &memory->alloc, GD_RECORD_ARENA);
    return gd_record_decode(bytes, arena, out);
}

static void check_summary(const struct gd_summary *a, const struct gd_summary *b)
{
    assert_int_equal(a->classes, b->classes);
    assert_int_equal(a->types, b->types);
    assert_int_equal(a->length_min, b->length_min);
    assert_int_equal(a->length_max, b->length_max);
    assert_int_equal(a->digits_max, b->digits_max);
    assert_int_equal(a->specials_max, b->specials_max);
    assert_int_equal(a->items_max, b->items_max);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->transitions_full, b->transitions_full);
    assert_int_equal(a->frequent, b->frequent);
    assert_int_equal(a->transition_count, b->transition_count);
    if (a->transition_count > 0)
        assert_memory_equal(a->transitions, b->transitions, 2u * a->transition_count);
    assert_int_equal(a->likeness, b->likeness);
    assert_int_equal(a->construct, b->construct);
    assert_int_equal(a->literal_known, b->literal_known);
    if (a->literal_known)
        assert_int_equal(a->literal, b->literal);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct exchange exchange;
    struct failing_alloc memory;
    struct guard_arena arena;
    struct gd_profile out;
    make(&exchange);
    const struct gd_profile *in = exchange.profile;
    assert_int_equal(decode(gd_span(record, record_len), &arena, &memory, &out), GUARD_OK);
    assert_true(gd_span_equal(out.service, in->service));
    assert_true(gd_span_equal(out.method, in->method));
    assert_true(gd_span_equal(out.media_type, in->media_type));
    assert_int_equal(out.version, in->version);
    assert_int_equal(out.time_ms, in->time_ms);
    assert_int_equal(out.status, 201);
    assert_int_equal(out.latency_us, 1234);
    assert_int_equal(out.body_bytes, in->body_bytes);
    assert_int_equal(out.body_kind, in->body_kind);
    assert_int_equal(out.depth, in->depth);
    assert_int_equal(out.decision, GUARD_ALERT);
    assert_memory_equal(out.faults, in->faults, sizeof(in->faults));
    assert_int_equal(out.segment_count, in->segment_count);
    for (uint32_t i = 0; i < in->segment_count; i++) {
        assert_true(gd_span_equal(out.segments[i].text, in->segments[i].text));
        assert_int_equal(out.segments[i].typed, in->segments[i].typed);
    }
    assert_int_equal(out.field_count, in->field_count);
    for (uint32_t i = 0; i < in->field_count; i++) {
        assert_int_equal(out.fields[i].location, in->fields[i].location);
        assert_int_equal(out.fields[i].parent, in->fields[i].parent);
        assert_true(gd_span_equal(out.fields[i].name, in->fields[i].name));
        check_summary(&out.fields[i].summary, &in->fields[i].summary);
    }
    guard_arena_reset(&arena);
    exchange_fini(&exchange);
}

static void test_client(void **state)
{
    (void)state;
    struct exchange exchange;
    struct guard_record_head head;
    make(&exchange);
    assert_int_equal(guard_record_head_read(gd_span(record, record_len), &head), GUARD_OK);
    assert_true(gd_span_equal(head.service, text("shop")));
    assert_true(gd_span_equal(head.method, text("POST")));
    assert_int_equal(head.status, 201);
    assert_int_equal(head.latency_us, 1234);
    assert_int_equal(head.decision, GUARD_ALERT);
    assert_int_equal(head.time_ms, 1700000000000);
    assert_int_equal(head.request_bytes, sizeof(body) - 1);
    const uint8_t prefix[16] = {10, 1, 2, 0};
    assert_int_equal(head.client.unit, GUARD_UNIT_SUBJECT);
    assert_int_equal(head.client.address_len, 4);
    assert_memory_equal(head.client.address, prefix, 16);
    /* No identity is in a record. */
    uint8_t digest[GUARD_DIGEST_BYTES];
    guard_digest(digest, text("tom"));
    assert_int_equal(head.client.subject.len, GD_SUBJECT_DIGEST);
    assert_memory_equal(head.client.subject.ptr, digest, GD_SUBJECT_DIGEST);

    struct guard_client client = {.unit = GUARD_UNIT_PREFIX, .address_len = 16};
    memset(client.address, 0xab, 16);
    exchange.profile->client = client;
    exchange.profile->latency_us = UINT32_MAX;
    assert_int_equal(gd_record_encode(exchange.profile, record, sizeof(record), &record_len),
                     GUARD_OK);
    assert_int_equal(guard_record_head_read(gd_span(record, record_len), &head), GUARD_OK);
    memset(client.address + 7, 0, 9);
    assert_memory_equal(head.client.address, client.address, 16);
    assert_int_equal(head.latency_us, UINT32_MAX);
    exchange_fini(&exchange);
}

/* Only the verdict's byte differs between decisions. */
static void test_decision(void **state)
{
    (void)state;
    struct exchange exchange;
    uint8_t other[GUARD_RECORD_MAX];
    size_t other_len;
    make(&exchange);
    exchange.profile->decision = GUARD_BLOCK;
    assert_int_equal(gd_record_encode(exchange.profile, other, sizeof(other), &other_len),
                     GUARD_OK);
    assert_int_equal(other_len, record_len);
    size_t differences = 0;
    for (size_t i = 0; i < record_len; i++)
        differences += other[i] != record[i];
    assert_int_equal(differences, 1);
    exchange_fini(&exchange);
}

/* No prefix of a record is one, and no changed byte is trusted. */
static void test_hostile(void **state)
{
    (void)state;
    struct exchange exchange;
    struct failing_alloc memory;
    struct guard_arena arena;
    struct gd_profile out;
    make(&exchange);
    exchange_fini(&exchange);
    for (size_t len = 0; len < record_len; len++) {
        uint8_t *copy = malloc(len + 1);
        memcpy(copy + 1, record, len);
        assert_int_equal(decode(gd_span(copy + 1, len), &arena, &memory, &out), GUARD_E_SYNTAX);
        guard_arena_reset(&arena);
        free(copy);
    }
    for (size_t at = 0; at < record_len; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t kept = record[at];
            record[at] = (uint8_t)value;
            enum guard_rc rc = decode(gd_span(record, record_len), &arena, &memory, &out);
            assert_true(rc == GUARD_OK || rc == GUARD_E_SYNTAX || rc == GUARD_E_VERSION);
            if (at == 1 && (value < GD_RECORD_VERSION_PLAIN || value > GD_RECORD_VERSION))
                assert_int_equal(rc, GUARD_E_VERSION);
            guard_arena_reset(&arena);
            record[at] = kept;
        }
    }
    struct guard_record_head head;
    assert_int_equal(guard_record_head_read(gd_span(NULL, 0), &head), GUARD_E_SYNTAX);
    assert_int_equal(guard_record_head_read(text("nothing"), &head), GUARD_E_SYNTAX);
}

/* Values that read like nothing leave a record as it was before there was such a thing; of more
 * fields than 32 that do the first ones are told. */
static void test_readings(void **state)
{
    (void)state;
    struct exchange exchange;
    struct failing_alloc memory;
    struct guard_arena arena;
    struct gd_profile out;
    char target[1024] = "/?";
    for (int i = 0; i < 40; i++) {
        size_t len = strlen(target);
        (void)snprintf(target + len, sizeof(target) - len, "&a%d=1", i);
    }
    struct gd_profile *profile = exchange_run(&exchange, "GET", target, NULL, NULL, NULL);
    assert_int_equal(gd_record_encode(profile, record, sizeof(record), &record_len), GUARD_OK);
    assert_int_equal(record[1], GD_RECORD_VERSION_PLAIN);
    profile->likeness = true;
    for (uint32_t i = 0; i < profile->field_count; i++)
        reads(&profile->fields[i], 1u << GUARD_LIKENESS_XML, GUARD_CONSTRUCT_XML_ENTITY);
    assert_int_equal(gd_record_encode(profile, record, sizeof(record), &record_len), GUARD_OK);
    assert_int_equal(record[1], GD_RECORD_VERSION_READS);
    assert_int_equal(decode(gd_span(record, record_len), &arena, &memory, &out), GUARD_OK);
    assert_true(out.likeness);
    for (uint32_t i = 0; i < out.field_count; i++)
        assert_int_equal(out.fields[i].summary.likeness != 0, i < 32);
    guard_arena_reset(&arena);
    /* A construct of another class. */
    record[record_len - 1] = GUARD_CONSTRUCT_SQL_UNION;
    assert_int_equal(decode(gd_span(record, record_len), &arena, &memory, &out), GUARD_E_SYNTAX);
    guard_arena_reset(&arena);
    exchange_fini(&exchange);
}

/* A revision, and that only new elements deviate, come through, and change nothing of records
 * without them. */
static void test_revision(void **state)
{
    (void)state;
    struct exchange exchange;
    struct failing_alloc memory;
    struct guard_arena arena;
    struct gd_profile out;
    struct guard_record_head head;
    struct gd_profile *profile = exchange_run(&exchange, "GET", "/a?b=1", NULL, NULL, NULL);
    assert_int_equal(gd_record_encode(profile, record, sizeof(record), &record_len), GUARD_OK);
    assert_int_equal(record[1], GD_RECORD_VERSION_PLAIN);
    record[3] |= 4; /* nothing in a record of an older version */
    assert_int_equal(guard_record_head_read(gd_span(record, record_len), &head), GUARD_E_SYNTAX);

    profile->revision = text("v1.2-abc");
    profile->decision = GUARD_ALERT;
    profile->novel = true;
    assert_int_equal(gd_record_encode(profile, record, sizeof(record), &record_len), GUARD_OK);
    assert_int_equal(record[1], GD_RECORD_VERSION);
    assert_int_equal(guard_record_head_read(gd_span(record, record_len), &head), GUARD_OK);
    assert_true(gd_span_equal(head.revision, text("v1.2-abc")));
    assert_true(head.novel && head.decision == GUARD_ALERT);
    assert_int_equal(decode(gd_span(record, record_len), &arena, &memory, &out), GUARD_OK);
    assert_true(gd_span_equal(out.revision, text("v1.2-abc")));
    assert_true(out.novel && out.decision == GUARD_ALERT);
    assert_int_equal(out.field_count, profile->field_count);
    guard_arena_reset(&arena);
    record[3] = 3;
    assert_int_equal(guard_record_head_read(gd_span(record, record_len), &head), GUARD_E_SYNTAX);
    record[3] = 8;
    assert_int_equal(guard_record_head_read(gd_span(record, record_len), &head), GUARD_E_SYNTAX);
    exchange_fini(&exchange);
}

/* What doesn't fit is left out from the end, whatever the room. */
static void test_dropped(void **state)
{
    (void)state;
    struct exchange exchange;
    struct failing_alloc memory;
    struct guard_arena arena;
    struct gd_profile out;
    make(&exchange);
    uint32_t count = 0;
    bool refused = true;
    for (size_t cap = 0; cap <= record_len + 1024; cap++) {
        uint8_t *room = malloc(cap + 1);
        size_t len = 0;
        enum guard_rc rc = gd_record_encode(exchange.profile, room + 1, cap, &len);
        if (rc == GUARD_E_LIMIT) {
            assert_true(refused);
            free(room);
            continue;
        }
        refused = false;
        assert_true(len <= cap);
        assert_int_equal(decode(gd_span(room + 1, len), &arena, &memory, &out), GUARD_OK);
        assert_true(out.field_count >= count);
        count = out.field_count;
        bool whole = count == exchange.profile->field_count;
        assert_int_equal(has_fault(&out, GUARD_LOCATION_NONE, GUARD_FAULT_RECORD), !whole);
        assert_int_equal(out.cut, !whole);
        guard_arena_reset(&arena);
        free(room);
    }
    assert_int_equal(count, exchange.profile->field_count);
    exchange_fini(&exchange);
}

/* 100 leaves in 2 KiB take at most 3 KiB, 470 leaves at most 16. */
static void test_size(void **state)
{
    (void)state;
    for (int leaves = 100; leaves <= 470; leaves += 370) {
        char json[32768] = "{";
        size_t len = 1;
        for (int i = 0; i < leaves; i++)
            len += (size_t)snprintf(json + len, sizeof(json) - len, "%s\"name%03d\":\"a1 %03d\"",
                                    i > 0 ? "," : "", i, i);
        memcpy(json + len, "}", 2);
        struct exchange exchange;
        struct gd_profile *profile =
            exchange_run(&exchange, "POST", "/a/b", headers, "application/json", json);
        assert_int_equal(gd_record_encode(profile, record, sizeof(record), &record_len), GUARD_OK);
        assert_true(record_len <= (leaves == 100 ? 3072u : 16384u));
        struct failing_alloc memory;
        struct guard_arena arena;
        struct gd_profile out;
        assert_int_equal(decode(gd_span(record, record_len), &arena, &memory, &out), GUARD_OK);
        assert_false(out.cut);
        guard_arena_reset(&arena);
        exchange_fini(&exchange);
    }
}

static enum guard_rc decode_attempt(struct guard_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct guard_arena arena;
    struct gd_profile out;
    guard_arena_init(&arena, alloc, GD_RECORD_ARENA);
    enum guard_rc rc = gd_record_decode(gd_span(record, record_len), &arena, &out);
    guard_arena_reset(&arena);
    return rc;
}

static void test_oom(void **state)
{
    (void)state;
    test_size(state);
    assert_true(failing_alloc_sweep(decode_attempt, NULL, false) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_client),
        cmocka_unit_test(test_decision),   cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_readings),   cmocka_unit_test(test_revision),
        cmocka_unit_test(test_dropped),    cmocka_unit_test(test_size),
        cmocka_unit_test(test_oom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
