/* SPDX-License-Identifier: Apache-2.0 */
/* A whole request as a list of values: the parsers of the view with a receiver that keeps all. */
#include <guard/capture.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/span.h"
#include "http/body.h"
#include "http/target.h"

enum { VALUES_FIRST = 64, VALUE_BYTES_MAX = 1 << 20 };

struct keeping {
    struct guard_values *out;
    struct guard_arena *arena;
    uint32_t cap;
    bool failed;              /* the arena was full */
    struct guard_span *nodes; /* names of JSON's places; [0] is the document */
    uint32_t node_count;
    uint32_t node_cap;
    struct gd_buffer path;
};

static bool grow(struct keeping *keeping)
{
    uint32_t cap = keeping->cap == 0 ? VALUES_FIRST : 2 * keeping->cap;
    struct guard_value *values = gd_arena_get(keeping->arena, cap * sizeof(*values));
    keeping->failed = keeping->failed || values == NULL;
    if (values == NULL)
        return false;
    if (keeping->cap > 0)
        memcpy(values, keeping->out->values, keeping->cap * sizeof(*values));
    keeping->out->values = values;
    keeping->cap = cap;
    return true;
}

static struct guard_span copy(struct keeping *keeping, struct guard_span text)
{
    struct guard_span kept = gd_arena_copy(keeping->arena, text);
    keeping->failed = keeping->failed || (kept.ptr == NULL && text.len > 0);
    return kept;
}

/* name and text outlive the message. */
static void keep(struct keeping *keeping, enum guard_patch_place place, struct guard_span name,
                 struct guard_span text)
{
    struct guard_values *out = keeping->out;
    if (out->count == GUARD_VALUES_MAX) {
        out->left_out = true;
        return;
    }
    if (keeping->failed || (out->count == keeping->cap && !grow(keeping)))
        return;
    out->values[out->count++] = (struct guard_value){place, name, text};
}

static void on_segment(void *ctx, uint32_t index, struct guard_span text)
{
    struct keeping *keeping = ctx;
    (void)index;
    gd_buffer_add_byte(&keeping->path, '/');
    gd_buffer_add(&keeping->path, text.ptr, text.len);
}

static enum guard_patch_place place_of(enum guard_location location)
{
    if (location == GUARD_LOCATION_QUERY)
        return GUARD_PLACE_QUERY;
    if (location == GUARD_LOCATION_COOKIE)
        return GUARD_PLACE_COOKIE;
    return location == GUARD_LOCATION_FORM ? GUARD_PLACE_FORM : GUARD_PLACE_MULTIPART;
}

static void on_value(void *ctx, enum guard_location location, struct guard_span name,
                     struct guard_span value)
{
    struct keeping *keeping = ctx;
    keep(keeping, place_of(location), copy(keeping, name), copy(keeping, value));
}

/* Malformed values are values. */
static void on_fault(void *ctx, enum guard_fault fault, enum guard_location location)
{
    (void)ctx;
    (void)fault;
    (void)location;
}

static void on_json_fault(void *ctx, enum guard_fault fault)
{
    (void)ctx;
    (void)fault;
}

static bool grow_nodes(struct keeping *keeping)
{
    uint32_t cap = keeping->node_cap == 0 ? VALUES_FIRST : 2 * keeping->node_cap;
    struct guard_span *nodes = gd_arena_get(keeping->arena, cap * sizeof(*nodes));
    keeping->failed = keeping->failed || nodes == NULL;
    if (nodes == NULL)
        return false;
    if (keeping->node_count > 0)
        memcpy(nodes, keeping->nodes, keeping->node_count * sizeof(*nodes));
    keeping->nodes = nodes;
    keeping->node_cap = cap;
    return true;
}

static uint32_t new_node(struct keeping *keeping, uint32_t parent, struct guard_span dot,
                         struct guard_span key)
{
    if (keeping->node_count == GUARD_VALUES_MAX || keeping->failed) {
        keeping->out->left_out = true;
        return GD_JSON_SKIP;
    }
    if (keeping->node_count == keeping->node_cap && !grow_nodes(keeping))
        return GD_JSON_SKIP;
    struct guard_span above = keeping->nodes[parent];
    size_t len = above.len + dot.len + key.len;
    uint8_t *name = gd_arena_get(keeping->arena, len > 0 ? len : 1);
    if (name == NULL) {
        keeping->failed = true;
        return GD_JSON_SKIP;
    }
    if (above.len > 0)
        memcpy(name, above.ptr, above.len);
    memcpy(name + above.len, dot.ptr, dot.len);
    if (key.len > 0)
        memcpy(name + above.len + dot.len, key.ptr, key.len);
    keeping->nodes[keeping->node_count] = gd_span(name, len);
    return keeping->node_count++;
}

static uint32_t on_member(void *ctx, uint32_t object, struct guard_span key)
{
    struct keeping *keeping = ctx;
    bool outermost = keeping->nodes[object].len == 0;
    return new_node(keeping, object, gd_span(".", outermost ? 0 : 1), key);
}

static uint32_t on_element(void *ctx, uint32_t array)
{
    return new_node(ctx, array, gd_span("", 0), GUARD_SPAN_LITERAL("[]"));
}

static void on_scalar(void *ctx, uint32_t node, enum gd_json_type type, struct guard_span text)
{
    static const struct guard_span words[] = {
        [GD_JSON_NULL] = {(const uint8_t *)"null", 4},
        [GD_JSON_FALSE] = {(const uint8_t *)"false", 5},
        [GD_JSON_TRUE] = {(const uint8_t *)"true", 4},
    };
    struct keeping *keeping = ctx;
    bool word = type == GD_JSON_NULL || type == GD_JSON_FALSE || type == GD_JSON_TRUE;
    keep(keeping, GUARD_PLACE_JSON, keeping->nodes[node], word ? words[type] : copy(keeping, text));
}

static void on_open(void *ctx, uint32_t node, bool is_array)
{
    (void)ctx;
    (void)node;
    (void)is_array;
}

/* What is empty has no leaf that would tell its name. */
static void on_close(void *ctx, uint32_t node, bool is_array, uint32_t items)
{
    struct keeping *keeping = ctx;
    (void)is_array;
    if (items == 0)
        keep(keeping, GUARD_PLACE_JSON, keeping->nodes[node], gd_span("", 0));
}

static void on_blob(void *ctx, struct guard_span name, struct guard_span file_name,
                    struct guard_span content_type, struct guard_span data, bool begin, bool end)
{
    struct keeping *keeping = ctx;
    (void)content_type;
    (void)data;
    (void)end;
    if (begin && file_name.ptr != NULL)
        keep(keeping, GUARD_PLACE_FILE, copy(keeping, name), copy(keeping, file_name));
}

static const struct gd_limits limits = {
    .names = 512, .leaves = 4096, .depth = 64, .value = VALUE_BYTES_MAX};

static struct gd_view view_of(struct keeping *keeping)
{
    return (struct gd_view){
        .ctx = keeping, .segment = on_segment, .value = on_value, .fault = on_fault};
}

static bool is_named(struct guard_span name, const char *wanted)
{
    return gd_span_equal_nocase(name, gd_span(wanted, strlen(wanted)));
}

static struct guard_span lower(struct keeping *keeping, struct guard_span name)
{
    uint8_t *text = gd_arena_get(keeping->arena, name.len > 0 ? name.len : 1);
    keeping->failed = keeping->failed || text == NULL;
    for (size_t i = 0; text != NULL && i < name.len; i++)
        text[i] = (uint8_t)(name.ptr[i] | (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? 0x20 : 0));
    return gd_span(text, text != NULL ? name.len : 0);
}

static void keep_head(struct keeping *keeping, const struct guard_exchange *exchange,
                      struct gd_media_type *media)
{
    struct gd_view view = view_of(keeping);
    size_t path_at = 0;
    keep(keeping, GUARD_PLACE_METHOD, gd_span("", 0), exchange->method);
    path_at = keeping->out->count;
    keep(keeping, GUARD_PLACE_PATH, gd_span("", 0), gd_span("", 0));
    gd_target_view(exchange->target, &limits, keeping->arena, &view);
    if (path_at < keeping->out->count)
        keeping->out->values[path_at].text = gd_buffer_span(&keeping->path);
    for (uint32_t i = 0; i < exchange->header_count; i++) {
        const struct guard_header *header = &exchange->headers[i];
        keep(keeping, GUARD_PLACE_HEADER, lower(keeping, header->name), header->value);
        if (is_named(header->name, "cookie"))
            gd_cookie_view(header->value, &limits, keeping->arena, &view);
        if (is_named(header->name, "content-type"))
            gd_media_type_parse(header->value, keeping->arena, media);
    }
}

static void keep_body(struct keeping *keeping, const struct guard_exchange *exchange,
                      const struct gd_media_type *media)
{
    struct gd_body *body = NULL;
    struct gd_body_sink sink = {.view = view_of(keeping),
                                .json = {.ctx = keeping,
                                         .member = on_member,
                                         .element = on_element,
                                         .scalar = on_scalar,
                                         .open = on_open,
                                         .close = on_close,
                                         .fault = on_json_fault},
                                .blob = on_blob,
                                .framing = GD_PROTOBUF_NONE};
    enum guard_body_kind kind = gd_body_kind(media);
    if (kind == GUARD_BODY_GRPC) /* has no names that a patch could tell */
        kind = GUARD_BODY_BYTES;
    if (gd_body_begin(&body, kind, media->boundary, &sink, &limits, keeping->arena) != GUARD_OK) {
        keeping->failed = true;
        return;
    }
    gd_body_feed(body, exchange->body);
    gd_body_end(body);
    keeping->out->body_kind = gd_body_kind_read(body);
    keep(keeping, GUARD_PLACE_BODY, gd_span("", 0), exchange->body);
}

enum guard_rc guard_request_values(const struct guard_exchange *exchange, struct guard_arena *arena,
                                   struct guard_values *out)
{
    struct gd_media_type media = {.malformed = false};
    struct keeping keeping = {.out = out, .arena = arena};
    *out = (struct guard_values){.values = NULL};
    if (!grow_nodes(&keeping))
        return GUARD_E_NOMEM;
    keeping.nodes[keeping.node_count++] = gd_span("", 0);
    gd_buffer_init(&keeping.path, arena, VALUE_BYTES_MAX);
    keep_head(&keeping, exchange, &media);
    if (exchange->body_known && exchange->body.len > 0)
        keep_body(&keeping, exchange, &media);
    return keeping.failed || keeping.path.failed ? GUARD_E_NOMEM : GUARD_OK;
}
