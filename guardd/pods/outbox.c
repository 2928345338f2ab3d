/* SPDX-License-Identifier: Apache-2.0 */
/* Rows are saved in the order in which they were begun: the database numbers them so, and a sender
 * has one batch under way, so its next one has higher numbers whichever root takes it. */
#include "outbox.h"

#include "guardd/service.h"

#include <stdlib.h>

enum guard_rc pod_outbox_room(const struct pod_outbox *outbox, size_t more, struct guard_err *err)
{
    return outbox->rows < POD_OUTBOX_ROWS_MAX && more <= POD_OUTBOX_BYTES_MAX - outbox->bytes
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO, "too much waits to be saved");
}

/* The service's last one; NULL: none. */
static struct pod_outbox_row *row_of(const struct pod_outbox *outbox, const struct service *service)
{
    struct pod_outbox_row *found = NULL;
    for (struct pod_outbox_row *row = outbox->first; row != NULL; row = row->next) {
        if (row->service == service)
            found = row;
    }
    return found;
}

static struct pod_outbox_row *begin_row(struct pod_outbox *outbox, const struct service *service)
{
    struct pod_outbox_row *row = calloc(1, sizeof(*row));
    if (row == NULL)
        return NULL;
    row->service = service;
    if (outbox->last != NULL)
        outbox->last->next = row;
    else
        outbox->first = row;
    outbox->last = row;
    outbox->rows++;
    return row;
}

enum guard_rc pod_outbox_add(struct pod_outbox *outbox, const struct service *service,
                             uint64_t batch, const struct pod_reporter *who,
                             const uint8_t secret[POD_BATCH_SECRET], struct guard_span record,
                             struct guard_err *err)
{
    struct pod_outbox_row *row = row_of(outbox, service);
    size_t before = row != NULL ? row->row.len : 0;
    enum guard_rc rc =
        row != NULL ? pod_row_add(&row->row, batch, who, secret, record) : GUARD_E_LIMIT;
    if (rc == GUARD_E_LIMIT) {
        GUARD_TRY(pod_outbox_room(outbox, record.len, err));
        before = 0;
        row = begin_row(outbox, service);
        rc = row != NULL ? pod_row_add(&row->row, batch, who, secret, record) : GUARD_E_NOMEM;
    }
    if (rc != GUARD_OK)
        return guard_fail(err, rc == GUARD_E_LIMIT ? GUARD_E_IO : rc, "no room for pod records");
    outbox->bytes += row->row.len - before;
    return GUARD_OK;
}

enum guard_rc pod_outbox_save(struct pod_outbox *outbox, const struct services *services,
                              uint64_t now_ms, struct guard_err *err)
{
    outbox->saving = false;
    if (outbox->first == NULL ||
        (now_ms >= outbox->saved_ms && now_ms - outbox->saved_ms < POD_OUTBOX_MS))
        return GUARD_OK;
    for (const struct pod_outbox_row *row = outbox->first; row != NULL; row = row->next) {
        const struct guard_span bytes = {row->row.bytes, row->row.len};
        if (bytes.len > 0)
            GUARD_TRY(store_add_pod_records(services->store, row->service->name, bytes, err));
    }
    outbox->saving = true;
    outbox->saved_ms = now_ms;
    return GUARD_OK;
}

void pod_outbox_empty(struct pod_outbox *outbox)
{
    while (outbox->first != NULL) {
        struct pod_outbox_row *next = outbox->first->next;
        pod_row_free(&outbox->first->row);
        free(outbox->first);
        outbox->first = next;
    }
    outbox->last = NULL;
    outbox->rows = 0;
    outbox->bytes = 0;
    outbox->saving = false;
}
