/* SPDX-License-Identifier: Apache-2.0 */
/* Piles as bytes: the same pile comes back and goes on as if nothing had happened; everything else
 * is refused by name. */
#include "support/pile_traffic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct encoded {
    uint8_t *bytes;
    size_t len;
};

static struct encoded encode(const struct guard_pile *pile)
{
    struct encoded encoded;
    assert_int_equal(guard_pile_encode(pile, &encoded.bytes, &encoded.len, NULL), GUARD_OK);
    return encoded;
}

static struct guard_pile *shaped(const struct traffic_shape *shape, uint64_t producer,
                                 uint32_t records)
{
    struct test_random random = {12345};
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *pile;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    assert_int_equal(
        traffic_learn(pile, &random, shape, (struct guard_source){producer, 1, 1}, records),
        GUARD_OK);
    return pile;
}

static struct guard_pile *usual(uint32_t records)
{
    return shaped(&traffic_usual, 3, records);
}

static enum guard_rc decode(struct guard_span bytes, struct guard_err *err)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *pile = NULL;
    enum guard_rc rc = guard_pile_decode(&pile, &cfg, bytes, err);
    if (rc == GUARD_OK)
        guard_pile_free(pile);
    else
        assert_null(pile);
    return rc;
}

static void repair(struct encoded *encoded)
{
    guard_digest(encoded->bytes + encoded->len - GUARD_DIGEST_BYTES,
                 gd_span(encoded->bytes, encoded->len - GUARD_DIGEST_BYTES));
}

static void test_round_trip_goes_on(void **state)
{
    (void)state;
    struct guard_pile *pile = usual(500), *back;
    assert_int_equal(guard_pile_protect(pile, 2, NULL), GUARD_OK);
    for (int keyless = 0; keyless < 2; keyless++) {
        struct encoded first = encode(pile);
        struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
        if (keyless == 1)
            cfg.service.len = 0;
        assert_int_equal(guard_pile_decode(&back, &cfg, gd_span(first.bytes, first.len), NULL),
                         GUARD_OK);
        struct encoded second = encode(back);
        assert_int_equal(second.len, first.len);
        assert_memory_equal(second.bytes, first.bytes, first.len);
        free(first.bytes);
        free(second.bytes);
        struct guard_pile_stats stats, expected;
        guard_pile_stats(back, &stats);
        guard_pile_stats(pile, &expected);
        stats.memory = expected.memory;
        stats.service = expected.service;
        assert_memory_equal(&stats, &expected, sizeof(stats));
        struct test_random random = {777};
        struct guard_source source = {3, 1, 501};
        if (keyless == 1) {
            assert_int_equal(traffic_learn(back, &random, &traffic_usual, source, 1),
                             GUARD_E_STATE);
        } else {
            struct test_random again = {777};
            assert_int_equal(traffic_learn(back, &random, &traffic_usual, source, 300), GUARD_OK);
            assert_int_equal(traffic_learn(pile, &again, &traffic_usual, source, 300), GUARD_OK);
            assert_true(traffic_equal(traffic_digest(back), traffic_digest(pile)));
        }
        guard_pile_free(back);
    }
    guard_pile_free(pile);
}

/* One pile lives on, the other is written and read again and again: both learn the same, however
 * full they are. */
static void test_overflowed_piles_go_on(void **state)
{
    (void)state;
    struct test_random random = test_random_start("pile codec"), again = random;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct traffic_shape shape = traffic_usual;
    shape.paths = shape.names = shape.values = 5000;
    shape.clients = 400; /* so that none reaches its share, which isn't written */
    cfg.cells_max = 400;
    cfg.children_max = 20;
    cfg.clients_max = 10;
    struct guard_pile *pile, *copy;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    assert_int_equal(guard_pile_new(&copy, &cfg, NULL), GUARD_OK);
    struct guard_source source = {3, 1, 1};
    for (int i = 0; i < 60; i++, source.sequence += 25) {
        assert_int_equal(traffic_learn(pile, &random, &shape, source, 25), GUARD_OK);
        assert_int_equal(traffic_learn(copy, &again, &shape, source, 25), GUARD_OK);
        if (i % 20 == 10) {
            assert_int_equal(guard_pile_protect(pile, 2, NULL), GUARD_OK);
            assert_int_equal(guard_pile_protect(copy, 2, NULL), GUARD_OK);
        }
        struct encoded encoded = encode(copy);
        guard_pile_free(copy);
        assert_int_equal(guard_pile_decode(&copy, &cfg, gd_span(encoded.bytes, encoded.len), NULL),
                         GUARD_OK);
        assert_true(traffic_equal(traffic_digest(pile), traffic_digest(copy)));
        free(encoded.bytes);
    }
    assert_true(pile->bounded && pile->overflowed && pile->basis.generation > 0);
    guard_pile_free(pile);
    guard_pile_free(copy);
}

/* An aggregator has no key: it merges to the same bytes. */
static void test_merging_needs_no_key(void **state)
{
    (void)state;
    struct traffic_digest digests[2];
    for (int keyless = 0; keyless < 2; keyless++) {
        struct guard_pile *merged = NULL;
        for (uint64_t i = 0; i < 3; i++) {
            struct test_random random = {i};
            struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
            cfg.cells_max = 300;
            struct guard_pile *pile, *back;
            assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
            assert_int_equal(
                traffic_learn(pile, &random, &traffic_usual, (struct guard_source){i, 1, 1}, 50),
                GUARD_OK);
            struct encoded encoded = encode(pile);
            if (keyless == 1)
                cfg.service.len = 0;
            assert_int_equal(
                guard_pile_decode(&back, &cfg, gd_span(encoded.bytes, encoded.len), NULL),
                GUARD_OK);
            free(encoded.bytes);
            guard_pile_free(pile);
            if (merged == NULL) {
                merged = back;
            } else {
                assert_int_equal(guard_pile_merge(merged, back, NULL, NULL), GUARD_OK);
                guard_pile_free(back);
            }
        }
        assert_true(merged->cut);
        digests[keyless] = traffic_digest(merged);
        guard_pile_free(merged);
    }
    assert_true(traffic_equal(digests[0], digests[1]));
}

static void test_empty_pile(void **state)
{
    (void)state;
    struct guard_pile *pile = usual(0);
    struct encoded encoded = encode(pile);
    assert_int_equal(decode(gd_span(encoded.bytes, encoded.len), NULL), GUARD_OK);
    free(encoded.bytes);
    guard_pile_free(pile);
}

static void test_every_truncation_and_bit_is_refused(void **state)
{
    (void)state;
    struct guard_pile *pile = usual(3);
    struct encoded encoded = encode(pile);
    struct guard_err err;
    for (size_t len = 0; len < encoded.len; len++) {
        enum guard_rc rc = decode(gd_span(encoded.bytes, len), &err);
        assert_true(rc == GUARD_E_SYNTAX || rc == GUARD_E_CHECKSUM);
    }
    for (size_t bit = 0; bit < encoded.len * 8; bit += 3) {
        encoded.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum guard_rc rc = decode(gd_span(encoded.bytes, encoded.len), &err);
        assert_true(rc == GUARD_E_SYNTAX || rc == GUARD_E_CHECKSUM || rc == GUARD_E_VERSION);
        encoded.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(encoded.bytes);
    guard_pile_free(pile);
}

/* With a right checksum: refused, or a pile of the same canonical bytes. */
static void test_forged_bytes(void **state)
{
    (void)state;
    struct test_random random = test_random_start("pile codec, forged");
    struct guard_pile *pile = usual(12);
    struct encoded encoded = encode(pile);
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    cfg.service.len = 0;
    uint32_t refused = 0, taken = 0;
    uint8_t *original = malloc(encoded.len);
    memcpy(original, encoded.bytes, encoded.len);
    for (int i = 0; i < 20000; i++) {
        size_t at = (size_t)test_random_between(&random, 5, encoded.len - GUARD_DIGEST_BYTES - 1);
        encoded.bytes[at] = (uint8_t)test_random_next(&random);
        repair(&encoded);
        struct guard_pile *back;
        struct guard_err err = {""};
        if (guard_pile_decode(&back, &cfg, gd_span(encoded.bytes, encoded.len), &err) == GUARD_OK) {
            struct encoded again = encode(back);
            assert_int_equal(again.len, encoded.len);
            assert_memory_equal(again.bytes, encoded.bytes, again.len);
            free(again.bytes);
            guard_pile_free(back);
            taken++;
        } else {
            assert_true(err.text[0] != '\0');
            refused++;
        }
        memcpy(encoded.bytes, original, encoded.len);
    }
    assert_true(refused > 1000 && taken > 100);
    free(original);
    free(encoded.bytes);
    guard_pile_free(pile);
}

static void test_foreign_and_versions(void **state)
{
    (void)state;
    struct guard_pile *pile = usual(20), *other;
    struct encoded encoded = encode(pile);
    struct guard_span bytes = gd_span(encoded.bytes, encoded.len);
    struct guard_err err;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    cfg.service = traffic_text("bank");
    assert_int_equal(guard_pile_decode(&other, &cfg, bytes, &err), GUARD_E_FOREIGN);
    assert_non_null(strstr(err.text, "bank"));
    assert_int_equal(guard_pile_new(&other, &cfg, NULL), GUARD_OK);
    assert_int_equal(guard_pile_merge(pile, other, NULL, &err), GUARD_E_FOREIGN);
    guard_pile_free(other);
    cfg = traffic_cfg(&traffic_memory);
    cfg.key[31] ^= 1;
    assert_int_equal(guard_pile_decode(&other, &cfg, bytes, &err), GUARD_E_FOREIGN);
    assert_int_equal(guard_pile_new(&other, &cfg, NULL), GUARD_OK);
    assert_int_equal(guard_pile_merge(pile, other, NULL, &err), GUARD_E_FOREIGN);
    guard_pile_free(other);
    cfg.key[31] ^= 1;
    cfg.children_max = 9;
    assert_int_equal(guard_pile_new(&other, &cfg, NULL), GUARD_OK);
    assert_int_equal(guard_pile_merge(pile, other, NULL, &err), GUARD_E_VERSION);
    guard_pile_free(other);
    encoded.bytes[4] = 1;
    repair(&encoded);
    assert_int_equal(decode(bytes, &err), GUARD_E_VERSION);
    assert_non_null(strstr(err.text, "version 1"));
    struct traffic_digest before = traffic_digest(pile);
    assert_int_equal(
        guard_pile_observe(pile, &(struct guard_source){3, 1, 21}, traffic_text("no record"), &err),
        GUARD_E_SYNTAX);
    assert_true(traffic_equal(before, traffic_digest(pile)));
    free(encoded.bytes);
    guard_pile_free(pile);
}

/* Piles made before refused paths with syntax were counted have the bytes they had, and merge with
 * newer ones in either order. (Of records without times: those with times have a version of their
 * own.) */
static void test_older_piles_are_read(void **state)
{
    (void)state;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct traffic_shape many = traffic_usual, one_client;
    many.time_ms = 0;
    one_client = many;
    one_client.clients = 1; /* mistypes nothing */
    struct guard_pile *older = shaped(&one_client, 1, 300), *newer = shaped(&many, 3, 400);
    struct guard_pile *piles[2];
    struct encoded encoded[2] = {encode(older), encode(newer)};
    for (int i = 0; i < 2; i++) {
        struct guard_span bytes = gd_span(encoded[i].bytes, encoded[i].len);
        assert_int_equal(encoded[i].bytes[4], 2 + i);
        assert_int_equal(guard_pile_decode(&piles[i], &cfg, bytes, NULL), GUARD_OK);
        encoded[i].bytes[4] = (uint8_t)(3 - i);
        repair(&encoded[i]);
        assert_int_equal(decode(bytes, NULL), GUARD_E_SYNTAX);
    }
    assert_int_equal(guard_pile_merge(piles[0], newer, NULL, NULL), GUARD_OK);
    assert_int_equal(guard_pile_merge(piles[1], older, NULL, NULL), GUARD_OK);
    assert_true(traffic_equal(traffic_digest(piles[0]), traffic_digest(piles[1])));
    for (int i = 0; i < 2; i++) {
        guard_pile_free(piles[i]);
        free(encoded[i].bytes);
    }
    guard_pile_free(older);
    guard_pile_free(newer);
}

/* A name under another name's code would stand beside the real one: the key finds it out. */
static void test_forged_names(void **state)
{
    (void)state;
    struct guard_pile *pile = usual(3);
    struct encoded encoded = encode(pile);
    struct guard_err err;
    uint8_t *at = memmem(encoded.bytes, encoded.len, "name", 4);
    assert_non_null(at);
    at[0] = 'N';
    repair(&encoded);
    assert_int_equal(decode(gd_span(encoded.bytes, encoded.len), &err), GUARD_E_SYNTAX);
    assert_non_null(strstr(err.text, "code"));
    free(encoded.bytes);
    guard_pile_free(pile);
}

/* --- when named cells were first seen --- */

enum { MORNING_S = 1700000000 };

/* One GET /users?coupon= of a client at that time; 0: without one. */
static void coupon(struct guard_pile *pile, uint64_t producer, uint64_t sequence, uint64_t time_s)
{
    struct gd_segment segments[1] = {{GUARD_SPAN_LITERAL("users"), false}};
    struct gd_field fields[1] = {{.location = GUARD_LOCATION_QUERY,
                                  .parent = GD_NO_FIELD,
                                  .name = GUARD_SPAN_LITERAL("coupon")}};
    gd_summary_init(&fields[0].summary);
    struct gd_profile profile = {.service = traffic_text("shop"),
                                 .method = traffic_text("GET"),
                                 .latency_us = UINT32_MAX,
                                 .status = 200,
                                 .time_ms = time_s * 1000,
                                 .segments = segments,
                                 .segment_count = 1,
                                 .fields = fields,
                                 .field_count = 1,
                                 .field_cap = 1};
    assert_int_equal(gd_pile_observe_profile(pile, &(struct guard_source){producer, 1, sequence},
                                             &profile, NULL),
                     GUARD_OK);
}

static const struct gd_cell *coupon_in(const struct guard_pile *pile)
{
    for (const struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell)) {
        if (cell->kind == GD_KIND_NAME && gd_span_equal(cell->text, traffic_text("coupon")))
            return cell;
    }
    fail_msg("no coupon");
    return NULL;
}

static struct guard_pile *empty(void)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *pile;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    return pile;
}

static struct guard_pile *through_bytes(const struct guard_pile *pile, uint8_t version)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *back;
    struct encoded encoded = encode(pile);
    assert_int_equal(encoded.bytes[4], version);
    assert_int_equal(guard_pile_decode(&back, &cfg, gd_span(encoded.bytes, encoded.len), NULL),
                     GUARD_OK);
    free(encoded.bytes);
    return back;
}

static void test_the_first_time_is_the_least(void **state)
{
    (void)state;
    struct guard_pile *pile = empty();
    coupon(pile, 1, 1, MORNING_S + 600);
    coupon(pile, 1, 2, MORNING_S + 700);
    assert_int_equal(coupon_in(pile)->first_s, MORNING_S + 600);
    coupon(pile, 1, 3, MORNING_S + 60); /* late */
    assert_int_equal(coupon_in(pile)->first_s, MORNING_S + 60);
    assert_int_equal(coupon_in(pile)->parent->first_s, MORNING_S + 60);
    struct guard_pile *back = through_bytes(pile, 5);
    assert_int_equal(coupon_in(back)->first_s, MORNING_S + 60);
    /* The earlier of two piles, whichever is merged into the other. */
    struct guard_pile *other = empty();
    coupon(other, 2, 1, MORNING_S + 5);
    assert_int_equal(guard_pile_merge(back, other, NULL, NULL), GUARD_OK);
    assert_int_equal(guard_pile_merge(other, pile, NULL, NULL), GUARD_OK);
    assert_int_equal(coupon_in(back)->first_s, MORNING_S + 5);
    assert_true(traffic_equal(traffic_digest(back), traffic_digest(other)));
    guard_pile_free(pile);
    guard_pile_free(back);
    guard_pile_free(other);
}

/* Of a pile from before it was kept, and of records without a time, nobody knows. */
static void test_an_unknown_first_time_stays_unknown(void **state)
{
    (void)state;
    struct guard_pile *pile = empty(), *other = empty();
    coupon(pile, 1, 1, 0);
    struct guard_pile *older = through_bytes(pile, 2);
    assert_int_equal(coupon_in(older)->first_s, 0);
    coupon(older, 1, 2, MORNING_S);
    assert_int_equal(coupon_in(older)->first_s, 0);
    coupon(other, 2, 1, MORNING_S);
    assert_int_equal(guard_pile_merge(other, older, NULL, NULL), GUARD_OK);
    assert_int_equal(coupon_in(other)->first_s, 0);
    guard_pile_free(pile);
    guard_pile_free(other);
    guard_pile_free(older);
}

/* Its bytes with another first time of the field. */
static enum guard_rc forged(struct guard_pile *pile, uint32_t first_s, struct guard_err *err)
{
    struct gd_cell *cell = (struct gd_cell *)(uintptr_t)coupon_in(pile);
    uint32_t own = cell->first_s;
    cell->first_s = first_s;
    struct encoded encoded = encode(pile);
    cell->first_s = own;
    enum guard_rc rc = decode(gd_span(encoded.bytes, encoded.len), err);
    free(encoded.bytes);
    return rc;
}

static void test_times_that_no_pile_has_are_refused(void **state)
{
    (void)state;
    struct guard_pile *pile = empty();
    struct guard_err err = {.text = ""};
    coupon(pile, 1, 1, MORNING_S);
    coupon(pile, 1, 2, MORNING_S + 60);
    assert_int_equal(forged(pile, MORNING_S + 60, &err), GUARD_OK);
    assert_int_equal(forged(pile, MORNING_S + 61, &err), GUARD_E_RANGE); /* behind the last */
    assert_non_null(strstr(err.text, "first time"));
    assert_int_equal(forged(pile, 0, &err), GUARD_E_RANGE); /* before what it is in */
    struct guard_pile *ages = empty();
    coupon(ages, 1, 1, UINT64_MAX / 1000);
    assert_int_equal(coupon_in(ages)->first_s, UINT32_MAX - 1);
    struct guard_pile *back = through_bytes(ages, 5);
    assert_int_equal(coupon_in(back)->first_s, UINT32_MAX - 1);
    guard_pile_free(back);
    guard_pile_free(ages);
    guard_pile_free(pile);
}

static void test_records_as_bytes(void **state)
{
    (void)state;
    struct test_random random = test_random_start("pile, records");
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *direct, *through;
    struct guard_arena arena;
    guard_arena_init(&arena, &traffic_memory, 1024 * 1024);
    assert_int_equal(guard_pile_new(&direct, &cfg, NULL), GUARD_OK);
    assert_int_equal(guard_pile_new(&through, &cfg, NULL), GUARD_OK);
    struct guard_source source = {4, 4, 1};
    struct traffic_shape shape = traffic_usual;
    shape.reads = true;
    shape.time_ms = 0;
    for (int i = 0; i < 300; i++, source.sequence++) {
        uint8_t record[GUARD_RECORD_MAX];
        size_t len;
        struct gd_profile profile = traffic_profile(&random, &shape, &arena);
        profile.client.subject.len = 0; /* a record holds its digest, which is another unit */
        if (profile.client.unit == GUARD_UNIT_SUBJECT)
            profile.client.unit = GUARD_UNIT_PREFIX;
        assert_int_equal(gd_record_encode(&profile, record, sizeof(record), &len), GUARD_OK);
        assert_int_equal(gd_pile_observe_profile(direct, &source, &profile, NULL), GUARD_OK);
        assert_int_equal(guard_pile_observe(through, &source, gd_span(record, len), NULL),
                         GUARD_OK);
        assert_int_equal(guard_pile_observe(through, &source, gd_span(record, len), NULL),
                         GUARD_E_REPLAY);
        guard_arena_reset(&arena);
    }
    assert_true(traffic_equal(traffic_digest(direct), traffic_digest(through)));
    /* Cells that older programs don't know say so by the version. */
    struct encoded encoded = encode(direct);
    assert_int_equal(encoded.bytes[4], 4);
    assert_int_equal(decode(gd_span(encoded.bytes, encoded.len), NULL), GUARD_OK);
    encoded.bytes[4] = 3;
    repair(&encoded);
    assert_int_equal(decode(gd_span(encoded.bytes, encoded.len), NULL), GUARD_E_SYNTAX);
    free(encoded.bytes);
    guard_pile_free(direct);
    guard_pile_free(through);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_goes_on),
        cmocka_unit_test(test_overflowed_piles_go_on),
        cmocka_unit_test(test_merging_needs_no_key),
        cmocka_unit_test(test_empty_pile),
        cmocka_unit_test(test_every_truncation_and_bit_is_refused),
        cmocka_unit_test(test_forged_bytes),
        cmocka_unit_test(test_foreign_and_versions),
        cmocka_unit_test(test_older_piles_are_read),
        cmocka_unit_test(test_forged_names),
        cmocka_unit_test(test_the_first_time_is_the_least),
        cmocka_unit_test(test_an_unknown_first_time_stays_unknown),
        cmocka_unit_test(test_times_that_no_pile_has_are_refused),
        cmocka_unit_test(test_records_as_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
