/* SPDX-License-Identifier: Apache-2.0 */
/* Rows are saved in the order in which they were begun: the database numbers them so, and a sender
 * has one batch under way, so its next one has higher numbers whichever root takes it. */
#include "door.h"

#include "guardd/service.h"

#include <stdlib.h>

enum guard_rc pod_door_room(const struct pod_door *door, size_t more, struct guard_err *err)
{
    return door->rows < POD_DOOR_ROWS_MAX && more <= POD_DOOR_BYTES_MAX - door->bytes
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO, "too much waits to be saved");
}

/* The service's last one; NULL: none. */
static struct pod_door_row *row_of(const struct pod_door *door, const struct service *service)
{
    struct pod_door_row *found = NULL;
    for (struct pod_door_row *row = door->first; row != NULL; row = row->next) {
        if (row->service == service)
            found = row;
    }
    return found;
}

static struct pod_door_row *begin_row(struct pod_door *door, const struct service *service)
{
    struct pod_door_row *row = calloc(1, sizeof(*row));
    if (row == NULL)
        return NULL;
    row->service = service;
    if (door->last != NULL)
        door->last->next = row;
    else
        door->first = row;
    door->last = row;
    door->rows++;
    return row;
}

enum guard_rc pod_door_add(struct pod_door *door, const struct service *service, uint64_t batch,
                           const struct pod_reporter *who, const uint8_t secret[POD_BATCH_SECRET],
                           struct guard_span record, struct guard_err *err)
{
    struct pod_door_row *row = row_of(door, service);
    size_t before = row != NULL ? row->row.len : 0;
    enum guard_rc rc =
        row != NULL ? pod_row_add(&row->row, batch, who, secret, record) : GUARD_E_LIMIT;
    if (rc == GUARD_E_LIMIT) {
        GUARD_TRY(pod_door_room(door, record.len, err));
        before = 0;
        row = begin_row(door, service);
        rc = row != NULL ? pod_row_add(&row->row, batch, who, secret, record) : GUARD_E_NOMEM;
    }
    if (rc != GUARD_OK)
        return guard_fail(err, rc == GUARD_E_LIMIT ? GUARD_E_IO : rc, "no room for pod records");
    door->bytes += row->row.len - before;
    return GUARD_OK;
}

enum guard_rc pod_door_save(struct pod_door *door, const struct services *services, uint64_t now_ms,
                            struct guard_err *err)
{
    door->saving = false;
    if (door->first == NULL || (now_ms >= door->saved_ms && now_ms - door->saved_ms < POD_DOOR_MS))
        return GUARD_OK;
    for (const struct pod_door_row *row = door->first; row != NULL; row = row->next) {
        const struct guard_span bytes = {row->row.bytes, row->row.len};
        if (bytes.len > 0)
            GUARD_TRY(store_add_pod_records(services->store, row->service->name, bytes, err));
    }
    door->saving = true;
    door->saved_ms = now_ms;
    return GUARD_OK;
}

void pod_door_empty(struct pod_door *door)
{
    while (door->first != NULL) {
        struct pod_door_row *next = door->first->next;
        pod_row_free(&door->first->row);
        free(door->first);
        door->first = next;
    }
    door->last = NULL;
    door->rows = 0;
    door->bytes = 0;
    door->saving = false;
}
