/* SPDX-License-Identifier: Apache-2.0 */
/* A workload with replicas that all do the same, and one that then does more. */
#ifndef GUARD_TEST_PODS_FLEET_H
#define GUARD_TEST_PODS_FLEET_H

#include "unit/pods/sample.h"

#include <guard/pods.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FLEET_START = 1700000000, FLEET_HOUR = 3600 * 1000 };

struct fleet {
    struct guard_pods *pods;
    struct guard_pod_rules rules;
    struct guard_pod_verdict verdict;
    uint64_t now_ms;
    uint64_t sequences[128];
    const char *template_hash;
    uint64_t dropped;
    uint32_t blind;
    uint64_t started_ms;
    uint64_t bytes_out; /* of the interval; 0: not known */
    uint64_t calls_out; /* likewise; then requests are known, too */
    uint64_t requests;
    uint64_t interval_ms;         /* 0: as in the sample */
    enum guard_pod_source source; /* likewise */
};

static inline void *fleet_get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static inline void fleet_put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const struct guard_alloc fleet_heap = {NULL, fleet_get, fleet_put};

static inline struct guard_pods *fleet_pods(const struct guard_alloc *alloc)
{
    struct guard_err err;
    struct guard_pods *pods = NULL;
    struct guard_pods_cfg cfg = {.alloc = *alloc,
                                 .name_space = sample_span("prod"),
                                 .workload = sample_span("web"),
                                 .container = sample_span("app")};
    memset(cfg.key, 7, sizeof(cfg.key));
    assert_int_equal(guard_pods_new(&pods, &cfg, &err), GUARD_OK);
    return pods;
}

static inline void fleet_open(struct fleet *fleet)
{
    memset(fleet, 0, sizeof(*fleet));
    fleet->pods = fleet_pods(&fleet_heap);
    guard_pod_rules_default(&fleet->rules);
    fleet->now_ms = UINT64_C(1000) * FLEET_START;
    fleet->template_hash = "7f9c";
}

static inline void fleet_close(struct fleet *fleet)
{
    guard_pods_free(fleet->pods);
}

static inline enum guard_rc fleet_tell_into(struct fleet *fleet, struct guard_pods *pods,
                                            uint32_t replica,
                                            const struct guard_pod_feature *features,
                                            uint32_t count)
{
    char pod[32];
    struct guard_err err;
    struct guard_pod_feature copy[16];
    struct guard_pod_record record =
        sample_record(pod, replica, ++fleet->sequences[replica], fleet->now_ms);
    assert_true(count <= 16);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = features[i];
        if (copy[i].first_ms == 0)
            copy[i].first_ms = fleet->now_ms - 5000;
    }
    record.features = copy;
    record.feature_count = count;
    record.id.template_hash = sample_span(fleet->template_hash);
    record.dropped = fleet->dropped;
    record.counted += fleet->dropped;
    record.blind = fleet->blind;
    record.started_ms = fleet->started_ms;
    record.rates_known = fleet->bytes_out > 0 ? 1u << GUARD_POD_BYTES_OUT : 0;
    record.rates[GUARD_POD_BYTES_OUT] = fleet->bytes_out;
    if (fleet->calls_out > 0) {
        record.rates_known |= 1u << GUARD_POD_CALLS_OUT | 1u << GUARD_POD_REQUESTS;
        record.rates[GUARD_POD_CALLS_OUT] = fleet->calls_out;
        record.rates[GUARD_POD_REQUESTS] = fleet->requests;
    }
    if (fleet->interval_ms != 0)
        record.from_ms = record.until_ms - fleet->interval_ms;
    if (fleet->source != 0)
        record.source = fleet->source;
    return guard_pods_observe(pods, &fleet->rules, &record, &fleet->verdict, &err);
}

static inline enum guard_pod_decision fleet_tell(struct fleet *fleet, uint32_t replica,
                                                 const struct guard_pod_feature *features,
                                                 uint32_t count)
{
    assert_int_equal(fleet_tell_into(fleet, fleet->pods, replica, features, count), GUARD_OK);
    return fleet->verdict.decision;
}

/* All replicas do the usual, every six hours. */
static inline void fleet_live(struct fleet *fleet, uint32_t replicas, uint32_t days)
{
    const struct guard_pod_feature usual[] = {
        sample_connect("db.example", 9, 5432),
        sample_feature(GUARD_POD_EXEC, "/usr/bin/convert", "/app/server"),
        sample_feature(GUARD_POD_WRITE, "/var/cache/app/1234.bin", ""),
    };
    for (uint32_t step = 0; step < days * 4; step++) {
        fleet->now_ms += 6 * FLEET_HOUR;
        for (uint32_t i = 0; i < replicas; i++)
            assert_int_equal(fleet_tell(fleet, i, usual, 3), GUARD_POD_NORMAL);
    }
    /* All are live now. */
    fleet->now_ms += 60000;
    for (uint32_t i = 0; i < replicas; i++)
        assert_int_equal(fleet_tell(fleet, i, NULL, 0), GUARD_POD_NORMAL);
    fleet->now_ms += 60000;
}

#endif
