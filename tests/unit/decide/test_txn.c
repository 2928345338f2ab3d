/* SPDX-License-Identifier: Apache-2.0 */
/* The public face: an exchange with and without a policy, its record, its end in too little memory.
 */
#include "unit/policy/world.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world world;
static const struct ask attack = {"GET", "/search?username=tom+or+1%3D1", NULL, NULL, "192.0.2.7"};

static void test_without_policy(void **state)
{
    (void)state;
    struct answer answer;
    world_ask(&answer, NULL, &attack);
    assert_int_equal(answer.verdict->decision, GUARD_PASS);
    assert_int_equal(answer.verdict->finding_count, 0);
    assert_int_equal(guard_txn_template(answer.txn).len, 0);
    assert_true(gd_span_equal(guard_txn_method(answer.txn), GUARD_SPAN_LITERAL("GET")));
    world_answer_free(&answer);
}

/* Only the verdict distinguishes the records of one exchange. */
static void test_record(void **state)
{
    (void)state;
    static uint8_t records[2][GUARD_RECORD_MAX];
    size_t len[2];
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    for (int i = 0; i < 2; i++) {
        struct answer answer;
        world_ask(&answer, i == 0 ? NULL : policy, &attack);
        guard_txn_response(answer.txn, 200, 1234);
        assert_int_equal(guard_txn_record(answer.txn, records[i], sizeof(records[i]), &len[i]),
                         GUARD_OK);
        assert_ptr_equal(guard_txn_verdict(answer.txn), answer.verdict);
        struct guard_record_head head;
        assert_int_equal(guard_record_head_read(gd_span(records[i], len[i]), &head), GUARD_OK);
        assert_int_equal(head.decision, i == 0 ? GUARD_PASS : GUARD_BLOCK);
        assert_int_equal(head.status, 200);
        assert_int_equal(head.latency_us, 1234);
        assert_int_equal(head.client.address[3], 0);
        world_answer_free(&answer);
    }
    assert_int_equal(len[0], len[1]);
    int differing = 0;
    for (size_t i = 0; i < len[0]; i++)
        differing += records[0][i] != records[1][i];
    assert_int_equal(differing, 1);
    world_policy_free(policy);
}

static void test_order(void **state)
{
    (void)state;
    struct guard_arena arena;
    guard_arena_init(&arena, &world_heap, 256 * 1024);
    struct guard_txn_cfg cfg = {.service = GUARD_SPAN_LITERAL("shop")};
    struct guard_txn *txn = NULL;
    uint8_t record[64];
    size_t len = 9;
    assert_int_equal(guard_txn_begin(&txn, &cfg, &arena), GUARD_OK);
    assert_int_equal(guard_txn_verdict(txn)->decision, GUARD_PASS);
    assert_int_equal(guard_txn_record(txn, record, sizeof(record), &len), GUARD_E_STATE);
    assert_int_equal(len, 0);
    guard_txn_request(txn, world_span("GET"), world_span("/"), 11);
    const struct guard_verdict *verdict = guard_txn_request_end(txn);
    assert_ptr_equal(guard_txn_request_end(txn), verdict); /* twice is once */
    guard_arena_reset(&arena);
}

/* In an arena of any size an exchange ends with a verdict, and what couldn't be inspected isn't
 * called benign. */
static void test_small_arena(void **state)
{
    (void)state;
    static char target[9000];
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    size_t at = (size_t)snprintf(target, sizeof(target), "/search?username=tom");
    for (int i = 0; i < 500; i++)
        at += (size_t)snprintf(target + at, sizeof(target) - at, "&n%03d=%%41bc", i);
    int ended = 0, noticed = 0;
    for (size_t limit = 0; limit <= 256 * 1024; limit += 16 * 1024) {
        struct guard_arena arena;
        guard_arena_init(&arena, &world_heap, limit);
        struct guard_txn_cfg cfg = {.policy = policy, .service = GUARD_SPAN_LITERAL("shop")};
        struct guard_txn *txn = NULL;
        enum guard_rc rc = guard_txn_begin(&txn, &cfg, &arena);
        assert_true(rc == GUARD_OK || rc == GUARD_E_NOMEM);
        if (rc == GUARD_OK) {
            guard_txn_request(txn, world_span("GET"), world_span(target), 11);
            guard_txn_header(txn, world_span("host"), world_span("shop.test"));
            (void)guard_txn_headers_end(txn);
            ended++;
            noticed += guard_txn_request_end(txn)->decision == GUARD_BLOCK;
        }
        guard_arena_reset(&arena);
    }
    assert_true(ended > 10);
    assert_int_equal(noticed, ended);
    world_policy_free(policy);
}

static bool dry;

static void *dry_get(void *ctx, size_t size)
{
    (void)ctx;
    return dry ? NULL : malloc(size);
}

static void dry_put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

/* Whatever the room that is left for the decision, a required name isn't forgotten. */
static void test_no_room_for_what_is_missing(void **state)
{
    (void)state;
    const struct guard_alloc source = {NULL, dry_get, dry_put};
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    for (size_t used = 0; used < 16 * 1024; used += 4) {
        struct guard_arena arena;
        dry = false;
        guard_arena_init(&arena, &source, 256 * 1024);
        struct guard_txn_cfg cfg = {.policy = policy, .service = GUARD_SPAN_LITERAL("shop")};
        struct guard_txn *txn = NULL;
        assert_int_equal(guard_txn_begin(&txn, &cfg, &arena), GUARD_OK);
        guard_txn_request(txn, world_span("GET"), world_span("/search"), 11);
        guard_txn_header(txn, world_span("host"), world_span("shop.test"));
        (void)guard_txn_headers_end(txn);
        dry = true;
        (void)guard_arena_get(&arena, used);
        assert_int_not_equal(guard_txn_request_end(txn)->decision, GUARD_PASS);
        guard_arena_reset(&arena);
    }
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_policy),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_small_arena),
        cmocka_unit_test(test_no_room_for_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
