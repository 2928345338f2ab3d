/* SPDX-License-Identifier: Apache-2.0 */
/* How much a replica sends for an hour, where each minute of it is one that others have, too. */
#include "unit/pods/fleet.h"

enum { REPLICAS = 5, KB = 1000, USUAL = 1000 * KB, BURST = 12000 * KB, WINDOW = 10 };

/* Bytes of a minute of each replica. */
typedef uint64_t sends_fn(uint32_t replica, uint32_t minute);

/* Each window begins with a minute that is full. */
static uint64_t usual(uint32_t replica, uint32_t minute)
{
    (void)replica;
    return minute % WINDOW == 0 ? BURST : USUAL;
}

static void begin(struct fleet *fleet)
{
    fleet_open(fleet);
    fleet->interval_ms = 60000;
    fleet->now_ms -= fleet->now_ms % 600000;
}

static enum guard_pod_decision tell(struct fleet *fleet, uint32_t replica, uint64_t bytes)
{
    struct guard_pod_feature feature = sample_connect("", 9, 5432);
    feature.bytes_out = bytes;
    fleet->calls_out = 1; /* a sensor beside the container */
    fleet->requests = 1;
    return fleet_tell(fleet, replica, &feature, 1);
}

/* Windows of all replicas; which of them was told of, and how often: of the others nothing. */
static uint32_t live(struct fleet *fleet, uint32_t replicas, uint32_t windows, sends_fn *sends,
                     uint32_t odd, struct guard_pod_verdict *verdict)
{
    uint32_t told = 0;
    for (uint32_t minute = 0; minute < windows * WINDOW; minute++) {
        fleet->now_ms += 60000;
        for (uint32_t i = 0; i < replicas; i++) {
            if (tell(fleet, i, sends(i, minute)) == GUARD_POD_NORMAL)
                continue;
            assert_int_equal(i, odd);
            *verdict = fleet->verdict;
            told++;
        }
    }
    return told;
}

static uint32_t quiet(struct fleet *fleet, uint32_t replicas, uint32_t windows, sends_fn *sends)
{
    struct guard_pod_verdict verdict;
    return live(fleet, replicas, windows, sends, UINT32_MAX, &verdict);
}

/* Another day, of which three hours are told. */
static void go_on(struct fleet *fleet, uint32_t replicas, sends_fn *sends)
{
    fleet->now_ms += UINT64_C(24) * FLEET_HOUR;
    (void)quiet(fleet, replicas, 20, sends);
}

static void learn(struct fleet *fleet, uint32_t replicas, sends_fn *sends)
{
    begin(fleet);
    for (uint32_t day = 0; day < 3; day++)
        go_on(fleet, replicas, sends);
}

static uint64_t third_takes(uint32_t replica, uint32_t minute)
{
    return usual(replica, minute) + (replica == 3 ? 4000 * KB : 0);
}

static void test_an_hour_of_more_is_told_once(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_verdict verdict;
    learn(&fleet, REPLICAS, usual);
    assert_int_equal(live(&fleet, REPLICAS, 4, third_takes, 3, &verdict), 0);
    assert_int_equal(live(&fleet, REPLICAS, 4, third_takes, 3, &verdict), 1);
    assert_int_equal(verdict.decision, GUARD_POD_ALERT);
    assert_int_equal(verdict.evidence[0].kind, GUARD_POD_VOLUME);
    assert_string_equal(verdict.evidence[0].text,
                        "sent 276 MB in an hour to tcp 203.0.113.9:5432, 125 MB before, 4 others "
                        "125 MB at most");
    fleet_close(&fleet);
}

/* A node's sensor knows no bytes of places. */
static void test_all_that_goes_out_is_followed(void **state)
{
    (void)state;
    struct fleet fleet;
    uint32_t told = 0;
    begin(&fleet);
    for (uint32_t minute = 0; minute < 260; minute++) {
        fleet.now_ms += 60000;
        fleet.now_ms += minute == 40 || minute == 80 ? UINT64_C(24) * FLEET_HOUR : 0;
        for (uint32_t i = 0; i < REPLICAS; i++) {
            fleet.bytes_out = minute < 200 ? usual(i, minute) : third_takes(i, minute);
            if (fleet_tell(&fleet, i, NULL, 0) == GUARD_POD_NORMAL)
                continue;
            assert_int_equal(i, 3);
            assert_int_equal(fleet.verdict.evidence[0].kind, GUARD_POD_AMOUNT);
            assert_string_equal(fleet.verdict.evidence[0].text,
                                "sent 276 MB in an hour, 125 MB before, 4 others 125 MB at most");
            told++;
        }
    }
    assert_int_equal(told, 1);
    fleet_close(&fleet);
}

static uint64_t half_more(uint32_t replica, uint32_t minute)
{
    return usual(replica, minute) + (replica == 3 ? 1000 * KB : 0);
}

static uint64_t all_more(uint32_t replica, uint32_t minute)
{
    (void)replica;
    return usual(0, minute) + 4000 * KB;
}

/* The first ten minutes of each half hour. */
static uint64_t backs_up(uint32_t replica, uint32_t minute)
{
    return replica == 3 && minute % 30 < 10 ? BURST : usual(replica, minute);
}

static void test_less_than_twice_is_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    learn(&fleet, REPLICAS, usual);
    assert_int_equal(quiet(&fleet, REPLICAS, 12, half_more), 0);
    fleet_close(&fleet);
}

static void test_what_all_do_is_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    learn(&fleet, REPLICAS, usual);
    assert_int_equal(quiet(&fleet, REPLICAS, 12, all_more), 0);
    fleet_close(&fleet);
}

static void test_a_third_of_an_hour_is_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    learn(&fleet, REPLICAS, usual);
    assert_int_equal(quiet(&fleet, REPLICAS, 12, backs_up), 0);
    fleet_close(&fleet);
}

/* Nor who always sends more, nor who is new and does so. */
static void test_shares_are_learned(void **state)
{
    (void)state;
    struct fleet fleet;
    learn(&fleet, REPLICAS, third_takes);
    assert_int_equal(quiet(&fleet, REPLICAS, 12, third_takes), 0);
    fleet_close(&fleet);
    learn(&fleet, 3, usual);
    assert_int_equal(quiet(&fleet, REPLICAS, 12, third_takes), 0);
    fleet_close(&fleet);
}

static uint64_t five_times(uint32_t replica, uint32_t minute)
{
    (void)replica;
    (void)minute;
    return 11000 * KB;
}

/* Nobody tells what the time of the day is: four times as much. */
static void test_one_alone(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_verdict verdict;
    learn(&fleet, 1, usual);
    assert_int_equal(quiet(&fleet, 1, 12, all_more), 0);
    fleet_close(&fleet);
    learn(&fleet, 1, usual);
    assert_int_equal(live(&fleet, 1, 8, five_times, 0, &verdict), 1);
    fleet_close(&fleet);
}

static void test_a_person_approves_it(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_verdict verdict;
    learn(&fleet, REPLICAS, usual);
    assert_int_equal(live(&fleet, REPLICAS, 8, third_takes, 3, &verdict), 1);
    assert_int_equal(
        guard_pods_judge(fleet.pods, verdict.evidence[0].id, GUARD_POD_APPROVED, fleet.now_ms),
        GUARD_OK);
    go_on(&fleet, REPLICAS, usual);
    go_on(&fleet, REPLICAS, usual);
    assert_int_equal(quiet(&fleet, REPLICAS, 8, third_takes), 0);
    fleet_close(&fleet);
}

/* What isn't known isn't little: windows that are lost leave nothing to compare. */
static void test_lost_records_say_nothing(void **state)
{
    (void)state;
    struct fleet fleet;
    learn(&fleet, REPLICAS, usual);
    fleet.dropped = 1;
    assert_int_equal(quiet(&fleet, REPLICAS, 12, usual), 0);
    fleet.dropped = 0;
    assert_int_equal(quiet(&fleet, REPLICAS, 9, third_takes), 0);
    fleet_close(&fleet);
}

/* Places without end, bytes without end, clocks that go back. */
static void test_extremes_are_bounded(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[16];
    learn(&fleet, 1, usual);
    for (uint32_t minute = 0; minute < 600; minute++) {
        fleet.now_ms += minute % 7 == 3 ? UINT64_C(60000) * minute : 60000;
        for (uint32_t i = 0; i < 16; i++) {
            features[i] = sample_connect("", (uint8_t)(minute * 16 + i), 443);
            features[i].bytes_out = i % 2 == 0 ? UINT64_MAX : 1;
        }
        fleet.bytes_out = UINT64_MAX;
        (void)fleet_tell(&fleet, 0, features, 16);
        fleet.now_ms -= 60000 * (minute % 5);
        (void)fleet_tell(&fleet, 0, features, 16);
    }
    fleet_close(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_hour_of_more_is_told_once),
        cmocka_unit_test(test_all_that_goes_out_is_followed),
        cmocka_unit_test(test_less_than_twice_is_no_news),
        cmocka_unit_test(test_what_all_do_is_no_news),
        cmocka_unit_test(test_a_third_of_an_hour_is_no_news),
        cmocka_unit_test(test_shares_are_learned),
        cmocka_unit_test(test_one_alone),
        cmocka_unit_test(test_a_person_approves_it),
        cmocka_unit_test(test_lost_records_say_nothing),
        cmocka_unit_test(test_extremes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
