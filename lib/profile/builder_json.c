/* SPDX-License-Identifier: Apache-2.0 */
/* JSON members become fields: the hot path of JSON bodies. */
#include "http/graphql.h"
#include "http/json_run.h"
#include "profile/field_table.h"
#include "profile/segments.h"

static uint32_t index_of(uint32_t node)
{
    return (node & GD_NODE_MASK) - 1;
}

/* Members of the document have no parent. */
static uint32_t parent_of(uint32_t node)
{
    return node == GD_JSON_ROOT ? GD_NO_FIELD : index_of(node);
}

static inline __attribute__((always_inline)) uint32_t
node_of(struct gd_builder *builder, uint32_t parent, struct guard_span name)
{
    uint32_t before = builder->profile.field_count;
    uint32_t index = gd_builder_field(builder, GUARD_LOCATION_JSON, parent, name, GD_LIFE_CALL);
    if (builder->capture != NULL && builder->profile.field_count > before)
        gd_capture_json_key(builder->capture, name);
    return index == GD_NO_FIELD ? GD_JSON_SKIP : index + 1;
}

static __attribute__((noinline)) uint32_t rare_node(struct gd_builder *builder, uint32_t parent,
                                                    struct guard_span name)
{
    return node_of(builder, parent, name);
}

/* The document, or one of those that come as its elements. */
static bool is_outermost(const struct gd_builder *builder, uint32_t object)
{
    if (object == GD_JSON_ROOT)
        return true;
    const struct gd_field *field = &builder->profile.fields[index_of(object)];
    return field->parent == GD_NO_FIELD && gd_span_equal(field->name, GUARD_SPAN_LITERAL("[]"));
}

/* A member that wasn't expected: mostly the first of its name. */
static __attribute__((noinline)) uint32_t new_member(struct gd_builder *builder, uint32_t object,
                                                     struct guard_span key)
{
    uint32_t at = object & GD_NODE_MASK;
    uint32_t shared = 0;
    if (builder->capture != NULL && key.len > GD_NAME_MAX)
        gd_capture_json_key(builder->capture, key);
    struct guard_span placeholder = gd_key_identity(key);
    if (placeholder.len > 0) {
        key = placeholder;
        shared = GD_NODE_SHARED;
    }
    uint32_t node = node_of(builder, parent_of(object), key);
    if (node == GD_JSON_SKIP)
        return node;
    /* May be GraphQL. It isn't linked, so that it always comes here. */
    if (gd_span_equal(key, GUARD_SPAN_LITERAL("query")) && is_outermost(builder, object))
        return node | GD_JSON_APART;
    struct gd_link *links = builder->links;
    uint32_t last = links[at].last;
    if (last != 0)
        links[last].next = (uint16_t)node;
    else
        links[at].first = (uint16_t)node;
    links[at].last = (uint16_t)node;
    return node | shared;
}

static inline uint32_t member(struct gd_builder *builder, uint32_t object, struct guard_span key)
{
    struct gd_link *link = &builder->links[object & GD_NODE_MASK];
    uint32_t guess = link->last != 0 ? builder->links[link->last].next : link->first;
    if (guess != 0 && gd_equal_short(builder->profile.fields[guess - 1].name, key)) {
        link->last = (uint16_t)guess;
        return guess;
    }
    return new_member(builder, object, key);
}

static uint32_t on_member(void *ctx, uint32_t object, struct guard_span key)
{
    return member(ctx, object, key);
}

static uint32_t on_element(void *ctx, uint32_t array)
{
    return rare_node(ctx, parent_of(array), GUARD_SPAN_LITERAL("[]"));
}

/* The field of a node; that of the document is made when it is needed. */
static inline uint32_t field_of(struct gd_builder *builder, uint32_t node)
{
    if (node != GD_JSON_ROOT)
        return index_of(node);
    if (builder->json_field == GD_NO_FIELD) {
        /* There may be no room for it: the next value tries again. */
        uint32_t made = rare_node(builder, GD_NO_FIELD, gd_span("", 0));
        if (made != GD_JSON_SKIP)
            builder->json_field = made - 1;
    }
    return builder->json_field;
}

/* A value of a node without text: null, or an object or array that begins. */
static inline void add_bare(struct gd_builder *builder, uint32_t node, enum guard_type type)
{
    uint32_t field = field_of(builder, node);
    if (field != GD_NO_FIELD)
        gd_summary_add_bare(&builder->profile.fields[field].summary, 1u << type);
}

/* The text goes to who asks for texts, too. */
static inline void capture(struct gd_builder *builder, uint32_t field, struct guard_span text,
                           uint32_t types)
{
    if (__builtin_expect(builder->capture != NULL, 0))
        gd_capture_json(builder->capture, field, text, types);
}

static inline void add_literal(struct gd_builder *builder, uint32_t node, enum gd_json_type type)
{
    if (type == GD_JSON_NULL) {
        add_bare(builder, node, GUARD_TYPE_NULL);
        if (builder->capture != NULL)
            gd_capture_word(builder->capture, field_of(builder, node), GUARD_SPAN_LITERAL("null"),
                            1u << GUARD_TYPE_NULL);
        return;
    }
    struct guard_span text =
        type == GD_JSON_TRUE ? GUARD_SPAN_LITERAL("true") : GUARD_SPAN_LITERAL("false");
    uint32_t field = field_of(builder, node);
    struct gd_features features;
    gd_features_bool(&features, text.len);
    if (__builtin_expect(builder->capture != NULL, 0))
        gd_capture_word(builder->capture, field, text, 1u << GUARD_TYPE_BOOL);
    if (field != GD_NO_FIELD)
        gd_builder_features(builder, field, &features, text, false, GD_LIFE_CALL);
}

static void on_scalar(void *ctx, uint32_t node, enum gd_json_type type, struct guard_span text)
{
    struct gd_builder *builder = ctx;
    if (type < GD_JSON_NUMBER) {
        add_literal(builder, node, type);
        return;
    }
    uint32_t field = field_of(builder, node);
    capture(builder, field, text, type == GD_JSON_NUMBER ? 0 : 1u << GUARD_TYPE_STRING);
    if (field != GD_NO_FIELD)
        gd_builder_value(builder, field, text,
                         type == GD_JSON_NUMBER ? 1u << GUARD_TYPE_INT : 1u << GUARD_TYPE_STRING,
                         GD_LIFE_CALL);
    if ((node & GD_JSON_APART) && type == GD_JSON_STRING && gd_graphql_looks(text))
        gd_builder_graphql(builder, text, text.len >= GD_VALUE_MAX - 3);
}

static inline void open_node(struct gd_builder *builder, uint32_t node, bool is_array)
{
    builder->links[node & GD_NODE_MASK].last = 0;
    if (++builder->json_depth > builder->profile.depth)
        builder->profile.depth = builder->json_depth;
    add_bare(builder, node, is_array ? GUARD_TYPE_ARRAY : GUARD_TYPE_OBJECT);
}

static void on_open(void *ctx, uint32_t node, bool is_array)
{
    open_node(ctx, node, is_array);
}

static inline void close_node(struct gd_builder *builder, uint32_t node, uint32_t items)
{
    builder->json_depth--;
    uint32_t field = field_of(builder, node);
    if (field != GD_NO_FIELD && items > builder->profile.fields[field].summary.items_max)
        builder->profile.fields[field].summary.items_max = items;
}

static void on_close(void *ctx, uint32_t node, bool is_array, uint32_t items)
{
    (void)is_array;
    close_node(ctx, node, items);
}

static void on_fault(void *ctx, enum guard_fault fault)
{
    struct gd_builder *builder = ctx;
    builder->sink.view.fault(ctx, fault, GUARD_LOCATION_JSON);
}

/* The calls of our own runs: what is plain there has the features of its form. */
static GD_ALWAYS_INLINE uint32_t run_member(struct gd_json *json, uint32_t object,
                                            struct guard_span key)
{
    return member(json->handler.ctx, object, key);
}

static GD_ALWAYS_INLINE void run_string(struct gd_json *json, uint32_t node, struct guard_span text)
{
    struct gd_builder *builder = json->handler.ctx;
    if (__builtin_expect(builder->capture != NULL, 0))
        gd_capture_string(builder->capture, index_of(node), text);
    gd_builder_value(builder, index_of(node), text, 1u << GUARD_TYPE_STRING, GD_LIFE_CALL);
}

static GD_ALWAYS_INLINE void run_number(struct gd_json *json, uint32_t node,
                                        const struct gd_json_plain_number *number)
{
    struct gd_features features GD_UNINITIALIZED;
    struct gd_builder *builder = json->handler.ctx;
    gd_features_number(&features, number->text.len, number->minus, number->point);
    if (__builtin_expect(builder->capture != NULL, 0))
        gd_capture_number(builder->capture, index_of(node), number->text);
    gd_builder_features(builder, index_of(node), &features, number->text, false, GD_LIFE_CALL);
}

static GD_ALWAYS_INLINE void run_literal(struct gd_json *json, uint32_t node,
                                         enum gd_json_type type)
{
    add_literal(json->handler.ctx, node, type);
}

static GD_ALWAYS_INLINE void run_open(struct gd_json *json, uint32_t node)
{
    open_node(json->handler.ctx, node, false);
}

static GD_ALWAYS_INLINE void run_close(struct gd_json *json, uint32_t node, uint32_t items)
{
    close_node(json->handler.ctx, node, items);
}

static const struct gd_json_run_calls run_calls = {run_member,  run_string, run_number,
                                                   run_literal, run_open,   run_close};

static const uint8_t *run_members(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    return gd_json_run_members(json, &run_calls, at, end);
}

static const uint8_t *run_elements(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    return gd_json_run_elements(json, &run_calls, at, end);
}

void gd_builder_json_sink(struct gd_builder *builder, struct gd_json_handler *out)
{
    *out = (struct gd_json_handler){builder,  on_member, on_element,  on_scalar,   on_open,
                                    on_close, on_fault,  run_members, run_elements};
}
