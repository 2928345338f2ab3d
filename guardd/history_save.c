/* SPDX-License-Identifier: Apache-2.0 */
/* The history in the store: what was counted since the last transaction is added to the rows of its
 * minutes; minutes that are a day old become hours. */
#include "history.h"

#include "service.h"

#include "common/file.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

enum { SHARED_RECENT_MS = 600000 }; /* how old what others counted may be */

static const char kind_told[] = "history-of";

/* --- rows --- */

/* What can't be read is another version's or damaged: counting begins anew. */
static enum guard_rc take_row(void *ctx, uint64_t at_s, struct guard_span counts)
{
    (void)at_s;
    (void)history_decode(ctx, counts);
    return GUARD_OK;
}

static enum guard_rc add_row(struct services *services, const struct service *service,
                             enum store_history which, const struct history_bin *bin,
                             struct guard_err *err)
{
    uint8_t bytes[HISTORY_COUNTS_MAX];
    struct traffic sum = bin->counts;
    GUARD_TRY(
        store_load_history(services->store, which, service->name, bin->at_s, take_row, &sum, err));
    size_t len = history_encode(&sum, bytes);
    return store_save_history(services->store, which, service->name, bin->at_s,
                              (struct guard_span){bytes, len}, err);
}

static enum guard_rc add_bins(struct services *services, struct service *service,
                              const struct history_bin *bins, uint32_t count, struct guard_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        GUARD_TRY(add_row(services, service, STORE_HISTORY_OWN, &bins[i], err));
        if (services->uplink != NULL)
            GUARD_TRY(add_row(services, service, STORE_HISTORY_UNTOLD, &bins[i], err));
    }
    if (services->uplink != NULL && count > 0)
        service->history.untold = true;
    return GUARD_OK;
}

/* --- growing old --- */

static enum guard_rc take_hour(void *ctx, uint64_t at_s, struct guard_span counts)
{
    struct history_bin *bin = history_bin_of(ctx, at_s / HISTORY_HOUR_S * HISTORY_HOUR_S);
    if (bin == NULL)
        return GUARD_E_NOMEM;
    (void)history_decode(&bin->counts, counts);
    return GUARD_OK;
}

static enum guard_rc roll(struct services *services, const struct service *service,
                          enum store_history which, uint64_t before_s, struct guard_err *err)
{
    struct history_bins hours = {.count = 0};
    enum guard_rc rc = store_list_fine_history(services->store, which, service->name, before_s,
                                               take_hour, &hours, err);
    for (uint32_t i = 0; rc == GUARD_OK && i < hours.count; i++)
        rc = add_row(services, service, which, &hours.list[i], err);
    if (rc == GUARD_OK && hours.count > 0)
        rc = store_drop_fine_history(services->store, which, service->name, before_s, err);
    free(hours.list);
    return rc;
}

/* Once an hour, of one service in each transaction: many at once would take long. */
static enum guard_rc grow_old(struct services *services, struct service *service, uint64_t now_s,
                              struct guard_err *err)
{
    uint64_t hour = now_s / HISTORY_HOUR_S;
    if (service->history.rolled_hour == hour || services->history_rolled || hour < 24)
        return GUARD_OK;
    services->history_rolled = true;
    GUARD_TRY(
        roll(services, service, STORE_HISTORY_OWN, hour * HISTORY_HOUR_S - HISTORY_FINE_S, err));
    GUARD_TRY(
        roll(services, service, STORE_HISTORY_UNTOLD, hour * HISTORY_HOUR_S - HISTORY_FINE_S, err));
    GUARD_TRY(store_drop_history(services->store, service->name, now_s - HISTORY_KEPT_S, err));
    /* Numbers are times: one of two days ago won't come again. */
    GUARD_TRY(store_drop_low_notes(services->store, kind_told,
                                   (now_s - 2 * (uint64_t)HISTORY_FINE_S) * 1000, err));
    service->history.rolled_hour = hour;
    return GUARD_OK;
}

/* --- saving --- */

static enum guard_rc save_queue(struct services *services, struct service *service,
                                struct guard_err *err)
{
    for (struct history_batch *batch = service->history.queue; batch != NULL; batch = batch->next) {
        const struct guard_span source = {(const uint8_t *)batch->source, strlen(batch->source)};
        GUARD_TRY(store_raise_note(services->store, kind_told, source, batch->number, &batch->taken,
                                   err));
        if (batch->taken)
            GUARD_TRY(add_bins(services, service, batch->bins, batch->count, err));
    }
    return GUARD_OK;
}

enum guard_rc history_save(struct services *services, struct service *service,
                           struct guard_err *err)
{
    struct history *history = &service->history;
    /* What is in saving was in a transaction that failed. */
    history_join(&history->saving, &history->pending);
    GUARD_TRY(add_bins(services, service, history->saving.list, history->saving.count, err));
    GUARD_TRY(save_queue(services, service, err));
    if (services->uplink != NULL)
        GUARD_TRY(history_batch(services, service, err));
    return grow_old(services, service, clock_unix_ms() / 1000, err);
}

static void drop_queue(struct services *services, struct history *history)
{
    while (history->queue != NULL) {
        struct history_batch *next = history->queue->next;
        free(history->queue);
        history->queue = next;
        services->history_queued--;
    }
}

static void add_recent(struct history *history, const struct history_bin *bin)
{
    uint64_t hour = bin->at_s / HISTORY_HOUR_S;
    uint64_t exchanges = traffic_exchanges(&bin->counts);
    if (history->recent_hour == 0 || hour + HISTORY_RECENT <= history->recent_hour)
        return;
    if (hour > history->recent_hour) {
        uint64_t by = hour - history->recent_hour;
        uint64_t kept = by < HISTORY_RECENT ? HISTORY_RECENT - by : 0;
        memmove(history->recent, history->recent + HISTORY_RECENT - kept,
                kept * sizeof(history->recent[0]));
        memset(history->recent + kept, 0, (HISTORY_RECENT - kept) * sizeof(history->recent[0]));
        history->recent_hour = hour;
    }
    uint32_t *at = &history->recent[HISTORY_RECENT - 1 - (history->recent_hour - hour)];
    *at = exchanges < UINT32_MAX - *at ? *at + (uint32_t)exchanges : UINT32_MAX;
}

void history_saved(struct services *services, struct service *service)
{
    struct history *history = &service->history;
    for (uint32_t i = 0; i < history->saving.count; i++)
        add_recent(history, &history->saving.list[i]);
    for (const struct history_batch *batch = history->queue; batch != NULL; batch = batch->next) {
        for (uint32_t i = 0; batch->taken && i < batch->count; i++)
            add_recent(history, &batch->bins[i]);
    }
    history->saving.count = 0;
    drop_queue(services, history);
    if (history->dropping)
        history->flight.count = 0;
    history->acknowledged = history->acknowledged && !history->dropping;
    history->dropping = false;
    if (history->staged.count > 0)
        history_join(&history->flight, &history->staged);
}

void history_unsaved(struct services *services)
{
    for (uint32_t i = 0; i < services->count; i++) {
        struct history *history = &services->list[i]->history;
        drop_queue(services, history); /* who told it is asked again */
        history->untold = history->untold || history->staged.count > 0;
        history->staged.count = 0;
        history->dropping = false;
        history->rolled_hour = 0;
    }
}

/* --- reading --- */

struct summing {
    struct traffic *list;
    uint64_t since_s;
    uint64_t step_s;
    uint32_t count;
};

static enum guard_rc take_sum(void *ctx, uint64_t at_s, struct guard_span counts)
{
    const struct summing *summing = ctx;
    uint64_t at = (at_s - summing->since_s) / summing->step_s;
    if (at_s >= summing->since_s && at < summing->count)
        (void)history_decode(&summing->list[at], counts);
    return GUARD_OK;
}

enum guard_rc history_read(struct services *services, const struct service *service,
                           uint64_t since_s, uint64_t step_s, struct traffic *list, uint32_t count,
                           struct guard_err *err)
{
    struct summing summing = {list, since_s, step_s, count};
    return store_list_history(services->store, service->name, since_s, since_s + step_s * count,
                              take_sum, &summing, err);
}

static void read_recent(struct services *services, struct service *service, uint64_t now_ms)
{
    struct history *history = &service->history;
    struct traffic hours[HISTORY_RECENT];
    struct guard_err err;
    uint64_t hour = now_ms / 1000 / HISTORY_HOUR_S;
    memset(hours, 0, sizeof(hours));
    if (hour < HISTORY_RECENT ||
        history_read(services, service, (hour - HISTORY_RECENT + 1) * HISTORY_HOUR_S,
                     HISTORY_HOUR_S, hours, HISTORY_RECENT, &err) != GUARD_OK)
        return;
    history->recent_hour = hour;
    history->recent_ms = now_ms;
    for (uint32_t i = 0; i < HISTORY_RECENT; i++) {
        uint64_t exchanges = traffic_exchanges(&hours[i]);
        history->recent[i] = exchanges < UINT32_MAX ? (uint32_t)exchanges : UINT32_MAX;
    }
}

void history_recent(struct services *services, struct service *service, uint64_t now_ms,
                    uint32_t out[HISTORY_RECENT])
{
    struct history *history = &service->history;
    const struct history_bin now = {.at_s = now_ms / 1000};
    bool old = services->run != 0 &&
               (now_ms < history->recent_ms || now_ms - history->recent_ms >= SHARED_RECENT_MS);
    if (history->recent_hour == 0 || old)
        read_recent(services, service, now_ms);
    add_recent(history, &now); /* hours without traffic pass, too */
    memcpy(out, history->recent, sizeof(history->recent));
}
