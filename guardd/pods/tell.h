/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on pods as alerts and log lines. What the log of alerts has isn't told again: libguard
 * knows open cases only as long as guardd lives, and after a kill the same records come again. */
#ifndef GUARDD_PODS_TELL_H
#define GUARDD_PODS_TELL_H

#include "guardd/service.h"

enum { POD_TOLD_MAX = 4096 };

struct pod_told {
    uint64_t keys[POD_TOLD_MAX]; /* a ring; 0: free */
    uint64_t times_ms[POD_TOLD_MAX];
    uint32_t at;
};

/* Reads what was told within the last day. */
void pod_told_read(struct pod_told *told, const char *state, uint64_t now_ms);
/* Tells of it, unless all that is fresh in it was told within a day with the same decision. */
void pod_tell(struct pod_told *told, struct services *services, const struct service *service,
              const struct guard_pod_verdict *verdict, uint64_t now_ms);

#endif
