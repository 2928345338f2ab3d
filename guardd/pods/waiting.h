/* SPDX-License-Identifier: Apache-2.0 */
/* Services of which a record had to wait in this pass through the files: what follows of them waits
 * with it, and that of no other one. */
#ifndef GUARDD_PODS_WAITING_H
#define GUARDD_PODS_WAITING_H

#include "guardd/service.h"

/* As many as can wait: those that are here, and those whose key is asked for. */
enum { POD_WAITING_MAX = SERVICES_MAX + UPLINK_WANTED_MAX };

/* Zeros: none. */
struct pod_waiting {
    uint64_t services[POD_WAITING_MAX]; /* hashes of names */
    uint32_t count;
};

/* Without room for more all wait, rather than that one comes before what it follows. */
bool pod_waiting_has(const struct pod_waiting *waiting, struct guard_span service);
void pod_waiting_add(struct pod_waiting *waiting, struct guard_span service);
void pod_waiting_restart(struct pod_waiting *waiting);

#endif
