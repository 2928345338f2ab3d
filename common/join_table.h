/* SPDX-License-Identifier: Apache-2.0 */
/* Which exchanges a service is serving just now, so that the calls that it makes meanwhile can be
 * attributed to the client that caused them. A table of a fixed number of places in memory that
 * nginx's workers share; no locks: a place is claimed by one compare-and-set and then written by
 * its owner alone, and readers check a sequence number around their copy. A full table registers
 * nothing more; a worker that died is found by its process id. docs/internals/outbound.md says who
 * may be joined to whom. */
#ifndef GUARD_COMMON_JOIN_TABLE_H
#define GUARD_COMMON_JOIN_TABLE_H

#include "common/trace_context.h"

#include <guard/txn.h>

enum {
    JOIN_VERSION = 1,
    JOIN_SUBJECT_BYTES = 16, /* head of a digest */
    JOIN_ID_BYTES = 16,
    JOIN_LINGER_MS = 10000, /* an exchange that ended is still found by its trace */
    JOIN_NONE = -1,
};

struct join_table; /* in the shared memory */

/* One exchange, as it is registered and found. */
struct join_exchange {
    uint64_t service;          /* join_service of its name */
    struct trace_parent trace; /* as the service got it; the span is always our own */
    bool traced;               /* it got one */
    uint8_t id[JOIN_ID_BYTES]; /* of the exchange, as in alerts */
    uint64_t time_ms;          /* its begin */
    uint8_t unit;              /* enum guard_unit */
    uint8_t address_len;       /* 0, 4 or 16 */
    uint8_t address[16];
    bool subject_known;
    uint8_t subject[JOIN_SUBJECT_BYTES];
};

enum join_how { JOIN_BY_NOTHING = 0, JOIN_BY_TRACE, JOIN_BY_TIME };

/* Names are configured, so the hash needn't withstand anybody. */
uint64_t join_service(struct guard_span name);
/* Lays an empty table into size bytes (aligned to 8) and returns it; NULL when there is room for
 * less than 64 exchanges. */
struct join_table *join_table_init(void *memory, size_t size);
/* The table that another one laid there; NULL when it isn't of this version and size. */
struct join_table *join_table_open(void *memory, size_t size);

/* The place of the exchange, to be given back by join_leave; JOIN_NONE when none was found, and
 * then nobody is joined by time until join_leave(…, JOIN_NONE) was called as well. *cursor is the
 * worker's own; owner its process id. */
int32_t join_enter(struct join_table *table, uint32_t *cursor, uint32_t owner,
                   const struct join_exchange *exchange);
void join_leave(struct join_table *table, int32_t place, uint64_t now_ms);

/* The exchange of `service` that a call with this trace (NULL: none) belongs to. By trace: that one
 * which was given the span; else one which has the trace id, if all that have it are one client's
 * (if not, none). By time, if `by_time` and no exchange has the trace: the only one in flight. */
enum join_how join_find(struct join_table *table, uint64_t service,
                        const struct trace_parent *trace, bool by_time, uint64_t now_ms,
                        struct join_exchange *out);

/* Frees what processes that are no more have left, looking at `count` places from *cursor on.
 * alive says whether a process is. owner: our own id. */
void join_sweep(struct join_table *table, uint32_t *cursor, uint32_t count, uint32_t owner,
                bool (*alive)(uint32_t owner), uint64_t now_ms);
/* Frees all that a process of this id has left: for a process that begins. */
void join_forget(struct join_table *table, uint32_t owner, uint64_t now_ms);
/* In flight, for tests. */
uint32_t join_count(struct join_table *table, uint64_t service);

#endif
