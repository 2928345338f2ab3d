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
    uint64_t issued_ms;            /* of that; 0: none */
    uint64_t offered_ms;           /* of the text that lies in the directory, for those below */
    uint8_t *unwritten; /* the text that is in force and couldn't be written; NULL: none */
    size_t unwritten_len;
    uint64_t revision; /* of the shared database; 0: none */
    uint64_t refused;  /* the one that can't be read, as people were told */
    bool failing;      /* people were told that it can't be changed */
    struct pod_gates gates;
    char obeyed[POD_ORDER_ID_MAX + 1]; /* that our own pod's gate was told of; "": none */
    uint64_t obeyed_until_ms;
    /* What our own gate couldn't be told, begun or ended, as people were told; "": nothing. */
    char not_told[POD_ORDER_ID_MAX + 1];
    uint64_t write_failures; /* counted since the start */
};

/* Reads the text in place. */
void withdrawals_open(struct services *services, struct service *service);
void withdrawals_free(struct service_withdrawals *withdrawals);
/* At most once a second: what orders ask for, what ends, and what our own pod's gate is told. */
void withdrawals_tick(struct services *services, uint64_t now_ms);

/* A person's, of change->service; audited first. Of a pod that is withdrawn already it lasts from
 * now on. *out is borrowed until the next change. GUARD_E_STATE: it isn't ours to say (another
 * guardd is the root), or another root was faster again and again; GUARD_E_LIMIT: too many;
 * GUARD_E_IO, also where the shared database is away; GUARD_E_RANGE, _NOMEM. */
GUARD_MUST_USE enum guard_rc withdrawals_begin(struct services *services, struct service *service,
                                               const struct change *change,
                                               const struct pod_self *pod, uint64_t seconds,
                                               const struct pod_withdrawal **out,
                                               struct guard_err *err);
/* Ends one, whoever began it. GUARD_E_RANGE: none with that id is in force. */
GUARD_MUST_USE enum guard_rc withdrawals_lift(struct services *services, struct service *service,
                                              const struct change *change, const char *id,
                                              struct guard_err *err);

/* A signed text takes the place of the one in force, also where it can't be written now: that is
 * tried again. As pod_withdrawals_read; GUARD_E_REPLAY: older than the one in force. */
GUARD_MUST_USE enum guard_rc withdrawals_place(struct services *services, struct service *service,
                                               struct guard_span text, struct guard_err *err);

/* Those in force, an array named so. */
void withdrawals_json(const struct services *services, const struct service *service,
                      const char *name, struct json_writer *json, uint64_t now_ms);

#endif
