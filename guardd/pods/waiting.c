/* SPDX-License-Identifier: Apache-2.0 */
/* By hashes: two services that share one wait together, until the next pass. */
#include "waiting.h"

#include <guard/crypto.h>

bool pod_waiting_has(const struct pod_waiting *waiting, struct guard_span service)
{
    uint64_t hash = guard_checksum(1, service);
    for (uint32_t i = 0; i < waiting->count; i++) {
        if (waiting->services[i] == hash)
            return true;
    }
    return waiting->count == POD_WAITING_MAX;
}

void pod_waiting_add(struct pod_waiting *waiting, struct guard_span service)
{
    if (!pod_waiting_has(waiting, service))
        waiting->services[waiting->count++] = guard_checksum(1, service);
}

void pod_waiting_restart(struct pod_waiting *waiting)
{
    waiting->count = 0;
}
