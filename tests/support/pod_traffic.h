/* SPDX-License-Identifier: Apache-2.0 */
/* Random records of a workload's pods. */
#ifndef GUARD_TEST_POD_TRAFFIC_H
#define GUARD_TEST_POD_TRAFFIC_H

#include "support/random.h"

#include <guard/pods.h>

#include <string.h>

enum { POD_TRAFFIC_FEATURES = 6 };

struct pod_traffic {
    bool volumes; /* destinations have bytes, and there are amounts of calls */
    struct test_random random;
    uint64_t now_ms;
    uint64_t sequences[64];
    char pod[32], hash[16], texts[POD_TRAFFIC_FEATURES][64];
    struct guard_pod_feature features[POD_TRAFFIC_FEATURES];
};

static inline struct guard_span pod_traffic_span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static inline void pod_traffic_feature(struct pod_traffic *traffic, uint32_t at)
{
    struct test_random *random = &traffic->random;
    struct guard_pod_feature *feature = &traffic->features[at];
    /* One after the other: in which order arguments are evaluated is the compiler's choice. */
    int thing = (int)('a' + test_random_below(random, 5));
    int place = (int)('a' + test_random_below(random, 5));
    snprintf(traffic->texts[at], sizeof(traffic->texts[at]), "/opt/%c/thing.%c.example", place,
             thing);
    *feature = (struct guard_pod_feature){
        .kind = (enum guard_pod_kind)test_random_below(random, GUARD_POD_KINDS),
        .text = pod_traffic_span(traffic->texts[at]),
        .address_len = test_random_once_in(random, 4) ? 16 : 4,
        .address = {10, 0, (uint8_t)test_random_below(random, 4),
                    (uint8_t)test_random_below(random, 8)},
        .port = (uint16_t)test_random_between(random, 80, 83),
        .transport = 6,
        .count = test_random_between(random, 1, 5),
        .first_ms = traffic->now_ms - test_random_below(random, 9000),
    };
    if (traffic->volumes && feature->kind == GUARD_POD_DESTINATION)
        feature->bytes_out = test_random_below(random, 1u << 24);
}

/* The next record of the replica; its spans live until the next call. */
static inline struct guard_pod_record pod_traffic_next(struct pod_traffic *traffic,
                                                       uint32_t replica)
{
    struct test_random *random = &traffic->random;
    uint32_t count = (uint32_t)test_random_below(random, POD_TRAFFIC_FEATURES + 1);
    traffic->now_ms += test_random_below(random, 3 * 3600 * 1000);
    snprintf(traffic->pod, sizeof(traffic->pod), "web-%u", replica);
    snprintf(traffic->hash, sizeof(traffic->hash), "h%u", replica % 3);
    for (uint32_t i = 0; i < count; i++)
        pod_traffic_feature(traffic, i);
    struct guard_pod_record record = {
        .id = {.name_space = pod_traffic_span("prod"),
               .workload = pod_traffic_span("web"),
               .pod = pod_traffic_span(traffic->pod),
               .container = pod_traffic_span("app"),
               .template_hash = pod_traffic_span(traffic->hash)},
        .source = GUARD_POD_PODWATCH,
        .origin = {.producer = 1 + replica,
                   .incarnation = 1,
                   .sequence = ++traffic->sequences[replica]},
        .from_ms = traffic->now_ms - 10000,
        .until_ms = traffic->now_ms,
        .started_ms = test_random_once_in(random, 4) ? traffic->now_ms - 20000 : 0,
        .counted = test_random_once_in(random, 10),
        .rates_known = 1u << GUARD_POD_BYTES_OUT,
        .rates = {test_random_below(random, 1u << 20)},
        .features = traffic->features,
        .feature_count = count,
    };
    if (traffic->volumes) {
        record.rates_known |= 1u << GUARD_POD_CALLS_OUT | 1u << GUARD_POD_REQUESTS;
        record.rates[GUARD_POD_CALLS_OUT] = test_random_below(random, 1u << 24);
        record.rates[GUARD_POD_REQUESTS] = test_random_below(random, 100);
    }
    return record;
}

static inline struct guard_pods_cfg pod_traffic_cfg(const struct guard_alloc *alloc)
{
    struct guard_pods_cfg cfg = {.alloc = *alloc,
                                 .name_space = pod_traffic_span("prod"),
                                 .workload = pod_traffic_span("web"),
                                 .container = pod_traffic_span("app")};
    memset(cfg.key, 5, sizeof(cfg.key));
    return cfg;
}

#endif
