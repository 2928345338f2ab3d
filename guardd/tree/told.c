/* SPDX-License-Identifier: Apache-2.0 */
/* Each root does with a summary what it would do had it come to itself, alerts apart: those stand
 * in the log of the one that was told. */
#include "guardd/tree/told.h"

#include "guardd/pods/gates_told.h"
#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static const struct guard_span no_service = {NULL, 0};

static void item_free(struct told_item *item)
{
    free(item->service);
    free(item->reporter);
    free(item);
}

static struct told_item *item_new(const struct service *service, const char *reporter,
                                  struct guard_span document)
{
    struct told_item *item = malloc(sizeof(*item) + document.len);
    if (item == NULL)
        return NULL;
    *item = (struct told_item){
        .service = strdup(service->name_text), .reporter = strdup(reporter), .len = document.len};
    if (item->service == NULL || item->reporter == NULL) {
        item_free(item);
        return NULL;
    }
    if (document.len > 0)
        memcpy(item->document, document.ptr, document.len);
    return item;
}

enum guard_rc told_keep(struct services *services, const struct service *service,
                        const char *reporter, struct guard_span document, struct guard_err *err)
{
    struct told *told = &services->told;
    if (told->count == TOLD_MAX || told->bytes + document.len > TOLD_BYTES_MAX)
        return guard_fail(err, GUARD_E_IO, "too much waits to be saved");
    struct told_item *item = item_new(service, reporter, document);
    if (item == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for what children tell");
    if (told->last == NULL)
        told->last = &told->first;
    *told->last = item;
    told->last = &item->next;
    told->count++;
    told->bytes += item->len;
    return GUARD_OK;
}

static struct guard_span word(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

enum guard_rc told_save(struct services *services, struct guard_err *err)
{
    for (const struct told_item *item = services->told.first; item != NULL; item = item->next) {
        const struct store_told stored = {.service = word(item->service),
                                          .reporter = word(item->reporter),
                                          .document = {item->document, item->len}};
        GUARD_TRY(store_save_told(services->store, &stored, err));
    }
    return GUARD_OK;
}

void told_free(struct told *told)
{
    while (told->first != NULL) {
        struct told_item *next = told->first->next;
        item_free(told->first);
        told->first = next;
    }
    told->last = NULL;
    told->count = 0;
    told->bytes = 0;
}

enum guard_rc told_forget(struct services *services, const struct service *service,
                          struct guard_err *err)
{
    struct told *told = &services->told;
    struct told_item **at = &told->first;
    while (*at != NULL) {
        struct told_item *item = *at;
        if (strcmp(item->service, service->name_text) != 0) {
            at = &item->next;
            continue;
        }
        *at = item->next;
        told->count--;
        told->bytes -= item->len;
        item_free(item);
    }
    told->last = at;
    return store_forget_told(services->store, service->name, err);
}

static enum guard_rc hear(void *ctx, const struct store_told *told)
{
    struct services *services = ctx;
    char reporter[REPORTER_CAP];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    struct service *service = services_find(services, told->service);
    if (service == NULL || told->reporter.len >= sizeof(reporter))
        return GUARD_OK;
    memcpy(reporter, told->reporter.ptr, told->reporter.len);
    reporter[told->reporter.len] = '\0';
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    enum guard_rc rc = document_parse(&document, "told", told->document, &arena, &err);
    if (rc == GUARD_OK)
        rc = summary_hear(services, service, reporter, &document, told->age_ms, &err);
    if (rc == GUARD_OK)
        gates_hear(services, service, reporter, document.root, told->age_ms);
    guard_arena_reset(&arena);
    if (rc != GUARD_OK)
        log_event("warn", "summary-not-heard", service->name, "%s", err.text);
    services->told.heard += rc == GUARD_OK;
    return GUARD_OK;
}

void told_tick(struct services *services, uint64_t now_ms)
{
    struct told *told = &services->told;
    struct guard_err err;
    gates_share(services, now_ms);
    enum guard_rc rc = store_list_told(services->store, &told->moment, hear, services, &err);
    if (rc == GUARD_OK &&
        (now_ms < told->dropped_ms || now_ms - told->dropped_ms >= TOLD_DROP_MS)) {
        rc = store_drop_told(services->store, &err);
        told->dropped_ms = now_ms;
    }
    if (rc != GUARD_OK && !told->failing)
        log_event("warn", "others-not-heard", no_service, "%s; tried again", err.text);
    told->failing = rc != GUARD_OK;
}
