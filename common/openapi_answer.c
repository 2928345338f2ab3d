/* SPDX-License-Identifier: Apache-2.0 */
/* Responses by class of status: of the endpoint where it was learned, else of the service. */
#include "common/openapi_parts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SHARED (1u << GUARD_LOCATION_HEADER | 1u << GUARD_LOCATION_COOKIE)

enum { FIRST = 1, LAST = 5, FAILURES = 4 };

/* The model's response of the class; NULL when none is told. */
static const struct guard_model_endpoint *learned(const struct openapi *ctx, uint32_t of,
                                                  uint32_t status)
{
    const struct guard_model *model = ctx->model;
    for (uint32_t i = 0; i < model->answer_count; i++) {
        const struct guard_model_endpoint *answer = &model->endpoints[model->endpoint_count + i];
        if (answer->answer_of == of && answer->status == status &&
            (answer->trusted || ctx->cfg->pending))
            return answer;
    }
    return NULL;
}

/* Whose content people speak of: what fails has another. NULL: nobody says anything. */
static const struct guard_response_rule *content_rule(const struct guard_response_rule *rule,
                                                      uint32_t status)
{
    if (status >= FAILURES)
        return rule->failures;
    return status <= 2 ? rule : NULL;
}

enum guard_rc openapi_common_answers(struct openapi *ctx, struct guard_err *err)
{
    const struct guard_response_rule *rule =
        ctx->cfg->guardian != NULL ? ctx->cfg->guardian->response : NULL;
    for (uint32_t status = FIRST; status <= LAST; status++) {
        const struct guard_model_endpoint *answer = learned(ctx, GUARD_NO_INDEX, status);
        struct openapi_tree *tree = &ctx->answers[status];
        if (answer != NULL)
            GUARD_TRY(
                openapi_tree_learned(ctx, tree, answer->first_field, answer->field_count, err));
        if (rule != NULL)
            GUARD_TRY(openapi_tree_said(ctx, tree, rule->fields, rule->field_count, SHARED, err));
        if (rule != NULL && content_rule(rule, status) != NULL &&
            content_rule(rule, status) != rule)
            GUARD_TRY(openapi_tree_said(ctx, tree, rule->failures->fields,
                                        rule->failures->field_count, SHARED, err));
    }
    return GUARD_OK;
}

static bool is_header(struct openapi *ctx, const struct openapi_node *node,
                      char name[OPENAPI_NAME_MAX], bool tell)
{
    char said[OPENAPI_NAME_MAX];
    if (node->location != GUARD_LOCATION_HEADER || node->facts.forbidden)
        return false;
    bool named =
        openapi_name(name, node->name) && !openapi_shortened(node->name) && name[0] != '\0';
    if (named && strcasecmp(name, "content-type") != 0)
        return true;
    if (tell)
        openapi_leave_out(ctx, named ? OPENAPI_HEADER : OPENAPI_NAME,
                          "header \"%s\" of responses: %s", openapi_clean(said, node->name),
                          named ? "OpenAPI ignores it and has members of its own"
                                : "its name can't be told");
    return false;
}

static void put_header(struct openapi *ctx, const char *name, const struct openapi_facts *facts)
{
    json_open(&ctx->json, name, '{');
    if (facts->required)
        json_bool(&ctx->json, "required", true);
    openapi_text_schema(ctx, "schema", facts, false);
    json_close(&ctx->json, '}');
}

static void component_of(char out[4 * OPENAPI_NAME_MAX], uint32_t status, const char *name)
{
    char kind[8];
    (void)snprintf(kind, sizeof(kind), "%uXX", status % 10);
    openapi_component(out, kind, name);
}

void openapi_common_headers(struct openapi *ctx)
{
    char name[OPENAPI_NAME_MAX];
    char component[4 * OPENAPI_NAME_MAX];
    json_open(&ctx->json, "headers", '{');
    for (uint32_t status = FIRST; status <= LAST; status++) {
        const struct openapi_tree *tree = &ctx->answers[status];
        for (uint32_t i = 0; i < tree->count; i++) {
            if (!is_header(ctx, &tree->nodes[i], name, true))
                continue;
            component_of(component, status, name);
            put_header(ctx, component, &tree->nodes[i].facts);
        }
    }
    json_close(&ctx->json, '}');
}

static void put_headers(struct openapi *ctx, const struct openapi_tree *own, uint32_t status)
{
    const struct openapi_tree *common = &ctx->answers[status];
    char name[OPENAPI_NAME_MAX];
    char component[4 * OPENAPI_NAME_MAX];
    char reference[4 * OPENAPI_NAME_MAX + 32];
    uint32_t count = 0;
    for (uint32_t i = 0; i < own->count; i++) {
        if (own->nodes[i].inherited || !is_header(ctx, &own->nodes[i], name, true))
            continue;
        if (count++ == 0)
            json_open(&ctx->json, "headers", '{');
        put_header(ctx, name, &own->nodes[i].facts);
    }
    for (uint32_t i = 0; i < common->count; i++) {
        const struct openapi_node *there =
            openapi_tree_find(own, GUARD_LOCATION_HEADER, common->nodes[i].path);
        if (!is_header(ctx, &common->nodes[i], name, false) || (there != NULL && !there->inherited))
            continue;
        if (count++ == 0)
            json_open(&ctx->json, "headers", '{');
        component_of(component, status, name);
        (void)snprintf(reference, sizeof(reference), "#/components/headers/%s", component);
        json_open(&ctx->json, name, '{');
        json_text(&ctx->json, "$ref", reference);
        json_close(&ctx->json, '}');
    }
    if (count > 0)
        json_close(&ctx->json, '}');
}

static void put_guard(struct openapi *ctx, const struct guard_model_endpoint *answer,
                      const struct openapi_tree *tree, int64_t bytes_max, uint32_t status)
{
    struct json_writer *json = &ctx->json;
    const struct openapi_tree *trees[2] = {tree, &ctx->answers[status]};
    char name[OPENAPI_NAME_MAX];
    bool cookies = false;
    const struct json_writer before = *json;
    json_open(json, "x-guard", '{');
    if (answer != NULL) {
        json_integer(json, "exchanges", (int64_t)answer->exchanges);
        json_integer(json, "clients", answer->clients);
        json_bool(json, "ready", answer->ready);
        if (!answer->ready)
            json_string(json, "lacks", answer->lacks);
    }
    if (bytes_max >= 0)
        json_integer(json, "maxBytes", bytes_max);
    for (size_t k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < trees[k]->count; i++) {
            const struct openapi_node *node = &trees[k]->nodes[i];
            if (node->location != GUARD_LOCATION_COOKIE || node->inherited ||
                !openapi_name(name, node->name))
                continue;
            if (!cookies)
                json_open(json, "cookies", '[');
            cookies = true;
            json_text(json, NULL, name);
        }
    }
    if (cookies)
        json_close(json, ']');
    openapi_foreign(ctx, tree);
    openapi_close_guard(ctx, &before);
    if (answer != NULL && !answer->trusted)
        json_bool(json, "x-guard-pending", true);
}

struct answer {
    const struct guard_model_endpoint *learned; /* NULL: nothing was */
    struct openapi_tree tree;
    const struct guard_span *media_types;
    uint32_t media_count;
    int64_t bytes_max;
    bool said;
};

/* What people say of the class, the endpoint's last: it replaces what the service's says. */
static enum guard_rc apply_said(struct openapi *ctx, struct answer *answer, uint32_t status,
                                const struct openapi_said *said, struct guard_err *err)
{
    for (uint32_t i = said->count; i-- > 0;) {
        const struct guard_response_rule *rule = said->rules[i];
        const struct guard_response_rule *content = content_rule(rule, status);
        bool service = ctx->cfg->guardian != NULL && rule == ctx->cfg->guardian->response;
        if (rule->body_max >= 0)
            answer->bytes_max = rule->body_max;
        if (!service)
            GUARD_TRY(openapi_tree_said(ctx, &answer->tree, rule->fields, rule->field_count, SHARED,
                                        err));
        if (content == NULL)
            continue;
        answer->said |= content->field_count > 0;
        answer->tree.closed |= content->closed;
        if (content->body_max >= 0)
            answer->bytes_max = content->body_max;
        if (content->media_count > 0 && status != 1) {
            answer->media_types = content->media_types;
            answer->media_count = content->media_count;
            answer->said = true;
        }
        GUARD_TRY(openapi_tree_said(ctx, &answer->tree, content->fields, content->field_count,
                                    service ? ~SHARED : UINT32_MAX, err));
    }
    return GUARD_OK;
}

/* What fails is learned of the service as a whole. */
static enum guard_rc fill_learned(struct openapi *ctx, struct answer *answer, uint32_t index,
                                  uint32_t status, struct guard_err *err)
{
    const struct guard_model_endpoint *from =
        index != GUARD_NO_INDEX ? learned(ctx, index, status) : NULL;
    bool own = from != NULL;
    if (from == NULL && status >= FAILURES)
        from = learned(ctx, GUARD_NO_INDEX, status);
    answer->learned = from;
    if (from != NULL) {
        answer->media_types = from->media_types;
        answer->media_count = from->media_count;
        answer->bytes_max = from->body_seen ? (int64_t)from->body_max : -1;
    }
    if (own)
        return openapi_tree_learned(ctx, &answer->tree, from->first_field, from->field_count, err);
    return status >= FAILURES ? openapi_tree_copy(ctx, &answer->tree, &ctx->answers[status], err)
                              : GUARD_OK;
}

static enum guard_rc put_answer(struct openapi *ctx, const char *key, uint32_t index,
                                uint32_t status, const struct openapi_said *said,
                                struct guard_err *err)
{
    struct answer answer = {.bytes_max = -1};
    GUARD_TRY(fill_learned(ctx, &answer, index, status, err));
    GUARD_TRY(apply_said(ctx, &answer, status, said, err));
    json_open(&ctx->json, key, '{');
    json_text(&ctx->json, "description",
              answer.learned != NULL ? "What was learned of these responses"
              : answer.said          ? "What people say of these responses"
                                     : "Seen, or allowed by people; not learned yet");
    put_headers(ctx, &answer.tree, status);
    if (answer.media_count > 0 || (answer.learned != NULL && answer.learned->body_seen) ||
        openapi_tree_body(&answer.tree))
        openapi_content(ctx, &answer.tree, answer.media_types, answer.media_count);
    put_guard(ctx, answer.learned, &answer.tree, answer.bytes_max, status);
    json_close(&ctx->json, '}');
    return GUARD_OK;
}

/* Whether all that is known of the class is what the service has in common. */
static bool is_common(const struct openapi *ctx, uint32_t index, uint32_t status,
                      const struct openapi_said *said)
{
    const struct guard_guardian *guardian = ctx->cfg->guardian;
    bool service = said->count == 0 ||
                   (said->count == 1 && guardian != NULL && said->rules[0] == guardian->response);
    return status >= FAILURES && service && !ctx->without_common &&
           learned(ctx, GUARD_NO_INDEX, status) != NULL &&
           (index == GUARD_NO_INDEX || learned(ctx, index, status) == NULL);
}

static void put_reference(struct openapi *ctx, uint32_t status)
{
    char key[8];
    char reference[40];
    (void)snprintf(key, sizeof(key), "%uXX", status % 10);
    (void)snprintf(reference, sizeof(reference), "#/components/responses/%s", key);
    json_open(&ctx->json, key, '{');
    json_text(&ctx->json, "$ref", reference);
    json_close(&ctx->json, '}');
}

enum guard_rc openapi_common_failures(struct openapi *ctx, struct guard_err *err)
{
    const struct guard_guardian *guardian = ctx->cfg->guardian;
    struct openapi_said said = {0};
    if (guardian != NULL && guardian->response != NULL)
        said = (struct openapi_said){{guardian->response, NULL}, 1};
    json_open(&ctx->json, "responses", '{');
    for (uint32_t status = FAILURES; status <= LAST; status++) {
        char key[8];
        (void)snprintf(key, sizeof(key), "%uXX", status % 10);
        if (learned(ctx, GUARD_NO_INDEX, status) != NULL)
            GUARD_TRY(put_answer(ctx, key, GUARD_NO_INDEX, status, &said, err));
    }
    json_close(&ctx->json, '}');
    return GUARD_OK;
}

/* A class as a whole is "2XX", else each of the statuses has its own member. */
static enum guard_rc put_range(struct openapi *ctx, struct guard_status_range range, uint32_t index,
                               const struct openapi_said *said, bool done[600],
                               struct guard_err *err)
{
    char key[8];
    for (uint32_t status = range.first; status <= range.last && status < 600;) {
        bool whole = status % 100 == 0 && range.last >= status + 99;
        (void)snprintf(key, sizeof(key), whole ? "%uXX" : "%u", whole ? status / 100 : status);
        bool *there = &done[whole ? status / 100 : status];
        if (!*there && status >= 100)
            GUARD_TRY(put_answer(ctx, key, index, status / 100, said, err));
        *there = true;
        status += whole ? 100 : 1;
    }
    return GUARD_OK;
}

enum guard_rc openapi_answers(struct openapi *ctx, uint32_t index, const struct openapi_said *said,
                              struct guard_err *err)
{
    const struct guard_response_rule *statuses = NULL;
    bool done[600] = {false};
    for (uint32_t i = said->count; i-- > 0;)
        statuses = said->rules[i]->status_count > 0 ? said->rules[i] : statuses;
    uint32_t seen = index != GUARD_NO_INDEX ? ctx->model->endpoints[index].statuses : 0;
    uint32_t count = 0;
    json_open(&ctx->json, "responses", '{');
    for (uint32_t i = 0; statuses != NULL && i < statuses->status_count; i++, count++)
        GUARD_TRY(put_range(ctx, statuses->statuses[i], index, said, done, err));
    for (uint32_t status = FIRST; statuses == NULL && status <= LAST; status++) {
        bool known = index != GUARD_NO_INDEX && learned(ctx, index, status) != NULL;
        bool common = is_common(ctx, index, status, said);
        const struct guard_status_range range = {(uint16_t)(100 * status),
                                                 (uint16_t)(100 * status + 99)};
        if (common)
            put_reference(ctx, status);
        else if (known || (seen >> status & 1) != 0)
            GUARD_TRY(put_range(ctx, range, index, said, done, err));
        count += known || (seen >> status & 1) != 0;
    }
    if (count == 0) {
        json_open(&ctx->json, "default", '{');
        json_text(&ctx->json, "description", "Nothing was learned of other responses");
        json_close(&ctx->json, '}');
    }
    json_close(&ctx->json, '}');
    return GUARD_OK;
}
