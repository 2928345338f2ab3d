/* SPDX-License-Identifier: Apache-2.0 */
/* See releases_store.h. A note of the store for each service. */
#include "releases_store.h"

#include "common/file.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static const char kind[] = "releases";

enum guard_rc releases_save(struct store *store, const struct service *service,
                            struct guard_err *err)
{
    if (!service->releases.changed)
        return GUARD_OK;
    uint8_t *bytes = malloc(RELEASES_BYTES_MAX);
    if (bytes == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to save releases");
    size_t len = releases_encode(&service->releases, clock_unix_ms(), bytes);
    enum guard_rc rc =
        store_save_note(store, kind, service->name, (struct guard_span){bytes, len}, err);
    free(bytes);
    return rc;
}

enum guard_rc releases_drop(struct store *store, const struct service *service,
                            struct guard_err *err)
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
    struct service *service = services_find(loading->services, name);
    if (service == NULL || (loading->service != NULL && loading->service != service))
        return GUARD_OK;
    if (releases_decode(&service->releases, value) != GUARD_OK)
        log_event("alarm", "releases-damaged", service->name, "%s",
                  "what was let in is blocked again until enough clients want it");
    return GUARD_OK;
}

enum guard_rc releases_load(struct services *services, struct service *service,
                            struct guard_err *err)
{
    struct loading loading = {services, service};
    if (service != NULL)
        memset(&service->releases, 0, sizeof(service->releases));
    return store_list_notes(services->store, kind, take, &loading, err);
}
