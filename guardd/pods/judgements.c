/* SPDX-License-Identifier: Apache-2.0 */
/* What people decided is given to every profile of the service again and again: the same twice
 * changes nothing, and a profile that began later learns of it, too. */
#include "profiles.h"

#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"
#include "common/pods/decisions.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void apply(struct service *service, const struct pod_decisions *decisions)
{
    struct service_pods *pods = &service->pods;
    uint32_t failed = 0;
    for (uint32_t i = 0; i < pods->count; i++) {
        for (uint32_t k = 0; k < decisions->count; k++) {
            const struct pod_decision *decision = &decisions->list[k];
            failed += guard_pods_judge(pods->list[i], decision->id, decision->review,
                                       decision->time_ms) != GUARD_OK;
        }
    }
    pods->changed = pods->changed || (pods->count > 0 && decisions->count > 0);
    if (failed > 0)
        log_event("alarm", "pod-decisions-left-out", service->name,
                  "%u found no place in what is kept of its workloads", failed);
}

static void take_sessions(struct service_pods *pods, const struct pod_decisions *decisions)
{
    pods->session_count = 0;
    for (uint32_t i = 0; i < decisions->session_count; i++) {
        struct service_pod_session *out = &pods->sessions[pods->session_count++];
        snprintf(out->name_space, sizeof(out->name_space), "%s", decisions->sessions[i].name_space);
        snprintf(out->pod, sizeof(out->pod), "%s", decisions->sessions[i].pod);
        out->until_ms = decisions->sessions[i].until_ms;
    }
}

static void read_decisions(const struct services *services, struct service *service)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct pod_decisions *decisions = NULL;
    struct guard_err err = {.text = ""};
    guard_arena_init(&arena, &heap, POD_DECISIONS_ARENA);
    if (pod_decisions_load(&decisions, services->state, service->name, &arena, &err) == GUARD_OK) {
        apply(service, decisions);
        take_sessions(&service->pods, decisions);
        log_event("info", "pod-decisions-read", service->name, "%u decisions, %u sessions",
                  decisions->count, decisions->session_count);
    } else {
        log_event("alarm", "pod-decisions-refused", service->name,
                  "%s; what was read before stays in force", err.text);
    }
    guard_arena_reset(&arena);
}

void pods_watch_decisions(struct services *services)
{
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        struct service_pods *pods = &service->pods;
        char path[STATE_PATH_MAX];
        struct stat info;
        if (state_path(path, services->state, "pods", service->name, ".decisions") != GUARD_OK ||
            stat(path, &info) != 0)
            continue;
        if (file_stamp(&info) == pods->decisions_stamp && pods->count == pods->decisions_of)
            continue;
        pods->decisions_stamp = file_stamp(&info);
        pods->decisions_of = pods->count;
        read_decisions(services, service);
    }
}

static bool same(const char *text, struct guard_span name)
{
    return strlen(text) == name.len && memcmp(text, name.ptr, name.len) == 0;
}

bool pods_in_session(const struct service_pods *pods, const struct guard_pod_identity *id,
                     uint64_t from_ms)
{
    for (uint32_t i = 0; i < pods->session_count; i++) {
        if (pods->sessions[i].until_ms > from_ms && same(pods->sessions[i].pod, id->pod) &&
            same(pods->sessions[i].name_space, id->name_space))
            return true;
    }
    return false;
}
