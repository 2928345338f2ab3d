/* SPDX-License-Identifier: Apache-2.0 */
/* Pods whose own gate is to answer with 503 for a while, as the root says it: one signed text of a
 * service, which goes down the tree as it is. The guardd beside such a pod obeys, all others pass
 * it over. docs/internals/pod-orders.md */
#ifndef GUARD_COMMON_PODS_WITHDRAWALS_H
#define GUARD_COMMON_PODS_WITHDRAWALS_H

#include "common/pods/orders.h"

#include <guard/crypto.h>

enum {
    POD_WITHDRAWALS_MAX = 64,
    POD_WITHDRAWAL_SECONDS_MIN = 60, /* of a Guardian's; people may say less */
    POD_WITHDRAWAL_SECONDS_MAX = 3600,
    POD_WITHDRAWAL_BY_MAX = 128,
    POD_WITHDRAWALS_BYTES = 256 * 1024,
};

struct pod_withdrawal {
    char id[POD_ORDER_ID_MAX + 1]; /* the order's, or one of its own */
    char name_space[GUARD_POD_NAME_MAX + 1];
    char workload[GUARD_POD_NAME_MAX + 1]; /* "-": a person named the pod alone */
    char pod[GUARD_POD_NAME_MAX + 1];
    char uid[POD_ORDER_UID_MAX + 1]; /* "": not known */
    char by[POD_WITHDRAWAL_BY_MAX + 1];
    char reason[POD_ORDER_REASON_MAX + 1];
    bool ordered;                /* by guardd itself, so that it counts for the budget */
    uint64_t begun_ms, until_ms; /* until_ms <= begun_ms + POD_WITHDRAWAL_SECONDS_MAX s */
};

struct pod_withdrawals {
    uint64_t issued_ms; /* grows: an older text isn't taken */
    struct pod_withdrawal list[POD_WITHDRAWALS_MAX];
    uint32_t count;
};

/* A pod as who stands beside it knows it. */
struct pod_self {
    char name_space[GUARD_POD_NAME_MAX + 1];
    char pod[GUARD_POD_NAME_MAX + 1];
    char uid[POD_ORDER_UID_MAX + 1]; /* "": not known */
};

/* "NAMESPACE/POD" or "NAMESPACE/POD/UID", of letters, digits, '-', '.' and '_'; "-" is no
 * namespace. GUARD_E_SYNTAX. */
GUARD_MUST_USE enum guard_rc pod_self_read(struct pod_self *out, const char *text,
                                           struct guard_err *err);
/* Names are the same, and uids where both are known. */
bool pod_withdrawal_is_of(const struct pod_withdrawal *withdrawal, const struct pod_self *self);

/* The signed text of the service. GUARD_E_LIMIT: more than size; POD_WITHDRAWALS_BYTES always
 * suffices. */
GUARD_MUST_USE enum guard_rc pod_withdrawals_sign(const struct pod_withdrawals *withdrawals,
                                                  struct guard_span service,
                                                  const uint8_t secret[64], char *out, size_t size,
                                                  size_t *len, struct guard_err *err);
/* Hostile input. GUARD_E_SIGNATURE: not the key's; GUARD_E_FOREIGN: another service's;
 * GUARD_E_SYNTAX, GUARD_E_VERSION, GUARD_E_RANGE, GUARD_E_LIMIT, GUARD_E_NOMEM. *out is all zeros
 * then. out is large. */
GUARD_MUST_USE enum guard_rc pod_withdrawals_read(struct pod_withdrawals *out,
                                                  struct guard_span text, struct guard_span service,
                                                  const uint8_t public_key[GUARD_KEY_BYTES],
                                                  struct guard_err *err);

#endif
