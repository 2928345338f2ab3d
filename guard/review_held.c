/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd holds back because too much was new at once: it has all the support that it needs, so
 * that only guardd, which knows what was trusted before, can tell. Its status names the ids; the
 * things themselves are in the model. */
#include "review_queue.h"

#include "command.h"
#include "state_files.h"

#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = GUARD_GROWTH_SHOWN };

struct held {
    struct review_service *service;
    char ids[HELD_MAX][GUARD_REVIEW_ID_CHARS + 1];
    uint32_t count;
};

static void read_ids(struct held *held, const struct document_node *service)
{
    const struct document_node *growth = member_of(service, "growth");
    const struct document_node *list = growth != NULL ? member_of(growth, "first_held") : NULL;
    for (const struct document_node *node = list != NULL ? list->first : NULL;
         node != NULL && held->count < HELD_MAX; node = node->next) {
        const char *id = text_of(node, "id");
        if (strlen(id) == GUARD_REVIEW_ID_CHARS)
            memcpy(held->ids[held->count++], id, GUARD_REVIEW_ID_CHARS + 1);
    }
}

static void read_status(struct held *held)
{
    char path[STATE_PATH_MAX];
    struct document document;
    if (state_path(path, held->service->dir, "", (struct guard_span){NULL, 0}, "status.json") !=
            GUARD_OK ||
        !state_document(path, &held->service->arena, &document, true))
        return;
    const struct document_node *services = member_of(document.root, "services");
    for (const struct document_node *node = services != NULL ? services->first : NULL; node != NULL;
         node = node->next) {
        if (strcmp(text_of(node, "service"), held->service->name_text) == 0)
            read_ids(held, node);
    }
}

static bool is_held(const struct held *held, const struct guard_review_element *element)
{
    char id[GUARD_REVIEW_ID_CHARS + 1];
    guard_review_id(id, held->service->name, element);
    for (uint32_t i = 0; i < held->count; i++) {
        if (strcmp(held->ids[i], id) == 0)
            return true;
    }
    return false;
}

static void add(struct held *held, const struct guard_review_pending *pending)
{
    struct guard_model *model = held->service->model;
    if (!is_held(held, &pending->element))
        return;
    for (uint32_t i = 0; i < model->pending_count; i++) {
        char ids[2][GUARD_REVIEW_ID_CHARS + 1];
        guard_review_id(ids[0], held->service->name, &model->pending[i].element);
        guard_review_id(ids[1], held->service->name, &pending->element);
        if (strcmp(ids[0], ids[1]) == 0)
            return;
    }
    model->pending[model->pending_count++] = *pending;
    model->pending_total++;
}

static void add_field(struct held *held, const struct guard_model_endpoint *endpoint,
                      const struct guard_model_field *field)
{
    struct guard_review_pending pending = {.records = field->values,
                                           .clients = field->clients,
                                           .support = field->support,
                                           .epochs = field->epochs};
    pending.element = (struct guard_review_element){
        .kind = GUARD_REVIEW_NAME, .location = field->location, .name = field->path};
    if (endpoint != NULL) {
        pending.element.status = endpoint->status;
        pending.element.method = endpoint->method;
        pending.element.template_text = endpoint->template_text;
    }
    add(held, &pending);
    pending.element.kind = GUARD_REVIEW_CHARACTER;
    for (uint64_t left = field->classes; left != 0; left &= left - 1) {
        pending.element.code = (uint32_t)__builtin_ctzll(left);
        add(held, &pending);
    }
    pending.element.kind = GUARD_REVIEW_LIKENESS;
    for (uint32_t left = field->likeness; left != 0; left &= left - 1) {
        pending.element.code = (uint32_t)__builtin_ctz(left);
        pending.likeness = 1u << pending.element.code;
        add(held, &pending);
    }
}

static void add_endpoint(struct held *held, const struct guard_model_endpoint *endpoint)
{
    const struct guard_model *model = held->service->model;
    const struct guard_review_pending pending = {
        .element = {.kind = GUARD_REVIEW_METHOD,
                    .status = endpoint->status,
                    .template_text = endpoint->template_text,
                    .text = endpoint->method},
        .records = endpoint->exchanges,
        .clients = endpoint->clients,
        .support = endpoint->support,
        .epochs = endpoint->epochs};
    if (endpoint->status == 0)
        add(held, &pending);
    for (uint32_t i = 0; endpoint->trusted && i < endpoint->field_count; i++)
        add_field(held, endpoint, &model->fields[endpoint->first_field + i]);
}

bool review_add_held(struct review_service *service)
{
    struct guard_model *model = service->model;
    struct held held = {.service = service};
    service->held_from = model->pending_count;
    read_status(&held);
    if (held.count == 0)
        return true;
    struct guard_review_pending *list =
        guard_arena_get(&service->arena, (model->pending_count + HELD_MAX) * sizeof(*list));
    if (list == NULL)
        return complain(0, "no memory") != 0;
    if (model->pending_count > 0)
        memcpy(list, model->pending, model->pending_count * sizeof(*list));
    model->pending = list;
    for (uint32_t i = 0; i < model->endpoint_count + model->answer_count; i++)
        add_endpoint(&held, &model->endpoints[i]);
    for (uint32_t i = 0; i < model->service_field_count; i++)
        add_field(&held, NULL, &model->fields[model->first_service_field + i]);
    return true;
}
