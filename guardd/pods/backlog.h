/* SPDX-License-Identifier: Apache-2.0 */
/* At roots that share a database: records of pods that wait there for the root that learns the
 * service. It reads them in order, decides who speaks for which pod, and drops them in the
 * transaction that saves what they taught; what it said of pods is kept there, too, so that who
 * goes on after it doesn't say it again. docs/adr/0041-pods-at-shared-roots.md */
#ifndef GUARDD_PODS_BACKLOG_H
#define GUARDD_PODS_BACKLOG_H

#include "speakers.h"

#include "guardd/store.h"

struct pod_told;
struct service;
struct services;

enum {
    POD_BACKLOG_ROWS = 4096, /* of a service; behind that children keep theirs */
    POD_BACKLOG_BYTES = 16 << 20,
    POD_BACKLOG_ROWS_ALL = 32768,
    POD_BACKLOG_BYTES_ALL = 256 << 20,
    POD_BACKLOG_TOLD = 512, /* that are kept of a service */
    POD_BACKLOG_NODE = 64,
};

struct pod_backlog_told {
    uint64_t key, time_ms;
};

/* Of a service; zeros: nothing is known. */
struct pod_backlog {
    uint64_t rows, bytes; /* in the database, when it was looked last */
    bool full;            /* that was said */
    /* Of the learner: */
    uint64_t fence; /* of the claim since which the rest is known; 0: none */
    struct pod_speakers speakers;
    uint64_t *read; /* numbers of rows that were learned and aren't dropped yet */
    uint32_t read_count, dropping;
    struct pod_backlog_told *told; /* a ring */
    uint32_t told_count;           /* ever */
    bool told_changed, told_saving;
    /* Of the others: */
    char learner[POD_BACKLOG_NODE]; /* who learned it, as was read last */
    uint64_t followed_ms;
};

/* Of all services. */
struct pod_backlogs {
    uint64_t rows, bytes, looked_ms;
    uint32_t at; /* where reading goes on */
    bool full;   /* that was said */
    bool failing;
};

/* What is done with what was read. */
struct pod_backlog_reader {
    struct guard_pod_feature *features; /* room for GUARD_POD_FEATURES_MAX: the record's */
    struct pod_told *told;
    void (*learn)(void *ctx, struct service *service, struct guard_pod_record *record,
                  uint64_t now_ms);
    void *ctx;
    uint64_t until_ms; /* by the monotonic clock: a row that was begun is gone through */
};

/* Inside the caller's transaction: how much waits, at most once a second. */
GUARD_MUST_USE enum guard_rc pod_backlogs_look(struct services *services, uint64_t now_ms,
                                               struct guard_err *err);
/* Whether more of the service has no room in the database. */
bool pod_backlog_full(const struct services *services, const struct service *service);
/* Outside of transactions. True: there is more to do now. */
bool pod_backlogs_read(struct services *services, const struct pod_backlog_reader *reader,
                       uint64_t now_ms);
/* Whether what was learned is to be saved without waiting. */
bool pod_backlogs_due(const struct services *services);
/* It was said; key: pod_told's. */
void pod_backlog_tell(struct services *services, struct service *service, uint64_t key,
                      uint64_t time_ms);
/* Inside a transaction, before the next two: nothing of the service is saved yet. */
void pod_backlog_begin(struct pod_backlog *backlog);
/* Inside the transaction that saves the service's profiles, its claim confirmed. */
GUARD_MUST_USE enum guard_rc pod_backlog_save(const struct services *services,
                                              struct service *service, struct guard_err *err);
/* Inside a transaction, its claim confirmed, if it changed. */
GUARD_MUST_USE enum guard_rc pod_backlog_save_told(const struct services *services,
                                                   struct service *service, struct guard_err *err);
/* After the commit. */
void pod_backlog_saved(struct pod_backlog *backlog);
void pod_backlog_free(struct pod_backlog *backlog);

/* --- follow.c --- */

/* At a root that doesn't learn the service: what the learner saved of its pods becomes what is
 * shown here, and who it is; at most every two seconds. */
void pods_follow(struct services *services, struct service *service, uint64_t now_ms);

#endif
