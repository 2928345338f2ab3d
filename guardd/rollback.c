/* SPDX-License-Identifier: Apache-2.0 */
/* Going back to what an older generation had learned: because people say so in
 * rollback/SERVICE.json, or because the breaker does, which writes the same document. Learning goes
 * on meanwhile; only what is enforced is held. Policies are compiled anew with the Guardian of now,
 * under a new generation number: so no gate ever takes an older one. */
#include "service.h"

#include "common/document.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t breaker_holds_ms = UINT64_C(24) * 3600 * 1000;

struct request {
    uint64_t generation;
    uint64_t until_ms;
    char by[128];
};

static uint64_t number_in(const struct document_node *node)
{
    const char *text = (const char *)node->text.ptr;
    char *end = NULL;
    uint64_t number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    return end != NULL && *end == '\0' ? number : 0;
}

static enum guard_rc read_members(const struct document *document, struct request *out,
                                  struct guard_err *err)
{
    *out = (struct request){0};
    const struct document_node *root = document->root;
    if (root->kind != DOCUMENT_MAPPING)
        return document_fail(document, root, GUARD_E_SYNTAX, err, "must be an object");
    for (const struct document_node *node = root->first; node != NULL; node = node->next) {
        const char *name = (const char *)node->key->text.ptr;
        if (node->kind != DOCUMENT_SCALAR)
            return document_fail(document, node, GUARD_E_SYNTAX, err, "%s: must be a scalar", name);
        if (strcmp(name, "generation") == 0)
            out->generation = number_in(node);
        else if (strcmp(name, "until_ms") == 0)
            out->until_ms = number_in(node);
        else if (strcmp(name, "by") == 0)
            snprintf(out->by, sizeof(out->by), "%s", (const char *)node->text.ptr);
    }
    return out->generation > 0 ? GUARD_OK
                               : document_fail(document, root, GUARD_E_RANGE, err,
                                               "generation: must be a number from 1");
}

static enum guard_rc read_request(const char *path, struct request *out, struct guard_err *err)
{
    enum { REQUEST_MAX = 16384 };
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    uint8_t *bytes = NULL;
    size_t len = 0;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    enum guard_rc rc = file_read(path, REQUEST_MAX, &bytes, &len, err);
    if (rc == GUARD_OK)
        rc = document_parse(&document, path, (struct guard_span){bytes, len}, &arena, err);
    if (rc == GUARD_OK)
        rc = read_members(&document, out, err);
    free(bytes);
    guard_arena_reset(&arena);
    return rc;
}

struct restoring {
    struct service *service;
    struct guard_model *model;
};

static enum guard_rc restore(void *ctx, struct guard_span bytes, struct guard_err *err)
{
    struct restoring *restoring = ctx;
    struct service *service = restoring->service;
    struct guard_pile_cfg pile_cfg = {.alloc = heap_alloc(), .service = service->name};
    struct guard_review review = service_review(service);
    struct guard_learn_cfg learn_cfg = {
        .alloc = heap_alloc(), .support = service->guardian.support, .review = &review};
    struct guard_pile *pile = NULL;
    memcpy(pile_cfg.key, service->key, GUARD_KEY_BYTES);
    GUARD_TRY(guard_pile_decode(&pile, &pile_cfg, bytes, err));
    enum guard_rc rc = guard_learn(&restoring->model, pile, &learn_cfg, err);
    guard_pile_free(pile);
    return rc;
}

enum guard_rc service_model_of(struct services *services, struct service *service,
                               uint64_t generation, struct guard_model **out, struct guard_err *err)
{
    struct restoring restoring = {.service = service};
    *out = NULL;
    GUARD_TRY(store_load_generation(services->store, service->name, generation, restore, &restoring,
                                    err));
    *out = restoring.model;
    return GUARD_OK;
}

static void end(struct service *service, const char *why)
{
    if (service->rollback.model != NULL) {
        log_event("info", "rollback-ended", service->name, "generation %llu: %s",
                  (unsigned long long)service->rollback.generation, why);
        service->urgent = true;
    }
    guard_model_free(service->rollback.model);
    service->rollback.model = NULL;
    service->rollback.generation = 0;
}

/* A document that can't be followed changes nothing. */
static void begin(struct services *services, struct service *service, const char *path,
                  uint64_t now_ms)
{
    struct request request;
    struct guard_model *model = NULL;
    struct guard_err err;
    enum guard_rc rc = read_request(path, &request, &err);
    if (rc == GUARD_OK && request.until_ms != 0 && request.until_ms <= now_ms) {
        end(service, "its time is over");
        return;
    }
    if (rc == GUARD_OK)
        rc = service_model_of(services, service, request.generation, &model, &err);
    if (rc != GUARD_OK) {
        log_event("alarm", "rollback-refused", service->name, "%s", err.text);
        return;
    }
    guard_model_free(service->rollback.model);
    service->rollback.model = model;
    service->rollback.generation = request.generation;
    service->rollback.until_ms = request.until_ms;
    service->urgent = true;
    service->by_people = true;
    log_event("info", "rolled-back", service->name, "to generation %llu, by %s",
              (unsigned long long)request.generation, request.by);
}

/* The breaker asks as people do, so that people see and end it in the same way. */
static void revert(struct service *service, const char *path, const struct breaker_count *in_force,
                   const struct breaker_count *before, uint64_t now_ms)
{
    char text[1024];
    char reason[512];
    struct json_writer json;
    struct guard_err err;
    const struct generation *to = generations_before(&service->generations, service->generation);
    snprintf(reason, sizeof(reason),
             "generation %llu would block %u of %u established clients, the one before %u of %u",
             (unsigned long long)service->generation, in_force->blocked, in_force->seen,
             before->blocked, before->seen);
    service->breaker.watching = false; /* said once */
    if (to == NULL) {
        log_event("alarm", "not-reverted", service->name, "%s; none before it is kept", reason);
        return;
    }
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "generation", (int64_t)to->number);
    json_integer(&json, "until_ms", (int64_t)(now_ms + breaker_holds_ms));
    json_text(&json, "reason", reason);
    json_text(&json, "by", "guardd");
    json_close(&json, '}');
    if (file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640, true,
                     &err) != GUARD_OK)
        log_event("alarm", "not-reverted", service->name, "%s; %s", reason, err.text);
    else
        log_event("alarm", "generation-reverted", service->name, "%s", reason);
}

static void watch(struct services *services, struct service *service, uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    struct breaker_count in_force;
    struct breaker_count before;
    if (state_path(path, services->state, "rollback", service->name, ".json") != GUARD_OK)
        return;
    if (service->rollback.model == NULL &&
        breaker_tripped(&service->breaker, service->guardian.false_alarm_budget, &in_force,
                        &before))
        revert(service, path, &in_force, &before, now_ms);
    if (stat(path, &info) != 0) {
        end(service, "it was ended");
        service->rollback.stamp = 0;
        return;
    }
    if (file_stamp(&info) != service->rollback.stamp) {
        service->rollback.stamp = file_stamp(&info);
        begin(services, service, path, now_ms);
    } else if (service->rollback.model != NULL && service->rollback.until_ms != 0 &&
               service->rollback.until_ms <= now_ms) {
        end(service, "its time is over");
    }
}

void services_watch_rollbacks(struct services *services, uint64_t now_ms)
{
    for (uint32_t i = 0; i < services->count; i++)
        watch(services, services->list[i], now_ms);
}
