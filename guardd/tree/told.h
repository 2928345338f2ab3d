/* SPDX-License-Identifier: Apache-2.0 */
/* What a reporter told one of the roots that share a database reaches the others, too: whichever
 * learns and whichever is asked knows of it. Piles go by feeds: guardd/replicas.h */
#ifndef GUARDD_TREE_TOLD_H
#define GUARDD_TREE_TOLD_H

#include <guard/types.h>

enum { TOLD_MAX = 512, TOLD_BYTES_MAX = 8 << 20, TOLD_DROP_MS = 60 * 1000 };

/* A summary that the database doesn't have yet. */
struct told_item {
    struct told_item *next;
    char *service;
    char *reporter;
    size_t len;
    uint8_t document[];
};

struct told {
    struct told_item *first;
    struct told_item **last; /* NULL: empty and never used */
    uint32_t count;
    size_t bytes;
    uint64_t moment; /* up to which those of the others are known */
    uint64_t dropped_ms;
    uint64_t heard; /* since the start */
    bool failing;
};

struct service;
struct services;

/* Keeps it for the next transaction. GUARD_E_IO: too much waits already; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc told_keep(struct services *services, const struct service *service,
                                       const char *reporter, struct guard_span document,
                                       struct guard_err *err);
/* What names a client isn't told any more, nor kept for others: all of the service, since a summary
 * is of many. Outside of transactions. */
GUARD_MUST_USE enum guard_rc told_forget(struct services *services, const struct service *service,
                                         struct guard_err *err);
/* Inside the caller's transaction. */
GUARD_MUST_USE enum guard_rc told_save(struct services *services, struct guard_err *err);
/* After the commit; or after one that failed: who told it was answered so and tells it again. */
void told_free(struct told *told);
/* Between transactions: keeps for the others what they are to know of gates, takes what they were
 * told, and drops what is old. */
void told_tick(struct services *services, uint64_t now_ms);

#endif
