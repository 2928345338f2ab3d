/* SPDX-License-Identifier: Apache-2.0 */
/* Who carries the steps out. The order of the steps, budgets and reports are the same for all;
 * what containing or removing a pod is, each actor knows: so far the node's own means ("linux"). */
#ifndef RESPONDER_ACTOR_H
#define RESPONDER_ACTOR_H

#include "ledger.h"

enum acted {
    ACTED_DONE = GUARD_POD_DONE,
    ACTED_LATER = GUARD_POD_LATER,
    ACTED_FAILED = GUARD_POD_FAILED,
    ACTED_SAME_AGAIN = GUARD_POD_SAME_AGAIN,
    ACTED_RUNS, /* ask again */
};

enum { ACTED_TEXT_MAX = POD_REPORT_DETAIL_MAX };

struct actor {
    const char *name;
    void *ctx;
    /* Goes on with the response's step, without waiting. again: it was begun before this program
     * was ended, and what became of it isn't known. detail says what was done, or why not. */
    enum acted (*act)(void *ctx, struct response *response, bool again,
                      char detail[ACTED_TEXT_MAX + 1], uint64_t now_ms);
    /* Before the step is noted as begun: what it may leave behind if this program is killed in it.
     */
    void (*foresee)(void *ctx, struct response *response, uint64_t now_ms);
    /* What would be done, changing nothing. */
    void (*plan)(void *ctx, struct response *response, char detail[ACTED_TEXT_MAX + 1]);
    /* Stops what runs for the step: it took too long. */
    void (*stop)(void *ctx, struct response *response);
    /* Contains the pod again, which another run of this program had contained. */
    GUARD_MUST_USE enum guard_rc (*uphold)(void *ctx, struct response *response,
                                           struct guard_err *err);
    /* Lets the pod go; text says what it had tried meanwhile. */
    void (*release)(void *ctx, struct response *response, char text[ACTED_TEXT_MAX + 1]);
};

/* linux_actor.c: control groups of the node, programs in the kernel, commands. */
struct containing;
struct linux_actor {
    const struct responder_cfg *cfg;
    struct containing *containing; /* NULL: the kernel refuses it */
    char why_not[256];
};
struct actor linux_actor(struct linux_actor *ctx);

#endif
