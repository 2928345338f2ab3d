/* SPDX-License-Identifier: Apache-2.0 */
/* The history on its way up. A node has one batch at a time under way; it lies in its store with
 * its number until the parent says that it has it, and is told again as it is. The parent counts a
 * number of a source once, in the transaction that it answers for. */
#include "history.h"

#include "service.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind_sent[] = "history-sent";

enum { BIN_BYTES_MAX = 8 + 2 + HISTORY_COUNTS_MAX };

/* --- the batch in the store: its number, then each bin's time, length and counts --- */

static size_t put_number(uint8_t *out, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        out[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
    return (size_t)bytes;
}

static uint64_t get_number(struct guard_span *from, size_t bytes)
{
    uint64_t number = 0;
    if (from->len < bytes) {
        from->len = 0;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | from->ptr[i];
    from->ptr += bytes;
    from->len -= bytes;
    return number;
}

static enum guard_rc save_batch(struct services *services, const struct service *service,
                                uint64_t number, const struct history_bins *bins,
                                struct guard_err *err)
{
    uint8_t bytes[8 + HISTORY_BATCH_MAX * BIN_BYTES_MAX];
    size_t len = put_number(bytes, number, 8);
    for (uint32_t i = 0; i < bins->count; i++) {
        uint8_t counts[HISTORY_COUNTS_MAX];
        size_t counts_len = history_encode(&bins->list[i].counts, counts);
        len += put_number(bytes + len, bins->list[i].at_s, 8);
        len += put_number(bytes + len, counts_len, 2);
        memcpy(bytes + len, counts, counts_len);
        len += counts_len;
    }
    return store_save_note(services->store, kind_sent, service->name,
                           (struct guard_span){bytes, len}, err);
}

static enum guard_rc take_batch(void *ctx, struct guard_span name, struct guard_span value)
{
    struct service *service = services_find(ctx, name);
    if (service == NULL)
        return GUARD_OK;
    struct history *history = &service->history;
    history->number = get_number(&value, 8);
    while (value.len > 0 && history->flight.count < HISTORY_BATCH_MAX) {
        uint64_t at_s = get_number(&value, 8);
        size_t len = (size_t)get_number(&value, 2);
        if (len > value.len)
            break;
        struct history_bin *bin = history_bin_of(&history->flight, at_s);
        if (bin == NULL)
            return GUARD_E_NOMEM;
        (void)history_decode(&bin->counts, (struct guard_span){value.ptr, len});
        value.ptr += len;
        value.len -= len;
    }
    return GUARD_OK;
}

enum guard_rc history_load(struct services *services, struct guard_err *err)
{
    for (uint32_t i = 0; i < services->count; i++)
        services->list[i]->history.untold = true;
    return store_list_notes(services->store, kind_sent, take_batch, services, err);
}

/* --- the node's side --- */

static enum guard_rc take_untold(void *ctx, uint64_t at_s, struct guard_span counts)
{
    struct history_bin *bin = history_bin_of(ctx, at_s);
    if (bin == NULL)
        return GUARD_E_NOMEM;
    (void)history_decode(&bin->counts, counts);
    return GUARD_OK;
}

/* Numbers are times, so that those of a store that was restored from a backup go on. */
static uint64_t next_number(const struct history *history, uint64_t now_ms)
{
    return now_ms > history->number ? now_ms : history->number + 1;
}

static enum guard_rc stage(struct services *services, struct service *service, uint64_t now_ms,
                           struct guard_err *err)
{
    struct history *history = &service->history;
    GUARD_TRY(store_list_untold_history(services->store, service->name, take_untold,
                                        &history->staged, err));
    history->untold = history->staged.count == HISTORY_BATCH_MAX;
    if (history->staged.count == 0)
        return GUARD_OK;
    history->number = next_number(history, now_ms);
    history->batched_ms = now_ms;
    GUARD_TRY(store_drop_untold_history(services->store, service->name,
                                        history->staged.list[history->staged.count - 1].at_s, err));
    return save_batch(services, service, history->number, &history->staged, err);
}

enum guard_rc history_batch(struct services *services, struct service *service,
                            struct guard_err *err)
{
    static const struct history_bins none = {.count = 0};
    struct history *history = &service->history;
    uint64_t now_ms = clock_unix_ms();
    bool early = now_ms >= history->batched_ms &&
                 now_ms - history->batched_ms < services->report_ms && !services->history_all;
    history->staged.count = 0;
    if (history->acknowledged) {
        history->dropping = true;
        GUARD_TRY(save_batch(services, service, history->number, &none, err));
    }
    bool under_way = history->flight.count > 0 && !history->acknowledged;
    if (under_way || !history->untold || early)
        return GUARD_OK;
    return stage(services, service, now_ms, err);
}

bool history_in_flight(const struct history *history)
{
    return history->flight.count > 0 && !history->acknowledged;
}

void history_write(struct history *history, struct json_writer *json)
{
    history->told = history->number;
    json_open(json, "history", '{');
    json_integer(json, "number", (int64_t)history->number);
    json_open(json, "bins", '[');
    for (uint32_t i = 0; i < history->flight.count; i++) {
        uint64_t numbers[HISTORY_NUMBERS];
        history_numbers(&history->flight.list[i].counts, numbers);
        json_open(json, NULL, '[');
        json_integer(json, NULL, (int64_t)history->flight.list[i].at_s);
        for (int k = 0; k < HISTORY_NUMBERS; k++)
            json_integer(json, NULL, (int64_t)numbers[k]);
        json_close(json, ']');
    }
    json_close(json, ']');
    json_close(json, '}');
}

void history_sent(struct history *history)
{
    history->acknowledged = history->flight.count > 0 && history->told == history->number;
}

/* --- the parent's side --- */

/* Each source is a note in the store: so many in a day, and no more. */
static bool source_fits(struct history *history, const char *source, uint64_t day)
{
    enum { PLACES = 2 * HISTORY_SOURCES_MAX };
    uint64_t hash =
        guard_checksum(5, (struct guard_span){(const uint8_t *)source, strlen(source)}) | 1;
    if (history->sources == NULL)
        history->sources = calloc(PLACES, sizeof(history->sources[0]));
    if (history->sources == NULL)
        return false;
    if (history->sources_day != day) {
        memset(history->sources, 0, PLACES * sizeof(history->sources[0]));
        history->source_count = 0;
        history->sources_day = day;
    }
    uint64_t at = hash % PLACES;
    while (history->sources[at] != 0 && history->sources[at] != hash)
        at = (at + 1) % PLACES;
    if (history->sources[at] == hash)
        return true;
    if (history->source_count == HISTORY_SOURCES_MAX)
        return false;
    history->sources[at] = hash;
    history->source_count++;
    return true;
}

enum guard_rc history_take(struct services *services, struct service *service, const char *reporter,
                           const char *node, const struct document_node *batch,
                           struct guard_err *err)
{
    struct history *history = &service->history;
    if (batch == NULL)
        return GUARD_OK;
    if (strlen(node) > 16)
        return guard_fail(err, GUARD_E_SYNTAX, "history: node must be a short name");
    struct history_batch *taken = calloc(1, sizeof(*taken));
    if (taken == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the history");
    snprintf(taken->source, sizeof(taken->source), "%s %s %s", service->name_text, node, reporter);
    enum guard_rc rc = history_batch_read(taken, batch, clock_unix_ms() / 1000, err);
    if (rc == GUARD_OK &&
        (services->history_queued == HISTORY_QUEUE_MAX ||
         !source_fits(history, taken->source, clock_unix_ms() / 1000 / HISTORY_FINE_S)))
        rc = guard_fail(err, GUARD_E_NOMEM, "history: too much waits to be saved");
    if (rc != GUARD_OK || taken->count == 0) {
        free(taken);
        return rc;
    }
    taken->next = history->queue;
    history->queue = taken;
    services->history_queued++;
    return GUARD_OK;
}
