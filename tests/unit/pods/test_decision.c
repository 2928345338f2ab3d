/* SPDX-License-Identifier: Apache-2.0 */
/* Which replica is to be replaced, which is only told of, and which is left alone. */
#include "unit/pods/fleet.h"

static struct guard_pod_feature shell(void)
{
    return sample_feature(GUARD_POD_EXEC, "/bin/sh", "/app/server");
}

static struct guard_pod_feature call_home(void)
{
    struct guard_pod_feature feature = sample_connect("", 66, 4444);
    feature.address[0] = 198;
    feature.address[1] = 51;
    return feature;
}

static struct guard_pod_feature door(const char *id)
{
    struct guard_pod_feature feature =
        sample_feature(GUARD_POD_REQUEST, "GET /lookup", "character \";\" never seen");
    feature.request = sample_span(id);
    return feature;
}

static void expect_reason(const struct fleet *fleet, uint32_t reason)
{
    if ((fleet->verdict.reasons & reason) == 0) {
        char line[1024];
        (void)guard_pod_explain(&fleet->verdict, line, sizeof(line));
        fail_msg("reason %u is missing: %s", reason, line);
    }
}

static void test_the_usual_is_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    fleet_close(&fleet);
}

static void test_replaces_what_came_through_a_door(void **state)
{
    (void)state;
    struct fleet fleet;
    char line[1024];
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    struct guard_pod_feature features[] = {shell(), call_home(), door("5f3a")};
    features[0].request = features[1].request = sample_span("5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_REPLACE);
    assert_string_equal(fleet.verdict.request, "5f3a");
    (void)guard_pod_explain(&fleet.verdict, line, sizeof(line));
    assert_string_equal(
        line, "REPLACE pod prod/web-7f9c-00003: runs /bin/sh by /app/server (0 others in 80 "
              "replica days, 5.1); connects to tcp 198.51.113.66:4444 (0 others in 80 "
              "replica days, 5.1); after request 5f3a");
    /* Told once. */
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* The gate's record may come after the sensor's. */
static void test_the_door_may_come_late(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    struct guard_pod_feature features[] = {shell(), call_home()};
    features[0].request = features[1].request = sample_span("5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_ONE_KIND);
    struct guard_pod_feature late = door("5f3a");
    fleet.now_ms += 10000;
    assert_int_equal(fleet_tell(&fleet, 3, &late, 1), GUARD_POD_REPLACE);
    fleet_close(&fleet);
}

/* An unusual request takes unusual ways: one new thing of it is told, two different kinds act. */
static void test_a_door_wants_two_kinds(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 60);
    struct guard_pod_feature features[] = {door("5f3a"), shell(), shell(), call_home()};
    for (uint32_t i = 1; i < 4; i++)
        features[i].request = sample_span("5f3a");
    features[2].text = sample_span("/usr/bin/id");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_ONE_KIND);
    assert_string_equal(fleet.verdict.request, "5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features + 3, 1), GUARD_POD_REPLACE);
    fleet_close(&fleet);
}

/* The sensor that saw the connection knows no ids: the program is of the exchange, and that is
 * another kind. */
static void test_the_second_kind_needs_no_id(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 60);
    struct guard_pod_feature features[] = {door("5f3a"), shell(), call_home()};
    features[1].request = sample_span("5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_ALERT);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 3, features + 2, 1), GUARD_POD_REPLACE);
    assert_string_equal(fleet.verdict.request, "5f3a");
    fleet_close(&fleet);
}

/* Who scans one replica makes it send much, besides the branch that is taken for the first time. */
static void test_amounts_are_no_second_kind(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet.bytes_out = 2000000;
    fleet_live(&fleet, 5, 60);
    struct guard_pod_feature features[] = {door("5f3a"), shell()};
    features[1].request = sample_span("5f3a");
    fleet.bytes_out = 400000000;
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_ALERT);
    assert_int_equal(fleet.verdict.count, 2);
    expect_reason(&fleet, GUARD_POD_ONE_KIND);
    fleet_close(&fleet);
}

static void test_another_request_is_no_door(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    struct guard_pod_feature features[] = {shell(), call_home(), door("5f3a")};
    features[0].request = features[1].request = sample_span("77");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_ONE_KIND);
    fleet_close(&fleet);
}

/* A client that scans one replica has findings at any time, and an unusual request takes unusual
 * ways: what only comes at the time of a finding is told, however much it is. */
static void test_time_alone_is_told_only(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[] = {
        door("5f3a"), door(""), shell(), call_home(),
        sample_feature(GUARD_POD_WRITE, "/usr/local/bin/tool", "")};
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 60);
    assert_int_equal(fleet_tell(&fleet, 3, features, 5), GUARD_POD_ALERT);
    assert_int_equal(fleet.verdict.reasons, GUARD_POD_ONE_KIND);
    assert_int_equal(fleet.verdict.count, 3);
    fleet_close(&fleet);
    /* Not even if both say of no exchange. */
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 60);
    assert_int_equal(fleet_tell(&fleet, 3, features + 1, 3), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_ONE_KIND);
    /* Then come two of which it is known. */
    struct guard_pod_feature known[] = {sample_feature(GUARD_POD_EXEC, "/bin/bash", "/bin/sh"),
                                        sample_connect("", 67, 4445)};
    known[0].request = known[1].request = sample_span("5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, known, 2), GUARD_POD_ALERT);
    assert_int_equal(fleet_tell(&fleet, 3, features, 1), GUARD_POD_REPLACE);
    assert_string_equal(fleet.verdict.request, "5f3a");
    fleet_close(&fleet);
}

/* Far more than the peers, and than ever. */
static void test_amounts_are_compared_with_peers(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 1);
    for (uint32_t minute = 0; minute < 60; minute++) {
        fleet.now_ms += 60000;
        for (uint32_t i = 0; i < 5; i++) {
            fleet.bytes_out = 2000000 + 10000 * i;
            assert_int_equal(fleet_tell(&fleet, i, NULL, 0), GUARD_POD_NORMAL);
        }
    }
    /* A record that was cut short tells nothing of a minute. */
    fleet.now_ms += 60000;
    fleet.interval_ms = 100;
    fleet.bytes_out = 1000000;
    assert_int_equal(fleet_tell(&fleet, 2, NULL, 0), GUARD_POD_NORMAL);
    fleet.interval_ms = 0;
    fleet.now_ms += 60000;
    fleet.bytes_out = 40000000;
    assert_int_equal(fleet_tell(&fleet, 2, NULL, 0), GUARD_POD_ALERT);
    assert_int_equal(fleet.verdict.evidence[0].kind, GUARD_POD_AMOUNT);
    fleet_close(&fleet);
}

/* Each replica sends far more than the others in one of 2,000 intervals: who is told of that each
 * time looks no more when it is more than ever. */
static void test_amounts_that_come_now_and_then_are_no_news(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 1);
    for (uint32_t interval = 0; interval < 8000; interval++) {
        fleet.now_ms += 10000;
        for (uint32_t i = 0; i < 5; i++) {
            bool much = (interval + 400 * i) % 2000 == 100;
            fleet.bytes_out = much ? 40000000 : 2000000 + 10000 * i;
            enum guard_pod_decision decision = fleet_tell(&fleet, i, NULL, 0);
            if (interval >= 2000 || !much)
                assert_int_equal(decision, GUARD_POD_NORMAL);
        }
    }
    fleet.bytes_out = 160000000;
    assert_int_equal(fleet_tell(&fleet, 2, NULL, 0), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

/* A program, its file and its connection are one cause, unless the operator says otherwise. */
static void test_kinds_of_one_cause_are_told_only(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    struct guard_pod_feature features[] = {shell(), call_home()};
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_ONE_KIND);
    fleet_close(&fleet);
    fleet_open(&fleet);
    fleet.rules.independence = GUARD_POD_CLASSES;
    fleet_live(&fleet, 5, 20);
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_REPLACE);
    fleet_close(&fleet);
}

static void test_a_hard_sign_acts_alone(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature dropped = sample_feature(GUARD_POD_DROPPED, "/tmp/x", "/bin/sh");
    fleet_open(&fleet);
    fleet_live(&fleet, 3, 2);
    assert_int_equal(fleet_tell(&fleet, 1, &dropped, 1), GUARD_POD_REPLACE);
    fleet_close(&fleet);
    fleet_open(&fleet);
    fleet.rules.hard_kinds = 0;
    fleet_live(&fleet, 3, 2);
    assert_int_equal(fleet_tell(&fleet, 1, &dropped, 1), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

static void test_a_lonely_replica_is_told_only(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature dropped = sample_feature(GUARD_POD_DROPPED, "/tmp/x", "/bin/sh");
    fleet_open(&fleet);
    fleet_live(&fleet, 1, 20);
    assert_int_equal(fleet_tell(&fleet, 0, &dropped, 1), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_LONELY);
    fleet_close(&fleet);
}

/* Two replicas with the same new thing are a change, or an attacker who wants them all replaced. */
static void test_many_at_once_stop(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature dropped = sample_feature(GUARD_POD_DROPPED, "/tmp/x", "/bin/sh");
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    assert_int_equal(fleet_tell(&fleet, 1, &dropped, 1), GUARD_POD_REPLACE);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 2, &dropped, 1), GUARD_POD_CHANGE);
    expect_reason(&fleet, GUARD_POD_SHARED);
    fleet_close(&fleet);
}

/* Also when nothing could be learned of the first: its record was lossy, or the profile full. */
static void test_many_stop_though_nothing_is_learned(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature dropped = sample_feature(GUARD_POD_DROPPED, "/tmp/x", "/bin/sh");
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    fleet.dropped = 1;
    assert_int_equal(fleet_tell(&fleet, 1, &dropped, 1), GUARD_POD_REPLACE);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 2, &dropped, 1), GUARD_POD_CHANGE);
    expect_reason(&fleet, GUARD_POD_SHARED);
    /* A day later it isn't lately. */
    fleet.dropped = 0;
    fleet.now_ms += 25 * FLEET_HOUR;
    for (uint32_t i = 0; i < 5; i++)
        (void)fleet_tell(&fleet, i, NULL, 0);
    assert_int_equal(fleet_tell(&fleet, 3, &dropped, 1), GUARD_POD_REPLACE);
    fleet_close(&fleet);
}

/* The gate's finding comes when another has done the same. */
static void test_a_late_door_of_what_others_do_stops(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[] = {shell(), call_home()}, late = door("5f3a");
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    features[0].request = features[1].request = sample_span("5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_ALERT);
    fleet.now_ms += 10000;
    assert_int_equal(fleet_tell(&fleet, 2, features, 2), GUARD_POD_CHANGE);
    fleet.now_ms += 10000;
    assert_int_equal(fleet_tell(&fleet, 3, &late, 1), GUARD_POD_CHANGE);
    expect_reason(&fleet, GUARD_POD_SHARED);
    fleet_close(&fleet);
}

/* Nor is one replaced by a sign of its own beside what others do. */
static void test_its_own_beside_what_others_do_stops(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[] = {sample_feature(GUARD_POD_DROPPED, "/tmp/x", "/bin/sh"),
                                           sample_feature(GUARD_POD_MEMFD, "memfd:y", "/bin/sh")};
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    assert_int_equal(fleet_tell(&fleet, 1, features, 1), GUARD_POD_REPLACE);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 2, features, 2), GUARD_POD_CHANGE);
    assert_int_equal(fleet.verdict.reasons, GUARD_POD_SHARED | GUARD_POD_RETURNED);
    fleet_close(&fleet);
}

/* Where there is room for what is old, what was told lately isn't told and counted again. */
static void test_what_was_told_lately_stays_told(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature tool = sample_feature(GUARD_POD_DROPPED, "/tmp/x", "/bin/sh");
    struct guard_pod_feature other = sample_feature(GUARD_POD_MEMFD, "memfd:y", "/bin/sh");
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    assert_int_equal(fleet_tell(&fleet, 1, &other, 1), GUARD_POD_REPLACE);
    fleet.now_ms += 23 * FLEET_HOUR;
    for (uint32_t i = 0; i < 5; i++)
        (void)fleet_tell(&fleet, i, NULL, 0);
    assert_int_equal(fleet_tell(&fleet, 1, &tool, 1), GUARD_POD_REPLACE);
    fleet.now_ms += 2 * FLEET_HOUR;
    for (uint32_t i = 0; i < 5; i++)
        (void)fleet_tell(&fleet, i, NULL, 0);
    assert_int_equal(fleet_tell(&fleet, 1, &tool, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

static void test_a_rollout_is_a_change_not_a_misuse(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[] = {shell(), call_home(), door("5f3a")};
    fleet_open(&fleet);
    fleet_live(&fleet, 6, 20);
    fleet.template_hash = "aaaa";
    features[0].request = features[1].request = sample_span("5f3a");
    assert_int_equal(fleet_tell(&fleet, 20, features, 3), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_NEW_TEMPLATE);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 21, features, 2), GUARD_POD_CHANGE);
    /* Told once. */
    for (uint32_t i = 22; i < 26; i++) {
        fleet.now_ms += 60000;
        assert_int_equal(fleet_tell(&fleet, i, features, 2), GUARD_POD_NORMAL);
    }
    /* Normal when it has settled. */
    fleet.now_ms += 2 * FLEET_HOUR;
    assert_int_equal(fleet_tell(&fleet, 26, features, 2), GUARD_POD_NORMAL);
    assert_int_equal(fleet.verdict.count, 0);
    fleet_close(&fleet);
}

static void test_debugging_is_told_only(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[] = {
        sample_feature(GUARD_POD_DROPPED, "/tmp/tool", "/bin/bash"), call_home(), door(""),
        sample_feature(GUARD_POD_EXEC, "/bin/bash", "/usr/bin/containerd-shim-runc-v2")};
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    fleet.source = GUARD_POD_FALCO;
    assert_int_equal(fleet_tell(&fleet, 3, features, 4), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_IN_SESSION);
    fleet_close(&fleet);
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    features[0].flags = features[1].flags = GUARD_POD_SESSION;
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_ALERT);
    expect_reason(&fleet, GUARD_POD_IN_SESSION);
    fleet_close(&fleet);
}

/* A sensor that knows where a program came from isn't outwitted by how its parent is called. */
static void test_a_name_makes_no_session(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[] = {
        sample_feature(GUARD_POD_DROPPED, "/tmp/runc", "/app/server"),
        sample_feature(GUARD_POD_EXEC, "/usr/bin/id", "/tmp/runc")};
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_REPLACE);
    fleet_close(&fleet);
}

/* What one of many did from the start isn't normal by that, and doesn't stay unsaid. */
static void test_poison_is_found_by_comparing(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature beacon = call_home();
    fleet_open(&fleet);
    fleet.rules.learn_ms = 12 * FLEET_HOUR;
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(fleet_tell(&fleet, i, &beacon, i == 2), GUARD_POD_NORMAL);
    assert_false(guard_pods_outlier(fleet.pods, &fleet.rules, fleet.now_ms, &fleet.verdict));
    fleet_live(&fleet, 5, 3);
    assert_true(guard_pods_outlier(fleet.pods, &fleet.rules, fleet.now_ms, &fleet.verdict));
    assert_int_equal(fleet.verdict.decision, GUARD_POD_ALERT);
    assert_memory_equal(fleet.verdict.pod.ptr, "web-7f9c-00002", fleet.verdict.pod.len);
    assert_string_equal(fleet.verdict.evidence[0].text, "connects to tcp 198.51.113.66:4444");
    assert_false(guard_pods_outlier(fleet.pods, &fleet.rules, fleet.now_ms, &fleet.verdict));
    fleet_close(&fleet);
}

static void test_lossy_records_teach_nothing(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pods_stats stats;
    struct guard_pod_feature feature = shell();
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    uint32_t known = stats.known;
    fleet.dropped = 1;
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(fleet_tell(&fleet, i, &feature, 1),
                         i == 0 ? GUARD_POD_ALERT : GUARD_POD_CHANGE);
        assert_int_equal(fleet.verdict.evidence[0].with, i);
        fleet.now_ms += FLEET_HOUR;
    }
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.incomplete, 5);
    assert_int_equal(stats.known, known);
    fleet_close(&fleet);
}

static void test_a_blind_replica_says_nothing_about_others(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature feature = shell();
    const struct guard_pod_feature plain = sample_connect("db.example", 9, 5432);
    fleet_open(&fleet);
    fleet.blind = 1u << GUARD_POD_EXEC;
    for (uint32_t day = 0; day < 20; day++) {
        fleet.now_ms += 24 * FLEET_HOUR;
        for (uint32_t i = 0; i < 5; i++)
            (void)fleet_tell(&fleet, i, &plain, 1);
    }
    fleet.blind = 0;
    (void)fleet_tell(&fleet, 3, &feature, 1);
    assert_int_equal(fleet.verdict.decision,
                     GUARD_POD_NORMAL); /* 0 days in which it could be seen */
    fleet_close(&fleet);
}

static void test_people_have_the_last_word(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature feature = shell();
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    assert_int_equal(fleet_tell(&fleet, 3, &feature, 1), GUARD_POD_ALERT);
    uint64_t id = fleet.verdict.evidence[0].id;
    assert_int_equal(guard_pods_judge(fleet.pods, id, GUARD_POD_APPROVED, 10), GUARD_OK);
    assert_int_equal(fleet_tell(&fleet, 2, &feature, 1), GUARD_POD_NORMAL);
    assert_int_equal(guard_pods_judge(fleet.pods, id, GUARD_POD_REFUSED, 11), GUARD_OK);
    assert_int_equal(guard_pods_judge(fleet.pods, id, GUARD_POD_APPROVED, 9), GUARD_OK);
    fleet.now_ms += 25 * FLEET_HOUR;
    for (uint32_t i = 0; i < 5; i++)
        (void)fleet_tell(&fleet, i, NULL, 0);
    assert_int_equal(fleet_tell(&fleet, 1, &feature, 1), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

static void test_startup_is_a_time_of_its_own(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature feature = sample_feature(GUARD_POD_EXEC, "/bin/migrate", "/app/run");
    fleet_open(&fleet);
    fleet.rules.learn_ms = 12 * FLEET_HOUR;
    fleet.started_ms = fleet.now_ms - 20000;
    for (uint32_t i = 0; i < 5; i++)
        (void)fleet_tell(&fleet, i, &feature, 1);
    fleet.started_ms = 0;
    fleet_live(&fleet, 5, 20);
    fleet.started_ms = fleet.now_ms - 20000;
    assert_int_equal(fleet_tell(&fleet, 6, &feature, 1), GUARD_POD_NORMAL);
    fleet.started_ms = fleet.now_ms - FLEET_HOUR;
    assert_int_equal(fleet_tell(&fleet, 3, &feature, 1), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

static void test_an_address_is_known_by_its_name_or_neighbours(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    struct guard_pod_feature other = sample_connect("db.example", 77, 5432);
    other.address[0] = 100;
    assert_int_equal(fleet_tell(&fleet, 3, &other, 1), GUARD_POD_NORMAL);
    other.text.len = 0;
    other.address[1] = 3;
    assert_int_equal(fleet_tell(&fleet, 3, &other, 1), GUARD_POD_ALERT);
    fleet_close(&fleet);
}

static void test_a_record_counts_once(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 1);
    fleet.sequences[2]--;
    assert_int_equal(fleet_tell_into(&fleet, fleet.pods, 2, NULL, 0), GUARD_E_REPLAY);
    fleet_close(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_usual_is_no_news),
        cmocka_unit_test(test_replaces_what_came_through_a_door),
        cmocka_unit_test(test_the_door_may_come_late),
        cmocka_unit_test(test_a_door_wants_two_kinds),
        cmocka_unit_test(test_the_second_kind_needs_no_id),
        cmocka_unit_test(test_amounts_are_no_second_kind),
        cmocka_unit_test(test_another_request_is_no_door),
        cmocka_unit_test(test_time_alone_is_told_only),
        cmocka_unit_test(test_amounts_are_compared_with_peers),
        cmocka_unit_test(test_amounts_that_come_now_and_then_are_no_news),
        cmocka_unit_test(test_kinds_of_one_cause_are_told_only),
        cmocka_unit_test(test_a_hard_sign_acts_alone),
        cmocka_unit_test(test_a_lonely_replica_is_told_only),
        cmocka_unit_test(test_many_at_once_stop),
        cmocka_unit_test(test_many_stop_though_nothing_is_learned),
        cmocka_unit_test(test_a_late_door_of_what_others_do_stops),
        cmocka_unit_test(test_its_own_beside_what_others_do_stops),
        cmocka_unit_test(test_what_was_told_lately_stays_told),
        cmocka_unit_test(test_a_rollout_is_a_change_not_a_misuse),
        cmocka_unit_test(test_debugging_is_told_only),
        cmocka_unit_test(test_a_name_makes_no_session),
        cmocka_unit_test(test_poison_is_found_by_comparing),
        cmocka_unit_test(test_lossy_records_teach_nothing),
        cmocka_unit_test(test_a_blind_replica_says_nothing_about_others),
        cmocka_unit_test(test_people_have_the_last_word),
        cmocka_unit_test(test_startup_is_a_time_of_its_own),
        cmocka_unit_test(test_an_address_is_known_by_its_name_or_neighbours),
        cmocka_unit_test(test_a_record_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
