/* SPDX-License-Identifier: Apache-2.0 */
/* What a sensor saw of one container since its last record: features once with a count each,
 * bounded, so that whatever a container does its sensor stays small. */
#ifndef GUARD_COMMON_PODS_GATHER_H
#define GUARD_COMMON_PODS_GATHER_H

#include <guard/pod.h>

enum { POD_GATHER_TEXTS_MAX = 96 * 1024 };

struct pod_gathered {
    struct guard_pod_feature feature; /* its spans are made when it is read: texts move */
    uint64_t tag;                     /* of the sensor's own */
    uint32_t sensor_kind;
    uint32_t text, detail; /* where in the texts */
};
struct pod_gather {
    struct pod_gathered *entries;
    uint8_t *texts;
    uint32_t count, capacity;
    uint32_t texts_len, texts_capacity;
};

/* Adds the feature, or its count and bytes to an equal one's; texts are copied, longer ones cut.
 * tag and sensor_kind are kept of the first. GUARD_E_LIMIT: full, make a record and empty it;
 * GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc pod_gather_add(struct pod_gather *gather,
                                            const struct guard_pod_feature *feature, uint64_t tag,
                                            uint32_t sensor_kind);
/* Fills out (room for GUARD_POD_FEATURES_MAX) and returns how many; spans live until the next
 * change. */
uint32_t pod_gather_features(const struct pod_gather *gather, struct guard_pod_feature *out);
/* Forgets all; what was much memory goes back. */
void pod_gather_clear(struct pod_gather *gather);
void pod_gather_free(struct pod_gather *gather);

#endif
