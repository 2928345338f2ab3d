/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic of a service over time: what gates told of exchanges, by the minute for a day and by the
 * hour for 90 days. It lies in the store; here is only what isn't saved yet. Each exchange is in it
 * once: it is saved with the positions of the rings, and goes up the tree in numbered batches.
 * docs/internals/history.md */
#ifndef GUARDD_HISTORY_H
#define GUARDD_HISTORY_H

#include "traffic.h"

#include "common/document.h"

#include <guard/types.h>

enum {
    HISTORY_MINUTE_S = 60,
    HISTORY_HOUR_S = 3600,
    HISTORY_FINE_S = 86400,           /* by the minute for so long, */
    HISTORY_KEPT_S = 90 * 86400,      /* by the hour for so long */
    HISTORY_BINS_MAX = 1500,          /* that wait to be saved; what is more goes into the last */
    HISTORY_BATCH_MAX = 64,           /* bins of a batch */
    HISTORY_QUEUE_MAX = 1024,         /* batches that wait to be saved, of all services */
    HISTORY_SOURCES_MAX = 4096,       /* that told of a service in a day */
    HISTORY_COUNTS_MAX = 1 + 23 * 10, /* bytes of one bin's counts */
    HISTORY_RECENT = 24,              /* hours that lists show */
    HISTORY_SOURCE_CAP = 160,
};

struct history_bin {
    uint64_t at_s; /* its begin, Unix time */
    struct traffic counts;
};

/* In the order of time. */
struct history_bins {
    struct history_bin *list; /* malloc'd */
    uint32_t count;
    uint32_t cap;
};

/* What a node below told: counted when it is saved, unless that number was counted before. */
struct history_batch {
    struct history_batch *next;
    char source[HISTORY_SOURCE_CAP];
    uint64_t number;
    uint32_t count;
    bool taken; /* in the transaction that is under way */
    struct history_bin bins[HISTORY_BATCH_MAX];
};

struct history {
    struct history_bins pending; /* since the last transaction */
    struct history_bins saving;  /* in it: it isn't known yet whether it was committed */
    struct history_batch *queue; /* from below */
    /* Up, at a node with a parent. */
    struct history_bins flight; /* the batch that the parent is asked to take; committed here */
    struct history_bins staged; /* the same, in the transaction that is under way */
    uint64_t number;            /* of flight or staged; of the last one after that */
    uint64_t told;              /* the number in the last summary that held one */
    bool untold;                /* there may be some in the store */
    bool acknowledged;          /* the parent has flight */
    bool dropping;              /* the store is told so in the transaction that is under way */
    uint64_t batched_ms;
    /* For lists. */
    uint32_t recent[HISTORY_RECENT]; /* exchanges of the hours up to recent_hour */
    uint64_t recent_hour;            /* since 1970; 0: not read yet */
    uint64_t recent_ms;              /* when it was read */
    uint64_t rolled_hour;
    uint64_t *sources; /* hashes of those that told in sources_day; HISTORY_SOURCES_MAX * 2 */
    uint32_t source_count;
    uint64_t sources_day;
};

struct service;
struct services;
struct json_writer;

/* One exchange. What says to be of another time than now or the days before is counted now. */
void history_observe(struct history *history, const struct guard_record_head *head,
                     uint64_t now_ms);
void history_free(struct history *history);
/* Batches that wait to be saved. */
uint32_t history_waiting(const struct history *history);
/* Of the bin that begins at at_s, made when it isn't there; NULL: no memory. */
struct history_bin *history_bin_of(struct history_bins *bins, uint64_t at_s);
/* Moves all of them. */
void history_join(struct history_bins *into, struct history_bins *from);
/* Bytes that are at most HISTORY_COUNTS_MAX; and what they say, added. False: they can't be read
 * (by another version, or damaged) and nothing is. */
size_t history_encode(const struct traffic *counts, uint8_t out[HISTORY_COUNTS_MAX]);
bool history_decode(struct traffic *counts, struct guard_span bytes);
/* The numbers of counts, in the order of their encoding. */
enum { HISTORY_NUMBERS = TRAFFIC_VERDICTS + TRAFFIC_CLASSES + TRAFFIC_BOUNDS + 2 };
void history_numbers(const struct traffic *counts, uint64_t out[HISTORY_NUMBERS]);
void history_from_numbers(struct traffic *counts, const uint64_t numbers[HISTORY_NUMBERS]);

/* history_save.c */

/* Inside the caller's transaction. */
GUARD_MUST_USE enum guard_rc history_save(struct services *services, struct service *service,
                                          struct guard_err *err);
/* It was committed; it wasn't, or that isn't known. */
void history_saved(struct services *services, struct service *service);
void history_unsaved(struct services *services);
/* Sums by steps of so many seconds from since_s on, added to list[0..count). */
GUARD_MUST_USE enum guard_rc history_read(struct services *services, const struct service *service,
                                          uint64_t since_s, uint64_t step_s, struct traffic *list,
                                          uint32_t count, struct guard_err *err);
/* Exchanges of the last hours, the oldest first; out of the store at the first time, and now and
 * then where others write into it. */
void history_recent(struct services *services, struct service *service, uint64_t now_ms,
                    uint32_t out[HISTORY_RECENT]);

/* history_batch.c */

/* Of the document's member, into one that is all zero; bins that are of no time that is kept are
 * left out. GUARD_E_SYNTAX with its place. */
GUARD_MUST_USE enum guard_rc history_batch_read(struct history_batch *out,
                                                const struct document_node *batch, uint64_t now_s,
                                                struct guard_err *err);

/* history_tree.c */

/* At a node with a parent: reads what was on its way. */
GUARD_MUST_USE enum guard_rc history_load(struct services *services, struct guard_err *err);
/* Inside the transaction: makes the next batch, or drops the one that was told. */
GUARD_MUST_USE enum guard_rc history_batch(struct services *services, struct service *service,
                                           struct guard_err *err);
bool history_in_flight(const struct history *history);
void history_write(struct history *history, struct json_writer *json);
/* The parent has it. */
void history_sent(struct history *history);
/* At the parent: takes a batch in, to be counted by the next transaction. GUARD_E_SYNTAX;
 * GUARD_E_NOMEM, also when too many wait. */
GUARD_MUST_USE enum guard_rc history_take(struct services *services, struct service *service,
                                          const char *reporter, const char *node,
                                          const struct document_node *batch, struct guard_err *err);

#endif
