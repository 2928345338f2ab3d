/* SPDX-License-Identifier: Apache-2.0 */
/* How much goes where it may go: what two replicas send is usual, what one sends alone is told. */
#include "unit/pods/fleet.h"

enum { MB = 1000000, REPLICAS = 5 };

/* The database, and how much goes there in ten seconds. */
static struct guard_pod_feature database(uint64_t bytes_out)
{
    struct guard_pod_feature feature = sample_connect("", 9, 5432);
    feature.bytes_out = bytes_out;
    return feature;
}

/* An hour in which all send the usual. */
static void send_usual(struct fleet *fleet, uint32_t replicas)
{
    for (uint32_t minute = 0; minute < 120; minute++) {
        fleet->now_ms += 30000;
        for (uint32_t i = 0; i < replicas; i++) {
            struct guard_pod_feature feature = database(100000 + 1000 * i);
            assert_int_equal(fleet_tell(fleet, i, &feature, 1), GUARD_POD_NORMAL);
        }
    }
}

static void begin(struct fleet *fleet)
{
    struct guard_pod_feature features[] = {sample_connect("", 9, 5432)};
    fleet_open(fleet);
    for (uint32_t step = 0; step < 8; step++) {
        fleet->now_ms += 6 * FLEET_HOUR;
        for (uint32_t i = 0; i < REPLICAS; i++)
            assert_int_equal(fleet_tell(fleet, i, features, 1), GUARD_POD_NORMAL);
    }
    send_usual(fleet, REPLICAS);
}

static enum guard_pod_decision sends(struct fleet *fleet, uint32_t replica, uint64_t bytes_out)
{
    struct guard_pod_feature feature = database(bytes_out);
    fleet->now_ms += 10000;
    return fleet_tell(fleet, replica, &feature, 1);
}

static void test_much_to_a_known_place_is_told_once(void **state)
{
    (void)state;
    struct fleet fleet;
    char line[1024];
    begin(&fleet);
    assert_int_equal(sends(&fleet, 3, 10 * MB), GUARD_POD_ALERT);
    assert_int_equal(fleet.verdict.evidence[0].kind, GUARD_POD_VOLUME);
    (void)guard_pod_explain(&fleet.verdict, line, sizeof(line));
    assert_string_equal(line, "ALERT pod prod/web-7f9c-00003: sends 60 MB a minute to tcp "
                              "203.0.113.9:5432, usual are 612 kB at most (0 others in 8 replica "
                              "days, 2.0); not replaced: one kind of evidence, evidence too weak");
    assert_int_equal(sends(&fleet, 3, 10 * MB), GUARD_POD_NORMAL);
    /* Another that does it lately is a change; nor is it usual by that. */
    assert_int_equal(sends(&fleet, 1, 10 * MB), GUARD_POD_CHANGE);
    fleet.now_ms += 2 * 24 * (uint64_t)FLEET_HOUR;
    assert_int_equal(sends(&fleet, 3, 10 * MB), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

static void test_a_little_more_is_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    begin(&fleet);
    assert_int_equal(sends(&fleet, 3, 190000), GUARD_POD_NORMAL);
    fleet_close(&fleet);
    /* Much more than nearly nothing is little. */
    fleet_open(&fleet);
    fleet_live(&fleet, REPLICAS, 2);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(sends(&fleet, i % REPLICAS, 10), GUARD_POD_NORMAL);
    assert_int_equal(sends(&fleet, 3, 100000), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* One that sends much from the beginning makes nothing usual for the others. */
static void test_one_alone_poisons_nothing(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    (void)sends(&fleet, 0, 100 * MB);
    fleet.now_ms = UINT64_C(1000) * FLEET_START;
    struct guard_pod_feature plain = database(0);
    for (uint32_t step = 0; step < 8; step++) {
        fleet.now_ms += 6 * FLEET_HOUR;
        for (uint32_t i = 0; i < REPLICAS; i++)
            (void)fleet_tell(&fleet, i, &plain, 1);
    }
    send_usual(&fleet, REPLICAS);
    assert_int_equal(sends(&fleet, 3, 10 * MB), GUARD_POD_ALERT);
    assert_int_equal(fleet.verdict.evidence[0].with, 1);
    fleet_close(&fleet);
}

static void test_what_two_send_is_usual(void **state)
{
    (void)state;
    struct fleet fleet;
    begin(&fleet);
    assert_int_equal(sends(&fleet, 4, 10 * MB), GUARD_POD_ALERT);
    assert_int_equal(sends(&fleet, 2, 11 * MB), GUARD_POD_CHANGE);
    fleet.now_ms += 2 * 24 * (uint64_t)FLEET_HOUR; /* their cases are over */
    assert_int_equal(sends(&fleet, 3, 12 * MB), GUARD_POD_NORMAL);
    assert_int_equal(sends(&fleet, 3, 21 * MB), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

static void test_a_person_approves_how_much(void **state)
{
    (void)state;
    struct fleet fleet;
    begin(&fleet);
    assert_int_equal(sends(&fleet, 3, 10 * MB), GUARD_POD_ALERT);
    assert_int_equal(guard_pods_judge(fleet.pods, fleet.verdict.evidence[0].id, GUARD_POD_APPROVED,
                                      fleet.now_ms),
                     GUARD_OK);
    fleet.now_ms += 2 * 24 * (uint64_t)FLEET_HOUR;
    assert_int_equal(sends(&fleet, 3, 20 * MB), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* Counters that are as large as may be, and clocks that go back, make nothing overflow. */
static void test_extremes_are_bounded(void **state)
{
    (void)state;
    struct fleet fleet;
    begin(&fleet);
    assert_int_equal(sends(&fleet, 3, UINT64_MAX), GUARD_POD_ALERT);
    fleet.interval_ms = GUARD_POD_INTERVAL_MAX_MS;
    assert_int_equal(sends(&fleet, 2, 1), GUARD_POD_NORMAL);
    fleet.interval_ms = 1; /* an interval that the clock cut says nothing of a minute */
    assert_int_equal(sends(&fleet, 2, 10 * MB), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

static void serve(struct fleet *fleet, uint32_t minutes, uint64_t calls_out, uint64_t requests)
{
    for (uint32_t minute = 0; minute < minutes; minute++) {
        fleet->now_ms += 30000;
        for (uint32_t i = 0; i < REPLICAS; i++) {
            fleet->calls_out = calls_out + 1000 * i;
            fleet->requests = requests;
            assert_int_equal(fleet_tell(fleet, i, NULL, 0), GUARD_POD_NORMAL);
        }
    }
}

/* As much as ever in all, but for hardly any request. */
static void test_bytes_without_requests_are_told(void **state)
{
    (void)state;
    struct fleet fleet;
    char line[1024];
    fleet_open(&fleet);
    fleet_live(&fleet, REPLICAS, 1);
    serve(&fleet, 300, 20 * MB, 1000);
    fleet.now_ms += 10000;
    fleet.calls_out = 20 * MB;
    fleet.requests = 2;
    assert_int_equal(fleet_tell(&fleet, 2, NULL, 0), GUARD_POD_ALERT);
    (void)guard_pod_explain(&fleet.verdict, line, sizeof(line));
    assert_non_null(strstr(line, "bytes out per request 10000000, peers far less (0 of 1500 "));
    fleet_close(&fleet);
}

static void test_replicas_show_their_amounts(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_replica replica;
    struct guard_pod_known known;
    fleet_open(&fleet);
    fleet_live(&fleet, REPLICAS, 1);
    serve(&fleet, 1, 20 * MB, 1000);
    assert_true(guard_pods_replica(fleet.pods, 0, 0, &replica));
    assert_true(replica.amounts_known >> GUARD_POD_BYTES_PER_REQUEST & 1);
    assert_in_range(replica.amounts[GUARD_POD_BYTES_PER_REQUEST], 20000, 20004);
    assert_in_range(replica.amounts[GUARD_POD_CALLS_OUT], 120 * MB, 120 * MB + 24000);
    fleet_close(&fleet);
    begin(&fleet);
    for (uint32_t i = 0; guard_pods_known(fleet.pods, i, &known); i++)
        if (known.kind == GUARD_POD_DESTINATION)
            assert_int_equal(known.volume, 6 * 103000);
    fleet_close(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_much_to_a_known_place_is_told_once),
        cmocka_unit_test(test_a_little_more_is_no_news),
        cmocka_unit_test(test_one_alone_poisons_nothing),
        cmocka_unit_test(test_what_two_send_is_usual),
        cmocka_unit_test(test_a_person_approves_how_much),
        cmocka_unit_test(test_extremes_are_bounded),
        cmocka_unit_test(test_bytes_without_requests_are_told),
        cmocka_unit_test(test_replicas_show_their_amounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
