/* SPDX-License-Identifier: Apache-2.0 */
/* What the responder must not forget when it is killed: budgets, which orders it took, what they
 * were for, and how far each is. One file, replaced as a whole; one that is damaged is never
 * guessed at. docs/internals/responder.md */
#ifndef RESPONDER_LEDGER_H
#define RESPONDER_LEDGER_H

#include "child.h"
#include "config.h"
#include "pod_group.h"

#include "common/pods/responder_state.h"

enum {
    RESPONSES_MAX = 16,
    HANDLED_MAX = 512,
    TRACES_MAX = 1024,
    BEGUN_MAX = 1000,
};

struct workload_budget {
    char name_space[GUARD_POD_NAME_MAX + 1];
    char workload[GUARD_POD_NAME_MAX + 1];
    struct guard_pod_budget budget;
    enum pod_stop stop; /* why budget.stopped is */
    uint64_t stopped_ms;
};

/* An order that was taken or refused: it is no order any more, whatever becomes of its files. */
struct handled {
    char id[POD_ORDER_ID_MAX + 1];
    char uid[POD_ORDER_UID_MAX + 1];
    uint64_t at_ms;
};

/* A piece of evidence by its hash, and which pod it was of. */
struct trace {
    uint64_t key; /* of workload, kind and text */
    uint64_t pod; /* hash of the uid */
    uint64_t at_ms;
};

/* What is done about one pod. */
struct response {
    bool used;
    struct pod_order order;
    struct guard_pod_response machine;
    bool dry_run;
    bool acting;        /* the machine's step was begun; said before it is */
    uint64_t acting_ms; /* when */
    bool others;        /* another replica was seen to do the same */
    bool given_up;      /* nothing further is done to the pod */
    bool contained;     /* by programs */
    bool frozen;        /* or by cgroup.freeze */
    bool ended;         /* only what contains it is still there, until held_ms */
    uint64_t held_ms;
    uint64_t group_number; /* 0: not found yet */
    bool telling;          /* line has yet to be in the report */
    struct pod_report_line line;
    /* Not kept. */
    const struct workload_cfg *cfg;
    struct pod_group group;
    struct child child;
    uint64_t next_ms;  /* a command that said "not yet" isn't run before */
    uint64_t later_ms; /* a step that is refused for now isn't begun again before */
};

struct ledger {
    struct workload_budget workloads[CONFIG_WORKLOADS_MAX];
    uint32_t workload_count;
    uint64_t begun_ms[BEGUN_MAX]; /* of all workloads, the last ones */
    uint32_t begun_count;
    struct handled handled[HANDLED_MAX];
    uint32_t handled_count;
    struct trace traces[TRACES_MAX];
    uint32_t trace_count;
    struct response responses[RESPONSES_MAX];
};

/* Of a new one zeros are made. NULL: more workloads than CONFIG_WORKLOADS_MAX. */
struct guard_pod_budget *ledger_budget(struct ledger *ledger, const char *name_space,
                                       const char *workload);
/* Nothing more is done for the order's workload until a person says so. What was said first stays.
 */
void ledger_stop(struct ledger *ledger, const struct pod_order *order, enum pod_stop stop,
                 uint64_t now_ms);
/* A person says so. False: it wasn't stopped. */
bool ledger_resume(struct ledger *ledger, const char *name_space, const char *workload);
/* NULL: there is none. */
struct response *ledger_response(struct ledger *ledger, const char *id);
struct response *ledger_room(struct ledger *ledger);
const struct response *ledger_of_pod(const struct ledger *ledger, const char *uid);
bool ledger_was_handled(const struct ledger *ledger, const char *id);
/* False: so many were handled within age_ms that this one couldn't be remembered as well. */
bool ledger_handle(struct ledger *ledger, const struct pod_order *order, uint64_t now_ms,
                   uint64_t age_ms);
/* Begun within the last hour. */
uint32_t ledger_begun(const struct ledger *ledger, uint64_t now_ms);
void ledger_begin(struct ledger *ledger, uint64_t now_ms);
/* Notes the order's evidence, and says whether another pod of the workload showed a piece of it
 * within window_ms; *pod is the hash of that one's uid. */
bool ledger_trace(struct ledger *ledger, const struct pod_order *order, uint64_t window_ms,
                  uint64_t now_ms, uint64_t *pod);
uint64_t ledger_pod(const char *uid);
/* Evidence without its numbers, which change by themselves: process ids, ports, names of files. */
void ledger_evidence(char out[POD_ORDER_TEXT_MAX + 1], const char *text);

/* --- ledger_file.c --- */

/* "DIR/ledger". GUARD_E_CHECKSUM, GUARD_E_SYNTAX, GUARD_E_RANGE: it is damaged; a file that isn't
 * there is an empty one. Orders are read from DIR/orders. */
GUARD_MUST_USE enum guard_rc ledger_read(struct ledger *out, const char *dir,
                                         struct guard_err *err);
/* The file's line without its checksum. As ledger_read. */
GUARD_MUST_USE enum guard_rc ledger_parse(struct ledger *out, const char *dir,
                                          struct guard_span line, struct guard_err *err);
/* Durable. GUARD_E_IO, GUARD_E_LIMIT. */
GUARD_MUST_USE enum guard_rc ledger_write(const struct ledger *ledger, const char *dir,
                                          struct guard_err *err);
/* The responder's own copy of an order: guardd can't change it any more. */
GUARD_MUST_USE enum guard_rc ledger_keep_order(const char *dir, const struct pod_order *order,
                                               struct guard_err *err);
void ledger_drop_order(const char *dir, const char *id);

#endif
