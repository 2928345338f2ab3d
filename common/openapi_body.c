/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies by media type: what has names as objects, what has none as texts or bytes, and what
 * OpenAPI has no words for as lists in x-guard. */
#include "common/openapi_parts.h"

#include <string.h>
#include <strings.h>

enum kind { KIND_JSON, KIND_FORM, KIND_MULTIPART, KIND_TEXT, KIND_BYTES };

static bool ends_with(struct guard_span text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && strncasecmp((const char *)text.ptr + text.len - len, end, len) == 0;
}

static bool begins_with(struct guard_span text, const char *begin)
{
    size_t len = strlen(begin);
    return text.len >= len && strncasecmp((const char *)text.ptr, begin, len) == 0;
}

static enum kind kind_of(struct guard_span media)
{
    if (ends_with(media, "/json") || ends_with(media, "+json"))
        return KIND_JSON;
    if (begins_with(media, "application/x-www-form-urlencoded"))
        return KIND_FORM;
    if (begins_with(media, "multipart/"))
        return KIND_MULTIPART;
    if (begins_with(media, "text/") || ends_with(media, "/xml") || ends_with(media, "+xml") ||
        ends_with(media, "/graphql") || ends_with(media, "/javascript"))
        return KIND_TEXT;
    return KIND_BYTES;
}

/* A file's name and type are parts of their own to Guard, and no parts of the body. */
static bool is_of_file(const struct openapi_tree *tree, struct guard_span name)
{
    static const char *const ends[] = {".filename", ".type"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct guard_span part = {name.ptr, name.len - strlen(ends[i])};
        if (name.len > strlen(ends[i]) && ends_with(name, ends[i]) &&
            openapi_tree_find(tree, GUARD_LOCATION_MULTIPART, part) != NULL)
            return true;
    }
    return false;
}

static bool is_file(const struct openapi_tree *tree, const char *name)
{
    char text[OPENAPI_NAME_MAX + 16];
    size_t len = strlen(name);
    memcpy(text, name, len);
    memcpy(text + len, ".filename", sizeof(".filename"));
    const struct guard_span whole = {(const uint8_t *)text, strlen(text)};
    return openapi_tree_find(tree, GUARD_LOCATION_MULTIPART, whole) != NULL;
}

static void put_part(struct openapi *ctx, const struct openapi_tree *tree,
                     const struct openapi_node *node, const char *name)
{
    struct json_writer *json = &ctx->json;
    if (node->facts.forbidden) {
        json_bool(json, name, false);
    } else if (node->location == GUARD_LOCATION_MULTIPART && is_file(tree, name)) {
        json_open(json, name, '{');
        json_text(json, "contentMediaType", "application/octet-stream");
        json_close(json, '}');
    } else {
        openapi_text_schema(ctx, name, &node->facts, true);
    }
}

static void put_form(struct openapi *ctx, const struct openapi_tree *tree,
                     enum guard_location location)
{
    struct json_writer *json = &ctx->json;
    char name[OPENAPI_NAME_MAX];
    uint32_t required = 0;
    bool complete = true;
    json_text(json, "type", "object");
    json_open(json, "properties", '{');
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct openapi_node *node = &tree->nodes[i];
        if (node->location != location || is_of_file(tree, node->name))
            continue;
        if (!openapi_name(name, node->name) || openapi_shortened(node->name)) {
            openapi_leave_out(ctx, OPENAPI_NAME, "%s parameter \"%s\": its name can't be told",
                              guard_location_name(location), openapi_clean(name, node->name));
            complete = false;
            continue;
        }
        required += node->facts.required && !node->facts.forbidden;
        put_part(ctx, tree, node, name);
    }
    json_close(json, '}');
    if (required > 0)
        json_open(json, "required", '[');
    for (uint32_t i = 0; required > 0 && i < tree->count; i++) {
        const struct openapi_node *node = &tree->nodes[i];
        if (node->location == location && node->facts.required && !node->facts.forbidden &&
            !is_of_file(tree, node->name) && openapi_name(name, node->name) &&
            !openapi_shortened(node->name))
            json_text(json, NULL, name);
    }
    if (required > 0)
        json_close(json, ']');
    if (tree->closed && complete)
        json_bool(json, "additionalProperties", false);
}

static void put_text(struct openapi *ctx, const struct openapi_tree *tree)
{
    const struct openapi_node *body =
        openapi_tree_find(tree, GUARD_LOCATION_BODY, (struct guard_span){NULL, 0});
    const struct openapi_facts unknown = {.length_min = -1, .length_max = -1, .items_max = -1};
    struct openapi_facts facts = body != NULL ? body->facts : unknown;
    facts.types = 0; /* a text, whatever it looks like */
    facts.length_min = -1;
    facts.closed = 0;
    openapi_text_schema(ctx, "schema", &facts, false);
}

static void put_schema(struct openapi *ctx, const struct openapi_tree *tree, enum kind kind)
{
    if (kind == KIND_JSON) {
        openapi_json_schema(ctx, tree);
    } else if (kind == KIND_TEXT) {
        put_text(ctx, tree);
    } else {
        json_open(&ctx->json, "schema", '{');
        if (kind != KIND_BYTES)
            put_form(ctx, tree, kind == KIND_FORM ? GUARD_LOCATION_FORM : GUARD_LOCATION_MULTIPART);
        json_close(&ctx->json, '}');
    }
}

static bool is_media_type(struct guard_span media)
{
    bool slash = false;
    for (size_t i = 0; i < media.len; i++) {
        uint8_t c = media.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"(),:;<=>?@[\\]{}", c) != NULL || (c == '/' && slash))
            return false;
        slash |= c == '/';
    }
    return slash && media.len < OPENAPI_NAME_MAX;
}

void openapi_content(struct openapi *ctx, const struct openapi_tree *tree,
                     const struct guard_span *media_types, uint32_t media_count)
{
    struct json_writer *json = &ctx->json;
    char name[OPENAPI_NAME_MAX];
    uint32_t written = 0;
    json_open(json, "content", '{');
    for (uint32_t i = 0; i < media_count; i++) {
        if (!is_media_type(media_types[i]) || !openapi_name(name, media_types[i])) {
            openapi_leave_out(ctx, OPENAPI_MEDIA_TYPE, "media type \"%s\": no name of one",
                              openapi_clean(name, media_types[i]));
            continue;
        }
        json_open(json, name, '{');
        put_schema(ctx, tree, kind_of(media_types[i]));
        json_close(json, '}');
        written++;
    }
    if (written == 0) { /* a body that doesn't say what it is */
        json_open(json, "*/*", '{');
        bool named = openapi_tree_has(tree, GUARD_LOCATION_JSON) && media_count == 0;
        put_schema(ctx, tree, named ? KIND_JSON : KIND_BYTES);
        json_close(json, '}');
    }
    json_close(json, '}');
}

static bool is_body(enum guard_location location)
{
    return location == GUARD_LOCATION_JSON || location == GUARD_LOCATION_FORM ||
           location == GUARD_LOCATION_MULTIPART || location == GUARD_LOCATION_BODY ||
           location == GUARD_LOCATION_PROTOBUF;
}

bool openapi_tree_body(const struct openapi_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        if (is_body(tree->nodes[i].location))
            return true;
    }
    return false;
}

bool openapi_body_required(const struct openapi_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct openapi_node *node = &tree->nodes[i];
        if (is_body(node->location) && node->parent == GUARD_NO_INDEX && node->facts.required)
            return true;
    }
    return false;
}

static void put_names(struct openapi *ctx, const struct openapi_tree *tree,
                      enum guard_location location)
{
    char name[OPENAPI_NAME_MAX];
    if (!openapi_tree_has(tree, location))
        return;
    json_open(&ctx->json, guard_location_name(location), '[');
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct openapi_node *node = &tree->nodes[i];
        if (node->location == location && openapi_name(name, node->path))
            json_text(&ctx->json, NULL, name);
    }
    json_close(&ctx->json, ']');
}

void openapi_foreign(struct openapi *ctx, const struct openapi_tree *tree)
{
    static const enum guard_location locations[] = {GUARD_LOCATION_GRAPHQL, GUARD_LOCATION_PROTOBUF,
                                                    GUARD_LOCATION_WEBSOCKET};
    char name[OPENAPI_NAME_MAX];
    uint32_t forbidden = 0;
    for (size_t i = 0; i < sizeof(locations) / sizeof(locations[0]); i++)
        put_names(ctx, tree, locations[i]);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct openapi_node *node = &tree->nodes[i];
        if (!node->facts.forbidden || is_body(node->location) || !openapi_name(name, node->name))
            continue;
        if (forbidden++ == 0)
            json_open(&ctx->json, "forbidden", '[');
        json_open(&ctx->json, NULL, '{');
        json_text(&ctx->json, "in", guard_location_name(node->location));
        json_text(&ctx->json, "name", name);
        json_close(&ctx->json, '}');
    }
    if (forbidden > 0)
        json_close(&ctx->json, ']');
}
