/* SPDX-License-Identifier: Apache-2.0 */
/* Withdrawals of a service's pods: at the root they are begun by orders and people and written as
 * one signed text; each guardd holds it against the pod that it stands beside and tells the gate
 * there, by the file that gates follow. docs/internals/pod-orders.md */
#ifndef GUARDD_PODS_WITHDRAWALS_H
#define GUARDD_PODS_WITHDRAWALS_H

#include "gates.h"

#include "common/changes.h"
#include "common/json_writer.h"

struct service;
struct services;

struct service_withdrawals {
    struct pod_withdrawals *table; /* in force and lately; NULL: there never was one */
    uint64_t issued_ms;            /* of the text in place; 0: none */
    struct pod_gates gates;
    char obeyed[POD_ORDER_ID_MAX + 1]; /* that our own pod's gate was told of; "": none */
    uint64_t obeyed_until_ms;
};

/* Reads the text in place. */
void withdrawals_open(struct services *services, struct service *service);
void withdrawals_free(struct service_withdrawals *withdrawals);
/* At most once a second: what orders ask for, what ends, and what our own pod's gate is told. */
void withdrawals_tick(struct services *services, uint64_t now_ms);

/* A person's, of change->service; audited first. Of a pod that is withdrawn already it lasts from
 * now on. *out is borrowed until the next change. GUARD_E_STATE: it isn't ours to say (another
 * guardd is the root, or roots share a database); GUARD_E_LIMIT: too many; GUARD_E_RANGE, _IO,
 * _NOMEM. */
GUARD_MUST_USE enum guard_rc withdrawals_begin(struct services *services, struct service *service,
                                               const struct change *change,
                                               const struct pod_self *pod, uint64_t seconds,
                                               const struct pod_withdrawal **out,
                                               struct guard_err *err);
/* Ends one, whoever began it. GUARD_E_RANGE: none with that id is in force. */
GUARD_MUST_USE enum guard_rc withdrawals_lift(struct services *services, struct service *service,
                                              const struct change *change, const char *id,
                                              struct guard_err *err);

/* At a node with a parent: the text that came. False: it isn't taken, and the one in place stays.
 */
bool withdrawals_take(struct services *services, struct service *service, struct guard_span text);

/* Those in force, an array named so. */
void withdrawals_json(const struct services *services, const struct service *service,
                      const char *name, struct json_writer *json, uint64_t now_ms);

#endif
