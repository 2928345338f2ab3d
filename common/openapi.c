/* SPDX-License-Identifier: Apache-2.0 */
/* The document: which operations there are, in which order, and what of all that is left out. */
#include "common/openapi.h"

#include "common/clean.h"
#include "common/openapi_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAIL = 8192,                       /* room for the end of the document */
    COMPONENTS = OPENAPI_BYTES_MAX / 2 /* as much of it the components may have */
};

static const char *const reasons[OPENAPI_REASONS] = {
    [OPENAPI_METHOD] = "methods",     [OPENAPI_PATH] = "paths",
    [OPENAPI_TEMPLATE] = "templates", [OPENAPI_HEADER] = "headers",
    [OPENAPI_NAME] = "names",         [OPENAPI_MEDIA_TYPE] = "mediaTypes",
    [OPENAPI_DEPTH] = "depth",        [OPENAPI_FORBIDDEN] = "forbidden",
    [OPENAPI_METHODS] = "anyMethod",  [OPENAPI_SIZE] = "size",
};

struct operations {
    struct openapi_operation *items;
    uint32_t count;
    uint32_t cap;
};

/* --- what the parts share --- */

void openapi_leave_out(struct openapi *ctx, enum openapi_reason reason, const char *format, ...)
{
    char text[3 * OPENAPI_NAME_MAX];
    ctx->left_out[reason]++;
    if (ctx->cfg->notes == NULL || ctx->notes++ >= OPENAPI_NOTES_MAX)
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ctx->cfg->notes->line(ctx->cfg->notes->ctx, text);
}

bool openapi_same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool openapi_is(struct guard_span span, const char *text)
{
    return span.len == strlen(text) && (span.len == 0 || memcmp(span.ptr, text, span.len) == 0);
}

bool openapi_name(char out[OPENAPI_NAME_MAX], struct guard_span name)
{
    if (name.len >= OPENAPI_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len;) {
        size_t some = json_utf8_len(name.ptr + i, name.len - i);
        if (some == 0 || name.ptr[i] == '\0')
            return false;
        i += some;
    }
    if (name.len > 0)
        memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
    return true;
}

bool openapi_shortened(struct guard_span name)
{
    enum { LEN = 64, HEAD = 48 };
    bool cut = name.len == LEN && name.ptr[HEAD] == '~';
    for (size_t i = HEAD + 1; cut && i < LEN; i++)
        cut = name.ptr[i] != '\0' && strchr("0123456789abcdef", name.ptr[i]) != NULL;
    return cut;
}

const char *openapi_clean(char out[OPENAPI_NAME_MAX], struct guard_span text)
{
    return clean(out, OPENAPI_NAME_MAX, (const char *)text.ptr, text.len);
}

void openapi_close_guard(struct openapi *ctx, const struct json_writer *before)
{
    if (ctx->json.comma)
        json_close(&ctx->json, '}');
    else
        ctx->json = *before;
}

/* --- which operations there are --- */

static bool method_of(struct guard_span method, uint32_t *out)
{
    for (uint32_t i = 0; i < OPENAPI_METHODS_KNOWN; i++) {
        const char *known = openapi_methods[i];
        bool same = method.len == strlen(known);
        for (size_t k = 0; same && k < method.len; k++)
            same = method.ptr[k] == known[k] - 'a' + 'A';
        if (same) {
            *out = i;
            return true;
        }
    }
    return false;
}

static enum guard_rc add_operation(struct openapi *ctx, struct operations *operations,
                                   const struct openapi_template *template,
                                   struct guard_span method, struct guard_span shown,
                                   uint32_t index, struct guard_err *err)
{
    char key[OPENAPI_KEY_MAX + 1];
    char said[2][OPENAPI_NAME_MAX];
    uint32_t known;
    openapi_clean(said[0], method);
    openapi_clean(said[1], shown);
    if (!openapi_template_key(template, key)) {
        openapi_leave_out(ctx, OPENAPI_PATH, "%s %s: OpenAPI has no such path", said[0], said[1]);
        return GUARD_OK;
    }
    if (!method_of(method, &known)) {
        openapi_leave_out(ctx, OPENAPI_METHOD, "%s %s: OpenAPI has no such method", said[0],
                          said[1]);
        return GUARD_OK;
    }
    for (uint32_t i = 0; i < operations->count; i++) {
        if (operations->items[i].method != known || strcmp(operations->items[i].key, key) != 0)
            continue;
        if (index != GUARD_NO_INDEX)
            openapi_leave_out(ctx, OPENAPI_TEMPLATE,
                              "%s %s: the same path is there with other types", said[0], said[1]);
        return GUARD_OK;
    }
    if (operations->count == operations->cap)
        return guard_fail(err, GUARD_E_RANGE, "more endpoints than there can be");
    char *copy = guard_arena_get(ctx->arena, strlen(key) + 1);
    if (copy == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    memcpy(copy, key, strlen(key) + 1);
    operations->items[operations->count++] =
        (struct openapi_operation){copy, template, known, index};
    return GUARD_OK;
}

static enum guard_rc add_learned(struct openapi *ctx, struct operations *operations,
                                 struct guard_err *err)
{
    const struct guard_model *model = ctx->model;
    char said[2][OPENAPI_NAME_MAX];
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &model->endpoints[i];
        struct openapi_template *template;
        ctx->pending += !endpoint->trusted;
        if (!endpoint->trusted && !ctx->cfg->pending)
            continue;
        template = guard_arena_get(ctx->arena, sizeof(*template));
        if (template == NULL)
            return guard_fail(err, GUARD_E_NOMEM, "no memory");
        if (!openapi_template_learned(model, endpoint->node, template)) {
            openapi_leave_out(ctx, OPENAPI_PATH, "%s %s: too many segments",
                              openapi_clean(said[0], endpoint->method),
                              openapi_clean(said[1], endpoint->template_text));
            continue;
        }
        if (openapi_rules_forbid(ctx, template, endpoint->method)) {
            openapi_leave_out(ctx, OPENAPI_FORBIDDEN, "%s %s: people forbid it",
                              openapi_clean(said[0], endpoint->method),
                              openapi_clean(said[1], endpoint->template_text));
            continue;
        }
        GUARD_TRY(add_operation(ctx, operations, template, endpoint->method,
                                endpoint->template_text, i, err));
    }
    return GUARD_OK;
}

/* Whether an operation that is there already is one that the rule speaks of. */
static bool is_there(const struct operations *operations, const struct openapi_rule *rule)
{
    for (uint32_t i = 0; i < operations->count; i++) {
        if (openapi_rule_covers(rule, operations->items[i].template))
            return true;
    }
    return false;
}

/* Paths that only people name. A rule that has no methods of its own adds none. */
static enum guard_rc add_said(struct openapi *ctx, struct operations *operations,
                              struct guard_err *err)
{
    char said[OPENAPI_NAME_MAX];
    for (uint32_t i = 0; i < ctx->rule_count; i++) {
        const struct openapi_rule *rule = &ctx->rules[i];
        struct guard_span text = rule->rule->template_text;
        if (is_there(operations, rule) && rule->rule->method_count == 0)
            continue;
        if (rule->rule->method_count == 0) {
            openapi_leave_out(ctx, OPENAPI_METHODS, "%s: of a path without methods none is known",
                              openapi_clean(said, text));
            continue;
        }
        for (uint32_t k = 0; k < rule->rule->method_count; k++) {
            if (!openapi_rules_forbid(ctx, &rule->template, rule->rule->methods[k]))
                GUARD_TRY(add_operation(ctx, operations, &rule->template, rule->rule->methods[k],
                                        text, GUARD_NO_INDEX, err));
        }
    }
    return GUARD_OK;
}

static int order(const void *left, const void *right)
{
    const struct openapi_operation *a = left;
    const struct openapi_operation *b = right;
    int keys = strcmp(a->key, b->key);
    return keys != 0 ? keys : (a->method > b->method) - (a->method < b->method);
}

static enum guard_rc collect(struct openapi *ctx, struct operations *out, struct guard_err *err)
{
    out->cap = ctx->model->endpoint_count;
    for (uint32_t i = 0; i < ctx->rule_count; i++)
        out->cap += ctx->rules[i].rule->method_count;
    out->items = guard_arena_get(ctx->arena, (out->cap + 1) * sizeof(*out->items));
    if (out->items == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    GUARD_TRY(add_learned(ctx, out, err));
    GUARD_TRY(add_said(ctx, out, err));
    if (out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), order);
    return GUARD_OK;
}

/* --- the document --- */

static void put_head(struct openapi *ctx)
{
    struct json_writer *json = &ctx->json;
    char version[17];
    struct guard_span service = ctx->model->service;
    bool calls = service.len > 7 && memcmp(service.ptr + service.len - 7, ".egress", 7) == 0;
    for (size_t i = 0; i < 8; i++)
        (void)snprintf(version + 2 * i, 3, "%02x", ctx->model->pile_digest[i]);
    json_text(json, "openapi", "3.1.0");
    json_open(json, "info", '{');
    json_string(json, "title", service);
    json_text(json, "version", version);
    json_text(json, "description",
              calls ? "What Guard learned of the calls that this service makes; the first segment "
                      "of a path is the host that is called."
                    : "What Guard learned of the normal traffic of this service. It isn't the "
                      "contract that its developers wrote.");
    json_close(json, '}');
}

static enum guard_rc put_components(struct openapi *ctx, struct guard_err *err)
{
    const struct json_writer before = ctx->json;
    size_t cap = ctx->json.cap;
    ctx->json.cap = COMPONENTS;
    json_open(&ctx->json, "components", '{');
    openapi_common_parameters(ctx);
    openapi_common_headers(ctx);
    GUARD_TRY(openapi_common_failures(ctx, err));
    json_close(&ctx->json, '}');
    if (ctx->json.overflow) {
        ctx->json = before;
        openapi_leave_out(ctx, OPENAPI_SIZE,
                          "what all requests and responses have in common: too much");
        ctx->without_common = true;
        ctx->service.count = 0;
        memset(ctx->answers, 0, sizeof(ctx->answers));
    }
    ctx->json.cap = cap;
    return GUARD_OK;
}

static void too_large(struct openapi *ctx, const struct openapi_operation *operation)
{
    char said[OPENAPI_NAME_MAX];
    const struct guard_span key = {(const uint8_t *)operation->key, strlen(operation->key)};
    openapi_leave_out(ctx, OPENAPI_SIZE, "%s %s: the document is full",
                      openapi_methods[operation->method], openapi_clean(said, key));
}

/* The operations of one path; those that don't fit any more are left out. */
static enum guard_rc put_path(struct openapi *ctx, const struct openapi_operation *first,
                              uint32_t count, struct guard_err *err)
{
    const struct json_writer path = ctx->json;
    uint32_t done = 0;
    json_open(&ctx->json, first->key, '{');
    openapi_common_references(ctx);
    for (uint32_t i = 0; i < count; i++) {
        const struct json_writer before = ctx->json;
        GUARD_TRY(openapi_operation(ctx, &first[i], err));
        if (ctx->json.overflow) {
            ctx->json = before;
            too_large(ctx, &first[i]);
        } else {
            done++;
        }
    }
    json_close(&ctx->json, '}');
    if (done > 0 && ctx->json.overflow)
        too_large(ctx, first);
    if (done == 0 || ctx->json.overflow)
        ctx->json = path;
    return GUARD_OK;
}

static enum guard_rc put_paths(struct openapi *ctx, struct guard_err *err)
{
    struct operations operations = {0};
    GUARD_TRY(collect(ctx, &operations, err));
    json_open(&ctx->json, "paths", '{');
    for (uint32_t i = 0, end; i < operations.count; i = end) {
        end = i + 1;
        while (end < operations.count &&
               strcmp(operations.items[end].key, operations.items[i].key) == 0)
            end++;
        GUARD_TRY(put_path(ctx, &operations.items[i], end - i, err));
    }
    ctx->json.cap = OPENAPI_BYTES_MAX;
    json_close(&ctx->json, '}');
    return GUARD_OK;
}

static void put_totals(struct openapi *ctx)
{
    const struct guard_model *model = ctx->model;
    struct json_writer *json = &ctx->json;
    json_open(json, "x-guard", '{');
    json_string(json, "service", model->service);
    json_integer(json, "exchanges", (int64_t)model->exchanges);
    json_integer(json, "clients", model->clients);
    json_integer(json, "epochs", model->epochs);
    json_bool(json, "ready", model->ready);
    json_integer(json, ctx->cfg->pending ? "pendingShown" : "pendingLeftOut", ctx->pending);
    json_integer(json, "closedSets", ctx->closed_sets);
    json_open(json, "leftOut", '{');
    for (int i = 0; i < OPENAPI_REASONS; i++) {
        if (ctx->left_out[i] > 0)
            json_integer(json, reasons[i], ctx->left_out[i]);
    }
    json_close(json, '}');
    json_close(json, '}');
}

static enum guard_rc write_document(struct openapi *ctx, struct guard_err *err)
{
    const struct guard_model *model = ctx->model;
    const struct guard_guardian *guardian = ctx->cfg->guardian;
    GUARD_TRY(openapi_rules(ctx, err));
    GUARD_TRY(openapi_tree_learned(ctx, &ctx->service, model->first_service_field,
                                   model->service_field_count, err));
    if (guardian != NULL)
        GUARD_TRY(openapi_tree_said(ctx, &ctx->service, guardian->headers, guardian->header_count,
                                    UINT32_MAX, err));
    GUARD_TRY(openapi_common_answers(ctx, err));
    json_open(&ctx->json, NULL, '{');
    put_head(ctx);
    GUARD_TRY(put_components(ctx, err));
    GUARD_TRY(put_paths(ctx, err));
    put_totals(ctx);
    json_close(&ctx->json, '}');
    return ctx->json.overflow ? guard_fail(err, GUARD_E_RANGE, "the document is too large")
                              : GUARD_OK;
}

enum guard_rc openapi_write(const struct openapi_cfg *cfg, struct guard_arena *arena,
                            struct guard_span *out, struct guard_err *err)
{
    struct openapi ctx = {.cfg = cfg, .model = cfg->model, .arena = arena};
    char *text = guard_arena_get(arena, OPENAPI_BYTES_MAX);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    json_writer_init(&ctx.json, text, OPENAPI_BYTES_MAX - TAIL);
    GUARD_TRY(write_document(&ctx, err));
    *out = (struct guard_span){(const uint8_t *)text, ctx.json.len};
    if (ctx.notes > OPENAPI_NOTES_MAX && cfg->notes != NULL) {
        char more[64];
        (void)snprintf(more, sizeof(more), "and %u more; they are counted in x-guard",
                       ctx.notes - OPENAPI_NOTES_MAX);
        cfg->notes->line(cfg->notes->ctx, more);
    }
    return GUARD_OK;
}
