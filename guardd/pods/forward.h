/* SPDX-License-Identifier: Apache-2.0 */
/* At a node with a parent: pod records on their way up. They stay in their files until the parent
 * answered for them, so nothing but one batch is in memory; what the files are too many for is
 * given up, the oldest first, and counted. */
#ifndef GUARDD_PODS_FORWARD_H
#define GUARDD_PODS_FORWARD_H

#include "common/json_writer.h"
#include "common/pods/record_batch.h"
#include "common/state.h"

enum {
    POD_FORWARD_FILES_MAX = 2048, /* that wait; sensors stop at twice as many */
    POD_FORWARD_BYTES_MAX = 64 << 20,
};

/* What the parent says of itself with each answer about a service. */
enum pod_parent {
    POD_PARENT_UNKNOWN = 0, /* it said nothing yet, or doesn't know itself: records wait */
    POD_PARENT_TAKES,
    POD_PARENT_LEAVES, /* an older one: records are learned here */
};

struct pod_forward {
    uint8_t secret[POD_BATCH_SECRET];
    uint8_t *bytes; /* of the batch; NULL: none yet */
    size_t len;
    uint32_t records;
    uint64_t number;  /* of the batch, from 1 */
    uint64_t settled; /* up to that one they were answered for */
    bool sending;
    bool left;         /* the parent takes none after all */
    uint64_t retry_ms; /* it isn't sent before */
    /* Since the start: counted = sent + refused + dropped + records. */
    uint64_t counted;
    uint64_t sent;
    uint64_t refused; /* by the parent: not ours to say, or too many */
    uint64_t dropped;
    bool dropping; /* that was said */
};

/* GUARD_E_NOMEM, GUARD_E_IO: no secret. */
GUARD_MUST_USE enum guard_rc pod_forward_open(struct pod_forward **out, const char *state,
                                              struct guard_err *err);
void pod_forward_close(struct pod_forward *forward);
/* False: the batch is full or on its way; later. */
bool pod_forward_add(struct pod_forward *forward, struct guard_span record);
/* The number that stands for all records that were added. */
uint64_t pod_forward_mark(const struct pod_forward *forward);
bool pod_forward_due(const struct pod_forward *forward, uint64_t now_ms);
/* The batch as it is sent; it is under way then. */
struct guard_span pod_forward_begin(struct pod_forward *forward);
/* The parent has what it took of the batch. */
void pod_forward_taken(struct pod_forward *forward, uint64_t taken);
/* No answer, or none about the batch: it is sent again. */
void pod_forward_failed(struct pod_forward *forward, uint64_t retry_ms);
/* What wasn't answered for is given back: it is in its files. */
void pod_forward_undo(struct pod_forward *forward);
/* Gives up files of the folder until few enough lie there; not those that are held: of them records
 * are counted already. */
void pod_forward_bound(struct pod_forward *forward, const char *dir,
                       bool (*held)(const void *ctx, const char *name), const void *ctx);
/* Members of the object "parent". */
void pod_forward_status(const struct pod_forward *forward, struct json_writer *json);

#endif
