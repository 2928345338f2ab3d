/* SPDX-License-Identifier: Apache-2.0 */
/* What was trusted some hours ago bounds what is trusted now: more than its share waits, and is
 * told of. The earlier model is kept in memory; after a restart it is that of the newest generation
 * that is kept and as old, so that what began to wait lately isn't let in by a restart. */
#include "service.h"

#include "common/log.h"

#include <string.h>

/* A slot of epochs: what D clients do in one of them can be trusted in the next. */
static const uint64_t growth_ms = UINT64_C(3) * 3600 * 1000;
/* Before that a service is being learned: on generated streams what is trusted grows by 25 to 45 %
 * with each doubling of their exchanges up to 4,000, and by at most a fifth from there on. */
static const uint64_t settled_exchanges = 5000;

static bool is_due(const struct service *service, uint64_t now_ms)
{
    const struct guard_model *parent = service->parent;
    return parent == NULL || now_ms < service->parent_ms ||
           now_ms - service->parent_ms >= growth_ms ||
           service->model->exchanges / 2 >= parent->exchanges;
}

static void tell(struct service *service, uint32_t held_before)
{
    const struct guard_growth *growth = &service->growth;
    /* Published, so that what people review is what is held. */
    service->urgent = service->urgent || (growth->held > 0) != (held_before > 0);
    if (growth->held > 0 && held_before == 0)
        log_event("warn", "growth-held", service->name,
                  "%u new elements are trusted, %u more wait: that is much at once", growth->grown,
                  growth->held);
    else if (growth->held == 0 && held_before > 0)
        log_event("info", "growth-let-in", service->name, "%u new elements are trusted",
                  growth->grown);
}

/* The model in force becomes the one that growth is measured against; the first one when the
 * service is ready and settled, as a first learning isn't growth. */
static void follow(struct service *service, uint64_t now_ms)
{
    if (service->model == NULL || !service->model->ready ||
        service->model->exchanges < settled_exchanges || !is_due(service, now_ms))
        return;
    guard_model_free(service->parent);
    service->parent = service->model;
    service->parent_ms = now_ms;
    service->model = NULL;
}

static void recall(struct services *services, struct service *service, uint64_t now_ms)
{
    struct guard_err err;
    const struct generations *kept = &service->generations;
    if (service->parent != NULL || service->parent_recalled)
        return;
    service->parent_recalled = true;
    /* The newest that is as old as a parent may be, else the oldest of a settled service: later
     * ones hold what waits. */
    const struct generation *from = NULL;
    for (uint32_t i = 0; i < kept->count; i++) {
        if (kept->list[i].exchanges >= settled_exchanges &&
            (from == NULL || kept->list[i].created_ms + growth_ms <= now_ms))
            from = &kept->list[i];
    }
    if (from == NULL)
        return;
    if (service_model_of(services, service, from->number, &service->parent, &err) != GUARD_OK)
        log_event("warn", "growth-unbounded", service->name, "%s", err.text);
    service->parent_ms = now_ms;
    if (service->parent != NULL && service->parent->exchanges < settled_exchanges) {
        guard_model_free(service->parent);
        service->parent = NULL;
    }
}

void service_take_model(struct services *services, struct service *service,
                        struct guard_model *model, uint64_t now_ms)
{
    struct guard_review review = service_review(service);
    uint32_t held_before = service->growth.held;
    recall(services, service, now_ms);
    follow(service, now_ms);
    service->growth = (struct guard_growth){.held = 0};
    if (service->parent != NULL)
        guard_model_hold_growth(model, service->parent, &review, &service->growth);
    guard_model_free(service->model);
    service->model = model;
    tell(service, held_before);
}
