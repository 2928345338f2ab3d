/* SPDX-License-Identifier: Apache-2.0 */
/* Times as Kubernetes' objects have them, always in UTC. */
#ifndef GUARD_COMMON_KUBERNETES_MOMENT_H
#define GUARD_COMMON_KUBERNETES_MOMENT_H

#include "common/file.h"

enum { KUBERNETES_MOMENT_CAP = 64 };

/* "2026-11-23T00:00:00Z"; micro: with microseconds, as leases and events must have it. */
void kubernetes_moment(char out[KUBERNETES_MOMENT_CAP], uint64_t unix_ms, bool micro);

#endif
