/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verdicts: found until they end, refused when a bit is wrong. */
#include <guard/client.h>
#include <guard/txn.h>

#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct guard_span shop = {(const uint8_t *)"shop", 4};
static uint8_t public_key[GUARD_KEY_BYTES], secret[64];
static struct guard_client_table table, out;
static uint8_t bytes[GUARD_CLIENT_TABLE_BYTES];

static size_t make(uint32_t count, const uint8_t *key)
{
    size_t len = 0;
    const uint8_t seed[GUARD_KEY_BYTES] = {7};
    guard_keypair(public_key, secret, seed);
    memset(&table, 0, sizeof(table));
    table.issued_ms = 5000;
    table.count = count;
    for (uint32_t i = 0; i < count; i++)
        table.list[i] = (struct guard_client_verdict){.code = 100 + 2 * i,
                                                      .until_ms = 10000 + i,
                                                      .rule = GUARD_RULE_CLIENT_IDS,
                                                      .detail = 40,
                                                      .expected = 9};
    assert_int_equal(guard_client_table_encode(&table, shop, key, bytes, &len), GUARD_OK);
    return len;
}

static enum guard_rc decode(size_t len)
{
    return guard_client_table_decode(&out, (struct guard_span){bytes, len}, shop, public_key);
}

static void test_finds_each_until_it_ends(void **state)
{
    for (uint32_t count = 0; count <= GUARD_CLIENT_VERDICTS_MAX; count = count * 3 + 1) {
        assert_int_equal(decode(make(count, secret)), GUARD_OK);
        assert_int_equal(out.count, count);
        for (uint32_t i = 0; i < count; i++) {
            const struct guard_client_verdict *found =
                guard_client_table_find(&out, 100 + 2 * i, 9999 + i);
            assert_non_null(found);
            assert_int_equal(found->until_ms, 10000 + i);
            assert_null(guard_client_table_find(&out, 100 + 2 * i, 10000 + i));
            assert_null(guard_client_table_find(&out, 101 + 2 * i, 0));
        }
        assert_null(guard_client_table_find(&out, 0, 0));
        assert_null(guard_client_table_find(&out, UINT64_MAX, 0));
    }
    assert_int_equal(make(GUARD_CLIENT_VERDICTS_MAX, secret), GUARD_CLIENT_TABLE_BYTES);
    assert_int_equal(decode(GUARD_CLIENT_TABLE_BYTES), GUARD_OK);
}

static void test_refuses_every_wrong_byte(void **state)
{
    size_t len = make(3, secret);
    for (size_t at = 0; at < len; at++) {
        out.count = 77;
        bytes[at] ^= 1;
        assert_int_not_equal(decode(len), GUARD_OK);
        bytes[at] ^= 1;
        assert_int_not_equal(decode(at), GUARD_OK);
        assert_int_equal(out.count, 77);
    }
    assert_int_equal(decode(len), GUARD_OK);
}

static void test_refuses_what_others_made(void **state)
{
    size_t len = make(3, secret);
    assert_int_equal(guard_client_table_decode(&out, (struct guard_span){bytes, len},
                                               (struct guard_span){(const uint8_t *)"shopx", 5},
                                               public_key),
                     GUARD_E_FOREIGN);
    public_key[0] ^= 1;
    assert_int_equal(decode(len), GUARD_E_SIGNATURE);
    len = make(3, NULL);
    assert_int_equal(decode(len), GUARD_E_SIGNATURE);
    assert_int_equal(guard_client_table_decode(&out, (struct guard_span){bytes, len}, shop, NULL),
                     GUARD_OK);
}

static void test_refuses_to_write_what_cant_be_searched(void **state)
{
    size_t len = make(3, secret);
    table.list[2].rule = GUARD_RULE_CLIENT_MANUAL;
    assert_int_equal(guard_client_table_encode(&table, shop, secret, bytes, &len), GUARD_OK);
    assert_int_equal(decode(len), GUARD_OK);
    assert_int_equal(out.list[2].rule, GUARD_RULE_CLIENT_MANUAL);
    table.list[1].code = table.list[0].code;
    assert_int_equal(guard_client_table_encode(&table, shop, secret, bytes, &len), GUARD_E_RANGE);
    table.list[0].code = 0;
    assert_int_equal(guard_client_table_encode(&table, shop, secret, bytes, &len), GUARD_E_RANGE);
    table.count = GUARD_CLIENT_VERDICTS_MAX + 1;
    assert_int_equal(guard_client_table_encode(&table, shop, secret, bytes, &len), GUARD_E_RANGE);
}

static void test_codes(void **state)
{
    const uint8_t key[16] = {1}, other[16] = {2};
    struct guard_client client = {
        .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {192, 0, 2, 7}};
    uint64_t code = guard_client_code(key, &client);
    client.address[3] = 99;
    assert_true(code != 0 && guard_client_code(key, &client) == code);
    assert_true(guard_client_code(other, &client) != code);
    client.address[2] = 3;
    assert_true(guard_client_code(key, &client) != code);
    /* A subject by what texts show of it. */
    const uint8_t digest[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    client.unit = GUARD_UNIT_SUBJECT;
    client.subject = (struct guard_span){digest, sizeof(digest)};
    code = guard_client_code(key, &client);
    client.subject.len = GUARD_CLIENT_SUBJECT;
    assert_true(code != 0 && guard_client_code(key, &client) == code);
    client.subject = (struct guard_span){digest + 1, GUARD_CLIENT_SUBJECT};
    assert_true(guard_client_code(key, &client) != code);
    client.unit = GUARD_UNIT_SLICE; /* may be many */
    assert_int_equal(guard_client_code(key, &client), 0);
    client.unit = GUARD_UNIT_ANONYMOUS;
    assert_int_equal(guard_client_code(key, &client), 0);
}

/* It blocks whatever the mode of requests is, and says why; not what must always pass. */
static void test_a_verdict_blocks_a_request(void **state)
{
    struct world world;
    world_init(&world);
    world.guardian.mode = world.guardian.request_mode = GUARD_MODE_OBSERVE;
    struct guard_policy *policy = world_policy(&world);
    const struct guard_client_verdict found = {
        .code = 1, .until_ms = 1, .rule = GUARD_RULE_CLIENT_IDS, .detail = 40};
    const struct guard_client_verdict made = {
        .code = 1, .until_ms = 1, .rule = GUARD_RULE_CLIENT_MANUAL};
    for (int i = 0; i < 4; i++) {
        bool exempt = i % 2 == 1;
        bool manual = i >= 2;
        struct guard_arena arena;
        struct guard_txn *txn;
        struct guard_txn_cfg cfg = {.policy = policy, .service = shop, .hash_seed = 1};
        char line[256];
        guard_arena_init(&arena, &world_heap, 256 * 1024);
        assert_int_equal(guard_txn_begin(&txn, &cfg, &arena), GUARD_OK);
        guard_txn_client_verdict(txn, manual ? &made : &found, 840);
        guard_txn_request(txn, world_span(exempt ? "OPTIONS" : "GET"), world_span("/users/7"), 11);
        (void)guard_txn_headers_end(txn);
        const struct guard_verdict *verdict = guard_txn_request_end(txn);
        assert_int_equal(verdict->action, exempt ? GUARD_PASS : GUARD_BLOCK);
        if (!exempt) {
            assert_int_equal(verdict->findings[0].part, GUARD_PART_CLIENT);
            (void)guard_explain(verdict, guard_txn_method(txn), guard_txn_template(txn), line,
                                sizeof(line));
            assert_string_equal(
                line, manual ? "BLOCK GET /users/{int} client: a person blocked it for a "
                               "while; 840 s left"
                             : "BLOCK GET /users/{int} client: its behaviour "
                               "(client-ids) was too far from that of others; 840 s left");
        }
        guard_arena_reset(&arena);
    }
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_each_until_it_ends),
        cmocka_unit_test(test_refuses_every_wrong_byte),
        cmocka_unit_test(test_refuses_what_others_made),
        cmocka_unit_test(test_refuses_to_write_what_cant_be_searched),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_a_verdict_blocks_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
