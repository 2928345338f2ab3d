/* SPDX-License-Identifier: Apache-2.0 */
/* A note of the store for each service: magic, version, count, then each profile's length and its
 * canonical bytes, which have a checksum of their own. */
#include "profiles.h"

#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static const char kind[] = "pods";
static const char magic[4] = {'G', 'L', 'P', 'N'};

enum { VERSION = 1, HEAD_BYTES = 12, LEN_BYTES = 4, NOTE_BYTES_MAX = 64 << 20 };

static void put_u32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < LEN_BYTES; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static enum guard_rc append(uint8_t **note, size_t *len, const struct guard_pods *profile,
                            struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    GUARD_TRY(guard_pods_encode(profile, &bytes, &count, err));
    uint8_t *more = count <= NOTE_BYTES_MAX - *len - LEN_BYTES
                        ? realloc(*note, *len + LEN_BYTES + count)
                        : NULL;
    if (more != NULL) {
        put_u32(more + *len, (uint32_t)count);
        memcpy(more + *len + LEN_BYTES, bytes, count);
        *note = more;
        *len += LEN_BYTES + count;
    }
    free(bytes);
    return more != NULL ? GUARD_OK
                        : guard_fail(err, GUARD_E_NOMEM, "no memory to save what pods do");
}

enum guard_rc pods_save(struct store *store, struct service *service, struct guard_err *err)
{
    const struct service_pods *pods = &service->pods;
    size_t len = HEAD_BYTES;
    if (!pods->changed)
        return GUARD_OK;
    uint8_t *note = malloc(len);
    if (note == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to save what pods do");
    memcpy(note, magic, sizeof(magic));
    put_u32(note + 4, VERSION);
    put_u32(note + 8, pods->count);
    enum guard_rc rc = GUARD_OK;
    for (uint32_t i = 0; rc == GUARD_OK && i < pods->count; i++)
        rc = append(&note, &len, pods->list[i], err);
    if (rc == GUARD_OK)
        rc = store_save_note(store, kind, service->name, (struct guard_span){note, len}, err);
    free(note);
    return rc;
}

enum guard_rc pods_drop(struct store *store, const struct service *service, struct guard_err *err)
{
    return store_drop_note(store, kind, service->name, err);
}

static enum guard_rc read_note(struct service *service, struct guard_span note,
                               struct guard_err *err)
{
    struct service_pods *pods = &service->pods;
    struct guard_pods_cfg cfg = {.alloc = heap_alloc()};
    memcpy(cfg.key, service->key, sizeof(cfg.key));
    if (note.len < HEAD_BYTES || memcmp(note.ptr, magic, sizeof(magic)) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "no note of pods");
    if (get_u32(note.ptr + 4) != VERSION)
        return guard_fail(err, GUARD_E_VERSION, "version %u", get_u32(note.ptr + 4));
    uint32_t count = get_u32(note.ptr + 8);
    if (count > POD_PROFILES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%u workloads", count);
    size_t at = HEAD_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        if (note.len - at < LEN_BYTES || get_u32(note.ptr + at) > note.len - at - LEN_BYTES)
            return guard_fail(err, GUARD_E_SYNTAX, "cut at workload %u", i);
        struct guard_span bytes = {note.ptr + at + LEN_BYTES, get_u32(note.ptr + at)};
        GUARD_TRY(guard_pods_decode(&pods->list[pods->count], &cfg, bytes, err));
        pods->count++;
        at += LEN_BYTES + bytes.len;
    }
    return at == note.len ? GUARD_OK : guard_fail(err, GUARD_E_SYNTAX, "more than it says");
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
    if (read_note(service, value, &err) != GUARD_OK) {
        pods_free(&service->pods);
        log_event("alarm", "pods-damaged", service->name,
                  "%s: what its pods normally do is learned anew", err.text);
    }
    return GUARD_OK;
}

enum guard_rc pods_load(struct services *services, struct service *service, struct guard_err *err)
{
    struct loading loading = {services, service};
    if (service != NULL)
        pods_free(&service->pods);
    return store_list_notes(services->store, kind, take, &loading, err);
}
