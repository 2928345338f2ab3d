/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles lie in the store as a note for each service. */
#include "profiles.h"

#include "guardd/service.h"

#include "common/log.h"

#include <stdlib.h>

static const char kind[] = "pods";

enum guard_rc pods_save(struct store *store, struct service *service, struct guard_err *err)
{
    uint8_t *note = NULL;
    size_t len = 0;
    if (!service->pods.changed)
        return GUARD_OK;
    GUARD_TRY(pods_note_write(&service->pods, &note, &len, err));
    enum guard_rc rc =
        store_save_note(store, kind, service->name, (struct guard_span){note, len}, err);
    free(note);
    return rc;
}

enum guard_rc pods_drop(struct store *store, const struct service *service, struct guard_err *err)
{
    return store_drop_note(store, kind, service->name, err);
}

struct loading {
    struct services *services;
    struct service *service;
};

static enum guard_rc take(void *ctx, struct guard_span name, struct guard_span value)
{
    const struct loading *loading = ctx;
    struct guard_err err = {.text = ""};
    struct service *service = services_find(loading->services, name);
    if (service == NULL || (loading->service != NULL && loading->service != service))
        return GUARD_OK;
    pods_free(&service->pods);
    if (pods_note_read(&service->pods, service->key, value, &err) != GUARD_OK)
        log_event("alarm", "pods-damaged", service->name,
                  "%s: what its pods normally do is learned anew", err.text);
    return GUARD_OK;
}

enum guard_rc pods_load(struct services *services, struct service *service, struct guard_err *err)
{
    struct loading loading = {services, service};
    if (service != NULL)
        pods_free(&service->pods);
    return store_list_notes(services->store, kind, take, &loading, err);
}
