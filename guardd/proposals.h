/* SPDX-License-Identifier: Apache-2.0 */
/* Proposals of patches that people ask for by the API: each is made in a child with limits, from an
 * exploit as text and from what is known of the service. */
#ifndef GUARDD_PROPOSALS_H
#define GUARDD_PROPOSALS_H

#include "service.h"

#include "common/exploit/exploit.h"

#include <sys/types.h>

enum {
    PROPOSALS_MAX = 2,                  /* at once */
    PROPOSAL_CPU_S = 10,                /* of one, */
    PROPOSAL_MS = 20 * 1000,            /* by the clock, */
    PROPOSAL_MEMORY = 512 << 20,        /* bytes beyond guardd's own, */
    PROPOSAL_ANSWER_MAX = 1000 << 10,   /* bytes: as JSON */
    PROPOSAL_TEXT_MAX = 200 * 1024 - 1, /* bytes: of an exploit, of benign requests */
};

struct proposal_job {
    uint64_t ticket; /* 0: the place is free */
    pid_t child;     /* 0: it ended */
    bool good;       /* and there is an answer, or a text that says what is wrong with what came */
    bool refused;    /* it is that text */
    int fd;          /* of the answer */
    uint64_t until_ms;
};

/* Zeroed: none. */
struct proposals {
    struct proposal_job jobs[PROPOSALS_MAX];
    uint64_t last;
};

struct proposal_ask {
    const struct service *service;
    struct guard_span exploit;
    enum exploit_format format;
    /* What the patch mustn't stop, in a form that exploits have: requests, curl, HAR; len 0: none
     * are known. */
    struct guard_span benign;
    struct guard_span id, title, author, reason; /* ptr NULL: the exploit's */
};

/* Begins one. Nothing of ask is needed afterwards. ms: how long it may take, by the clock.
 * GUARD_E_LIMIT: as many as may be are under way; GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc proposals_begin(struct proposals *proposals,
                                             const struct proposal_ask *ask, uint64_t now_ms,
                                             uint32_t ms, uint64_t *ticket, struct guard_err *err);
/* Whether it ended, which takes it at most the time that it was given; never waits. */
bool proposals_due(struct proposals *proposals, uint64_t ticket, uint64_t now_ms);
/* Its end, and its place is free: GUARD_OK: *bytes is the answer, an object of JSON, and the
 * caller's to free; GUARD_E_SYNTAX: what came is no good, err says why; GUARD_E_LIMIT: it took more
 * than its limits; GUARD_E_STATE: it hadn't ended, and was stopped; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc proposals_take(struct proposals *proposals, uint64_t ticket,
                                            char **bytes, size_t *len, struct guard_err *err);
/* Ends those under way. */
void proposals_close(struct proposals *proposals);

#endif
