/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd asks of the responder, and what that reports: an order is one JSON document,
 * STATE/pods/orders/ID.json, a report lines of JSON, STATE/pods/reports/ID.jsonl. Neither side
 * trusts the other's bytes. docs/internals/pod-orders.md */
#ifndef GUARD_COMMON_PODS_ORDERS_H
#define GUARD_COMMON_PODS_ORDERS_H

#include "common/state.h"

#include <guard/pod_response.h>

enum {
    POD_ORDER_ID_MAX = 64,
    POD_ORDER_UID_MAX = 64,
    POD_ORDER_KIND_MAX = 15,
    POD_ORDER_TEXT_MAX = 160,
    POD_ORDER_REASON_MAX = 1024,
    POD_ORDER_EVIDENCE_MAX = 8,
    POD_ORDER_REPLICAS_MAX = 1000000,
    POD_ORDER_BYTES_MAX = 32 * 1024,
    POD_ORDERS_MAX = 256, /* files of orders that nobody took */
    POD_REPORT_DETAIL_MAX = 512,
    POD_REPORT_LINE_MAX = 4096,
    POD_REPORT_BYTES_MAX = 256 * 1024,
    POD_REPORT_LINES_MAX = 512,
};

/* All texts are valid UTF-8 without control characters; names are as in pod records. */
struct pod_order_evidence {
    char kind[POD_ORDER_KIND_MAX + 1]; /* "process", "network", "file", "amount", "gate" */
    char text[POD_ORDER_TEXT_MAX + 1];
    char hard[POD_ORDER_KIND_MAX + 1]; /* the kind that may act alone, "dropped"; "": none */
};

struct pod_order {
    char id[POD_ORDER_ID_MAX + 1];
    uint64_t decided_ms;
    char service[STATE_SERVICE_MAX + 1];
    char name_space[GUARD_POD_NAME_MAX + 1];
    char workload[GUARD_POD_NAME_MAX + 1];
    char container[GUARD_POD_NAME_MAX + 1];
    char pod[GUARD_POD_NAME_MAX + 1];
    char uid[POD_ORDER_UID_MAX + 1]; /* "": no sensor said it; who acts finds it by the name */
    uint32_t replicas;               /* live ones that sensors tell of, this one included */
    uint32_t ready;                  /* of them, without this one */
    bool dry_run;
    char reason[POD_ORDER_REASON_MAX + 1];
    struct pod_order_evidence evidence[POD_ORDER_EVIDENCE_MAX];
    uint32_t evidence_count;
    char exchange[GUARD_POD_REQUEST_MAX + 1]; /* that opened the door; "": not known */
};

/* enum guard_pod_outcome, and what a dry run says of each step. */
enum { POD_REPORT_DRY_RUN = GUARD_POD_SAME_AGAIN + 1, POD_REPORT_OUTCOMES };

struct pod_report_line {
    char id[POD_ORDER_ID_MAX + 1];
    uint64_t at_ms;
    bool ended;               /* the last line: end holds, step and outcome don't */
    enum guard_pod_step step; /* GUARD_POD_CONTAIN ... GUARD_POD_TELL */
    uint32_t outcome;
    enum guard_pod_end end; /* GUARD_POD_REPLACED ... GUARD_POD_USELESS */
    char detail[POD_REPORT_DETAIL_MAX + 1];
};

/* 1..64 of a-z, 0-9 and '-', which is what a file may be named by. */
bool pod_order_id_valid(struct guard_span id);
/* As pod records have it: what can be a part of a path, and isn't "." or "..". */
bool pod_order_name_valid(struct guard_span text);
/* UTF-8 without control characters. */
bool pod_order_text_valid(struct guard_span text);
/* "contain", "outOfService", ...: as reports say it. NULL: there is none. */
const char *pod_report_step_name(enum guard_pod_step step);
const char *pod_report_outcome_name(uint32_t outcome);
const char *pod_report_end_name(enum guard_pod_end end);

/* Copies text into out as far as it fits, whole characters only; what orders and reports may not
 * hold becomes '?'. */
void pod_order_text(char *out, size_t size, struct guard_span text);

/* Text without a NUL. GUARD_E_RANGE: a member that reading would refuse, err names it;
 * GUARD_E_LIMIT: more than size. POD_ORDER_BYTES_MAX always suffices. */
GUARD_MUST_USE enum guard_rc pod_order_write(const struct pod_order *order, char *out, size_t size,
                                             size_t *len, struct guard_err *err);
/* Hostile input. Every member must be there, once; unknown ones are refused, for who acts must not
 * overlook a condition. GUARD_E_SYNTAX, GUARD_E_VERSION, GUARD_E_RANGE, GUARD_E_LIMIT,
 * GUARD_E_NOMEM; err names the member. *out is all zeros then. */
GUARD_MUST_USE enum guard_rc pod_order_read(struct pod_order *out, struct guard_span text,
                                            struct guard_err *err);
/* One line without its '\n'; otherwise as the order's. POD_REPORT_LINE_MAX always suffices. */
GUARD_MUST_USE enum guard_rc pod_report_write(const struct pod_report_line *line, char *out,
                                              size_t size, size_t *len, struct guard_err *err);
GUARD_MUST_USE enum guard_rc pod_report_read(struct pod_report_line *out, struct guard_span text,
                                             struct guard_err *err);

/* --- their files --- */

/* "STATE/pods/orders/ID.json", "STATE/pods/reports/ID.jsonl". GUARD_E_RANGE: no valid id;
 * GUARD_E_LIMIT: too long. */
GUARD_MUST_USE enum guard_rc pod_order_path(char out[STATE_PATH_MAX], const char *state,
                                            const char *id);
GUARD_MUST_USE enum guard_rc pod_report_path(char out[STATE_PATH_MAX], const char *state,
                                             const char *id);
/* Makes STATE/pods, its orders and reports (0750), where they don't exist. GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc pod_orders_prepare(const char *state, struct guard_err *err);
/* Lays an order down, by rename and durable. GUARD_E_REPLAY: it lies there, or has a report, and
 * was given before; GUARD_E_LIMIT: POD_ORDERS_MAX lie there untaken; GUARD_E_IO and what writing
 * says. */
GUARD_MUST_USE enum guard_rc pod_order_place(const char *state, const struct pod_order *order,
                                             struct guard_err *err);

#endif
