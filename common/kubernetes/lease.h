/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several does what only one may do: whoever holds a Lease of the cluster. Times are those
 * of Kubernetes' own components: 15 s of the lease, 10 s in which it must be renewed, 2 s between
 * tries. Clocks of different machines aren't compared. */
#ifndef GUARD_COMMON_KUBERNETES_LEASE_H
#define GUARD_COMMON_KUBERNETES_LEASE_H

#include "common/kubernetes/api_client.h"

enum {
    LEASE_MS = 15000,
    LEASE_RENEW_MS = 10000, /* without a renewal for so long it isn't ours any more */
    LEASE_TRY_MS = 2000,
    LEASE_NAME_CAP = 256,
};

struct lease {
    struct api_client *client;
    const char *namespace, *name; /* kept */
    char identity[LEASE_NAME_CAP];
    char version[64]; /* of the object that was read or written last; "" : to be read */
    char holder[LEASE_NAME_CAP];
    char begun[64];       /* since when it has that holder, as the object says */
    char observed[160];   /* what tells one renewal of others from the next */
    uint64_t observed_ms; /* monotonic: when that was seen first */
    uint64_t asked_ms;    /* when the request under way was begun */
    uint64_t renewed_ms;  /* when the last one that succeeded was begun; 0: not ours */
    uint64_t next_ms;
    int64_t transitions;
    bool busy;
    bool absent; /* there is no such object */
    char failure[KUBERNETES_REASON_CAP];
};

void lease_tick(struct lease *lease, uint64_t mono_ms);
/* Asked before each thing that only its holder may do: true is good for that moment. */
bool lease_held(const struct lease *lease, uint64_t mono_ms);
/* Before the end: others needn't wait until it is over. Done when lease->busy is false. */
void lease_release(struct lease *lease, uint64_t mono_ms);

#endif
