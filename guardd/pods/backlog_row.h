/* SPDX-License-Identifier: Apache-2.0 */
/* A row of the table by which roots that share a database hand records of pods to the one that
 * learns the service: records as they are learned, with who sent them, since the learner alone
 * knows who speaks for which pod. docs/adr/0041-pods-at-shared-roots.md */
#ifndef GUARDD_PODS_BACKLOG_ROW_H
#define GUARDD_PODS_BACKLOG_ROW_H

#include "speakers.h"

enum {
    POD_ROW_HEAD = 8,
    POD_ROW_PART_HEAD = 8 + POD_BATCH_SECRET,
    POD_ROW_BYTES_MAX = 256 * 1024, /* any record fits */
};

/* Zeros: none yet. */
struct pod_row {
    uint8_t *bytes;
    size_t len, room;
    size_t part;    /* where the last one begins */
    uint64_t batch; /* that it is of */
};

/* Whose records follow. */
struct pod_row_part {
    char name[POD_SPEAKER_NAME_CAP];
    uint8_t secret[POD_BATCH_SECRET]; /* a digest of the sender's */
    bool of_cluster, of_node, believed;
    struct guard_span records; /* borrowed */
};

/* Batches are numbered, so that one reporter's records of one batch stand together. GUARD_E_LIMIT:
 * it is full, begin another one; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc pod_row_add(struct pod_row *row, uint64_t batch,
                                         const struct pod_reporter *who,
                                         const uint8_t secret[POD_BATCH_SECRET],
                                         struct guard_span record);
void pod_row_free(struct pod_row *row);
/* Hostile input. The head, which is taken off. GUARD_E_SYNTAX, GUARD_E_VERSION. */
GUARD_MUST_USE enum guard_rc pod_row_read(struct guard_span *rest, struct guard_err *err);
/* The next part, which is taken off; only while something is left. GUARD_E_SYNTAX. */
GUARD_MUST_USE enum guard_rc pod_row_next(struct guard_span *rest, struct pod_row_part *part,
                                          struct guard_err *err);

#endif
