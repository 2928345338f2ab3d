/* SPDX-License-Identifier: Apache-2.0 */
/* At a root that shares its database: records of pods that children sent, until the transaction
 * that hands them to whoever learns the service. */
#ifndef GUARDD_PODS_OUTBOX_H
#define GUARDD_PODS_OUTBOX_H

#include "backlog_row.h"

struct service;
struct services;

enum {
    POD_OUTBOX_BYTES_MAX = 4 << 20, /* that wait for the next transaction */
    POD_OUTBOX_ROWS_MAX = 1024,
    POD_OUTBOX_MS = 500, /* between two that have some */
};

struct pod_outbox_row {
    struct pod_outbox_row *next;
    const struct service *service;
    struct pod_row row;
};

/* Zeros: nothing waits. */
struct pod_outbox {
    struct pod_outbox_row *first, *last;
    uint32_t rows;
    size_t bytes;
    uint64_t saved_ms;
    bool saving; /* the transaction has all of it */
};

/* Whether so many bytes more may come. GUARD_E_IO: later. */
GUARD_MUST_USE enum guard_rc pod_outbox_room(const struct pod_outbox *outbox, size_t more,
                                             struct guard_err *err);
/* GUARD_E_IO: later; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc pod_outbox_add(struct pod_outbox *outbox,
                                            const struct service *service, uint64_t batch,
                                            const struct pod_reporter *who,
                                            const uint8_t secret[POD_BATCH_SECRET],
                                            struct guard_span record, struct guard_err *err);
/* Inside the caller's transaction, if it is due. */
GUARD_MUST_USE enum guard_rc pod_outbox_save(struct pod_outbox *outbox,
                                             const struct services *services, uint64_t now_ms,
                                             struct guard_err *err);
/* After the commit of what was saved, or when who sent it is told to keep it. */
void pod_outbox_empty(struct pod_outbox *outbox);

#endif
