/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that guardd gives the responder, and what that reports of them. A copy of each stays in
 * STATE/pods/given, so that a report is known for what it is after a restart, too.
 * docs/internals/pod-orders.md */
#ifndef GUARDD_PODS_ORDERS_H
#define GUARDD_PODS_ORDERS_H

#include "common/pods/orders.h"

#include "guardd/service.h"

enum { POD_ORDERS_KEPT = 256, POD_ORDER_STEPS_KEPT = 16 };

/* Whether orders are given: --pod-orders. */
enum pod_orders_mode {
    POD_ORDERS_OFF = 0,
    POD_ORDERS_DRY_RUN = 1, /* nothing may be touched */
    POD_ORDERS_ACT = 2,     /* but of services whose mode isn't block, which are dry runs */
};

struct pod_order_known {
    struct pod_order order;
    struct pod_report_line steps[POD_ORDER_STEPS_KEPT]; /* the last ones */
    uint32_t step_count;                                /* ever */
    struct pod_report_line end;                         /* when `end.ended` */
    uint64_t stamp;                                     /* of the report that was read; 0: none */
    uint32_t bad_lines;
    bool told;                 /* its end */
    bool was_stopped;          /* its workload, by the responder, since we know of it */
    const char *not_withdrawn; /* why, as it was told; static. NULL: it wasn't */
};

struct pod_orders {
    enum pod_orders_mode mode;
    const char *state;
    struct pod_order_known *list[POD_ORDERS_KEPT]; /* as they were given */
    uint32_t count;
    uint64_t looked_ms;
    bool failing; /* that was said */
};

/* "off", "dry-run", "act"; false for anything else. */
bool pod_orders_mode_read(const char *text, enum pod_orders_mode *out);
const char *pod_orders_mode_name(enum pod_orders_mode mode);
/* What its Guardian says, else the option. */
enum pod_orders_mode pod_orders_mode_of(const struct pod_orders *orders,
                                        const struct service *service);

/* Whether an order of the service may touch nothing. */
bool pod_orders_dry_run(const struct pod_orders *orders, const struct service *service);

/* Makes the folders and reads what was given before. GUARD_E_IO. Copies and reports that are older
 * than 30 days are removed. */
GUARD_MUST_USE enum guard_rc pod_orders_open(struct pod_orders *orders, const char *state,
                                             enum pod_orders_mode mode, uint64_t now_ms,
                                             struct guard_err *err);
void pod_orders_close(struct pod_orders *orders);
/* Gives one for a verdict that says REPLACE: one for a pod and case, however often it is decided.
 * uid: empty when it isn't known. case_id: of the case, the same after a restart. elsewhere:
 * another root gave one of the pod. NULL: none is given; else the order, borrowed. */
const struct pod_order_known *pod_orders_give(struct pod_orders *orders,
                                              const struct service *service,
                                              const struct guard_pod_verdict *verdict,
                                              struct guard_span uid, uint64_t case_id,
                                              const char *reason, bool elsewhere, uint64_t now_ms);
/* Reads reports that grew, once a second. */
void pod_orders_tick(struct pod_orders *orders, uint64_t now_ms);
/* The next one whose end wasn't told, NULL: none. The caller sets `told`. */
struct pod_order_known *pod_orders_ended(struct pod_orders *orders);

/* Of which no end was reported. */
uint32_t pod_orders_open_count(const struct pod_orders *orders);
/* Of the service: newest first, an array named so, of which nothing begins behind that length of
 * the text. */
void pod_orders_json(const struct pod_orders *orders, struct guard_span service, const char *name,
                     struct json_writer *json, size_t until);

#endif
