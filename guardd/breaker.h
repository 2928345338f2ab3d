/* SPDX-License-Identifier: Apache-2.0 */
/* The circuit breaker: notices when a new generation would block far more of the clients that have
 * long been served than the one before did. It only counts; who acts on it is the publisher. */
#ifndef GUARDD_BREAKER_H
#define GUARDD_BREAKER_H

#include <guard/txn.h>

enum {
    BREAKER_CLIENTS = 1024,          /* of a service that are watched, at most */
    BREAKER_TENURE_MS = 3600 * 1000, /* served for so long, a client is an established one */
    BREAKER_GONE_MS = 86400 * 1000,  /* not seen for so long, it is forgotten */
    BREAKER_SETTLE_MS = 15 * 1000,   /* after a publication: gates take it up, rings are read */
    BREAKER_REQUESTS = 10,   /* of a client that count under one generation: so a long one isn't
                                worse than a short one */
    BREAKER_REPORTS = 256,   /* nodes below whose counts are held */
    BREAKER_MIN_SEEN = 50,   /* established clients that a share is told of */
    BREAKER_MIN_BLOCKED = 8, /* of them; fewer never revert anything */
};

struct breaker_count {
    uint32_t seen; /* established clients that are watched */
    uint32_t blocked;
};

/* Under one generation. */
struct breaker_tally {
    uint8_t requests;
    bool blocked;
};

struct breaker_client {
    uint64_t hash; /* 0: free */
    uint64_t first_ms;
    uint64_t last_ms;
    struct breaker_tally in_force;
    struct breaker_tally before;
};

/* What a node below counted of its own clients under a generation, and under the one before. */
struct breaker_report {
    uint64_t reporter; /* checksum of its name; 0: free */
    uint64_t generation;
    uint64_t at_ms;
    struct breaker_count in_force;
    struct breaker_count before;
};

struct breaker {
    uint64_t published_ms; /* of the generation in force, by guardd's clock */
    bool watching;         /* whether it is held against the one before */
    uint32_t shift;        /* one in 2^shift established clients is watched */
    uint32_t new_shift;    /* and of the others */
    uint32_t count;
    uint64_t generation; /* in force; reports on others don't count */
    /* Last, and not touched before there is traffic: most services have none. */
    struct breaker_client clients[BREAKER_CLIENTS];
    struct breaker_report reports[BREAKER_REPORTS];
};

/* What one record tells. now_ms: by guardd's clock, as for breaker_published. */
void breaker_observe(struct breaker *breaker, const struct guard_record_head *head,
                     uint64_t now_ms);
/* Another generation is in force: what was counted becomes what it is held against. comparable:
 * only what was learned changed; what people changed is theirs to judge. */
void breaker_published(struct breaker *breaker, bool comparable, uint64_t now_ms);
/* A node below tells what it counted so far; the newest word of each counts. More than a breaker
 * can hold is cut to that. */
void breaker_reported(struct breaker *breaker, const struct breaker_report *report);
/* Whether the generation in force would block more than 1 % of the established clients, more than
 * ten times the share that the one before would, and more than ten times what alpha (false blocks
 * per request) allows. The counts are filled in. */
bool breaker_tripped(const struct breaker *breaker, double alpha, struct breaker_count *in_force,
                     struct breaker_count *before);

#endif
