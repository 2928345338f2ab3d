/* SPDX-License-Identifier: Apache-2.0 */
/* What the responder says of its books, STATE/pods/responder/state.json, so that people see why
 * nothing is done, and what they ask of it, STATE/pods/resumes/ID.json. Neither side trusts the
 * other's bytes. docs/internals/pod-orders.md */
#ifndef GUARD_COMMON_PODS_RESPONDER_STATE_H
#define GUARD_COMMON_PODS_RESPONDER_STATE_H

#include "common/pods/orders.h"

enum {
    RESPONDER_WORKLOADS_MAX = 64,
    RESPONDER_CONTAINED_MAX = 16,
    RESPONDER_BROKEN_MAX = 256,
    RESPONDER_STATE_BYTES_MAX = 384 * 1024,
    RESPONDER_BEAT_MS = 10 * 1000, /* so often the file's time says that the responder lives */
    RESPONDER_SILENT_MS = 60 * 1000,
    POD_RESUME_BY_MAX = 128,
    POD_RESUME_REASON_MAX = 1024,
    POD_RESUME_BYTES_MAX = 16 * 1024,
    POD_RESUMES_MAX = 256,
    POD_STOP_WORD_MAX = 15,
};

/* Why nothing more is done for a workload until a person says so. */
enum pod_stop {
    POD_STOP_UNKNOWN = 0,
    POD_STOP_SAME_EVIDENCE = 1, /* another pod of it showed the same */
    POD_STOP_REPLACEMENT = 2,   /* the replacement did the same */
    POD_STOPS = 3,
};
/* "unknown", "same-evidence", "replacement". */
const char *pod_stop_name(enum pod_stop stop);

/* The books of one, and by which rules they are kept. */
struct responder_workload {
    char name_space[GUARD_POD_NAME_MAX + 1];
    char workload[GUARD_POD_NAME_MAX + 1];
    bool dry_run;
    struct guard_pod_budget_cfg cfg;
    uint32_t replicas_max; /* no more count */
    struct guard_pod_budget budget;
    uint64_t stopped_ms;                 /* since when; 0: it isn't, or that isn't known */
    char stopped[POD_STOP_WORD_MAX + 1]; /* why; "" when it isn't */
};

struct responder_contained {
    char name_space[GUARD_POD_NAME_MAX + 1];
    char workload[GUARD_POD_NAME_MAX + 1];
    char pod[GUARD_POD_NAME_MAX + 1];
    char uid[POD_ORDER_UID_MAX + 1];
    char order[POD_ORDER_ID_MAX + 1];
    uint64_t until_ms;
    bool frozen;
};

struct responder_state {
    uint64_t written_ms;
    bool running;                      /* false: it has ended, and let all go */
    bool dry_run;                      /* everything is */
    bool stopped;                      /* everything is, by a person's file */
    bool resumes;                      /* it takes them from guardd */
    char broken[RESPONDER_BROKEN_MAX]; /* why nothing is done: its books are damaged; "" */
    uint32_t per_hour;
    uint64_t hour_until_ms; /* that many were begun within an hour, until then; 0: they weren't */
    struct responder_workload workloads[RESPONDER_WORKLOADS_MAX];
    uint32_t workload_count;
    struct responder_contained contained[RESPONDER_CONTAINED_MAX];
    uint32_t contained_count;
};

/* *len bytes, without a NUL. GUARD_E_LIMIT: more than size; RESPONDER_STATE_BYTES_MAX always
 * suffices for names without control characters. */
GUARD_MUST_USE enum guard_rc responder_state_write(const struct responder_state *state, char *out,
                                                   size_t size, size_t *len, struct guard_err *err);
/* Hostile input. Unknown members are passed over: it is looked at only. GUARD_E_SYNTAX,
 * GUARD_E_VERSION, GUARD_E_RANGE, GUARD_E_LIMIT, GUARD_E_NOMEM with "responder:line:column: ...";
 * *out is all zeros then. */
GUARD_MUST_USE enum guard_rc responder_state_read(struct responder_state *out,
                                                  struct guard_span text, struct guard_err *err);
/* NULL: there is none. */
const struct responder_workload *responder_state_of(const struct responder_state *state,
                                                    struct guard_span name_space,
                                                    struct guard_span workload);

/* --- resumes --- */

struct pod_resume {
    char id[POD_ORDER_ID_MAX + 1];
    uint64_t asked_ms;
    char service[STATE_SERVICE_MAX + 1];
    char name_space[GUARD_POD_NAME_MAX + 1];
    char workload[GUARD_POD_NAME_MAX + 1];
    char by[POD_RESUME_BY_MAX + 1];
    char reason[POD_RESUME_REASON_MAX + 1];
};

GUARD_MUST_USE enum guard_rc pod_resume_write(const struct pod_resume *resume, char *out,
                                              size_t size, size_t *len, struct guard_err *err);
/* Hostile input. Unknown members are refused. As responder_state_read, with "resume:...". */
GUARD_MUST_USE enum guard_rc pod_resume_read(struct pod_resume *out, struct guard_span text,
                                             struct guard_err *err);

#endif
