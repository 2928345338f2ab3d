/* SPDX-License-Identifier: Apache-2.0 */
/* Events of the kernel as features of pod records. */
#ifndef PODWATCH_EVENT_FEATURES_H
#define PODWATCH_EVENT_FEATURES_H

#include "event.h"

#include <guard/pod.h>

enum { EVENT_FEATURES_MAX = 2 };

/* 0 to EVENT_FEATURES_MAX: none of a cgroup's or of a destination within the pod itself. at_ms:
 * Unix time. Texts point into the event. A program that was dropped is told as run, too. */
uint32_t features_of_event(const struct event *event, uint64_t at_ms,
                           struct guard_pod_feature out[EVENT_FEATURES_MAX]);

#endif
