/* SPDX-License-Identifier: Apache-2.0 */
/* A pod that goes on serving and of which nothing is said any more: its sensor died, or whoever has
 * the pod stopped it. */
#ifndef GUARDD_PODS_SILENCE_H
#define GUARDD_PODS_SILENCE_H

#include <guard/pods.h>

struct service;

/* Says once in the log which pods fell silent since the last look, as far as their gates report
 * here. */
void pods_tell_silent(const struct service *service, const struct guard_pod_rules *rules,
                      uint64_t last_ms, uint64_t now_ms);

#endif
