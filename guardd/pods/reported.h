/* SPDX-License-Identifier: Apache-2.0 */
/* At a node with children: pod records that they send. What may be taken is laid down beside what
 * this guardd's own sensors write, and is read, judged and learned as that is; who sent it is told
 * when it lies on the disk. */
#ifndef GUARDD_PODS_REPORTED_H
#define GUARDD_PODS_REPORTED_H

#include "outbox.h"

#include "guardd/store.h"

struct services;

enum {
    POD_REPORTED_BYTES_MAX = 4 << 20, /* that wait for the next file */
    POD_REPORTED_WRITE_MS = 200,      /* between two files */
};

struct pod_reported {
    struct services *services;
    struct pod_speakers speakers;
    bool shared; /* the database is: records go to who learns by the outbox, not into files */
    struct pod_outbox outbox;
    uint8_t *bytes; /* of the next file */
    size_t len;
    uint64_t batch; /* what is taken in now belongs to this file, from 1 */
    uint64_t written;
    uint64_t failed;
    uint64_t incarnation;
    uint64_t written_ms;
    bool failing; /* that was said */
    struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    /* Counted since the start. */
    uint64_t batches;
    uint64_t records; /* that were taken, those that came again included */
};

/* GUARD_E_NOMEM, GUARD_E_IO. What the store has of who speaks for whom is read. */
GUARD_MUST_USE enum guard_rc pod_reported_open(struct pod_reported **out, struct services *services,
                                               struct guard_err *err);
void pod_reported_close(struct pod_reported *reported);
/* Of one that speaks for a node: whether the cluster must be asked for pods of the batch before it
 * is taken. GUARD_E_SYNTAX and the others of a damaged batch. */
GUARD_MUST_USE enum guard_rc pod_reported_look(struct pod_reported *reported,
                                               const struct pod_reporter *who,
                                               struct guard_span bytes, bool *unknown,
                                               struct guard_err *err);
/* How many of the batch's records were taken; *ticket: what `written` must reach before the sender
 * is told so. A batch that is damaged is refused whole: GUARD_E_SYNTAX, _VERSION, _LIMIT,
 * _CHECKSUM, _RANGE. GUARD_E_IO, GUARD_E_NOMEM: later it may be taken. */
GUARD_MUST_USE enum guard_rc pod_reported_take(struct pod_reported *reported,
                                               const struct pod_reporter *who,
                                               struct guard_span bytes, uint32_t *taken,
                                               uint32_t *refused, uint64_t *ticket,
                                               struct guard_err *err);
/* Writes the file that is due, where there are files. */
void pod_reported_tick(struct pod_reported *reported, uint64_t now_ms);
/* Inside the caller's transaction: who speaks for which pod, if that changed; where the database is
 * shared what was taken instead. */
GUARD_MUST_USE enum guard_rc pod_reported_save(struct pod_reported *reported, uint64_t now_ms,
                                               struct guard_err *err);
/* After the commit. */
void pod_reported_saved(struct pod_reported *reported);
/* The transaction failed: where the database is shared, senders are told to keep what waited. */
void pod_reported_unsaved(struct pod_reported *reported);

#endif
