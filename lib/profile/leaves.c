/* SPDX-License-Identifier: Apache-2.0 */
/* See leaves.h. Nodes are the fields that the builder made of the same document, plus one; with
 * GD_NODE_SHARED, since duplicates were told of the first time. */
#include "profile/leaves.h"

#include "http/json.h"
#include "profile/field_table.h"
#include "profile/segments.h"

enum { LEAVES_FIRST = 128 };

struct reading {
    struct gd_leaves *out;
    struct guard_arena *arena;
    const struct gd_builder *builder;
    struct guard_span body;
    uint64_t *named; /* a bit per field whose name is among the leaves */
    bool failed;     /* there is no memory */
};

static uint32_t field_of(uint32_t node)
{
    return (node & GD_NODE_MASK) - 1;
}

static bool leaf_room(struct reading *reading)
{
    struct gd_leaves *out = reading->out;
    if (out->count < out->cap)
        return true;
    const uint32_t cap = out->cap == 0 ? LEAVES_FIRST : 2 * out->cap;
    struct gd_leaf *leaves = gd_arena_get(reading->arena, cap * sizeof(*leaves));
    if (leaves == NULL)
        return false;
    if (out->count > 0)
        memcpy(leaves, out->leaves, out->count * sizeof(*leaves));
    out->leaves = leaves;
    out->cap = cap;
    return true;
}

/* What doesn't stand in the body lives as long as a call of its parser. */
static struct guard_span kept(struct reading *reading, struct guard_span text)
{
    const size_t at = (uintptr_t)text.ptr - (uintptr_t)reading->body.ptr;
    if (text.len == 0)
        return gd_span(NULL, 0);
    if (at < reading->body.len)
        return text;
    const struct guard_span copy = gd_arena_copy(reading->arena, text);
    reading->failed |= copy.ptr == NULL;
    return copy;
}

static void add(struct reading *reading, struct gd_leaf leaf)
{
    if (reading->failed || !leaf_room(reading)) {
        reading->failed = true;
        return;
    }
    leaf.name = kept(reading, leaf.name);
    leaf.text = kept(reading, leaf.text);
    reading->out->leaves[reading->out->count++] = leaf;
}

static void add_name(struct reading *reading, struct guard_span name)
{
    add(reading, (struct gd_leaf){.name = name, .flags = GD_CAPTURE_KEY});
}

/* As the builder's node_of, but that nothing is made: its name when it comes for the first time. */
static uint32_t node_of(struct reading *reading, uint32_t parent, struct guard_span name)
{
    const uint32_t field = gd_builder_find(reading->builder, GUARD_LOCATION_JSON, parent, name);
    if (field == GD_NO_FIELD)
        return GD_JSON_SKIP;
    uint64_t *word = &reading->named[field / 64];
    const uint64_t bit = UINT64_C(1) << (field % 64);
    if ((*word & bit) == 0)
        add_name(reading, name);
    *word |= bit;
    return (field + 1) | GD_NODE_SHARED;
}

static uint32_t parent_of(uint32_t node)
{
    return node == GD_JSON_ROOT ? GD_NO_FIELD : field_of(node);
}

static uint32_t on_member(void *ctx, uint32_t object, struct guard_span key)
{
    const struct guard_span placeholder = gd_key_identity(key);
    if (key.len > GD_NAME_MAX)
        add_name(ctx, key);
    return node_of(ctx, parent_of(object), placeholder.len > 0 ? placeholder : key);
}

static uint32_t on_element(void *ctx, uint32_t array)
{
    return node_of(ctx, parent_of(array), GUARD_SPAN_LITERAL("[]"));
}

/* The field of a node, of which the document's has no name. */
static uint32_t touch(struct reading *reading, uint32_t node)
{
    if (node == GD_JSON_ROOT)
        node = node_of(reading, GD_NO_FIELD, gd_span("", 0));
    return node == GD_JSON_SKIP ? GD_NO_FIELD : field_of(node);
}

static void on_scalar(void *ctx, uint32_t node, enum gd_json_type type, struct guard_span text)
{
    static const struct guard_span words[] = {[GD_JSON_NULL] = {(const uint8_t *)"null", 4},
                                              [GD_JSON_FALSE] = {(const uint8_t *)"false", 5},
                                              [GD_JSON_TRUE] = {(const uint8_t *)"true", 4}};
    static const uint32_t types[] = {[GD_JSON_NULL] = 1u << GUARD_TYPE_NULL,
                                     [GD_JSON_FALSE] = 1u << GUARD_TYPE_BOOL,
                                     [GD_JSON_TRUE] = 1u << GUARD_TYPE_BOOL,
                                     [GD_JSON_NUMBER] = 0,
                                     [GD_JSON_STRING] = 1u << GUARD_TYPE_STRING};
    const uint32_t field = touch(ctx, node);
    add(ctx, (struct gd_leaf){.text = type < GD_JSON_NUMBER ? words[type] : text,
                              .field = field,
                              .types = types[type],
                              .flags = GD_CAPTURE_TREE});
}

static void on_open(void *ctx, uint32_t node, bool is_array)
{
    (void)is_array;
    (void)touch(ctx, node);
}

static void on_close(void *ctx, uint32_t node, bool is_array, uint32_t items)
{
    (void)ctx;
    (void)node;
    (void)is_array;
    (void)items;
}

/* What is wrong with the document was told the first time. */
static void on_fault(void *ctx, enum guard_fault fault)
{
    struct reading *reading = ctx;
    reading->failed |= fault == GUARD_FAULT_MEMORY;
}

static enum guard_rc read_document(struct reading *reading, bool ended)
{
    const struct gd_json_handler handler = {reading,  on_member, on_element, on_scalar, on_open,
                                            on_close, on_fault,  NULL,       NULL};
    const size_t words = reading->builder->profile.field_count / 64 + 1;
    struct gd_json *json;
    reading->named = gd_arena_get(reading->arena, words * sizeof(*reading->named));
    if (reading->named == NULL)
        return GUARD_E_NOMEM;
    memset(reading->named, 0, words * sizeof(*reading->named));
    GUARD_TRY(gd_json_begin(&json, &handler, &reading->builder->limits, reading->arena));
    gd_json_feed(json, reading->body);
    if (ended)
        gd_json_end(json);
    return reading->failed ? GUARD_E_NOMEM : GUARD_OK;
}

enum guard_rc gd_leaves_read(struct gd_leaves *out, struct gd_capture *capture, bool ended)
{
    *out = (struct gd_leaves){NULL, 0, 0};
    if (!capture->unlisted)
        return GUARD_OK;
    struct reading reading = {.out = out,
                              .arena = capture->arena,
                              .builder = capture->builder,
                              .body = gd_span(capture->body.ptr, capture->body.len)};
    const struct guard_arena before = gd_capture_lend(capture);
    const enum guard_rc rc = read_document(&reading, ended);
    gd_capture_return(capture, &before);
    return rc;
}
