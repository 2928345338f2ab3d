/* SPDX-License-Identifier: Apache-2.0 */
/* One operation: its parameters, body and responses, and how well all that is founded. */
#include "common/openapi_parts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const openapi_methods[OPENAPI_METHODS_KNOWN] = {"get",     "put",  "post",  "delete",
                                                            "options", "head", "patch", "trace"};

static const char *place_of(enum guard_location location)
{
    return location == GUARD_LOCATION_QUERY    ? "query"
           : location == GUARD_LOCATION_HEADER ? "header"
           : location == GUARD_LOCATION_COOKIE ? "cookie"
                                               : NULL;
}

static bool ignored(const struct openapi_node *node, const char *name)
{
    return node->location == GUARD_LOCATION_HEADER &&
           (strcasecmp(name, "accept") == 0 || strcasecmp(name, "content-type") == 0 ||
            strcasecmp(name, "authorization") == 0);
}

/* True when OpenAPI has a parameter for it; the name is its own. */
static bool is_parameter(struct openapi *ctx, const struct openapi_node *node,
                         char name[OPENAPI_NAME_MAX], bool tell)
{
    char said[OPENAPI_NAME_MAX];
    const char *in = place_of(node->location);
    if (in == NULL || node->facts.forbidden)
        return false;
    if (!openapi_name(name, node->name) || openapi_shortened(node->name) || name[0] == '\0') {
        if (tell)
            openapi_leave_out(ctx, OPENAPI_NAME, "%s parameter \"%s\": its name can't be told", in,
                              openapi_clean(said, node->name));
        return false;
    }
    if (!ignored(node, name))
        return true;
    if (tell)
        openapi_leave_out(ctx, OPENAPI_HEADER,
                          "header parameter \"%s\": OpenAPI ignores it and has members of its own",
                          openapi_clean(said, node->name));
    return false;
}

static void put_parameter(struct openapi *ctx, const char *key, const char *name, const char *in,
                          const struct openapi_facts *facts, bool array)
{
    struct json_writer *json = &ctx->json;
    json_open(json, key, '{');
    json_text(json, "name", name);
    json_text(json, "in", in);
    if (facts->required || strcmp(in, "path") == 0)
        json_bool(json, "required", true);
    openapi_text_schema(ctx, "schema", facts, array);
    json_close(json, '}');
}

static void put_path_parameters(struct openapi *ctx, const struct openapi_template *template,
                                const struct openapi_tree *tree)
{
    for (uint32_t i = 0; i < template->count; i++) {
        const struct openapi_segment *segment = &template->segments[i];
        char name[16];
        if (segment->kind == OPENAPI_LITERAL)
            continue;
        int len = snprintf(name, sizeof(name), "seg%u", i);
        const struct openapi_node *node = openapi_tree_find(
            tree, GUARD_LOCATION_PATH, (struct guard_span){(const uint8_t *)name, (size_t)len});
        struct openapi_facts facts = {
            .types = segment->types, .length_min = -1, .length_max = -1, .items_max = -1};
        put_parameter(ctx, NULL, name, "path", node != NULL ? &node->facts : &facts, false);
    }
}

static bool has_parameters(struct openapi *ctx, const struct openapi_template *template,
                           const struct openapi_tree *tree)
{
    char name[OPENAPI_NAME_MAX];
    for (uint32_t i = 0; i < template->count; i++) {
        if (template->segments[i].kind != OPENAPI_LITERAL)
            return true;
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        if (is_parameter(ctx, &tree->nodes[i], name, false))
            return true;
    }
    return false;
}

static void put_parameters(struct openapi *ctx, const struct openapi_template *template,
                           const struct openapi_tree *tree)
{
    char name[OPENAPI_NAME_MAX];
    bool any = has_parameters(ctx, template, tree);
    if (any)
        json_open(&ctx->json, "parameters", '[');
    put_path_parameters(ctx, template, tree);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct openapi_node *node = &tree->nodes[i];
        if (is_parameter(ctx, node, name, true))
            put_parameter(ctx, NULL, name, place_of(node->location), &node->facts,
                          node->location == GUARD_LOCATION_QUERY);
    }
    if (any)
        json_close(&ctx->json, ']');
}

struct body {
    const struct guard_span *media_types;
    uint32_t media_count;
    int64_t bytes_max; /* -1: not known */
    bool seen;
};

static void put_body(struct openapi *ctx, const struct openapi_tree *tree, const struct body *body)
{
    struct json_writer *json = &ctx->json;
    if (!body->seen && !openapi_tree_body(tree))
        return;
    json_open(json, "requestBody", '{');
    if (openapi_body_required(tree))
        json_bool(json, "required", true);
    openapi_content(ctx, tree, body->media_types, body->media_count);
    if (body->bytes_max >= 0) {
        json_open(json, "x-guard", '{');
        json_integer(json, "maxBytes", body->bytes_max);
        json_close(json, '}');
    }
    json_close(json, '}');
}

static void put_support(struct openapi *ctx, const struct guard_model_endpoint *endpoint,
                        bool configured, const struct openapi_tree *tree)
{
    struct json_writer *json = &ctx->json;
    const struct json_writer before = *json;
    json_open(json, "x-guard", '{');
    if (endpoint != NULL) {
        json_integer(json, "exchanges", (int64_t)endpoint->exchanges);
        json_integer(json, "clients", endpoint->clients);
        json_integer(json, "epochs", endpoint->epochs);
        json_bool(json, "ready", endpoint->ready);
        if (!endpoint->ready)
            json_string(json, "lacks", endpoint->lacks);
        if (endpoint->unseen)
            json_bool(json, "bodiesUnseen", true);
    }
    if (configured)
        json_bool(json, "configured", true);
    openapi_foreign(ctx, tree);
    openapi_close_guard(ctx, &before);
    if (endpoint != NULL && !endpoint->trusted)
        json_bool(json, "x-guard-pending", true);
}

static struct guard_span method_span(const struct openapi_operation *operation, char out[16])
{
    size_t len = strlen(openapi_methods[operation->method]);
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(openapi_methods[operation->method][i] - 'a' + 'A');
    return (struct guard_span){(const uint8_t *)out, len};
}

/* What people say of the endpoint, the most specific last. */
static enum guard_rc apply_rules(struct openapi *ctx, const struct openapi_operation *operation,
                                 struct openapi_tree *tree, struct body *body,
                                 struct openapi_said *said, bool *configured, struct guard_err *err)
{
    char text[16];
    struct guard_span method = method_span(operation, text);
    for (uint32_t i = 0; i < ctx->rule_count; i++) {
        const struct guard_endpoint_rule *rule = ctx->rules[i].rule;
        if (!openapi_rule_covers(&ctx->rules[i], operation->template) ||
            !openapi_rule_has_method(&ctx->rules[i], method))
            continue;
        *configured = true;
        tree->closed |= rule->closed;
        if (rule->body_max >= 0)
            body->bytes_max = rule->body_max;
        if (rule->media_count > 0) {
            body->media_types = rule->media_types;
            body->media_count = rule->media_count;
            body->seen = true;
        }
        if (rule->response != NULL) {
            said->rules[0] = rule->response;
            said->count = 1;
        }
        GUARD_TRY(openapi_tree_said(ctx, tree, rule->fields, rule->field_count, UINT32_MAX, err));
    }
    if (ctx->cfg->guardian != NULL && ctx->cfg->guardian->response != NULL)
        said->rules[said->count++] = ctx->cfg->guardian->response;
    return GUARD_OK;
}

enum guard_rc openapi_operation(struct openapi *ctx, const struct openapi_operation *operation,
                                struct guard_err *err)
{
    const struct guard_model_endpoint *endpoint =
        operation->index != GUARD_NO_INDEX ? &ctx->model->endpoints[operation->index] : NULL;
    struct openapi_tree tree = {0};
    struct body body = {.bytes_max = -1};
    struct openapi_said said = {0};
    bool configured = false;
    if (endpoint != NULL) {
        body = (struct body){endpoint->media_types, endpoint->media_count,
                             endpoint->body_seen ? (int64_t)endpoint->body_max : -1,
                             endpoint->body_seen || endpoint->media_count > 0};
        GUARD_TRY(
            openapi_tree_learned(ctx, &tree, endpoint->first_field, endpoint->field_count, err));
    }
    GUARD_TRY(apply_rules(ctx, operation, &tree, &body, &said, &configured, err));
    json_open(&ctx->json, openapi_methods[operation->method], '{');
    put_parameters(ctx, operation->template, &tree);
    put_body(ctx, &tree, &body);
    GUARD_TRY(openapi_answers(ctx, operation->index, &said, err));
    put_support(ctx, endpoint, configured, &tree);
    json_close(&ctx->json, '}');
    return GUARD_OK;
}

void openapi_component(char out[4 * OPENAPI_NAME_MAX], const char *kind, const char *name)
{
    size_t len = (size_t)snprintf(out, 16, "%s.", kind);
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-';
        if (plain)
            out[len++] = (char)c;
        else
            len += (size_t)snprintf(out + len, 4, "_%02x", c);
    }
    out[len] = '\0';
}

void openapi_common_references(struct openapi *ctx)
{
    char name[OPENAPI_NAME_MAX];
    char component[4 * OPENAPI_NAME_MAX];
    char reference[4 * OPENAPI_NAME_MAX + 32];
    uint32_t count = 0;
    for (uint32_t i = 0; i < ctx->service.count; i++) {
        const struct openapi_node *node = &ctx->service.nodes[i];
        if (!is_parameter(ctx, node, name, false))
            continue;
        if (count++ == 0)
            json_open(&ctx->json, "parameters", '[');
        openapi_component(component, place_of(node->location), name);
        (void)snprintf(reference, sizeof(reference), "#/components/parameters/%s", component);
        json_open(&ctx->json, NULL, '{');
        json_text(&ctx->json, "$ref", reference);
        json_close(&ctx->json, '}');
    }
    if (count > 0)
        json_close(&ctx->json, ']');
}

void openapi_common_parameters(struct openapi *ctx)
{
    char name[OPENAPI_NAME_MAX];
    char component[4 * OPENAPI_NAME_MAX];
    json_open(&ctx->json, "parameters", '{');
    for (uint32_t i = 0; i < ctx->service.count; i++) {
        const struct openapi_node *node = &ctx->service.nodes[i];
        if (!is_parameter(ctx, node, name, true))
            continue;
        openapi_component(component, place_of(node->location), name);
        put_parameter(ctx, component, name, place_of(node->location), &node->facts, false);
    }
    json_close(&ctx->json, '}');
}
