/* SPDX-License-Identifier: Apache-2.0 */
/* What a node of the tree sends its parent of pods: records one behind the other, as in files, with
 * a head that says who sends them. docs/internals/pod-records.md */
#ifndef GUARD_COMMON_PODS_RECORD_BATCH_H
#define GUARD_COMMON_PODS_RECORD_BATCH_H

#include <guard/pod.h>

enum {
    POD_BATCH_HEAD = 48,
    POD_BATCH_BYTES_MAX = 256 * 1024, /* with its head; any record fits */
    POD_BATCH_RECORDS_MAX = 1024,
    POD_BATCH_SECRET = 16,
};

struct pod_batch {
    /* Of the sender's state directory: tells senders with one token apart. */
    uint8_t secret[POD_BATCH_SECRET];
    /* Records since the sender's start: that were to be sent, and those of them that found no room
     * and were given up. */
    uint64_t counted, dropped;
    uint32_t count;            /* of records */
    struct guard_span records; /* borrowed */
};

void pod_batch_write_head(const struct pod_batch *batch, uint8_t out[POD_BATCH_HEAD]);
/* Hostile input: all records of it are good, or none is looked at. features: room for
 * GUARD_POD_FEATURES_MAX. GUARD_E_SYNTAX, GUARD_E_VERSION, GUARD_E_LIMIT and what
 * guard_pod_record_decode says; err names the byte. */
GUARD_MUST_USE enum guard_rc pod_batch_read(struct pod_batch *out,
                                            struct guard_pod_feature *features,
                                            struct guard_span bytes, struct guard_err *err);
/* The next record of a batch that was read, which is taken off; false: there is none. bytes: it as
 * it came. */
bool pod_batch_next(struct pod_batch *batch, struct guard_pod_record *record,
                    struct guard_pod_feature *features, struct guard_span *bytes);

#endif
