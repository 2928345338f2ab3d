/* SPDX-License-Identifier: Apache-2.0 */
/* Who may speak for which pod, and how much. */
#include "unit/pods/sample.h"

#include "guardd/pods/speakers.h"

#include <stdlib.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t now = 1700000000000;
static const uint8_t mine[POD_BATCH_SECRET] = "mine", yours[POD_BATCH_SECRET] = "yours";
static struct pod_speakers speakers;
static char pod[32];

static bool covers(const void *ctx, struct guard_span service)
{
    const char *only = ctx;
    return only == NULL ||
           (service.len == strlen(only) && memcmp(service.ptr, only, service.len) == 0);
}

static struct pod_reporter reporter(const char *name)
{
    return (struct pod_reporter){.name = name, .covers = covers};
}

static struct pod_reporter of_cluster(const char *of, const char *uid)
{
    return (struct pod_reporter){
        .name = "pod:x", .cluster_pod = of, .cluster_uid = uid, .covers = covers};
}

static enum pod_speech hear_at(const struct pod_reporter *who, const uint8_t *secret,
                               const struct guard_pod_record *record, uint64_t at_ms)
{
    const char *why;
    enum pod_speech speech = pod_speakers_hear(&speakers, who, secret, record, at_ms, &why);
    assert_true((speech == POD_SPEECH_GOOD) == (why == NULL));
    return speech;
}

static enum pod_speech hear(struct pod_reporter who, const uint8_t *secret,
                            const struct guard_pod_record *record)
{
    return hear_at(&who, secret, record, now);
}

static int open_them(void **state)
{
    (void)state;
    return pod_speakers_open(&speakers, NULL) == GUARD_OK ? 0 : 1;
}

static int close_them(void **state)
{
    (void)state;
    pod_speakers_close(&speakers);
    return 0;
}

static void test_a_clusters_token_speaks_for_its_pod_only(void **state)
{
    struct guard_pod_record record = sample_record(pod, 2, 1, now);
    (void)state;
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00002", "u2"), mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00003", "u3"), mine, &record),
                     POD_SPEECH_FOREIGN);
    assert_int_equal(hear(of_cluster("dev/web-7f9c-00002", "u2"), mine, &record),
                     POD_SPEECH_FOREIGN);
    record.id.uid = sample_span("u9");
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00002", "u2"), mine, &record),
                     POD_SPEECH_FOREIGN);
    record.id.uid = sample_span("u2");
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00002", "u2"), mine, &record), POD_SPEECH_GOOD);
    /* Its name alone is nobody's key: who is believed of all isn't asked about a cluster's pod. */
    struct pod_reporter both = of_cluster("prod/web-7f9c-00003", "u3");
    both.believed = true;
    assert_int_equal(hear(both, mine, &record), POD_SPEECH_FOREIGN);
    /* And who has a token of another kind doesn't take it over. */
    assert_int_equal(hear(reporter("edge"), mine, &record), POD_SPEECH_FOREIGN);
}

static void test_with_one_token_the_first_keeps_the_pod(void **state)
{
    struct guard_pod_record record = sample_record(pod, 1, 1, now);
    struct pod_reporter edge = reporter("edge");
    (void)state;
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(edge, yours, &record), POD_SPEECH_FOREIGN);
    assert_int_equal(hear(reporter("other"), mine, &record), POD_SPEECH_FOREIGN);
    assert_string_equal(
        pod_speakers_of(&speakers, sample_span("shop"), record.id.name_space, record.id.pod)->name,
        "edge");
    /* Who is silent for an hour has it no more; a clock that was set back makes nobody silent. */
    assert_int_equal(hear_at(&edge, yours, &record, now - 7200000), POD_SPEECH_FOREIGN);
    assert_int_equal(hear_at(&edge, yours, &record, now + POD_SPEAKER_MS + 1), POD_SPEECH_GOOD);
    assert_int_equal(hear_at(&edge, mine, &record, now + POD_SPEAKER_MS + 2), POD_SPEECH_FOREIGN);
    /* A cluster knows better. */
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00001", "u1"), mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(edge, yours, &record), POD_SPEECH_FOREIGN);
    /* A service that isn't the token's. */
    edge.ctx = "cart";
    record = sample_record(pod, 9, 1, now);
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_FOREIGN);
    edge.ctx = "shop";
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_GOOD);
}

static void test_who_is_believed_speaks_beside_the_pod_itself(void **state)
{
    struct guard_pod_record record = sample_record(pod, 1, 1, now);
    struct pod_reporter node = reporter("node"), other = reporter("other");
    (void)state;
    node.believed = other.believed = true;
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00001", "u1"), mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(node, mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(other, mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00001", "u1"), mine, &record), POD_SPEECH_GOOD);
    assert_string_equal(
        pod_speakers_of(&speakers, sample_span("shop"), record.id.name_space, record.id.pod)->name,
        "pod:x");
}

static enum pod_place look(const void *ctx, const struct guard_pod_identity *id)
{
    (void)id;
    return *(const enum pod_place *)ctx;
}

static void test_a_node_speaks_for_pods_that_are_there(void **state)
{
    struct guard_pod_record record = sample_record(pod, 1, 1, now);
    enum pod_place place = POD_PLACE_HERE;
    struct pod_reporter node = {
        .name = "node:node-1", .node = "node-1", .look = look, .look_ctx = &place};
    (void)state;
    /* Beside the pod itself, of any service, and as many containers as the cluster knows. */
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00001", "u1"), mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(node, mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00001", "u1"), mine, &record), POD_SPEECH_GOOD);
    record.id.service = sample_span("other");
    for (int i = 0; i < 2 * POD_SPEAKER_CONTAINERS; i++) {
        char name[8];
        snprintf(name, sizeof(name), "c%d", i);
        record.id.container = sample_span(name);
        assert_int_equal(hear(node, mine, &record), POD_SPEECH_GOOD);
    }
    for (uint32_t i = 100; i < 100 + 2 * POD_SPEAKER_PODS_MAX; i++) {
        record = sample_record(pod, i, 1, now);
        assert_int_equal(hear(node, mine, &record), POD_SPEECH_GOOD);
    }
    /* What isn't known to be there is another's. */
    place = POD_PLACE_OTHER;
    assert_int_equal(hear(node, mine, &record), POD_SPEECH_FOREIGN);
    place = POD_PLACE_UNKNOWN;
    assert_int_equal(hear(node, mine, &record), POD_SPEECH_FOREIGN);
    place = POD_PLACE_HERE;
    record.id.node = sample_span("node-2");
    assert_int_equal(hear(node, mine, &record), POD_SPEECH_FOREIGN);
}

static void test_nobody_fills_a_table(void **state)
{
    struct pod_reporter edge = reporter("edge");
    struct guard_pod_record record = sample_record(pod, 0, 1, now);
    (void)state;
    for (int i = 0; i < POD_SPEAKER_RECORDS; i++)
        assert_int_equal(hear(edge, mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_FLOOD);
    assert_int_equal(hear_at(&edge, mine, &record, now + 400), POD_SPEECH_FLOOD);
    assert_int_equal(hear_at(&edge, mine, &record, now + 1100), POD_SPEECH_GOOD);
    assert_int_equal(hear_at(&edge, mine, &record, now + 1100), POD_SPEECH_GOOD);
    assert_int_equal(hear_at(&edge, mine, &record, now + 1100), POD_SPEECH_FLOOD);
    pod_speakers_refill(&speakers); /* what was taken comes again, and whose the pod is stays */
    assert_int_equal(hear_at(&edge, yours, &record, now + 1100), POD_SPEECH_FOREIGN);
    for (int i = 0; i < POD_SPEAKER_RECORDS; i++)
        assert_int_equal(hear_at(&edge, mine, &record, now + 1100), POD_SPEECH_GOOD);
    assert_int_equal(hear_at(&edge, mine, &record, now + 1100), POD_SPEECH_FLOOD);
    /* Workloads, containers, sensors of one pod. */
    record = sample_record(pod, 1, 1, now);
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_GOOD);
    record.id.workload = sample_span("db");
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_FLOOD);
    record.id.workload = sample_span("web");
    for (int i = 0; i < 6; i++) {
        char name[8];
        snprintf(name, sizeof(name), "c%d", i);
        record.id.container = sample_span(name);
        assert_int_equal(hear(edge, mine, &record),
                         i < POD_SPEAKER_CONTAINERS - 1 ? POD_SPEECH_GOOD : POD_SPEECH_FLOOD);
    }
    record.id.container = sample_span("app");
    uint32_t good = 0;
    for (uint32_t i = 0; i < 100; i++) {
        record.origin.producer = 5000 + i;
        good += hear(edge, mine, &record) == POD_SPEECH_GOOD;
    }
    assert_int_equal(good, POD_SPEAKER_SENSORS - POD_SPEAKER_CONTAINERS);
    /* Pods of one that isn't believed. */
    good = 0;
    for (uint32_t i = 100; i < 300; i++) {
        record = sample_record(pod, i, 1, now);
        good += hear(edge, mine, &record) == POD_SPEECH_GOOD;
    }
    assert_int_equal(good, POD_SPEAKER_PODS_MAX - 2);
    /* All of them together. */
    edge.believed = true;
    for (uint32_t i = 0; i < POD_SPEAKERS_MAX + 100; i++) {
        record = sample_record(pod, i, 1, now);
        (void)hear(edge, mine, &record);
    }
    assert_int_equal(speakers.count, POD_SPEAKERS_MAX);
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_FLOOD);
}

static void test_it_survives(void **state)
{
    struct guard_pod_record record = sample_record(pod, 1, 1, now);
    uint8_t *note = NULL;
    size_t len = 0;
    struct guard_err err;
    (void)state;
    assert_int_equal(hear(reporter("edge"), mine, &record), POD_SPEECH_GOOD);
    assert_true(speakers.changed);
    assert_int_equal(pod_speakers_write(&speakers, &note, &len, &err), GUARD_OK);
    pod_speakers_close(&speakers);
    assert_int_equal(pod_speakers_open(&speakers, &err), GUARD_OK);
    assert_int_equal(pod_speakers_read(&speakers, (struct guard_span){note, len}, &err), GUARD_OK);
    assert_int_equal(hear(reporter("edge"), yours, &record), POD_SPEECH_FOREIGN);
    assert_int_equal(hear(reporter("edge"), mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(pod_speakers_read(&speakers, (struct guard_span){note, len - 1}, &err),
                     GUARD_E_SYNTAX);
    free(note);
}

/* A root that shares its database: who comes first there is no matter of its own, floods are. */
static void test_apart_nobody_has_a_pod_and_each_has_bounds(void **state)
{
    struct guard_pod_record record = sample_record(pod, 1, 1, now);
    const struct pod_reporter edge = reporter("edge");
    (void)state;
    speakers.apart = true;
    for (uint32_t i = 0; i < POD_SPEAKER_RECORDS; i++)
        assert_int_equal(hear(edge, mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_FLOOD);
    assert_int_equal(hear(edge, yours, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(reporter("other"), mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(speakers.count, 3);
    /* Of 64 pods at once, whoever shares the token: two are taken. */
    for (uint32_t i = 2; i < POD_SPEAKER_PODS_MAX; i++) {
        record = sample_record(pod, i, 1, now);
        assert_int_equal(hear(edge, mine, &record), POD_SPEECH_GOOD);
    }
    record = sample_record(pod, 1000, 1, now);
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_FLOOD);
    /* What a name may speak for is asked here, and here alone. */
    assert_int_equal(hear(of_cluster("prod/web-7f9c-00003", "u3"), mine, &record),
                     POD_SPEECH_FOREIGN);
}

static void test_who_is_vouched_for_is_held_to_the_first_alone(void **state)
{
    struct guard_pod_record record = sample_record(pod, 1, 1, now);
    struct pod_reporter node = {.name = "node:n1", .node = "", .vouched = true};
    struct pod_reporter cluster = {.name = "pod:x", .cluster_pod = "", .vouched = true};
    struct pod_reporter edge = {.name = "edge", .vouched = true};
    (void)state;
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(edge, yours, &record), POD_SPEECH_FOREIGN);
    assert_int_equal(hear(node, mine, &record), POD_SPEECH_GOOD); /* beside the pod itself */
    assert_int_equal(hear(cluster, mine, &record), POD_SPEECH_GOOD);
    assert_int_equal(hear(edge, mine, &record), POD_SPEECH_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_clusters_token_speaks_for_its_pod_only, open_them,
                                        close_them),
        cmocka_unit_test_setup_teardown(test_with_one_token_the_first_keeps_the_pod, open_them,
                                        close_them),
        cmocka_unit_test_setup_teardown(test_who_is_believed_speaks_beside_the_pod_itself,
                                        open_them, close_them),
        cmocka_unit_test_setup_teardown(test_a_node_speaks_for_pods_that_are_there, open_them,
                                        close_them),
        cmocka_unit_test_setup_teardown(test_nobody_fills_a_table, open_them, close_them),
        cmocka_unit_test_setup_teardown(test_it_survives, open_them, close_them),
        cmocka_unit_test_setup_teardown(test_apart_nobody_has_a_pod_and_each_has_bounds, open_them,
                                        close_them),
        cmocka_unit_test_setup_teardown(test_who_is_vouched_for_is_held_to_the_first_alone,
                                        open_them, close_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
