/* SPDX-License-Identifier: Apache-2.0 */
/* See outbox.h. What a kill leaves between the spool and the store is a file whose number is that
 * of the store's open pile: it holds just that. */
#include "guardd/tree/outbox.h"

#include "guardd/service.h"
#include "guardd/tree/download.h"

#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_RECORDS = 64, AGAIN_MS = 5000, MERGES_AT_ONCE = 8 };
static const char kind[] = "delta";
static const char alerts_kind[] = "alerts";

/* --- at start --- */

static enum guard_rc take_note(void *ctx, struct guard_span name, struct guard_span value)
{
    struct service *service = services_find(ctx, name);
    if (service == NULL)
        return GUARD_OK;
    enum guard_rc rc = delta_decode(&service->delta, value);
    if (rc == GUARD_E_SYNTAX) {
        log_event("alarm", "delta-position-damaged", service->name, "%s",
                  "what is sent may be refused by the parent as held already");
        delta_free(&service->delta);
    }
    return rc == GUARD_E_SYNTAX ? GUARD_OK : rc;
}

/* The next open pile, and room to remember the one that is. */
static enum guard_rc prepare(struct service *service, struct guard_pile **fresh,
                             struct guard_err *err)
{
    GUARD_TRY(service_new_pile(service, fresh, err));
    if (delta_reserve(&service->delta, service->pile) == GUARD_OK)
        return GUARD_OK;
    guard_pile_free(*fresh);
    *fresh = NULL;
    return guard_fail(err, GUARD_E_NOMEM, "no memory to close a delta");
}

/* What an aggregator passes on is its own from there on: so many are below it as may be, above it
 * is one source. The children's numbers stay in its ledger. */
static void take_over(const struct services *services, struct service *service)
{
    enum { INCARNATION = 1 };
    if (services->role != TREE_AGGREGATOR)
        return;
    struct guard_source own = {.producer = strtoull(services->node_id, NULL, 16),
                               .incarnation = INCARNATION};
    own.sequence = delta_position(&service->delta, own.producer, INCARNATION) + 1;
    guard_pile_relabel(service->pile, &own);
}

/* The open pile becomes a closed one, and the fresh one is open. */
static void shift(struct service *service, struct guard_pile *fresh)
{
    delta_close(&service->delta, service->pile);
    guard_pile_free(service->pile);
    service->pile = fresh;
    service->dirty = true;
}

enum guard_rc outbox_open(struct services *services, struct service *service, struct guard_err *err)
{
    struct delta *delta = &service->delta;
    const struct spool_queue *queue = &service->spool;
    if (delta->number == 0)
        delta->number = delta->committed = 1;
    download_open(services, service);
    if (!service->summary.opened)
        summary_open(service, (struct guard_span){NULL, 0});
    GUARD_TRY(spool_scan(&services->spool, service->name, &service->spool, err));
    uint64_t last = queue->count > 0 ? queue->list[queue->count - 1].last : 0;
    if (last >= delta->number) {
        struct guard_pile *fresh = NULL;
        take_over(services, service);
        GUARD_TRY(prepare(service, &fresh, err));
        shift(service, fresh);
        delta->number = last + 1;
    }
    struct guard_pile_stats stats;
    guard_pile_stats(service->pile, &stats);
    if (stats.exchanges > 0)
        delta->due_ms = clock_unix_ms();
    return GUARD_OK;
}

static enum guard_rc take_position(void *ctx, struct guard_span name, struct guard_span value)
{
    struct service *service = services_find(ctx, name);
    if (service != NULL)
        summary_open(service, value);
    return GUARD_OK;
}

static enum guard_rc take_node(void *ctx, struct guard_span name, struct guard_span value)
{
    struct services *services = ctx;
    (void)name;
    if (value.len == sizeof(services->node_id) - 1)
        memcpy(services->node_id, value.ptr, value.len);
    return GUARD_OK;
}

/* Made once, by chance. */
static enum guard_rc open_node(struct services *services, struct guard_err *err)
{
    uint64_t number;
    GUARD_TRY(store_list_notes(services->store, "node", take_node, services, err));
    if (services->node_id[0] != '\0')
        return GUARD_OK;
    if (random_bytes(&number, sizeof(number)) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness for a name");
    snprintf(services->node_id, sizeof(services->node_id), "%016" PRIx64, number);
    GUARD_TRY(store_begin(services->store, err));
    enum guard_rc rc = store_save_note(
        services->store, "node", GUARD_SPAN_LITERAL("id"),
        (struct guard_span){(const uint8_t *)services->node_id, strlen(services->node_id)}, err);
    if (rc == GUARD_OK)
        rc = store_commit(services->store, err);
    if (rc != GUARD_OK)
        store_rollback(services->store);
    return rc;
}

enum guard_rc outbox_load(struct services *services, struct guard_err *err)
{
    GUARD_TRY(open_node(services, err));
    GUARD_TRY(store_list_notes(services->store, kind, take_note, services, err));
    GUARD_TRY(store_list_notes(services->store, alerts_kind, take_position, services, err));
    for (uint32_t i = 0; i < services->count; i++)
        GUARD_TRY(outbox_open(services, services->list[i], err));
    return GUARD_OK;
}

/* --- when --- */

static uint64_t random_below(uint64_t bound)
{
    uint64_t number = 0;
    if (random_bytes(&number, sizeof(number)) != GUARD_OK)
        number = clock_unix_ms();
    return bound > 0 ? number % bound : 0;
}

/* Reports of agents that were started at once don't come at once. */
static uint64_t next_report(const struct services *services, const struct service *service,
                            uint64_t now_ms)
{
    uint64_t period = services->report_ms;
    if (service->up.young && period > TREE_YOUNG_MS)
        period = TREE_YOUNG_MS;
    return now_ms + period * 3 / 4 + random_below(period / 2);
}

void outbox_observed(struct services *services, struct service *service, uint64_t now_ms)
{
    struct delta *delta = &service->delta;
    if (delta->number == 0)
        return;
    if (delta->due_ms == 0)
        delta->due_ms = next_report(services, service, now_ms);
    if (++delta->looked < LOOK_RECORDS)
        return;
    delta->looked = 0;
    if (delta_full(service->pile)) {
        delta->due_ms = now_ms;
        service->up.blocked = true; /* until it is closed, which is done at once */
    }
}

enum guard_rc outbox_save(struct services *services, const struct service *service,
                          struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (service->delta.number == 0)
        return GUARD_OK;
    if (delta_encode(&service->delta, &bytes, &len) != GUARD_OK)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to save a delta's position");
    enum guard_rc rc =
        store_save_note(services->store, kind, service->name, (struct guard_span){bytes, len}, err);
    free(bytes);
    GUARD_TRY(rc);
    char place[LOG_POSITION_CAP];
    summary_position(service, place);
    return store_save_note(services->store, alerts_kind, service->name,
                           (struct guard_span){(const uint8_t *)place, strlen(place)}, err);
}

static bool is_due(const struct service *service, uint64_t now_ms, bool all)
{
    const struct delta *delta = &service->delta;
    if (delta->due_ms == 0 || service->damaged || delta->committed < delta->number)
        return false;
    /* Or the clock was set back: by no more than a period it is waited for. */
    return all || now_ms >= delta->due_ms || delta->due_ms - now_ms > 2 * 86400000;
}

bool outbox_due(const struct services *services, uint64_t now_ms, bool all)
{
    for (uint32_t i = 0; i < services->count; i++) {
        if (is_due(services->list[i], now_ms, all))
            return true;
    }
    return false;
}

/* --- closing --- */

/* Room for so many bytes more: older deltas of the longest queues become one. */
static void make_room(struct services *services, uint64_t need)
{
    struct spool *spool = &services->spool;
    for (int i = 0; i < MERGES_AT_ONCE && spool->bytes + need > spool->max; i++) {
        struct service *longest = NULL;
        for (uint32_t k = 0; k < services->count; k++) {
            struct service *service = services->list[k];
            if (service->spool.count > 2 && !service->up.unmergeable &&
                (longest == NULL || service->spool.count > longest->spool.count))
                longest = service;
        }
        if (longest == NULL)
            return;
        longest->up.unmergeable = !spool_merge(spool, longest->name, &longest->spool);
    }
}

static void close_one(struct services *services, struct service *service, uint64_t now_ms)
{
    struct spool *spool = &services->spool;
    struct guard_err err = {.text = "no memory"};
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_pile *fresh = NULL;
    take_over(services, service);
    enum guard_rc rc = prepare(service, &fresh, &err);
    if (rc == GUARD_OK)
        rc = guard_pile_encode(service->pile, &bytes, &len, &err);
    if (rc == GUARD_OK) {
        make_room(services, len);
        if (service->spool.count >= SPOOL_QUEUE_MERGED)
            (void)spool_merge(spool, service->name, &service->spool);
        rc = spool_put(spool, service->name, &service->spool, service->delta.number,
                       (struct guard_span){bytes, len}, &err);
    }
    free(bytes);
    if (rc == GUARD_OK) {
        /* It counts as closed now, whatever becomes of us. */
        shift(service, fresh);
        if (services->spool_failing)
            log_event("info", "spooled-again", service->name, "%s", "");
        services->spool_failing = false;
        service->up.blocked = false;
        service->up.unmergeable = false;
        return;
    }
    guard_pile_free(fresh);
    /* Too large to grow, its records wait in the rings, whose writers count what they overwrite. */
    service->up.blocked = delta_full(service->pile);
    service->delta.due_ms = now_ms + AGAIN_MS;
    if (!services->spool_failing)
        log_event("alarm", "not-spooled", service->name, "%s; tried again%s", err.text,
                  service->up.blocked ? "; records wait in the rings, and may be lost" : "");
    services->spool_failing = true;
}

void outbox_close(struct services *services, uint64_t now_ms, bool all)
{
    for (uint32_t i = 0; i < services->count; i++) {
        if (is_due(services->list[i], now_ms, all))
            close_one(services, services->list[i], now_ms);
    }
}
