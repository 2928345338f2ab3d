/* SPDX-License-Identifier: Apache-2.0 */
/* Takes in what children send. A pile that was taken in is told to its sender when the transaction
 * that holds it is committed, many at once. */
#ifndef GUARDD_TREE_INBOX_H
#define GUARDD_TREE_INBOX_H

#include "guardd/tree/producers.h"
#include "guardd/tree/summary.h"

#include <guard/pile.h>

enum {
    INBOX_PILE_MAX = 4 << 20,
    INBOX_WAITING_MAX = 32 << 20, /* bytes that wait for a commit */
    INBOX_COMMIT_MS = 200,        /* between two commits that answers wait for */
    INBOX_FOLD_MS = 60000,        /* a service's pile is saved whole, */
    INBOX_FOLD_COUNT = 64,        /* or behind so many deltas */
};

/* A pile that was merged into a service's and that the store doesn't have yet. */
struct inbox_delta {
    struct inbox_delta *next;
    uint8_t *bytes;
    size_t len;
};

/* Of one service. */
struct inbox_queue {
    struct inbox_delta *first;
    struct inbox_delta **last; /* NULL: empty and never used */
    uint32_t count;
    uint32_t stored;    /* deltas in the store since its pile was saved whole */
    uint64_t number;    /* of the last delta, those of earlier lives included */
    uint64_t folded_ms; /* when its pile was saved whole */
};

struct inbox {
    struct producers *producers;
    const char *whole; /* names of reporters whose piles are believed */
    size_t waiting;    /* bytes */
    uint64_t batch;    /* what is taken in now belongs to this commit, from 1 */
    uint64_t committed;
    uint64_t failed;
    bool open;                 /* something waits for the commit */
    struct summary_seen *seen; /* SUMMARY_SEEN */
    /* Counted since the start. */
    uint64_t added;
    uint64_t contained;
    uint64_t paused;
    uint64_t refused;
};

struct service;
struct services;

/* GUARD_E_NOMEM, GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc inbox_open(struct inbox *inbox, struct store *store, const char *whole,
                                        struct guard_err *err);
void inbox_close(struct inbox *inbox);
void inbox_queue_free(struct inbox_queue *queue);

enum inbox_outcome { INBOX_ADDED, INBOX_CONTAINED, INBOX_PAUSED };
/* Merges what a reporter sent into the service's pile. *ticket: what inbox.committed must reach
 * before the sender is told. Nothing changes when it is refused: GUARD_E_SYNTAX, _CHECKSUM,
 * _VERSION, _RANGE, _FOREIGN, _OVERLAP, _STATE, _LIMIT (the pile); GUARD_E_NOMEM, and GUARD_E_IO
 * (too much waits already): later it may be taken. */
GUARD_MUST_USE enum guard_rc inbox_take(struct services *services, struct service *service,
                                        const char *reporter, struct guard_span bytes,
                                        enum inbox_outcome *outcome, uint64_t *ticket,
                                        struct guard_err *err);
/* At start: what the store has beside the pile. */
GUARD_MUST_USE enum guard_rc inbox_load(struct services *services, struct service *service,
                                        struct guard_err *err);
/* Of a service that is new. */
GUARD_MUST_USE enum guard_rc inbox_open_service(struct services *services, struct service *service,
                                                struct guard_err *err);
/* Inside the caller's transaction, after the service itself was saved (whole) or wasn't. */
GUARD_MUST_USE enum guard_rc inbox_save(struct services *services, struct service *service,
                                        bool whole, struct guard_err *err);
/* Roots that share a database: the deltas as feeds, which the learner of that fence has in its pile
 * (0: nobody has). Inside the caller's transaction. */
GUARD_MUST_USE enum guard_rc inbox_feed(struct services *services, const struct service *service,
                                        uint64_t taken, struct guard_err *err);
/* What isn't saved yet, into the pile that somebody else learned. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc inbox_merge_again(const struct service *service,
                                               struct guard_pile *into, struct guard_err *err);
/* What nobody was told of. */
void inbox_drop(struct inbox *inbox, struct inbox_queue *queue);
/* Whether the service's pile should be saved whole now. */
bool inbox_folds(const struct inbox_queue *queue, uint64_t now_ms);
/* After the commit of what was saved so. */
void inbox_saved(struct inbox *inbox, struct inbox_queue *queue, bool whole, uint64_t now_ms);
/* The commit succeeded, or failed: those that wait are told. */
void inbox_commit(struct inbox *inbox, bool good);

#endif
