/* SPDX-License-Identifier: Apache-2.0 */
/* Names of destinations that DNS told: they excuse new addresses, and whoever answers themselves
 * gains nothing by it. */
#include "unit/pods/fleet.h"

static const uint8_t cluster[4] = {10, 96, 0, 10};
static const uint8_t own[4] = {198, 51, 100, 6};

static struct guard_pod_feature ask(const uint8_t resolver[4])
{
    struct guard_pod_feature feature = {
        .kind = GUARD_POD_DESTINATION, .address_len = 4, .port = 53, .transport = 17, .count = 1};
    memcpy(feature.address, resolver, 4);
    return feature;
}

static struct guard_pod_feature named(const char *name, uint8_t net, uint8_t last,
                                      const uint8_t resolver[4])
{
    struct guard_pod_feature feature = sample_connect(name, last, 443);
    feature.address[1] = net; /* each of another prefix: these don't excuse each other */
    feature.flags = GUARD_POD_ANSWERED;
    feature.detail = (struct guard_span){resolver, 4};
    return feature;
}

/* An hour and more, in which the name's address is another each time and at each replica. */
static uint8_t rotate(struct fleet *fleet, uint32_t minutes)
{
    uint8_t net = 1;
    for (uint32_t minute = 0; minute < minutes; minute += 10) {
        fleet->now_ms += 10 * 60000;
        for (uint32_t i = 0; i < 4; i++) {
            const struct guard_pod_feature usual[] = {
                ask(cluster), named("api.example", net++, (uint8_t)i, cluster)};
            (void)fleet_tell(fleet, i, usual, 2);
        }
    }
    return net;
}

static void test_a_known_name_excuses_a_new_address(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    uint8_t net = rotate(&fleet, 100);
    struct guard_pod_feature feature = named("api.example", net, 9, cluster);
    assert_int_equal(fleet_tell(&fleet, 2, &feature, 1), GUARD_POD_NORMAL);
    /* The same address without the name is new, and one by another name says so. */
    feature = named("evil.example", (uint8_t)(net + 1), 9, cluster);
    assert_int_equal(fleet_tell(&fleet, 2, &feature, 1), GUARD_POD_ALERT);
    assert_non_null(strstr(fleet.verdict.evidence[0].text, "evil.example, says 10.96.0.10"));
    feature = named("", (uint8_t)(net + 2), 9, cluster);
    feature.flags = 0;
    feature.detail.len = 0;
    assert_int_equal(fleet_tell(&fleet, 3, &feature, 1), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

/* Addresses of the time when nobody vouched yet aren't told afterwards; those of others are. */
static void test_addresses_of_learning_are_no_outliers(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    struct guard_pod_feature made_up = named("api.example", 250, 66, own);
    assert_int_equal(fleet_tell(&fleet, 1, &made_up, 1), GUARD_POD_NORMAL);
    (void)rotate(&fleet, 300);
    uint32_t told = 0;
    while (guard_pods_outlier(fleet.pods, &fleet.rules, fleet.now_ms, &fleet.verdict)) {
        for (uint32_t i = 0; i < fleet.verdict.count; i++) {
            assert_string_equal(fleet.verdict.evidence[i].text,
                                "connects to tcp 203.250.113.66:443");
            told++;
        }
    }
    assert_int_equal(told, 1);
    fleet_close(&fleet);
}

/* The same answers from one whom nobody else asks. */
static void test_made_up_answers_hide_nothing(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    uint8_t net = rotate(&fleet, 100);
    const struct guard_pod_feature features[] = {named("api.example", net, 9, own)};
    assert_int_equal(fleet_tell(&fleet, 2, features, 1), GUARD_POD_ALERT);
    assert_non_null(strstr(fleet.verdict.evidence[0].text, "api.example, says 198.51.100.6"));
    /* As strong as without a name. */
    struct guard_pod_feature bare = sample_connect("", 9, 443);
    bare.address[1] = (uint8_t)(net + 1);
    double strength = fleet.verdict.evidence[0].strength;
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 3, &bare, 1), GUARD_POD_ALERT);
    assert_true(strength >= fleet.verdict.evidence[0].strength);
    fleet_close(&fleet);
}

/* Who asks a resolver of their own first, and often, is still the only one who does. */
static void test_a_resolver_of_ones_own_never_vouches(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    uint8_t net = rotate(&fleet, 100);
    for (uint32_t hour = 0; hour < 48; hour++) {
        const struct guard_pod_feature features[] = {ask(own)};
        fleet.now_ms += FLEET_HOUR;
        (void)fleet_tell(&fleet, 2, features, 1);
    }
    (void)rotate(&fleet, 20);
    const struct guard_pod_feature feature = named("api.example", (uint8_t)(net + 20), 9, own);
    assert_int_equal(fleet_tell(&fleet, 2, &feature, 1), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

/* A replica is replaced for what it does, and the name that it lied with stays good. */
static void test_a_name_that_was_lied_with_is_not_held(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    uint8_t net = rotate(&fleet, 100);
    struct guard_pod_feature features[] = {
        named("api.example", net, 9, own),
        sample_feature(GUARD_POD_DROPPED, "/tmp/x", "/app/server")};
    assert_int_equal(fleet_tell(&fleet, 2, features, 2), GUARD_POD_REPLACE);
    struct guard_pod_feature good = named("api.example", (uint8_t)(net + 1), 9, cluster);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 3, &good, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* Thousands of addresses leave room for what a replica does alone. */
static void test_addresses_leave_room(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pods_stats stats;
    fleet_open(&fleet);
    (void)rotate(&fleet, 100);
    for (uint32_t i = 0; i < 2000; i++) {
        struct guard_pod_feature feature =
            named("api.example", (uint8_t)i, (uint8_t)(i >> 8), cluster);
        feature.address[0] = 204;
        fleet.now_ms += 10000;
        assert_int_equal(fleet_tell(&fleet, 2, &feature, 1), GUARD_POD_NORMAL);
    }
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.refused, 0);
    fleet_close(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_known_name_excuses_a_new_address),
        cmocka_unit_test(test_addresses_of_learning_are_no_outliers),
        cmocka_unit_test(test_made_up_answers_hide_nothing),
        cmocka_unit_test(test_a_resolver_of_ones_own_never_vouches),
        cmocka_unit_test(test_a_name_that_was_lied_with_is_not_held),
        cmocka_unit_test(test_addresses_leave_room),
    };
    return cmocka_run_group_tests_name("pods-names", tests, NULL, NULL);
}
