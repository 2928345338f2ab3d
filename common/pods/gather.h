/* SPDX-License-Identifier: Apache-2.0 */
/* What a sensor saw of one container since its last record: features once with a count each,
 * bounded, so that whatever a container does its sensor stays small. */
#ifndef GUARD_COMMON_PODS_GATHER_H
#define GUARD_COMMON_PODS_GATHER_H

#include "common/pods/room.h"

#include <guard/pod.h>

/* Blocks that the most features with the longest texts take. */
enum { POD_GATHER_BLOCKS_MAX = GUARD_POD_FEATURES_MAX };

/* Of the sensor's own, kept of the first of equal features. */
struct pod_gather_tag {
    uint64_t number;
    uint32_t kind;
};
struct pod_gather {
    struct pod_block *first, *last;
    uint32_t blocks;
    uint32_t count;
};

/* Adds the feature, or its count and bytes to an equal one's; texts are copied, longer ones cut.
 * A count of 0 is of what was counted before: 1 if that found no room, as none is without a count.
 * GUARD_E_LIMIT: full, make a record and clear it; GUARD_E_NOMEM: the room has nothing more for it
 * by now, or there is no memory. */
GUARD_MUST_USE enum guard_rc pod_gather_add(struct pod_gather *gather, struct pod_room *room,
                                            const struct guard_pod_feature *feature,
                                            struct pod_gather_tag tag);
/* Fills out and, unless it is NULL, tags (room for GUARD_POD_FEATURES_MAX each), and returns how
 * many; spans live until the next change. */
uint32_t pod_gather_features(const struct pod_gather *gather, struct guard_pod_feature *out,
                             struct pod_gather_tag *tags);
/* Forgets all; its memory goes back to the room. */
void pod_gather_clear(struct pod_gather *gather, struct pod_room *room);

#endif
