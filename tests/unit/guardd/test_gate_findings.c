/* SPDX-License-Identifier: Apache-2.0 */
/* What of a gate's alerts becomes a record of the pod behind it: whatever they say, the record is
 * one that a reader takes. */
#include "guardd/pods/gate_findings.h"

#include "common/document.h"
#include "common/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOW_MS = 1800000000 };

struct world {
    char dir[64];
    struct sense_spec spec;
    struct gate_findings *findings;
    struct guard_pod_record record;
    struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    uint8_t *bytes;
};

static int set_up(void **state)
{
    struct guard_err err;
    struct world *world = calloc(1, sizeof(*world));
    snprintf(world->dir, sizeof(world->dir), "/tmp/guard-findings-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    assert_int_equal(sense_spec_read(&world->spec, "namespace=shop,workload=cart,pod=cart-1", &err),
                     GUARD_OK);
    assert_int_equal(gate_findings_open(&world->findings, &world->spec, world->dir, 7, &err),
                     GUARD_OK);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    char path[600];
    gate_findings_close(world->findings, NOW_MS);
    DIR *dir = opendir(world->dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", world->dir, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    closedir(dir);
    assert_int_equal(rmdir(world->dir), 0);
    free(world->bytes);
    free(world);
    return 0;
}

static void take(struct world *world, const char *alert)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    const struct guard_span bytes = {(const uint8_t *)alert, strlen(alert)};
    assert_int_equal(document_parse(&document, "alert", bytes, &arena, &err), GUARD_OK);
    gate_findings_take(world->findings, document.root);
    guard_arena_reset(&arena);
}

static uint32_t files(const struct world *world, char last[600])
{
    uint32_t count = 0;
    DIR *dir = opendir(world->dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(last, 600, "%s/%s", world->dir, entry->d_name);
        count++;
    }
    closedir(dir);
    return count;
}

/* The record that is written now: the only file. */
static const struct guard_pod_record *written(struct world *world, uint64_t now_ms)
{
    struct guard_err err;
    char path[600];
    size_t len = 0;
    gate_findings_tick(world->findings, now_ms);
    assert_int_equal(files(world, path), 1);
    free(world->bytes);
    assert_int_equal(file_read(path, 1 << 20, &world->bytes, &len, &err), GUARD_OK);
    assert_int_equal(guard_pod_record_decode(&world->record, world->features,
                                             (struct guard_span){world->bytes, len}, &err),
                     GUARD_OK);
    assert_int_equal(unlink(path), 0);
    return &world->record;
}

static void assert_feature(const struct guard_pod_feature *feature, enum guard_pod_kind kind,
                           const char *text, const char *detail, const char *request)
{
    assert_int_equal(feature->kind, kind);
    assert_int_equal(feature->text.len, strlen(text));
    assert_memory_equal(feature->text.ptr, text, strlen(text));
    assert_int_equal(feature->detail.len, strlen(detail));
    assert_memory_equal(feature->detail.ptr, detail, strlen(detail));
    assert_int_equal(feature->request.len, strlen(request));
    assert_memory_equal(feature->request.ptr, request, strlen(request));
}

static void test_requests_responses_and_calls(void **state)
{
    struct world *world = *state;
    take(world, "{\"time_ms\": 1799999000, \"id\": \"5f3a\", \"service\": \"cart\", \"action\": "
                "\"alert\", \"method\": \"GET\", \"template\": \"/lookup\", \"findings\": ["
                "{\"part\": \"request\", \"location\": \"query\", \"name\": \"host\", \"rule\": "
                "\"characters\"}, {\"part\": \"request\", \"location\": \"query\", \"name\": "
                "\"x\", \"rule\": \"name\"}, {\"part\": \"response\", \"location\": \"json\", "
                "\"name\": \"a\", \"rule\": \"leak\"}]}");
    take(world, "{\"time_ms\": 1799999500, \"id\": \"77\", \"caused_by\": \"5f3a\", \"service\": "
                "\"cart.egress\", \"action\": \"block\", \"method\": \"POST\", \"template\": "
                "\"payments:8443/charge\", \"findings\": [{\"part\": \"outbound\", \"location\": "
                "\"path\", \"name\": \"\", \"rule\": \"path\"}]}");
    const struct guard_pod_record *record = written(world, NOW_MS);
    assert_int_equal(record->source, GUARD_POD_GATE);
    assert_int_equal(record->origin.sequence, 1);
    assert_int_equal(record->from_ms, 1799999000);
    assert_int_equal(record->until_ms, NOW_MS);
    assert_int_equal(record->counted, 3);
    assert_int_equal(record->feature_count, 3);
    assert_memory_equal(record->id.pod.ptr, "cart-1", 6);
    assert_feature(&record->features[0], GUARD_POD_REQUEST, "GET /lookup", "query host: characters",
                   "5f3a");
    assert_feature(&record->features[1], GUARD_POD_RESPONSE, "GET /lookup", "json a: leak", "5f3a");
    assert_feature(&record->features[2], GUARD_POD_OUTBOUND, "POST payments:8443/charge",
                   "path : path", "5f3a");
}

static void one_request(struct world *world, const char *service, const char *action, int id)
{
    char text[300];
    snprintf(text, sizeof(text),
             "{\"id\": \"%d\", \"service\": \"%s\", \"action\": \"%s\", \"method\": \"GET\", "
             "\"template\": \"/\", \"findings\": [{\"part\": \"request\", \"rule\": \"name\"}]}",
             id, service, action);
    take(world, text);
}

/* What was blocked never reached the pod, and what another service is asked isn't the pod's. */
static void test_what_is_not_the_pods(void **state)
{
    struct world *world = *state;
    char path[600];
    one_request(world, "cart", "block", 1);
    one_request(world, "other", "alert", 2);
    take(world, "{\"service\": \"cart\", \"findings\": [{\"part\": \"pod\"}, {\"part\": "
                "\"client\"}, {}]}");
    gate_findings_tick(world->findings, NOW_MS);
    assert_int_equal(files(world, path), 0);
    one_request(world, "cart", "pass", 3); /* of mode observe */
    assert_int_equal(written(world, NOW_MS)->feature_count, 1);
}

/* Of a rule and endpoint that was told just now. */
static void test_a_flood_is_folded(void **state)
{
    struct world *world = *state;
    char path[600];
    one_request(world, "cart", "alert", 0);
    (void)written(world, NOW_MS);
    for (int i = 0; i < 1000; i++)
        one_request(world, "cart", "alert", i);
    gate_findings_tick(world->findings, NOW_MS + GATE_FINDINGS_FOLD_MS - 1);
    assert_int_equal(files(world, path), 0);
    const struct guard_pod_record *record = written(world, NOW_MS + GATE_FINDINGS_FOLD_MS);
    assert_int_equal(record->origin.sequence, 2);
    assert_int_equal(record->feature_count, GATE_FINDINGS_EACH);
    assert_int_equal(record->counted, 1000);
    assert_int_equal(record->received, GATE_FINDINGS_EACH);
    assert_int_equal(record->deduplicated, 1000 - GATE_FINDINGS_EACH);
    assert_int_equal(record->dropped, 0);
    const struct guard_pod_feature *last = &record->features[GATE_FINDINGS_EACH - 1];
    assert_int_equal(last->count, 1000 - GATE_FINDINGS_EACH + 1);
    assert_memory_equal(last->request.ptr, "999", 3);
    assert_int_equal(record->features[0].count, 1);
    assert_memory_equal(record->features[0].request.ptr, "0", 1);
    gate_findings_tick(world->findings, NOW_MS + 10 * GATE_FINDINGS_FOLD_MS);
    assert_int_equal(files(world, path), 0);
}

static void of_endpoint(struct world *world, int number, int id)
{
    char text[300];
    snprintf(text, sizeof(text),
             "{\"id\": \"%d\", \"service\": \"cart\", \"action\": \"alert\", \"method\": "
             "\"GET\", \"template\": \"/%d\", \"findings\": [{\"part\": \"request\", "
             "\"rule\": \"name\"}]}",
             id, number);
    take(world, text);
}

/* A client that deviates each second is a record in ten, which has each of its exchanges. */
static void test_one_a_second_is_few_files(void **state)
{
    struct world *world = *state;
    char path[600];
    uint32_t count = 0, features = 0;
    for (int second = 0; second < 600; second++) {
        uint64_t now_ms = NOW_MS + (uint64_t)second * 1000;
        one_request(world, "cart", "alert", second);
        gate_findings_tick(world->findings, now_ms);
        if (files(world, path) == 0)
            continue;
        features += written(world, now_ms)->feature_count;
        assert_int_equal(world->record.dropped + world->record.deduplicated, 0);
        count++;
    }
    assert_int_equal(count, 60);
    assert_int_equal(features, 591); /* the rest waits */
}

/* What is new doesn't wait for what isn't, and takes that along. */
static void test_what_is_new_is_told_at_once(void **state)
{
    struct world *world = *state;
    char path[600];
    of_endpoint(world, 1, 1);
    (void)written(world, NOW_MS);
    of_endpoint(world, 1, 2);
    gate_findings_tick(world->findings, NOW_MS + 1000);
    assert_int_equal(files(world, path), 0);
    of_endpoint(world, 2, 3);
    assert_int_equal(written(world, NOW_MS + 1001)->feature_count, 2);
}

/* A client that finds something new each time gets no more files than news may have. */
static void test_news_without_end_are_few_files(void **state)
{
    struct world *world = *state;
    char path[600];
    uint32_t count = 0;
    for (int i = 0; i < 6000; i++) { /* for a minute */
        uint64_t now_ms = NOW_MS + (uint64_t)i * 10;
        of_endpoint(world, i, i);
        gate_findings_tick(world->findings, now_ms);
        if (files(world, path) == 0)
            continue;
        const struct guard_pod_record *record = written(world, now_ms);
        assert_int_equal(record->counted,
                         record->received + record->deduplicated + record->dropped);
        count++;
    }
    assert_in_range(count, 6, 6 * (6 + 1));
}

/* Whatever an alert says a reader takes the record. */
static void test_hostile_alerts(void **state)
{
    struct world *world = *state;
    static char long_one[9000];
    static const char *const alerts[] = {
        "{}",
        "[]",
        "{\"findings\": {}}",
        "{\"findings\": \"x\"}",
        "{\"service\": \"cart\", \"findings\": [[], 7, null, \"part\"]}",
        "{\"service\": \"cart\", \"time_ms\": -5, \"id\": {}, \"method\": [], \"template\": {}, "
        "\"findings\": [{\"part\": \"request\", \"name\": {}, \"rule\": [1]}]}",
        "{\"service\": \"cart\", \"time_ms\": 99999999999999999999, \"id\": \"a b\\\"/\", "
        "\"method\": \"\\u0001\\u202e\", \"template\": \"<b>\", \"findings\": [{\"part\": "
        "\"response\"}]}",
        "{\"service\": \"cart\", \"time_ms\": 1, \"id\": \"x\", \"findings\": [{\"part\": "
        "\"outbound\"}]}",
    };
    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
        take(world, alerts[i]);
    memset(long_one, 'a', sizeof(long_one) - 1);
    char *text = NULL;
    assert_true(
        asprintf(&text,
                 "{\"service\": \"cart\", \"id\": \"%s\", \"method\": \"%s\", \"template\": "
                 "\"%s\", \"findings\": [{\"part\": \"request\", \"name\": \"%s\"}]}",
                 long_one, long_one, long_one, long_one) > 0);
    take(world, text);
    free(text);
    const struct guard_pod_record *record = written(world, NOW_MS);
    assert_int_equal(record->feature_count, 4);
    assert_feature(&record->features[0], GUARD_POD_REQUEST, "- -", " : ", "");
    assert_int_equal(record->features[1].request.len, 0);
    assert_int_equal(record->features[2].first_ms, NOW_MS - GUARD_POD_INTERVAL_MAX_MS);
    assert_int_equal(record->features[3].text.len, GUARD_POD_TEXT_MAX);
    assert_int_equal(record->features[3].request.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests_responses_and_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_the_pods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_flood_is_folded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_a_second_is_few_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_new_is_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_news_without_end_are_few_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile_alerts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
