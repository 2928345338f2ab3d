/* SPDX-License-Identifier: Apache-2.0 */
/* The moment at which a replica stops to be live lies between two looks just once. */
#include "silence.h"

#include "guardd/service.h"

#include "common/log.h"

#include <stdio.h>

static void put(char out[GUARD_POD_NAME_MAX + 1], struct guard_span name)
{
    snprintf(out, GUARD_POD_NAME_MAX + 1, "%.*s", (int)name.len, (const char *)name.ptr);
}

static void look_at(const struct service *service, const struct guard_pods *profile,
                    const struct guard_pod_rules *rules, uint64_t last_ms, uint64_t now_ms)
{
    struct guard_pods_stats stats;
    struct guard_pod_replica replica;
    char name_space[GUARD_POD_NAME_MAX + 1], pod[GUARD_POD_NAME_MAX + 1];
    guard_pods_stats(profile, rules, &stats);
    put(name_space, stats.name_space);
    for (uint32_t i = 0; guard_pods_replica(profile, i, 0, &replica); i++) {
        uint64_t silent_ms = replica.last_ms + rules->live_ms;
        if (silent_ms <= last_ms || silent_ms > now_ms)
            continue;
        put(pod, replica.pod);
        if (pod_gates_has(&service->withdrawals.gates, name_space, pod, "", now_ms))
            log_event("warn", "pod-silent", service->name,
                      "%s/%s, container %.*s: it serves, and no sensor says anything of it",
                      name_space, pod, (int)stats.container.len, (const char *)stats.container.ptr);
    }
}

void pods_tell_silent(const struct service *service, const struct guard_pod_rules *rules,
                      uint64_t last_ms, uint64_t now_ms)
{
    for (uint32_t i = 0; i < service->pods.count; i++)
        look_at(service, service->pods.list[i], rules, last_ms, now_ms);
}
