/* SPDX-License-Identifier: Apache-2.0 */
/* When to learn and what to publish: soon while a service is young, seldom when it is settled, at
 * once when people changed its Guardian. A policy file is replaced by rename; gates notice by
 * themselves. */
#include "service.h"

#include "common/file.h"
#include "common/log.h"

#include <guard/policy.h>

#include <stdlib.h>
#include <string.h>

enum {
    LEARN_MIN_MS = 1000,      /* between two learnings of one service */
    LEARN_SHARE = 20,         /* learning takes at most one part in so many of the time */
    PUBLISH_YOUNG_MS = 5000,  /* between publications while the service isn't ready */
    PUBLISH_READY_MS = 60000, /* and when it is */
    PUBLISH_AGAIN_MS = 5000,  /* after one that failed */
};

/* Protecting what is trusted matters before tables overflow, and costs the identity with piles made
 * elsewhere: only when it gets close. Cells; the default maximum is 49,152. */
enum { PROTECT_FROM_CELLS = 24576 };

static bool learning_due(const struct service *service, uint64_t exchanges, uint64_t now_ms)
{
    uint64_t pause = service->learn_cost_ms * LEARN_SHARE;
    if (service->urgent && !service->unpublished)
        return true;
    return exchanges != service->learned_exchanges &&
           now_ms - service->learned_ms >= (pause > LEARN_MIN_MS ? pause : LEARN_MIN_MS);
}

static bool learn(struct services *services, struct service *service,
                  const struct guard_pile_stats *stats, uint64_t now_ms)
{
    struct guard_review review = service_review(service);
    struct guard_learn_cfg cfg = {
        .alloc = heap_alloc(), .support = service->guardian.support, .review = &review};
    struct guard_model *model = NULL;
    struct guard_err err;
    service->learned_ms = now_ms;
    service->learned_exchanges = stats->exchanges;
    if (stats->cells > PROTECT_FROM_CELLS && !stats->overflowed &&
        guard_pile_protect(service->pile, service->guardian.support, &err) != GUARD_OK)
        log_event("warn", "not-protected", service->name, "%s", err.text);
    if (guard_learn(&model, service->pile, &cfg, &err) != GUARD_OK) {
        log_event("alarm", "not-learned", service->name, "%s", err.text);
        return false;
    }
    service->learn_cost_ms = clock_unix_ms() - now_ms;
    service_take_model(services, service, model, now_ms);
    return true;
}

static bool publication_due(const struct service *service, uint64_t valid_ms, uint64_t now_ms)
{
    if (service->unpublished)
        return now_ms - service->tried_ms >= PUBLISH_AGAIN_MS;
    /* Before the one in force expires, whatever it says. */
    if (valid_ms != 0 && now_ms - service->published_ms >= valid_ms / 2)
        return true;
    if (service->urgent || service->generation == 0 || service->published_ms == 0)
        return true;
    if (service->rollback.model != NULL)
        return false;
    bool ready = service->model->ready;
    if (ready != service->published_ready)
        return true;
    uint64_t grown = service->learned_exchanges - service->published_exchanges;
    if (!ready)
        return grown > 0 && now_ms - service->published_ms >= PUBLISH_YOUNG_MS;
    return grown * 100 >= service->published_exchanges && grown > 0 &&
           now_ms - service->published_ms >= PUBLISH_READY_MS;
}

/* The generation counts up from what the store and the file in place know, so that no gate sees an
 * older one after a loss of the store. */
static uint64_t next_generation(const struct services *services, const struct service *service,
                                const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    uint64_t generation = service->generation;
    struct guard_alloc heap = heap_alloc();
    struct guard_policy *policy = NULL;
    struct guard_policy_info info;
    if (service->published_ms == 0 &&
        file_read(path, (size_t)64 << 20, &bytes, &len, NULL) == GUARD_OK &&
        guard_policy_load(&policy, &heap, (struct guard_span){bytes, len}, service->name,
                          services->signing->public_key, NULL) == GUARD_OK) {
        guard_policy_info(policy, &info);
        if (info.generation > generation)
            generation = info.generation;
        guard_policy_unref(policy);
    }
    free(bytes);
    return generation + 1;
}

/* As gates are told of them. */
static uint32_t revisions_told(const struct service *service,
                               struct guard_policy_revision out[REVISIONS_KEPT])
{
    for (uint32_t i = 0; i < service->revisions.count; i++) {
        const struct revision *revision = &service->revisions.list[i];
        out[i] = (struct guard_policy_revision){
            guard_revision_id(
                (struct guard_span){(const uint8_t *)revision->text, strlen(revision->text)}),
            revision->until_ms};
    }
    return service->revisions.count;
}

static bool write_policy(struct services *services, struct service *service, uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (state_path(path, services->state, "policies", service->name, ".policy") != GUARD_OK)
        return false;
    struct guard_policy_revision revisions[REVISIONS_KEPT];
    struct guard_policy_release releases[GUARD_POLICY_RELEASES];
    struct guard_policy_cfg cfg = {
        .alloc = heap_alloc(),
        .generation = next_generation(services, service, path),
        .created_ms = now_ms,
        .expires_ms = services->policy_valid_ms != 0 ? now_ms + services->policy_valid_ms : 0,
        .revisions = revisions,
        .revision_count = revisions_told(service, revisions),
        .releases = releases,
        .release_count = releases_let_in(&service->releases, now_ms, releases)};
    const struct guard_model *model =
        service->rollback.model != NULL ? service->rollback.model : service->model;
    enum guard_rc rc = guard_policy_compile(&bytes, &len, model, &service->guardian, &cfg,
                                            services->signing->secret, &err);
    if (rc == GUARD_OK)
        rc = file_replace(path, (struct guard_span){bytes, len}, 0640, true, &err);
    if (rc != GUARD_OK) {
        free(bytes);
        if (!service->unpublished)
            log_event("alarm", "not-published", service->name, "%s; tried again", err.text);
        return false;
    }
    service->generation = cfg.generation;
    service->replica.offered = cfg.generation;
    clients_follow(services, service, bytes, len);
    return true;
}

/* The bytes are the caller's to free; NULL when there are none. */
static uint8_t *export_pile(struct services *services, struct service *service, size_t *len)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    uint8_t *bytes = NULL;
    if (service->damaged ||
        state_path(path, services->state, "piles", service->name, ".pile") != GUARD_OK)
        return NULL;
    enum guard_rc rc = guard_pile_encode(service->pile, &bytes, len, &err);
    if (rc == GUARD_OK)
        rc = file_replace(path, (struct guard_span){bytes, *len}, 0640, false, &err);
    if (rc != GUARD_OK)
        log_event("warn", "pile-not-exported", service->name, "%s", err.text);
    return bytes;
}

/* What a settled service learned is kept, so that one can go back to it. What it learned while it
 * was young changes by the second, and is of no use. */
static void keep_generation(struct service *service, uint8_t *bytes, size_t len, uint64_t now_ms)
{
    const struct generations *kept = &service->generations;
    bool same =
        kept->count > 0 && kept->list[kept->count - 1].exchanges == service->learned_exchanges;
    if (bytes == NULL || !service->model->ready || service->rollback.model != NULL || same) {
        free(bytes);
        return;
    }
    free(service->snapshot.bytes);
    service->snapshot =
        (struct snapshot){.generation = {service->generation, now_ms, service->learned_exchanges},
                          .bytes = bytes,
                          .len = len};
}

static void publish(struct services *services, struct service *service, uint64_t now_ms)
{
    bool ready = service->model->ready;
    bool first = service->published_ms == 0;
    if (!write_policy(services, service, now_ms)) {
        service->unpublished = true;
        service->tried_ms = now_ms;
        return;
    }
    if (first || ready != service->published_ready || service->urgent || service->unpublished)
        log_event("info", "published", service->name, "generation %llu, mode %s, %s",
                  (unsigned long long)service->generation,
                  guard_mode_name(service->guardian.request_mode), ready ? "ready" : "learning");
    service->breaker.generation = service->generation;
    breaker_published(&service->breaker, !first && !service->by_people && service->published_ready,
                      now_ms);
    service->published_ms = now_ms;
    service->published_ready = ready;
    service->published_exchanges = service->learned_exchanges;
    service->urgent = false;
    service->by_people = false;
    service->unpublished = false;
    service->dirty = true; /* the generation */
    size_t len = 0;
    uint8_t *bytes = export_pile(services, service, &len);
    keep_generation(service, bytes, len, now_ms);
}

void services_publish(struct services *services, uint64_t now_ms)
{
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        struct guard_pile_stats stats;
        if (service->damaged || services->uplink != NULL || !replica_publishes(services, service))
            continue;
        guard_pile_stats(service->pile, &stats);
        if ((service->model == NULL || learning_due(service, stats.exchanges, now_ms)) &&
            !learn(services, service, &stats, now_ms))
            continue;
        if (publication_due(service, services->policy_valid_ms, now_ms))
            publish(services, service, now_ms);
    }
}

void services_export(struct services *services)
{
    for (uint32_t i = 0; i < services->count; i++) {
        size_t len = 0;
        free(export_pile(services, services->list[i], &len));
    }
}
