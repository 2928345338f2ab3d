/* SPDX-License-Identifier: Apache-2.0 */
/* A root that doesn't learn a service has its pods from the database, when somebody asks. */
#include "backlog.h"

#include "guardd/service.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 2000 };

static enum guard_rc take_profiles(void *ctx, struct guard_span value)
{
    struct service *service = ctx;
    struct service_pods *pods = &service->pods;
    struct guard_err err = {.text = ""};
    struct service_pods *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL)
        return GUARD_E_NOMEM;
    if (pods_note_read(fresh, service->key, value, &err) == GUARD_OK) {
        for (uint32_t i = 0; i < pods->count; i++)
            guard_pods_free(pods->list[i]);
        memcpy(pods->list, fresh->list, sizeof(pods->list));
        pods->count = pods->decisions_of = fresh->count; /* the learner gave them all decisions */
    } else {
        log_event("warn", "pods-not-shown", service->name, "%s", err.text);
    }
    free(fresh);
    return GUARD_OK;
}

static enum guard_rc take_learner(void *ctx, struct guard_span node)
{
    struct service *service = ctx;
    snprintf(service->backlog.learner, sizeof(service->backlog.learner), "%.*s", (int)node.len,
             (const char *)node.ptr);
    return GUARD_OK;
}

void pods_follow(struct services *services, struct service *service, uint64_t now_ms)
{
    struct pod_backlog *backlog = &service->backlog;
    struct guard_err err = {.text = ""};
    if (services->run == 0 || service->replica.learns || store_session(services->store) == 0 ||
        (now_ms >= backlog->followed_ms && now_ms - backlog->followed_ms < AGAIN_MS))
        return;
    backlog->followed_ms = now_ms;
    enum guard_rc rc = store_learner(services->store, service->name, take_learner, service, &err);
    if (rc == GUARD_OK)
        rc = store_read_note(services->store, "pods", service->name, take_profiles, service, &err);
    if (rc != GUARD_OK)
        log_event("warn", "pods-not-shown", service->name, "%s", err.text);
}
