/* SPDX-License-Identifier: Apache-2.0 */
/* Piles of children are hostile until they were decoded, held against who sent them, and admitted
 * as shares. */
#include "guardd/tree/inbox.h"

#include "guardd/service.h"
#include "guardd/tree/role.h"

#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCERS_OF_PILE = 4096 };
static const char ledger_kind[] = "ledger";

enum guard_rc inbox_open(struct inbox *inbox, struct store *store, const char *whole,
                         struct guard_err *err)
{
    *inbox = (struct inbox){.whole = whole, .batch = 1};
    inbox->seen = calloc(SUMMARY_SEEN, sizeof(inbox->seen[0]));
    if (inbox->seen == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for what children send");
    return producers_open(&inbox->producers, store, err);
}

void inbox_close(struct inbox *inbox)
{
    producers_free(inbox->producers);
    free(inbox->seen);
    *inbox = (struct inbox){.producers = NULL};
}

void inbox_queue_free(struct inbox_queue *queue)
{
    while (queue->first != NULL) {
        struct inbox_delta *next = queue->first->next;
        free(queue->first->bytes);
        free(queue->first);
        queue->first = next;
    }
    queue->last = NULL;
    queue->count = 0;
}

static enum guard_rc check_producers(const struct inbox *inbox, const struct guard_pile *pile,
                                     const char *reporter, struct guard_err *err)
{
    struct guard_interval interval;
    if (!producers_room(inbox->producers, PRODUCERS_OF_PILE))
        return guard_fail(err, GUARD_E_IO, "there are too many producers already");
    for (uint32_t i = 0; guard_pile_interval(pile, i, &interval); i++) {
        if (!producers_may(inbox->producers, interval.producer, reporter))
            return guard_fail(err, GUARD_E_FOREIGN,
                              "holds records of producer %016" PRIx64
                              ", which another reporter speaks for",
                              interval.producer);
    }
    return GUARD_OK;
}

/* Behind the merge: a pile that is refused claims nothing. */
static void bind_producers(struct inbox *inbox, const struct service *service,
                           const struct guard_pile *pile, const char *reporter)
{
    struct guard_interval interval;
    struct guard_err err;
    for (uint32_t i = 0; guard_pile_interval(pile, i, &interval); i++) {
        if (producers_bind(inbox->producers, interval.producer, reporter, &err) != GUARD_OK) {
            log_event("alarm", "producer-not-bound", service->name, "%s", err.text);
            return;
        }
    }
}

static struct guard_pile_cfg cfg_of(const struct service *service)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc(), .service = service->name};
    memcpy(cfg.key, service->key, GUARD_KEY_BYTES);
    return cfg;
}

static enum guard_rc open_share(struct services *services, const struct service *service,
                                const char *reporter, struct guard_span bytes,
                                struct guard_pile **out, struct guard_err *err)
{
    struct guard_pile_cfg cfg = cfg_of(service);
    struct guard_share share = {.now_ms = clock_unix_ms(),
                                .whole = tree_listed(services->inbox.whole, reporter)};
    struct inbox *inbox = &services->inbox;
    GUARD_TRY(guard_pile_decode(out, &cfg, bytes, err));
    enum guard_rc rc = check_producers(inbox, *out, reporter, err);
    if (rc == GUARD_OK)
        rc = guard_pile_admit(*out, &share, err);
    if (rc == GUARD_OK && services->run != 0)
        rc = producers_share(inbox->producers, services->store, *out, reporter, err);
    if (rc == GUARD_OK && services->run != 0) /* another root may have been first */
        rc = check_producers(inbox, *out, reporter, err);
    if (rc != GUARD_OK) {
        guard_pile_free(*out);
        *out = NULL;
    }
    return rc;
}

/* The admitted pile, as it goes into the store. */
static struct inbox_delta *delta_of(const struct guard_pile *pile)
{
    struct inbox_delta *delta = calloc(1, sizeof(*delta));
    if (delta != NULL && guard_pile_encode(pile, &delta->bytes, &delta->len, NULL) != GUARD_OK) {
        free(delta);
        return NULL;
    }
    return delta;
}

static void enqueue(struct inbox *inbox, struct inbox_queue *queue, struct inbox_delta *delta)
{
    if (queue->last == NULL)
        queue->last = &queue->first;
    *queue->last = delta;
    queue->last = &delta->next;
    queue->count++;
    inbox->waiting += delta->len;
}

/* An aggregator's open pile says nothing of what was passed on already: its ledger does. */
static enum guard_rc merge_into(struct service *service, const struct guard_pile *pile,
                                enum guard_merge *merged, struct guard_err *err)
{
    if (service->held == NULL)
        return guard_pile_merge(service->pile, pile, merged, err);
    GUARD_TRY(guard_pile_hold(service->held, pile, merged, err));
    if (*merged == GUARD_MERGE_CONTAINED)
        return GUARD_OK;
    enum guard_rc rc = guard_pile_merge(service->pile, pile, NULL, err);
    if (rc != GUARD_OK) /* the ledger says more than is true now: what it says came is lost */
        log_event("alarm", "pile-lost", service->name, "%s", err->text);
    return rc;
}

static enum guard_rc merge(struct services *services, struct service *service,
                           struct guard_pile *pile, enum inbox_outcome *outcome,
                           struct guard_err *err)
{
    struct inbox *inbox = &services->inbox;
    enum guard_merge merged;
    struct inbox_delta *delta = delta_of(pile);
    if (delta == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a delta");
    bool fed = services->run != 0 && !service->replica.learns; /* its learner merges it */
    merged = GUARD_MERGE_ADDED;
    enum guard_rc rc = fed ? GUARD_OK : merge_into(service, pile, &merged, err);
    if (rc == GUARD_OK && merged == GUARD_MERGE_CONTAINED)
        *outcome = INBOX_CONTAINED;
    if (rc != GUARD_OK || merged == GUARD_MERGE_CONTAINED) {
        free(delta->bytes);
        free(delta);
        service_failed(service, rc, err);
        return rc;
    }
    *outcome = INBOX_ADDED;
    enqueue(inbox, &service->inbox, delta);
    if (fed)
        return GUARD_OK;
    service_merged(service);
    outbox_observed(services, service, clock_unix_ms());
    return GUARD_OK;
}

static void count(struct inbox *inbox, enum inbox_outcome outcome)
{
    inbox->added += outcome == INBOX_ADDED;
    inbox->contained += outcome == INBOX_CONTAINED;
    inbox->paused += outcome == INBOX_PAUSED;
}

static enum guard_rc take(struct services *services, struct service *service, const char *reporter,
                          struct guard_span bytes, enum inbox_outcome *outcome,
                          struct guard_err *err)
{
    struct inbox *inbox = &services->inbox;
    struct guard_pile *pile = NULL;
    if (service->damaged)
        return guard_fail(err, GUARD_E_NOMEM, "the service's pile was left incomplete");
    if (inbox->waiting + bytes.len > INBOX_WAITING_MAX)
        return guard_fail(err, GUARD_E_IO, "too much waits to be saved");
    GUARD_TRY(open_share(services, service, reporter, bytes, &pile, err));
    enum guard_rc rc = GUARD_OK;
    *outcome = INBOX_PAUSED;
    if (service->guardian.learn)
        rc = merge(services, service, pile, outcome, err);
    if (rc == GUARD_OK)
        bind_producers(inbox, service, pile, reporter);
    guard_pile_free(pile);
    return rc;
}

enum guard_rc inbox_take(struct services *services, struct service *service, const char *reporter,
                         struct guard_span bytes, enum inbox_outcome *outcome, uint64_t *ticket,
                         struct guard_err *err)
{
    struct inbox *inbox = &services->inbox;
    enum guard_rc rc = take(services, service, reporter, bytes, outcome, err);
    if (rc != GUARD_OK) {
        inbox->refused += rc != GUARD_E_NOMEM && rc != GUARD_E_IO;
        return rc;
    }
    /* What was held already may itself wait for this commit. */
    count(inbox, *outcome);
    *ticket = inbox->batch;
    inbox->open = true;
    return GUARD_OK;
}

/* --- the store --- */

static enum guard_rc take_stored(void *ctx, uint64_t number, struct guard_span bytes)
{
    struct service *service = ctx;
    struct guard_pile_cfg cfg = cfg_of(service);
    struct guard_pile *pile = NULL;
    struct guard_err err;
    service->inbox.number = number;
    service->inbox.stored++;
    enum guard_rc rc = guard_pile_decode(&pile, &cfg, bytes, &err);
    enum guard_merge merged;
    if (rc == GUARD_OK)
        rc = merge_into(service, pile, &merged, &err);
    guard_pile_free(pile);
    if (rc == GUARD_OK)
        service_merged(service);
    if (rc == GUARD_E_NOMEM)
        return rc;
    if (rc != GUARD_OK)
        log_event("alarm", "delta-lost", service->name, "%s", err.text);
    return GUARD_OK;
}

static enum guard_rc take_ledger(void *ctx, struct guard_span name, struct guard_span value)
{
    struct service *service = ctx;
    const struct guard_pile_cfg cfg = cfg_of(service);
    struct guard_pile *ledger = NULL;
    struct guard_err err;
    if (name.len != service->name.len || memcmp(name.ptr, service->name.ptr, name.len) != 0)
        return GUARD_OK;
    if (guard_pile_decode(&ledger, &cfg, value, &err) != GUARD_OK) {
        log_event("alarm", "ledger-damaged", service->name, "%s: what is sent again counts twice",
                  err.text);
        return GUARD_OK;
    }
    guard_pile_free(service->held);
    service->held = ledger;
    return GUARD_OK;
}

static enum guard_rc open_ledger(struct services *services, struct service *service,
                                 struct guard_err *err)
{
    GUARD_TRY(service_new_pile(service, &service->held, err));
    return store_list_notes(services->store, ledger_kind, take_ledger, service, err);
}

enum guard_rc inbox_open_service(struct services *services, struct service *service,
                                 struct guard_err *err)
{
    return services->role == TREE_AGGREGATOR && service->held == NULL
               ? open_ledger(services, service, err)
               : GUARD_OK;
}

static enum guard_rc save_ledger(struct services *services, const struct service *service,
                                 struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (service->held == NULL)
        return GUARD_OK;
    GUARD_TRY(guard_pile_encode(service->held, &bytes, &len, err));
    enum guard_rc rc = store_save_note(services->store, ledger_kind, service->name,
                                       (struct guard_span){bytes, len}, err);
    free(bytes);
    return rc;
}

enum guard_rc inbox_load(struct services *services, struct service *service, struct guard_err *err)
{
    if (services->role == TREE_AGGREGATOR)
        GUARD_TRY(open_ledger(services, service, err));
    return store_list_deltas(services->store, service->name, take_stored, service, err);
}

enum guard_rc inbox_feed(struct services *services, const struct service *service, uint64_t taken,
                         struct guard_err *err)
{
    for (const struct inbox_delta *delta = service->inbox.first; delta != NULL;
         delta = delta->next) {
        const struct store_feed feed = {.service = service->name,
                                        .number = ++services->feeds,
                                        .pile = {delta->bytes, delta->len},
                                        .taken = taken};
        GUARD_TRY(store_save_feed(services->store, &feed, err));
    }
    return GUARD_OK;
}

enum guard_rc inbox_merge_again(const struct service *service, struct guard_pile *into,
                                struct guard_err *err)
{
    const struct guard_pile_cfg cfg = cfg_of(service);
    for (const struct inbox_delta *delta = service->inbox.first; delta != NULL;
         delta = delta->next) {
        struct guard_pile *pile = NULL;
        GUARD_TRY(
            guard_pile_decode(&pile, &cfg, (struct guard_span){delta->bytes, delta->len}, err));
        enum guard_rc rc = guard_pile_merge(into, pile, NULL, err);
        guard_pile_free(pile);
        if (rc == GUARD_E_NOMEM)
            return rc;
        if (rc != GUARD_OK)
            log_event("alarm", "delta-lost", service->name, "%s", err->text);
    }
    return GUARD_OK;
}

void inbox_drop(struct inbox *inbox, struct inbox_queue *queue)
{
    for (const struct inbox_delta *delta = queue->first; delta != NULL; delta = delta->next)
        inbox->waiting -= delta->len;
    inbox_queue_free(queue);
}

bool inbox_folds(const struct inbox_queue *queue, uint64_t now_ms)
{
    uint32_t count = queue->stored + queue->count;
    return count >= INBOX_FOLD_COUNT ||
           (count > 0 && (now_ms < queue->folded_ms || now_ms - queue->folded_ms >= INBOX_FOLD_MS));
}

enum guard_rc inbox_save(struct services *services, struct service *service, bool whole,
                         struct guard_err *err)
{
    struct inbox_queue *queue = &service->inbox;
    uint64_t number = queue->number;
    if (whole)
        GUARD_TRY(save_ledger(services, service, err));
    if (whole)
        return queue->stored > 0 ? store_drop_deltas(services->store, service->name, INT64_MAX, err)
                                 : GUARD_OK;
    for (const struct inbox_delta *delta = queue->first; delta != NULL; delta = delta->next)
        GUARD_TRY(store_add_delta(services->store, service->name, ++number,
                                  (struct guard_span){delta->bytes, delta->len}, err));
    return GUARD_OK;
}

void inbox_saved(struct inbox *inbox, struct inbox_queue *queue, bool whole, uint64_t now_ms)
{
    queue->stored = whole ? 0 : queue->stored + queue->count;
    queue->number += queue->count;
    if (whole || queue->folded_ms == 0)
        queue->folded_ms = now_ms;
    inbox_drop(inbox, queue);
}

void inbox_commit(struct inbox *inbox, bool good)
{
    if (!inbox->open)
        return;
    if (good)
        inbox->committed = inbox->batch;
    else
        inbox->failed = inbox->batch;
    inbox->batch++;
    inbox->open = false;
}
