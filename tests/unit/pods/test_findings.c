/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate in front of a pod found, and when it is news of the pod. */
#include "unit/pods/fleet.h"

enum { REPLICAS = 5, PLACES = 8 };

static struct guard_pod_feature finding(uint32_t place)
{
    static const char *const places[PLACES] = {"GET /a", "GET /b", "GET /c", "GET /d",
                                               "GET /e", "GET /f", "GET /g", "GET /h"};
    return sample_feature(GUARD_POD_RESPONSE, places[place], "items: more than ever");
}

static struct guard_pod_feature call(void)
{
    return sample_feature(GUARD_POD_OUTBOUND, "POST /v1/pay", "path: never seen");
}

static struct guard_pod_feature shell(void)
{
    return sample_feature(GUARD_POD_EXEC, "/bin/sh", "/app/server");
}

static void fleet_old(struct fleet *fleet)
{
    fleet_open(fleet);
    fleet_live(fleet, REPLICAS, 60);
}

/* Each replica's gate finds something somewhere by chance, and the gate tells it. */
static void test_a_finding_alone_is_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_old(&fleet);
    const struct guard_pod_feature features[] = {finding(0), call()};
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_NORMAL);
    assert_int_equal(fleet.verdict.count, 0);
    /* Nor when nobody else had it for long. */
    fleet.now_ms += 2 * FLEET_HOUR;
    assert_int_equal(fleet_tell(&fleet, 3, NULL, 0), GUARD_POD_NORMAL);
    assert_false(guard_pods_outlier(fleet.pods, &fleet.rules, fleet.now_ms, &fleet.verdict));
    fleet_close(&fleet);
}

static void test_it_is_told_beside_what_the_pod_did(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature found = finding(0), program = shell();
    fleet_old(&fleet);
    assert_int_equal(fleet_tell(&fleet, 3, &found, 1), GUARD_POD_NORMAL);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 3, &program, 1), GUARD_POD_ALERT);
    assert_int_equal(fleet.verdict.count, 2);
    fleet_close(&fleet);
    /* In the other order the finding is news of its own. */
    fleet_old(&fleet);
    assert_int_equal(fleet_tell(&fleet, 3, &program, 1), GUARD_POD_ALERT);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 3, &found, 1), GUARD_POD_ALERT);
    assert_int_equal(fleet.verdict.count, 2);
    /* What the pod did is over. */
    fleet.now_ms += fleet.rules.window_ms;
    const struct guard_pod_feature later = finding(1);
    assert_int_equal(fleet_tell(&fleet, 3, &later, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* What others do as well, or a person, is nothing that a finding goes with. */
static void test_what_isnt_its_own_doesnt_count(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature found = finding(0), program = shell();
    fleet_old(&fleet);
    assert_int_equal(fleet_tell(&fleet, 2, &program, 1), GUARD_POD_ALERT);
    assert_int_equal(fleet_tell(&fleet, 3, &program, 1), GUARD_POD_CHANGE);
    assert_int_equal(fleet_tell(&fleet, 3, &found, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
    fleet_old(&fleet);
    program.flags = GUARD_POD_SESSION;
    assert_int_equal(fleet_tell(&fleet, 3, &program, 1), GUARD_POD_ALERT);
    fleet.now_ms += 1000;
    assert_int_equal(fleet_tell(&fleet, 3, &found, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

static enum guard_pod_decision find_many(struct fleet *fleet, uint32_t replica, uint32_t count)
{
    struct guard_pod_feature found[PLACES];
    for (uint32_t i = 0; i < count; i++)
        found[i] = finding(i);
    return fleet_tell(fleet, replica, found, count);
}

static void test_many_of_one_replica_are_told_once(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_old(&fleet);
    assert_int_equal(find_many(&fleet, 3, 2), GUARD_POD_NORMAL);
    const struct guard_pod_feature third = call(), fourth = finding(4);
    assert_int_equal(fleet_tell(&fleet, 3, &third, 1), GUARD_POD_ALERT);
    assert_int_equal(fleet.verdict.count, 3);
    assert_int_equal(fleet.verdict.reasons & GUARD_POD_ONE_KIND, GUARD_POD_ONE_KIND);
    assert_int_equal(fleet_tell(&fleet, 3, &fourth, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
    /* Spread over a day they are chance. */
    fleet_old(&fleet);
    for (uint32_t i = 0; i < PLACES; i++) {
        const struct guard_pod_feature found = finding(i);
        assert_int_equal(fleet_tell(&fleet, 3, &found, 1), GUARD_POD_NORMAL);
        fleet.now_ms += FLEET_HOUR;
    }
    fleet_close(&fleet);
}

/* Where all replicas meet something new all the time, three at once are nothing. */
static void test_many_are_no_news_where_all_have_many(void **state)
{
    (void)state;
    struct fleet fleet;
    char text[32];
    fleet_old(&fleet);
    for (uint32_t i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "GET /by/%c%c", 'a' + i / 26 % 26, 'a' + i % 26);
        const struct guard_pod_feature found = sample_feature(GUARD_POD_RESPONSE, text, "");
        for (uint32_t replica = 0; replica < REPLICAS; replica++)
            assert_int_equal(fleet_tell(&fleet, replica, &found, 1), GUARD_POD_NORMAL);
        fleet.now_ms += 15 * 60000;
    }
    assert_int_equal(find_many(&fleet, 3, 3), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* The first pod of a release answers otherwise in many places. */
static void test_many_of_a_new_template_are_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_old(&fleet);
    fleet.template_hash = "8a00";
    assert_int_equal(find_many(&fleet, 7, PLACES), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

static void test_many_that_others_have_too_are_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_old(&fleet);
    for (uint32_t i = 0; i < 4; i++) {
        const struct guard_pod_feature found = finding(i);
        assert_int_equal(fleet_tell(&fleet, i / 2, &found, 1), GUARD_POD_NORMAL);
    }
    assert_int_equal(find_many(&fleet, 3, 4), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* It was one of the reasons to replace another: whoever comes back is told of. */
static void test_what_another_was_replaced_for_is_told(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_old(&fleet);
    const struct guard_pod_feature features[] = {
        finding(0), sample_feature(GUARD_POD_DROPPED, "/opt/new/x", "/app/server")};
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_REPLACE);
    fleet.now_ms += FLEET_HOUR;
    assert_int_equal(fleet_tell(&fleet, 2, features, 1), GUARD_POD_CHANGE);
    assert_int_equal(fleet.verdict.reasons & GUARD_POD_RETURNED, GUARD_POD_RETURNED);
    fleet_close(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_finding_alone_is_no_news),
        cmocka_unit_test(test_it_is_told_beside_what_the_pod_did),
        cmocka_unit_test(test_what_isnt_its_own_doesnt_count),
        cmocka_unit_test(test_many_of_one_replica_are_told_once),
        cmocka_unit_test(test_many_are_no_news_where_all_have_many),
        cmocka_unit_test(test_many_of_a_new_template_are_no_news),
        cmocka_unit_test(test_many_that_others_have_too_are_no_news),
        cmocka_unit_test(test_what_another_was_replaced_for_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
