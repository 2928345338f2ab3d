/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd keeps of pods in its store: written and read the same; whatever is damaged is refused
 * as a whole, without a leak and without a half. */
#include "guardd/pods/profiles.h"

#include "common/file.h"
#include "unit/pods/sample.h"

#include <stdlib.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint8_t key[GUARD_KEY_BYTES] = {7};
static const uint64_t BEGIN_MS = UINT64_C(1769850900000);

static void learn(struct service_pods *pods, const char *workload)
{
    struct guard_pods_cfg cfg = {.alloc = heap_alloc(),
                                 .name_space = sample_span("prod"),
                                 .workload = sample_span(workload),
                                 .container = sample_span("app")};
    struct guard_pod_rules rules;
    struct guard_err err;
    static struct guard_pod_verdict verdict;
    memcpy(cfg.key, key, sizeof(key));
    guard_pod_rules_default(&rules);
    assert_int_equal(guard_pods_new(&pods->list[pods->count], &cfg, &err), GUARD_OK);
    for (uint32_t replica = 0; replica < 3; replica++) {
        char pod[32];
        struct guard_pod_feature feature =
            sample_feature(GUARD_POD_EXEC, "/usr/bin/convert", "/app");
        struct guard_pod_record record = sample_record(pod, replica, 1, BEGIN_MS + replica);
        record.id.workload = sample_span(workload);
        record.features = &feature;
        record.feature_count = 1;
        feature.first_ms = record.from_ms;
        assert_int_equal(
            guard_pods_observe(pods->list[pods->count], &rules, &record, &verdict, &err), GUARD_OK);
    }
    pods->count++;
}

static void write_two(uint8_t **note, size_t *len)
{
    struct service_pods pods = {.count = 0};
    struct guard_err err;
    learn(&pods, "web");
    learn(&pods, "jobs");
    assert_int_equal(pods_note_write(&pods, note, len, &err), GUARD_OK);
    pods_free(&pods);
}

static void test_it_is_read_as_it_was_written(void **state)
{
    struct service_pods pods = {.count = 0};
    struct guard_err err = {.text = ""};
    uint8_t *note, *again;
    size_t len, again_len;
    write_two(&note, &len);
    assert_int_equal(pods_note_read(&pods, key, (struct guard_span){note, len}, &err), GUARD_OK);
    assert_int_equal(pods.count, 2);
    assert_int_equal(pods_note_write(&pods, &again, &again_len, &err), GUARD_OK);
    assert_int_equal(again_len, len);
    assert_memory_equal(again, note, len);
    pods_free(&pods);
    free(again);
    free(note);
}

static void refused(const uint8_t *note, size_t len, enum guard_rc rc)
{
    struct service_pods pods = {.count = 0};
    struct guard_err err = {.text = ""};
    /* Exactly as long as it says, so that a sanitizer sees what reads behind it. */
    uint8_t *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, note, len);
    enum guard_rc got = pods_note_read(&pods, key, (struct guard_span){copy, len}, &err);
    free(copy);
    assert_int_not_equal(got, GUARD_OK);
    if (rc != GUARD_OK)
        assert_int_equal(got, rc);
    assert_int_equal(pods.count, 0);
}

static void test_what_is_damaged_is_refused_whole(void **state)
{
    uint8_t *note;
    size_t len;
    write_two(&note, &len);
    for (size_t cut = 0; cut < len; cut++)
        refused(note, cut, GUARD_OK);
    for (size_t at = 0; at < len; at++) {
        note[at] ^= 0x41;
        refused(note, len, GUARD_OK);
        note[at] ^= 0x41;
    }
    note[4] = 2;
    refused(note, len, GUARD_E_VERSION);
    note[4] = 1;
    note[8] = POD_PROFILES_MAX + 1;
    refused(note, len, GUARD_E_LIMIT);
    note[8] = 1; /* and something behind it */
    refused(note, len, GUARD_E_SYNTAX);
    memset(note + 12, 0xff, 4); /* a length that would wrap */
    refused(note, len, GUARD_E_SYNTAX);
    free(note);
}

static void test_a_workload_is_there_once(void **state)
{
    struct service_pods pods = {.count = 0};
    struct guard_err err;
    uint8_t *note;
    size_t len;
    learn(&pods, "web");
    learn(&pods, "web");
    assert_int_equal(pods_note_write(&pods, &note, &len, &err), GUARD_OK);
    refused(note, len, GUARD_E_SYNTAX);
    pods_free(&pods);
    free(note);
}

static void test_of_another_key_it_is_refused(void **state)
{
    struct service_pods pods = {.count = 0};
    struct guard_err err;
    const uint8_t other[GUARD_KEY_BYTES] = {8};
    uint8_t *note;
    size_t len;
    write_two(&note, &len);
    assert_int_equal(pods_note_read(&pods, other, (struct guard_span){note, len}, &err),
                     GUARD_E_FOREIGN);
    assert_int_equal(pods.count, 0);
    free(note);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_read_as_it_was_written),
        cmocka_unit_test(test_what_is_damaged_is_refused_whole),
        cmocka_unit_test(test_a_workload_is_there_once),
        cmocka_unit_test(test_of_another_key_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
