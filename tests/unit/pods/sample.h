/* SPDX-License-Identifier: Apache-2.0 */
/* Records as sensors write them, for tests. */
#ifndef GUARD_TEST_PODS_SAMPLE_H
#define GUARD_TEST_PODS_SAMPLE_H

#include <guard/pod.h>

#include <stdio.h>
#include <string.h>

static inline struct guard_span sample_span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static inline struct guard_pod_feature sample_connect(const char *name, uint8_t last, uint16_t port)
{
    return (struct guard_pod_feature){.kind = GUARD_POD_DESTINATION,
                                      .text = sample_span(name),
                                      .address_len = 4,
                                      .address = {203, 0, 113, last},
                                      .port = port,
                                      .transport = 6,
                                      .count = 1};
}

static inline struct guard_pod_feature sample_feature(enum guard_pod_kind kind, const char *text,
                                                      const char *detail)
{
    return (struct guard_pod_feature){
        .kind = kind, .text = sample_span(text), .detail = sample_span(detail), .count = 1};
}

/* The index-th replica's record of the interval that ends at until_ms; pod: room for its name. */
static inline struct guard_pod_record sample_record(char pod[32], uint32_t replica,
                                                    uint64_t sequence, uint64_t until_ms)
{
    (void)snprintf(pod, 32, "web-7f9c-%05u", replica);
    return (struct guard_pod_record){
        .id = {.service = sample_span("shop"),
               .name_space = sample_span("prod"),
               .workload = sample_span("web"),
               .pod = sample_span(pod),
               .container = sample_span("app"),
               .image = sample_span("sha256:0123"),
               .template_hash = sample_span("7f9c"),
               .node = sample_span("node-1")},
        .source = GUARD_POD_PODWATCH,
        .origin = {.producer = 100 + replica, .incarnation = 1, .sequence = sequence},
        .from_ms = until_ms - 10000,
        .until_ms = until_ms,
        .counted = 6,
        .received = 2,
        .deduplicated = 4,
    };
}

#endif
