/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods of a service have a gate whose guardd reports here, as those say with each question
 * for policies. Only such a pod can be withdrawn by an order: one that nobody stands beside, or
 * that was made up, spends no budget. */
#ifndef GUARDD_PODS_GATES_H
#define GUARDD_PODS_GATES_H

#include "common/pods/withdrawals.h"

enum {
    POD_GATES_MAX = 4096,           /* of a service */
    POD_GATES_LIVE_MS = 120 * 1000, /* each asks again within 45 s */
};

/* Names by their hash: it is only asked whether a pod is there. */
struct pod_gate {
    uint64_t pod;
    uint64_t obeys; /* the withdrawal; 0: none */
    uint64_t seen_ms;
    char uid[POD_ORDER_UID_MAX + 1]; /* "": not known */
};

struct pod_gates {
    struct pod_gate *list;
    uint32_t count, room;
};

void pod_gates_free(struct pod_gates *gates);
/* obeys: the withdrawal that its gate follows, "": none. The one that was silent for the longest
 * time makes room. */
void pod_gates_seen(struct pod_gates *gates, const struct pod_self *pod, const char *obeys,
                    uint64_t now_ms);
/* Seen lately; NULL: it wasn't, or has another uid where both are known. uid: "": any. */
const struct pod_gate *pod_gates_find(const struct pod_gates *gates, const char *name_space,
                                      const char *pod, const char *uid, uint64_t now_ms);
bool pod_gate_obeys(const struct pod_gate *gate, const char *id);
/* Those seen lately. */
uint32_t pod_gates_count(const struct pod_gates *gates, uint64_t now_ms);

#endif
