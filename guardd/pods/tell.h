/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on pods as alerts and log lines. What the log of alerts has isn't told again: libguard
 * knows open cases only as long as guardd lives, and after a kill the same records come again. */
#ifndef GUARDD_PODS_TELL_H
#define GUARDD_PODS_TELL_H

#include "orders.h"

enum { POD_TOLD_MAX = 4096, POD_CASES_MAX = 128, POD_CASE_EVIDENCE_MAX = 8 };

/* What was told, for who asks; the log of alerts has it, too. */
struct pod_case {
    uint64_t told_ms; /* 0: none */
    enum guard_pod_decision decision;
    uint32_t reasons;
    uint32_t others;
    double score;
    char service[STATE_SERVICE_MAX + 1];
    char name_space[GUARD_POD_NAME_MAX + 1], workload[GUARD_POD_NAME_MAX + 1];
    char container[GUARD_POD_NAME_MAX + 1], pod[GUARD_POD_NAME_MAX + 1];
    char request[GUARD_POD_REQUEST_MAX + 1];
    char explanation[1024];
    char order[POD_ORDER_ID_MAX + 1]; /* "": none was given */
    struct guard_pod_evidence evidence[POD_CASE_EVIDENCE_MAX];
    uint32_t evidence_count;
};

struct pod_cases {
    struct pod_case list[POD_CASES_MAX]; /* a ring */
    uint64_t told;                       /* since guardd started */
};

struct pod_told {
    uint64_t keys[POD_TOLD_MAX]; /* a ring; 0: free */
    uint64_t times_ms[POD_TOLD_MAX];
    uint32_t at;
};

/* Another root told it, and isn't the learner any more. */
void pod_told_add(struct pod_told *told, uint64_t key, uint64_t time_ms, uint64_t now_ms);
/* Reads what was told within the last day. */
void pod_told_read(struct pod_told *told, const char *state, uint64_t now_ms);
/* Tells of it, unless all that is fresh in it was told within a day with the same decision. */
/* When it says REPLACE, the order is given first. uid: of the pod, or empty. */
void pod_tell(struct pod_told *told, struct services *services, struct service *service,
              const struct guard_pod_verdict *verdict, struct guard_span uid, uint64_t now_ms);
/* What became of an order, once. */
void pod_tell_end(struct pod_told *told, struct services *services,
                  const struct pod_order_known *known, uint64_t now_ms);

#endif
