/* SPDX-License-Identifier: Apache-2.0 */
/* What is done about a replica that is to be replaced: the steps in their order, and the budget
 * that all of them share. Nothing here acts: a responder asks, acts, and says how it went. Time is
 * an argument. docs/internals/pod-learning.md */
#ifndef GUARD_POD_RESPONSE_H
#define GUARD_POD_RESPONSE_H

#include <guard/pods.h>

/* --- the budget of one workload --- */

enum { GUARD_POD_BUDGET_HISTORY = 64 };

struct guard_pod_budget_cfg {
    double share;              /* of the replicas, within the window; at least one pod. 0.1 */
    uint64_t window_ms;        /* 10 min; 30 days at most, as calm_ms */
    uint64_t backoff_first_ms; /* between the first and the second; doubles each time. 1 min */
    uint64_t backoff_max_ms;   /* 30 min */
    uint64_t calm_ms;          /* after so long without one the pause is the first again. 6 h */
};
GUARD_API void guard_pod_budget_default(struct guard_pod_budget_cfg *out);
/* GUARD_E_RANGE, and err names the member. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_pod_budget_check(const struct guard_pod_budget_cfg *cfg, struct guard_err *err);

enum guard_pod_permit {
    GUARD_POD_PERMITTED = 0,
    GUARD_POD_STOPPED = 1,   /* many at once, or a person: until guard_pod_budget_resume */
    GUARD_POD_IN_FLIGHT = 2, /* another of the workload is being replaced */
    GUARD_POD_PAUSED = 3,    /* back-off */
    GUARD_POD_SPENT = 4,     /* of the window */
    GUARD_POD_TOO_FEW = 5,   /* no other replica would serve */
};
/* "permitted", "stopped", ... */
GUARD_API const char *guard_pod_permit_name(enum guard_pod_permit permit);

/* Caller storage; all zeros is a new one. Containment counts as the whole: a contained pod serves
 * nobody. */
struct guard_pod_budget {
    uint64_t begun_ms[GUARD_POD_BUDGET_HISTORY]; /* a ring */
    uint32_t begun;                              /* ever */
    uint32_t streak;                             /* without a calm time between */
    uint64_t last_ms;                            /* begun or ended */
    bool in_flight;
    bool stopped;
};

/* replicas: of the workload as wanted; ready: of them, without the one in question. */
GUARD_API enum guard_pod_permit guard_pod_budget_ask(const struct guard_pod_budget *budget,
                                                     const struct guard_pod_budget_cfg *cfg,
                                                     uint32_t replicas, uint32_t ready,
                                                     uint64_t now_ms);
/* When a pause or a spent window ends; 0 when it doesn't depend on time. */
GUARD_API uint64_t guard_pod_budget_until(const struct guard_pod_budget *budget,
                                          const struct guard_pod_budget_cfg *cfg, uint32_t replicas,
                                          uint64_t now_ms);
/* For people who ask why nothing is done: how many may be begun within the window and how many
 * were, and until when the back-off lasts (0: it doesn't). */
struct guard_pod_budget_look {
    uint32_t allowed, spent;
    uint64_t pause_until_ms;
};
GUARD_API void guard_pod_budget_look(const struct guard_pod_budget *budget,
                                     const struct guard_pod_budget_cfg *cfg, uint32_t replicas,
                                     uint64_t now_ms, struct guard_pod_budget_look *out);
/* GUARD_E_STATE: it isn't permitted now; nothing changes. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_pod_budget_begin(struct guard_pod_budget *budget, const struct guard_pod_budget_cfg *cfg,
                       uint32_t replicas, uint32_t ready, uint64_t now_ms);
GUARD_API void guard_pod_budget_end(struct guard_pod_budget *budget, uint64_t now_ms);
/* Several replicas do the same new thing, or the replacement does it too. */
GUARD_API void guard_pod_budget_stop(struct guard_pod_budget *budget);
GUARD_API void guard_pod_budget_resume(struct guard_pod_budget *budget);

/* --- the steps for one pod --- */

enum guard_pod_step {
    GUARD_POD_CONTAIN = 0,        /* no new connections and programs */
    GUARD_POD_CAPTURE = 1,        /* what it runs and holds, for people */
    GUARD_POD_OUT_OF_SERVICE = 2, /* no requests */
    GUARD_POD_WAIT_READY = 3,     /* for the replacement */
    GUARD_POD_REMOVE = 4,
    GUARD_POD_VERIFY = 5, /* that the replacement doesn't do the same */
    GUARD_POD_TELL = 6,   /* that the hole is still open */
    GUARD_POD_STEPS = 7,
};
GUARD_API const char *guard_pod_step_name(enum guard_pod_step step);

struct guard_pod_plan {
    uint32_t steps;                       /* bit per step that is done; TELL always is. 0: none */
    bool dry_run;                         /* say what would be done. The default */
    uint64_t timeout_ms[GUARD_POD_STEPS]; /* 0: none */
    uint32_t tries_max;                   /* of a step that is refused, with pauses. 5 */
    uint64_t retry_ms;                    /* the first pause; doubles. 10 s */
};
GUARD_API void guard_pod_plan_default(struct guard_pod_plan *out);

enum guard_pod_outcome {
    GUARD_POD_DONE = 0,
    GUARD_POD_LATER = 1, /* refused for now: a disruption budget is spent */
    GUARD_POD_FAILED = 2,
    GUARD_POD_SAME_AGAIN = 3, /* of VERIFY: the replacement does the same */
};

enum guard_pod_end {
    GUARD_POD_GOING_ON = 0,
    GUARD_POD_REPLACED = 1,
    GUARD_POD_KEPT = 2, /* isolated but not removed: no replacement became ready, or it was
                           refused too often */
    GUARD_POD_UNTOUCHED =
        3,                 /* containing failed, and with it the rest; or nothing was to be done */
    GUARD_POD_USELESS = 4, /* the replacement does the same: no more of them */
};
GUARD_API const char *guard_pod_end_name(enum guard_pod_end end);

struct guard_pod_response {
    struct guard_pod_plan plan;
    enum guard_pod_step step;
    enum guard_pod_end end;
    uint32_t done;     /* bit per step */
    uint32_t failed;   /* likewise */
    uint32_t tries;    /* of the step */
    uint64_t since_ms; /* the step began */
    uint64_t next_ms;  /* not before */
};

enum guard_pod_action {
    GUARD_POD_ACT = 0,   /* do the step, then tell with guard_pod_response_did */
    GUARD_POD_WAIT = 1,  /* until next_ms */
    GUARD_POD_ENDED = 2, /* see end */
};

GUARD_API void guard_pod_response_begin(struct guard_pod_response *out,
                                        const struct guard_pod_plan *plan, uint64_t now_ms);
/* What is to be done now. A step that takes longer than its time has failed. */
GUARD_API enum guard_pod_action guard_pod_response_next(struct guard_pod_response *response,
                                                        uint64_t now_ms);
GUARD_API void guard_pod_response_did(struct guard_pod_response *response,
                                      enum guard_pod_outcome outcome, uint64_t now_ms);

#endif
