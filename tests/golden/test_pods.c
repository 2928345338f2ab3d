/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of pod records and profiles, which sensors and guardds of different age exchange: a
 * change of the format shows here and wants another version number. The same files are the fuzzers'
 * seeds. */
#include "support/pod_traffic.h"
#include "unit/pods/sample.h"

#include <stdbool.h>
#include <stdlib.h>

static void *get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const char *corpus; /* the folder of all corpora */
static bool update;
static int failures;

static void agree(const char *name, struct guard_span bytes)
{
    char path[4096];
    uint8_t *held = malloc(bytes.len + 1);
    (void)snprintf(path, sizeof(path), "%s/%s", corpus, name);
    FILE *file = fopen(path, update ? "wb" : "rb");
    size_t done = 0;
    if (file != NULL && held != NULL)
        done = update ? fwrite(bytes.ptr, 1, bytes.len, file) : fread(held, 1, bytes.len + 1, file);
    if (file != NULL)
        (void)fclose(file);
    if (done != bytes.len || (!update && memcmp(held, bytes.ptr, bytes.len) != 0)) {
        fprintf(stderr, "%s isn't what this build writes (%zu bytes)\n", path, bytes.len);
        failures++;
    }
    free(held);
}

static void record(const char *name, const struct guard_pod_feature *features, uint32_t count)
{
    static uint8_t bytes[GUARD_POD_RECORD_MAX];
    char pod[32];
    size_t len = 0;
    struct guard_err err;
    struct guard_pod_record record = sample_record(pod, 3, 9, 1700000000000);
    record.features = features;
    record.feature_count = count;
    record.started_ms = 1699999000000;
    record.blind = count == 0 ? 1u << GUARD_POD_EXEC : 0;
    record.rates_known = 1u << GUARD_POD_BYTES_OUT | 1u << GUARD_POD_CPU_US;
    record.rates[GUARD_POD_BYTES_OUT] = 40960;
    record.rates[GUARD_POD_CPU_US] = 1200;
    if (guard_pod_record_encode(&record, bytes, sizeof(bytes), &len, &err) != GUARD_OK) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        failures++;
        return;
    }
    agree(name, (struct guard_span){bytes, len});
}

static void records(void)
{
    struct guard_pod_feature features[GUARD_POD_KINDS];
    for (uint32_t kind = 0; kind < GUARD_POD_KINDS; kind++) {
        features[kind] = sample_feature((enum guard_pod_kind)kind, "/usr/bin/id", "/bin/sh");
        features[kind].request = sample_span(kind % 2 == 0 ? "" : "5f3a9c");
        features[kind].first_ms = 1699999999000 + kind;
        features[kind].user = kind;
    }
    features[GUARD_POD_DESTINATION] = sample_connect("db.example", 9, 5432);
    features[GUARD_POD_LISTEN].port = 8080;
    features[GUARD_POD_LISTEN].transport = 6;
    struct guard_pod_feature named = sample_connect("api.example", 10, 443);
    named.flags = GUARD_POD_ANSWERED;
    named.detail = sample_span("\x0a\x60\x01\x0a");
    named.first_ms = 1699999999500;
    record("pod_record/named", &named, 1);
    named.bytes_out = 123456;
    named.bytes_in = 789;
    record("pod_record/volumes", &named, 1);
    record("pod_record/quiet", NULL, 0);
    record("pod_record/every_kind", features, GUARD_POD_KINDS);
}

static void profile(const char *name, bool volumes)
{
    const struct guard_alloc heap = {NULL, get, put};
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct guard_pods *pods = NULL;
    struct guard_pod_rules rules;
    struct guard_pod_verdict verdict;
    struct guard_pods_cfg cfg = pod_traffic_cfg(&heap);
    struct pod_traffic traffic = {
        .random = {1}, .now_ms = UINT64_C(1700000000000), .volumes = volumes};
    guard_pod_rules_default(&rules);
    enum guard_rc rc = guard_pods_new(&pods, &cfg, &err);
    for (uint32_t i = 0; i < 60 && rc == GUARD_OK; i++) {
        struct guard_pod_record record = pod_traffic_next(&traffic, i % 7);
        record.dropped = record.counted;
        rc = guard_pods_observe(pods, &rules, &record, &verdict, &err);
        if (rc == GUARD_OK && verdict.count > 0)
            rc = guard_pods_judge(pods, verdict.evidence[0].id, GUARD_POD_APPROVED, i);
    }
    if (rc == GUARD_OK)
        rc = guard_pods_encode(pods, &bytes, &len, &err);
    if (rc == GUARD_OK)
        agree(name, (struct guard_span){bytes, len});
    failures += rc != GUARD_OK;
    free(bytes);
    guard_pods_free(pods);
}

int main(int argc, char **argv)
{
    update = argc == 3 && strcmp(argv[1], "--update") == 0;
    if (argc != 2 && !update) {
        fprintf(stderr, "usage: %s [--update] FOLDER\n", argv[0]);
        return 2;
    }
    corpus = argv[argc - 1];
    records();
    profile("pod_profile/learned", false);
    profile("pod_profile/volumes", true);
    return failures == 0 ? 0 : 1;
}
