/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger remembers which records came and nothing else; a relabelled pile is of one source and
 * has taught the same. */
#include "support/pile_traffic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct guard_pile *fresh(void)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *pile = NULL;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    return pile;
}

static struct guard_pile *pile_of(uint64_t producer, uint64_t first, uint32_t count)
{
    struct guard_pile *pile = fresh();
    struct guard_arena arena;
    guard_arena_init(&arena, &traffic_memory, 1 << 20);
    struct gd_profile profile = {.service = traffic_text("shop"), .method = traffic_text("GET")};
    profile.status = 200;
    profile.time_ms = UINT64_C(1700006400000) + producer * 1000;
    profile.client = (struct guard_client){
        .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {10, 0, (uint8_t)producer, 1}};
    for (uint32_t i = 0; i < count; i++) {
        struct guard_source source = {producer, 1, first + i};
        assert_int_equal(gd_pile_observe_profile(pile, &source, &profile, NULL), GUARD_OK);
    }
    guard_arena_reset(&arena);
    return pile;
}

static enum guard_rc hold(struct guard_pile *ledger, struct guard_pile *pile,
                          enum guard_merge *outcome)
{
    struct guard_err err;
    enum guard_rc rc = guard_pile_hold(ledger, pile, outcome, &err);
    guard_pile_free(pile);
    return rc;
}

static void test_what_came_is_told_apart(void **state)
{
    struct guard_pile *ledger = fresh();
    struct guard_pile_stats stats;
    enum guard_merge outcome;
    (void)state;
    assert_int_equal(hold(ledger, pile_of(1, 1, 10), &outcome), GUARD_OK);
    assert_int_equal(outcome, GUARD_MERGE_ADDED);
    assert_int_equal(hold(ledger, pile_of(1, 1, 10), &outcome), GUARD_OK);
    assert_int_equal(outcome, GUARD_MERGE_CONTAINED);
    assert_int_equal(hold(ledger, pile_of(1, 3, 2), &outcome), GUARD_OK);
    assert_int_equal(outcome, GUARD_MERGE_CONTAINED);
    /* It holds all that came, and more: passed on it would count twice. */
    assert_int_equal(hold(ledger, pile_of(1, 1, 20), &outcome), GUARD_E_OVERLAP);
    assert_int_equal(hold(ledger, pile_of(1, 8, 9), &outcome), GUARD_E_OVERLAP);
    assert_int_equal(hold(ledger, pile_of(1, 11, 5), &outcome), GUARD_OK);
    assert_int_equal(outcome, GUARD_MERGE_ADDED);
    assert_int_equal(hold(ledger, pile_of(2, 1, 5), &outcome), GUARD_OK);
    guard_pile_stats(ledger, &stats);
    assert_int_equal(stats.exchanges, 20);
    assert_int_equal(stats.intervals, 2);
    assert_int_equal(stats.cells, 1); /* nothing of what they taught */
    guard_pile_free(ledger);
}

static void test_it_survives_its_bytes(void **state)
{
    struct guard_pile *ledger = fresh();
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    enum guard_merge outcome;
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(hold(ledger, pile_of(3, 1, 10), &outcome), GUARD_OK);
    assert_int_equal(guard_pile_encode(ledger, &bytes, &len, NULL), GUARD_OK);
    guard_pile_free(ledger);
    assert_int_equal(guard_pile_decode(&ledger, &cfg, (struct guard_span){bytes, len}, NULL),
                     GUARD_OK);
    traffic_memory.free(traffic_memory.ctx, bytes);
    assert_int_equal(hold(ledger, pile_of(3, 1, 10), &outcome), GUARD_OK);
    assert_int_equal(outcome, GUARD_MERGE_CONTAINED);
    guard_pile_free(ledger);
}

static void test_a_full_one_forgets_the_oldest(void **state)
{
    struct guard_pile *ledger = fresh();
    struct guard_pile_stats stats;
    enum guard_merge outcome;
    (void)state;
    for (uint64_t producer = 1; producer <= 4097; producer++)
        assert_int_equal(hold(ledger, pile_of(producer, 1, 1), &outcome), GUARD_OK);
    guard_pile_stats(ledger, &stats);
    assert_true(stats.intervals <= 4096 && stats.intervals > 0);
    assert_int_equal(hold(ledger, pile_of(4097, 1, 1), &outcome), GUARD_OK);
    assert_int_equal(outcome, GUARD_MERGE_CONTAINED);
    assert_int_equal(hold(ledger, pile_of(1, 1, 1), &outcome), GUARD_OK);
    assert_int_equal(outcome, GUARD_MERGE_ADDED);
    guard_pile_free(ledger);
}

static void test_many_sources_become_one(void **state)
{
    struct guard_pile *pile = pile_of(1, 5, 10);
    struct guard_pile *other = pile_of(2, 1, 7);
    struct guard_pile_stats before;
    struct guard_pile_stats after;
    struct guard_interval interval;
    const struct guard_source own = {99, 1, 101};
    (void)state;
    assert_int_equal(guard_pile_merge(pile, other, NULL, NULL), GUARD_OK);
    guard_pile_stats(pile, &before);
    guard_pile_relabel(pile, &own);
    guard_pile_stats(pile, &after);
    assert_true(guard_pile_interval(pile, 0, &interval));
    assert_false(guard_pile_interval(pile, 1, &interval));
    assert_int_equal(interval.producer, 99);
    assert_int_equal(interval.first, 101);
    assert_int_equal(interval.last, 117);
    assert_int_equal(after.exchanges, before.exchanges);
    assert_int_equal(after.cells, before.cells);
    assert_int_equal(guard_pile_position(pile, 99, 1), 117);
    guard_pile_free(pile);
    guard_pile_free(other);
    pile = fresh();
    guard_pile_relabel(pile, &own);
    assert_false(guard_pile_interval(pile, 0, &interval));
    guard_pile_free(pile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_came_is_told_apart),
        cmocka_unit_test(test_it_survives_its_bytes),
        cmocka_unit_test(test_a_full_one_forgets_the_oldest),
        cmocka_unit_test(test_many_sources_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
