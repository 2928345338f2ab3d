/* SPDX-License-Identifier: Apache-2.0 */
/* Closed deltas that the parent doesn't have yet, each a file: DIR/spool/SERVICE/FIRST-LAST, by the
 * numbers of the deltas that are in it. Bounded in bytes; short of room older ones become one. */
#ifndef GUARDD_TREE_SPOOL_H
#define GUARDD_TREE_SPOOL_H

#include "common/state.h"

enum {
    SPOOL_FILE_MAX = 4 << 20,   /* of a pile */
    SPOOL_QUEUE_MAX = 4096,     /* of a service */
    SPOOL_QUEUE_MERGED = 256,   /* from so many on older ones become one, too */
    SPOOL_ASIDE_MAX = 32,       /* refused ones that are kept for people */
    SPOOL_MERGED_CELLS = 16384, /* more aren't merged into one: the parent would refuse it */
    SPOOL_MERGED_MAX = 1 << 20, /* bytes, likewise */
};

struct spool_file {
    uint64_t first;
    uint64_t last;
    uint64_t bytes;
    uint64_t since_ms; /* Unix time: when it was written */
};

/* Of one service, oldest first. */
struct spool_queue {
    struct spool_file *list;
    uint32_t count;
    uint32_t cap;
};

struct spool {
    char dir[STATE_PATH_MAX];
    uint64_t max;   /* bytes, of all services */
    uint64_t bytes; /* that lie there */
    uint64_t files;
    uint64_t merged;  /* files that became a part of others */
    uint64_t refused; /* that the parent refused */
    uint64_t lost;    /* files that were found to be damaged or couldn't be put aside */
};

/* GUARD_E_IO, GUARD_E_LIMIT. */
GUARD_MUST_USE enum guard_rc spool_open(struct spool *spool, const char *state, uint64_t max,
                                        struct guard_err *err);
/* Finds what lies there of a service, into an empty queue. */
GUARD_MUST_USE enum guard_rc spool_scan(struct spool *spool, struct guard_span service,
                                        struct spool_queue *queue, struct guard_err *err);
void spool_queue_free(struct spool_queue *queue);
/* On the disk when it returns. GUARD_E_LIMIT: there is no room. */
GUARD_MUST_USE enum guard_rc spool_put(struct spool *spool, struct guard_span service,
                                       struct spool_queue *queue, uint64_t number,
                                       struct guard_span pile, struct guard_err *err);
/* The oldest; *out is malloc'd. GUARD_E_RANGE: the queue is empty. */
GUARD_MUST_USE enum guard_rc spool_read(const struct spool *spool, struct guard_span service,
                                        const struct spool_queue *queue, uint8_t **out, size_t *len,
                                        struct guard_err *err);
/* The parent has the oldest. */
void spool_drop(struct spool *spool, struct guard_span service, struct spool_queue *queue);
/* The parent doesn't want the oldest: it goes to DIR/spool/refused. */
void spool_put_aside(struct spool *spool, struct guard_span service, struct spool_queue *queue);
/* Two neighbours become one: the oldest that can, but never the very oldest, which may have been
 * sent: whoever has a part of a pile can't take the whole. False: none can. */
bool spool_merge(struct spool *spool, struct guard_span service, struct spool_queue *queue);

#endif
