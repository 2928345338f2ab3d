/* SPDX-License-Identifier: Apache-2.0 */
/* When a generation is found to be bad, and whom that can't be made to say. */
#include "guardd/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t begin_ms = UINT64_C(1700000000000);
static const double alpha = 1e-4;
static struct breaker breaker;

static void send(uint32_t client, bool blocked, uint64_t now_ms)
{
    struct guard_record_head head = {.decision = blocked ? GUARD_BLOCK : GUARD_PASS,
                                     .client = {.unit = GUARD_UNIT_PREFIX, .address_len = 4}};
    memcpy(head.client.address, &client, sizeof(client));
    breaker_observe(&breaker, &head, now_ms);
}

static void send_all(uint32_t clients, uint32_t blocked, uint64_t now_ms)
{
    for (uint32_t i = 0; i < clients; i++)
        send(i, i < blocked, now_ms);
}

static bool tripped(void)
{
    struct breaker_count in_force;
    struct breaker_count before;
    return breaker_tripped(&breaker, alpha, &in_force, &before);
}

/* Clients that have been there for an hour, of whom some were blocked under the generation before;
 * a new one was just published and has settled. Returns the time. */
static uint64_t settled(uint32_t clients, uint32_t blocked_before)
{
    uint64_t now = begin_ms;
    memset(&breaker, 0, sizeof(breaker));
    send_all(clients, 0, now);
    breaker_published(&breaker, true, now);
    now += BREAKER_TENURE_MS;
    send_all(clients, blocked_before, now);
    now += 1000;
    breaker_published(&breaker, true, now);
    return now + BREAKER_SETTLE_MS;
}

static void test_a_bad_generation_is_found(void **state)
{
    struct breaker_count in_force;
    struct breaker_count before;
    uint64_t now = settled(200, 0);
    (void)state;
    send_all(200, 40, now);
    assert_true(breaker_tripped(&breaker, alpha, &in_force, &before));
    assert_int_equal(in_force.seen, 200);
    assert_int_equal(in_force.blocked, 40);
    assert_int_equal(before.seen, 200);
    assert_int_equal(before.blocked, 0);
}

static void test_a_good_generation_is_not(void **state)
{
    uint64_t now = settled(700, 0);
    (void)state;
    send_all(700, 7, now); /* 1 % */
    assert_false(tripped());
    send(7, true, now);
    assert_true(tripped());
}

static void test_few_clients_never_revert(void **state)
{
    uint64_t now = settled(200, 0);
    (void)state;
    send_all(200, BREAKER_MIN_BLOCKED - 1, now);
    assert_false(tripped());
    now = settled(BREAKER_MIN_SEEN - 1, 0);
    send_all(BREAKER_MIN_SEEN - 1, 20, now);
    assert_false(tripped());
}

static void test_what_the_one_before_blocked_as_well_is_no_news(void **state)
{
    uint64_t now = settled(200, 10);
    (void)state;
    send_all(200, 90, now);
    assert_false(tripped());
    send_all(200, 101, now); /* more than ten times as many */
    assert_true(tripped());
}

static void test_a_wide_budget_allows_more(void **state)
{
    struct breaker_count in_force;
    struct breaker_count before;
    uint64_t now = settled(200, 0);
    (void)state;
    send_all(200, 18, now); /* 9 %, of ten requests each: 1e-3 allows about 1 %, tenfold 10 % */
    assert_true(breaker_tripped(&breaker, 1e-4, &in_force, &before));
    assert_false(breaker_tripped(&breaker, 1e-3, &in_force, &before));
}

/* One loud client, and many requests under one generation, don't count for more. */
static void test_ten_requests_of_a_client_count(void **state)
{
    uint64_t now = settled(200, 0);
    (void)state;
    for (int i = 0; i < BREAKER_REQUESTS; i++)
        send_all(200, 0, now);
    for (int i = 0; i < 1000; i++)
        send_all(200, 100, now);
    assert_false(tripped());
}

static void test_newcomers_and_callers_without_identity_dont_count(void **state)
{
    uint64_t now = settled(200, 0);
    (void)state;
    send_all(200, 0, now);
    for (uint32_t i = 1000; i < 1400; i++)
        send(i, true, now);
    struct guard_record_head head = {.decision = GUARD_BLOCK};
    for (int i = 0; i < 100; i++)
        breaker_observe(&breaker, &head, now);
    assert_false(tripped());
}

static void test_until_gates_have_it_nothing_counts(void **state)
{
    uint64_t now = settled(200, 0);
    (void)state;
    send_all(200, 100, now - BREAKER_SETTLE_MS + 1);
    assert_false(tripped());
    send_all(200, 100, now);
    assert_true(tripped());
}

static void test_what_people_changed_is_theirs(void **state)
{
    uint64_t now = settled(200, 0);
    (void)state;
    breaker_published(&breaker, false, now);
    now += BREAKER_SETTLE_MS;
    send_all(200, 100, now);
    assert_false(tripped());
    /* Nor is the next one held against what was before their change. */
    breaker_published(&breaker, true, now);
    send_all(200, 200, now + BREAKER_SETTLE_MS);
    assert_false(tripped());
}

/* A million addresses neither fill the table nor drive the established clients out of it. */
static void test_a_flood_of_addresses_doesnt_blind_it(void **state)
{
    uint64_t now = settled(200, 0);
    (void)state;
    for (uint32_t i = 0; i < 1000000; i++)
        send(1000 + i, i % 2 == 0, now);
    assert_true(breaker.count <= BREAKER_CLIENTS * 3 / 4);
    send_all(200, 40, now);
    assert_true(tripped());
}

/* Of more established clients than fit a sample is watched. */
static void test_many_established_clients_are_sampled(void **state)
{
    struct breaker_count in_force;
    struct breaker_count before;
    uint64_t now = settled(20000, 0);
    (void)state;
    send_all(20000, 10000, now);
    assert_true(breaker_tripped(&breaker, alpha, &in_force, &before));
    assert_in_range(in_force.seen, 100, BREAKER_CLIENTS);
    assert_in_range(100 * in_force.blocked / in_force.seen, 35, 65);
}

static void test_clients_that_are_gone_make_room(void **state)
{
    uint64_t now = settled(700, 0) + BREAKER_GONE_MS;
    (void)state;
    for (uint32_t i = 1000; i < 1700; i++)
        send(i, false, now);
    assert_true(breaker.count < BREAKER_CLIENTS);
    now += BREAKER_TENURE_MS;
    for (uint32_t i = 1000; i < 1700; i++)
        send(i, false, now);
    breaker_published(&breaker, true, now);
    now += BREAKER_SETTLE_MS;
    for (uint32_t i = 1000; i < 1700; i++)
        send(i, true, now);
    assert_true(tripped());
}

static void reports_of_nodes_below_count_once_and_for_their_generation(void **state)
{
    struct breaker_count in_force;
    struct breaker_count before;
    (void)state;
    memset(&breaker, 0, sizeof(breaker));
    breaker.generation = 8;
    struct breaker_report report = {
        .reporter = 1, .generation = 8, .at_ms = 5, .in_force = {60, 30}, .before = {60, 0}};
    breaker_reported(&breaker, &report);
    breaker_reported(&breaker, &report); /* told again */
    report.reporter = 2;
    breaker_reported(&breaker, &report);
    report = (struct breaker_report){
        .reporter = 3, .generation = 7, .in_force = {100, 100}, .before = {100, 0}};
    breaker_reported(&breaker, &report); /* of another generation */
    breaker.watching = true;
    assert_true(breaker_tripped(&breaker, 1e-4, &in_force, &before));
    assert_int_equal(in_force.seen, 120);
    assert_int_equal(in_force.blocked, 60);
    assert_int_equal(before.seen, 120);
    breaker.watching = false; /* people changed it */
    assert_false(breaker_tripped(&breaker, 1e-4, &in_force, &before));
    breaker.watching = true;
    breaker.generation = 9;
    assert_false(breaker_tripped(&breaker, 1e-4, &in_force, &before));
    /* More than a breaker holds is cut. */
    report = (struct breaker_report){
        .reporter = 4, .generation = 9, .in_force = {UINT32_MAX, UINT32_MAX}, .before = {9, 10}};
    breaker_reported(&breaker, &report);
    (void)breaker_tripped(&breaker, 1e-4, &in_force, &before);
    assert_int_equal(in_force.seen, BREAKER_CLIENTS);
    assert_int_equal(before.blocked, 9);
    /* More reporters than places: the one that was silent longest goes. */
    for (uint64_t i = 10; i < 10 + 2 * BREAKER_REPORTS; i++) {
        report = (struct breaker_report){.reporter = i, .generation = 9, .at_ms = i};
        report.in_force = (struct breaker_count){1, 1};
        breaker_reported(&breaker, &report);
    }
    (void)breaker_tripped(&breaker, 1e-4, &in_force, &before);
    assert_int_equal(in_force.seen, BREAKER_REPORTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bad_generation_is_found),
        cmocka_unit_test(test_a_good_generation_is_not),
        cmocka_unit_test(test_few_clients_never_revert),
        cmocka_unit_test(test_what_the_one_before_blocked_as_well_is_no_news),
        cmocka_unit_test(test_a_wide_budget_allows_more),
        cmocka_unit_test(test_ten_requests_of_a_client_count),
        cmocka_unit_test(test_newcomers_and_callers_without_identity_dont_count),
        cmocka_unit_test(test_until_gates_have_it_nothing_counts),
        cmocka_unit_test(test_what_people_changed_is_theirs),
        cmocka_unit_test(test_a_flood_of_addresses_doesnt_blind_it),
        cmocka_unit_test(test_many_established_clients_are_sampled),
        cmocka_unit_test(test_clients_that_are_gone_make_room),
        cmocka_unit_test(reports_of_nodes_below_count_once_and_for_their_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
