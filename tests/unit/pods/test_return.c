/* SPDX-License-Identifier: Apache-2.0 */
/* An intruder who comes back, and what is told of him however often he does. */
#include "unit/pods/fleet.h"

static struct guard_pod_feature dropped(void)
{
    return sample_feature(GUARD_POD_DROPPED, "/tmp/x", "/bin/sh");
}

static struct guard_pod_feature home(const char *name, uint8_t last)
{
    struct guard_pod_feature feature = sample_connect(name, last, 4444);
    feature.address[0] = 198;
    feature.address[1] = 51;
    return feature;
}

/* A shell and its connection, by a request that the gate found to deviate. */
static void intrusion(struct guard_pod_feature out[3], const char *name, uint8_t last,
                      const char *request)
{
    out[0] = sample_feature(GUARD_POD_EXEC, "/bin/sh", "/app/server");
    out[1] = home(name, last);
    out[2] = sample_feature(GUARD_POD_REQUEST, "GET /lookup", "character \";\" never seen");
    out[0].request = out[1].request = out[2].request = sample_span(request);
}

/* All replicas are live and quiet, some hours later. */
static void wait(struct fleet *fleet, uint32_t replicas, uint32_t hours)
{
    fleet->now_ms += (uint64_t)hours * FLEET_HOUR;
    for (uint32_t i = 0; i < replicas; i++)
        (void)fleet_tell(fleet, i, NULL, 0);
    fleet->now_ms += 1000;
}

static void expect_returned(const struct fleet *fleet)
{
    assert_true(fleet->verdict.decision == GUARD_POD_ALERT ||
                fleet->verdict.decision == GUARD_POD_CHANGE);
    if ((fleet->verdict.reasons & GUARD_POD_RETURNED) == 0)
        fail_msg("told as nothing that came back: reasons %u", fleet->verdict.reasons);
}

/* Where a template has had ten pods at most, two of them are a fifth. */
static void test_a_hard_sign_never_becomes_normal(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature sign = dropped();
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    assert_int_equal(fleet_tell(&fleet, 1, &sign, 1), GUARD_POD_REPLACE);
    for (uint32_t i = 2; i < 5; i++) {
        wait(&fleet, 5, 2);
        assert_int_not_equal(fleet_tell(&fleet, i, &sign, 1), GUARD_POD_NORMAL);
        expect_returned(&fleet);
    }
    fleet_close(&fleet);
}

/* Nor one that was never a replacement: of a rollout, of a replica without others. */
static void test_a_hard_sign_of_a_rollout_wants_a_person(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pods_stats stats;
    struct guard_pod_feature sign = dropped();
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    uint32_t normal = stats.normal;
    fleet.template_hash = "aaaa";
    for (uint32_t i = 20; i < 25; i++) {
        assert_int_equal(fleet_tell(&fleet, i, &sign, 1),
                         i == 20 ? GUARD_POD_ALERT : GUARD_POD_CHANGE);
        fleet.now_ms += FLEET_HOUR;
    }
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.normal, normal);
    uint64_t id = fleet.verdict.evidence[0].id;
    assert_int_equal(guard_pods_judge(fleet.pods, id, GUARD_POD_APPROVED, fleet.now_ms), GUARD_OK);
    assert_int_equal(fleet_tell(&fleet, 25, &sign, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* What all pods unpack at their start is told once a day, not from each. */
static void test_a_hard_sign_at_the_start_is_told_once(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature sign = dropped();
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    fleet.template_hash = "aaaa";
    for (uint32_t i = 20; i < 30; i++) {
        fleet.started_ms = fleet.now_ms - 20000;
        enum guard_pod_decision decision = fleet_tell(&fleet, i, &sign, 1);
        assert_int_equal(decision, i == 20   ? GUARD_POD_ALERT
                                   : i == 21 ? GUARD_POD_CHANGE
                                             : GUARD_POD_NORMAL);
        fleet.now_ms += 60000;
    }
    /* Later in its life it is no start. */
    fleet.started_ms = fleet.now_ms - FLEET_HOUR;
    assert_int_not_equal(fleet_tell(&fleet, 22, &sign, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

static void test_what_was_replaced_for_never_becomes_normal(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pods_stats stats;
    struct guard_pod_feature features[3];
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    intrusion(features, "", 66, "5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_REPLACE);
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.held, 2);
    for (uint32_t i = 5; i < 9; i++) {
        wait(&fleet, 3, 2);
        assert_int_not_equal(fleet_tell(&fleet, i, features, 2), GUARD_POD_NORMAL);
        expect_returned(&fleet);
        assert_true(fleet.verdict.evidence[0].held);
    }
    fleet_close(&fleet);
}

/* Asked for by a name first, by its address then, and in the first minute of the replacement. */
static void test_another_name_of_it_is_held_too(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[3], plain = home("", 66), started = home("", 66);
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    intrusion(features, "c2.example", 66, "5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_REPLACE);
    wait(&fleet, 3, 2);
    assert_int_not_equal(fleet_tell(&fleet, 5, &plain, 1), GUARD_POD_NORMAL);
    expect_returned(&fleet);
    wait(&fleet, 3, 2);
    fleet.started_ms = fleet.now_ms - 20000;
    assert_int_not_equal(fleet_tell(&fleet, 6, &started, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* The other way round: in the first minute, then later on. */
static void test_what_was_done_at_the_start_is_held_later(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[3], plain = home("", 66);
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    intrusion(features, "", 66, "5f3a");
    fleet.started_ms = fleet.now_ms - 20000;
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_REPLACE);
    for (uint32_t i = 5; i < 8; i++) {
        wait(&fleet, 3, 2);
        fleet.started_ms = fleet.now_ms - FLEET_HOUR;
        assert_int_not_equal(fleet_tell(&fleet, i, &plain, 1), GUARD_POD_NORMAL);
        assert_true(fleet.verdict.evidence[0].held);
    }
    fleet_close(&fleet);
}

/* Two addresses of one net make the net known: not with those of an intruder. */
static void test_what_is_held_opens_no_net(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[3], neighbour = home("", 67), third = home("", 68);
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    intrusion(features, "", 66, "5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_REPLACE);
    wait(&fleet, 3, 2);
    (void)fleet_tell(&fleet, 5, features, 2);
    (void)fleet_tell(&fleet, 6, &neighbour, 1);
    wait(&fleet, 3, 2);
    assert_int_not_equal(fleet_tell(&fleet, 7, &third, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* A StatefulSet's replacement has the name of what it replaces. */
static void test_a_replacement_of_the_same_name_starts_anew(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[3];
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    intrusion(features, "", 66, "5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_REPLACE);
    fleet.now_ms += 60000;
    assert_int_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_NORMAL);
    fleet.now_ms += 10 * 60000;
    fleet.started_ms = fleet.now_ms - 5 * 60000;
    assert_int_not_equal(fleet_tell(&fleet, 3, features, 2), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

static void test_a_person_ends_the_hold(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pods_stats stats;
    struct guard_pod_feature features[3];
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    intrusion(features, "", 66, "5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_REPLACE);
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t id = fleet.verdict.evidence[i].id;
        /* An older judgement of a person counts for more than the learner's. */
        assert_int_equal(guard_pods_judge(fleet.pods, id, GUARD_POD_APPROVED, 1), GUARD_OK);
    }
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.held, 0);
    wait(&fleet, 5, 2);
    assert_int_equal(fleet_tell(&fleet, 2, features, 2), GUARD_POD_NORMAL);
    assert_int_equal(guard_pods_judge(fleet.pods, 1, GUARD_POD_HELD, 1), GUARD_E_RANGE);
    fleet_close(&fleet);
}

static struct guard_pods *again(struct guard_pods *pods)
{
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_pods *out = NULL;
    struct guard_pods_cfg cfg = {.alloc = fleet_heap,
                                 .name_space = sample_span("prod"),
                                 .workload = sample_span("web"),
                                 .container = sample_span("app")};
    memset(cfg.key, 7, sizeof(cfg.key));
    assert_int_equal(guard_pods_encode(pods, &bytes, &len, &err), GUARD_OK);
    assert_int_equal(guard_pods_decode(&out, &cfg, (struct guard_span){bytes, len}, &err),
                     GUARD_OK);
    free(bytes);
    guard_pods_free(pods);
    return out;
}

/* Neither a restart of the daemon nor forgetting lets it go. */
static void test_the_hold_outlives_restarts_and_forgetting(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pod_feature features[3];
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    intrusion(features, "", 66, "5f3a");
    assert_int_equal(fleet_tell(&fleet, 3, features, 3), GUARD_POD_REPLACE);
    fleet.pods = again(fleet.pods);
    wait(&fleet, 3, 24 * 10);
    guard_pods_forget(fleet.pods, fleet.now_ms - 24 * FLEET_HOUR);
    for (uint32_t i = 5; i < 9; i++) {
        wait(&fleet, 3, 2);
        assert_int_not_equal(fleet_tell(&fleet, i, features, 2), GUARD_POD_NORMAL);
        assert_true(fleet.verdict.evidence[0].held);
    }
    fleet_close(&fleet);
}

/* Whoever fills the room for what is held gains nothing: nothing becomes normal any more. */
static void test_a_full_hold_fails_safe(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pods_stats stats;
    char path[32];
    struct guard_pod_feature sign, harmless = home("", 90);
    fleet_open(&fleet);
    fleet_live(&fleet, 5, 20);
    for (uint32_t i = 0; i < 1100; i++) {
        (void)snprintf(path, sizeof(path), "/opt/%c%c%c", 'a' + (int)(i % 26),
                       'a' + (int)(i / 26 % 26), 'a' + (int)(i / 676));
        sign = sample_feature(GUARD_POD_DROPPED, path, "/bin/sh");
        fleet.now_ms += 11 * 60000;
        assert_int_equal(fleet_tell(&fleet, 1, &sign, 1), GUARD_POD_REPLACE);
        (void)fleet_tell(&fleet, 0, NULL, 0);
    }
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.held, 1024);
    wait(&fleet, 5, 1);
    for (uint32_t i = 0; i < 5; i++)
        (void)fleet_tell(&fleet, i, &harmless, 1);
    wait(&fleet, 5, 24);
    assert_int_not_equal(fleet_tell(&fleet, 7, &harmless, 1), GUARD_POD_NORMAL);
    fleet_close(&fleet);
}

/* --- what is enough to judge, and what one replica may bring --- */

static void test_lossy_replicas_are_not_learned_from(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pods_stats stats;
    fleet_open(&fleet);
    (void)fleet_tell(&fleet, 0, NULL, 0);
    fleet.dropped = 1;
    for (uint32_t i = 1; i < 5; i++) {
        fleet.now_ms += FLEET_HOUR;
        (void)fleet_tell(&fleet, i, NULL, 0);
    }
    fleet.dropped = 0;
    (void)fleet_tell(&fleet, 0, NULL, 0);
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.replicas, 5);
    assert_false(stats.ready);
    (void)fleet_tell(&fleet, 1, NULL, 0);
    (void)fleet_tell(&fleet, 2, NULL, 0);
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_true(stats.ready);
    fleet_close(&fleet);
}

static void flood(struct fleet *fleet, uint32_t replica, uint32_t first, uint32_t count)
{
    char path[32];
    for (uint32_t i = first; i < first + count; i++) {
        (void)snprintf(path, sizeof(path), "/opt/%c%c%c", 'a' + (int)(i % 26),
                       'a' + (int)(i / 26 % 26), 'a' + (int)(i / 676));
        const struct guard_pod_feature program = sample_feature(GUARD_POD_EXEC, path, "/bin/sh");
        (void)fleet_tell(fleet, replica, &program, 1);
        fleet->now_ms += 1000;
    }
}

/* A thousand things of one replica, whether or not the daemon was started anew meanwhile. */
static void test_one_replica_brings_a_bounded_number(void **state)
{
    (void)state;
    struct fleet fleet;
    struct guard_pods_stats stats;
    fleet_open(&fleet);
    flood(&fleet, 3, 0, 700);
    fleet.pods = again(fleet.pods);
    flood(&fleet, 3, 700, 700);
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.known, 1024);
    assert_int_equal(stats.refused, 376);
    /* What another does too isn't its own any more. */
    flood(&fleet, 4, 0, 300);
    flood(&fleet, 3, 1400, 400);
    guard_pods_stats(fleet.pods, &fleet.rules, &stats);
    assert_int_equal(stats.known, 1024 + 300);
    fleet_close(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hard_sign_never_becomes_normal),
        cmocka_unit_test(test_a_hard_sign_of_a_rollout_wants_a_person),
        cmocka_unit_test(test_a_hard_sign_at_the_start_is_told_once),
        cmocka_unit_test(test_what_was_replaced_for_never_becomes_normal),
        cmocka_unit_test(test_another_name_of_it_is_held_too),
        cmocka_unit_test(test_what_was_done_at_the_start_is_held_later),
        cmocka_unit_test(test_what_is_held_opens_no_net),
        cmocka_unit_test(test_a_replacement_of_the_same_name_starts_anew),
        cmocka_unit_test(test_a_person_ends_the_hold),
        cmocka_unit_test(test_the_hold_outlives_restarts_and_forgetting),
        cmocka_unit_test(test_a_full_hold_fails_safe),
        cmocka_unit_test(test_lossy_replicas_are_not_learned_from),
        cmocka_unit_test(test_one_replica_brings_a_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
