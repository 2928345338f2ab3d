/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests the pod answered, by what the gates beside guardd tell of themselves. */
#ifndef GUARDD_PODS_SENSE_REQUESTS_H
#define GUARDD_PODS_SENSE_REQUESTS_H

#include "guardd/gates.h"

struct sense_gate {
    char id[GATE_ID_CAP];
    uint64_t exchanges; /* that it had when it was read last */
};

/* All zeros is one that has read nothing. */
struct sense_requests {
    struct sense_gate gates[GATES_MAX];
    uint32_t count, next; /* next: whose place a further one takes */
    bool looked;
};

/* Requests of the service since the last call; false: no gate beside guardd tells of the service,
 * or it is the first call. A gate that was never seen before began since then. */
bool sense_requests_since(struct sense_requests *requests, const struct gates *told,
                          struct guard_span service, uint64_t *out);

#endif
