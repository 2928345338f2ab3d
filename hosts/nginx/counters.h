/* SPDX-License-Identifier: Apache-2.0 */
/* Counters that outlive workers and reloads. Each worker has a row of its own in memory that all of
 * them see, so that counting is one addition without a lock; who wants to know them adds up the
 * rows. See docs/internals/gate.md. */
#ifndef NGX_HTTP_GUARD_COUNTERS_H
#define NGX_HTTP_GUARD_COUNTERS_H

#include "module.h"

/* Of a service. The order is no interface: names are in counters.c. */
enum gate_count {
    GATE_COUNT_EXCHANGES,    /* judged: the request was complete */
    GATE_COUNT_DECIDED_PASS, /* what mode block would have done with all that was seen of it */
    GATE_COUNT_DECIDED_ALERT,
    GATE_COUNT_DECIDED_BLOCK,
    GATE_COUNT_DONE_PASS, /* what was done */
    GATE_COUNT_DONE_ALERT,
    GATE_COUNT_DONE_BLOCK,
    GATE_COUNT_BYPASSED,             /* would have been blocked but for a bypass */
    GATE_COUNT_EXEMPT,               /* by guard_exempt */
    GATE_COUNT_WITHDRAWN,            /* answered with 503: the service is withdrawn */
    GATE_COUNT_WITHOUT_POLICY,       /* passed unjudged: no policy was there yet */
    GATE_COUNT_NOT_INSPECTED,        /* the sum of the next two */
    GATE_COUNT_NOT_INSPECTED_MEMORY, /* there was none */
    GATE_COUNT_NOT_INSPECTED_FILE,   /* one that holds a body couldn't be read */
    GATE_COUNT_RESPONSES,            /* viewed */
    GATE_COUNT_RESPONSES_HELD,       /* longer than one call of a filter */
    GATE_COUNT_RELEASED_SIZE,        /* before the verdict: larger than what may be held of one */
    GATE_COUNT_RELEASED_TIME,        /* not complete in time */
    GATE_COUNT_RELEASED_BUDGET,      /* too much was held of others */
    GATE_COUNT_RESPONSES_REPLACED,   /* by a block answer */
    GATE_COUNT_RESPONSES_ABORTED,
    GATE_COUNT_HOLD_BYTES,       /* in use now */
    GATE_COUNT_DECODER_FAILURES, /* of requests as well */
    GATE_COUNT_STREAMS,          /* requests that were passed on while they came */
    GATE_COUNT_STREAMS_ABORTED,  /* of these */
    GATE_COUNT_WEBSOCKETS,       /* connections whose messages are inspected */
    GATE_COUNT_WEBSOCKETS_ABORTED,
    GATE_COUNT_UPGRADES_OPAQUE,   /* no WebSocket, or it is switched off: not inspected */
    GATE_COUNT_LATE,              /* the response took longer than this endpoint's ever do */
    GATE_COUNT_LATE_CUT,          /* of these */
    GATE_COUNT_LATE_SPARED,       /* not cut because too many were late at that time */
    GATE_COUNT_RECORDS,           /* written into the ring */
    GATE_COUNT_RECORDS_LOST,      /* there was no ring */
    GATE_COUNT_ALERTS,            /* written into the ring */
    GATE_COUNT_ALERTS_SUPPRESSED, /* by the quota of a client */
    GATE_COUNT_ALERTS_LOST,       /* there was no ring */
    GATE_COUNT_CANARIES,          /* answered; they are no exchanges */
    GATE_COUNT_OVERHEAD,          /* the first of GATE_OVERHEAD_BUCKETS; see overhead.h */
    GATE_COUNT_OVERHEAD_NS = GATE_COUNT_OVERHEAD + 10, /* the sum of what is in the buckets */
    GATE_COUNT_MAX,
    /* Behind what is added up over workers: the generation that this one has in force. */
    GATE_CELL_GENERATION = GATE_COUNT_MAX,
    GATE_CELLS,
};

/* Whether it goes down, too. */
static inline bool gate_count_is_gauge(enum gate_count which)
{
    return which == GATE_COUNT_HOLD_BYTES;
}

/* One addition. Only in workers. */
static inline void gate_count_add(struct gate_service *service, enum gate_count which, int64_t by)
{
    volatile uint64_t *cell = &service->counts[which];
    *cell += (uint64_t)by;
}

static inline void gate_count(struct gate_service *service, enum gate_count which)
{
    gate_count_add(service, which, 1);
}

/* For configuration: asks for the shared memory. */
ngx_int_t gate_counters_add(ngx_conf_t *cf, gate_main_conf_t *conf);
/* In a worker: its row, for all its services. */
ngx_int_t gate_counters_attach(void);
/* It takes no more requests; it is gone. */
void gate_counters_leaving(void);
void gate_counters_detach(void);

/* The sums over all workers since nginx was started. GATE_COUNT_MAX numbers. */
void gate_counters_sum(const struct gate_service *service, uint64_t out[]);
/* In a worker, when another generation is in force. */
void gate_counters_generation(const struct gate_service *service);
/* The oldest and the newest that workers which take requests have in force. */
void gate_counters_generations(const struct gate_service *service, uint64_t *oldest,
                               uint64_t *newest);
/* A random number that lives as long as the counts; 0: they are this worker's alone. */
uint64_t gate_counters_id(void);
/* Whether nobody has told them for so long; who asks does it then. */
bool gate_counters_due(uint64_t now_ms, uint64_t interval_ms);
/* Workers that take requests, and those that only finish theirs. */
void gate_counters_workers(ngx_uint_t *running, ngx_uint_t *leaving);
/* As it is in JSON: "responses_held". */
const char *gate_count_name(enum gate_count which);

#endif
