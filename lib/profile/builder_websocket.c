/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a WebSocket connection. Those that are JSON are a tree, other texts the field "",
 * binary ones "(binary)"; all messages go into the same fields. What is needed for them is
 * allocated once, however long the connection lives. */
#include "http/websocket.h"

#include "http/graphql.h"
#include "profile/builder_tree.h"
#include "profile/field_table.h"
#include "profile/segments.h"

static const enum guard_location location = GUARD_LOCATION_WEBSOCKET;

enum mode {
    MESSAGE_BEGINS, /* its first byte decides */
    MESSAGE_JSON,
    MESSAGE_STREAM,
    MESSAGE_LOST, /* no memory */
};

struct gd_messages {
    enum mode mode;
    bool is_text;
    struct gd_json *json;
    struct gd_json_handler handler;
};

static uint32_t on_member(void *ctx, uint32_t object, struct guard_span key)
{
    struct guard_span placeholder = gd_key_placeholder(key);
    uint32_t node = gd_tree_child(ctx, location, object, placeholder.len > 0 ? placeholder : key);
    return placeholder.len > 0 && node != GD_TREE_SKIP ? node | GD_NODE_SHARED : node;
}

static uint32_t on_element(void *ctx, uint32_t array)
{
    return gd_tree_child(ctx, location, array, GUARD_SPAN_LITERAL("[]"));
}

/* A subscription carries its operation as the member `query` of its payload. */
static bool may_be_graphql(const struct gd_builder *builder, uint32_t node)
{
    if ((node & GD_NODE_MASK) == 0)
        return false;
    const struct gd_field *field = &builder->profile.fields[(node & GD_NODE_MASK) - 1];
    return gd_span_equal(field->name, GUARD_SPAN_LITERAL("query")) &&
           (field->parent == GD_NO_FIELD ||
            gd_span_equal(builder->profile.fields[field->parent].name,
                          GUARD_SPAN_LITERAL("payload")));
}

static void on_string(struct gd_builder *builder, uint32_t node, struct guard_span text)
{
    gd_tree_value(builder, location, node, text, 1u << GUARD_TYPE_STRING);
    if (!may_be_graphql(builder, node) || !gd_graphql_looks(text))
        return;
    uint32_t depth = builder->tree_depth;
    gd_builder_graphql(builder, text, text.len >= GD_VALUE_MAX - 3);
    builder->tree_depth = depth;
}

static void on_scalar(void *ctx, uint32_t node, enum gd_json_type type, struct guard_span text)
{
    switch (type) {
    case GD_JSON_NULL:
        gd_tree_bare(ctx, location, node, GUARD_TYPE_NULL);
        break;
    case GD_JSON_FALSE:
        gd_tree_value(ctx, location, node, GUARD_SPAN_LITERAL("false"), 1u << GUARD_TYPE_BOOL);
        break;
    case GD_JSON_TRUE:
        gd_tree_value(ctx, location, node, GUARD_SPAN_LITERAL("true"), 1u << GUARD_TYPE_BOOL);
        break;
    case GD_JSON_NUMBER:
        gd_tree_value(ctx, location, node, text, 1u << GUARD_TYPE_INT);
        break;
    case GD_JSON_STRING:
        on_string(ctx, node, text);
        break;
    }
}

static void on_open(void *ctx, uint32_t node, bool is_array)
{
    gd_tree_open(ctx, location, node, is_array ? GUARD_TYPE_ARRAY : GUARD_TYPE_OBJECT);
}

static void on_close(void *ctx, uint32_t node, bool is_array, uint32_t items)
{
    (void)is_array;
    gd_tree_close(ctx, location, node, items);
}

static void on_fault(void *ctx, enum guard_fault fault)
{
    struct gd_builder *builder = ctx;
    if (fault == GUARD_FAULT_MEMORY)
        builder->profile.cut = true;
    gd_builder_fault(builder, location, fault);
}

static struct gd_messages *messages_of(struct gd_builder *builder)
{
    if (builder->messages != NULL)
        return builder->messages;
    struct gd_messages *messages = gd_arena_get(builder->arena, sizeof(*messages));
    if (messages == NULL) {
        gd_builder_full(builder, location);
        return NULL;
    }
    memset(messages, 0, sizeof(*messages));
    messages->handler = (struct gd_json_handler){
        builder, on_member, on_element, on_scalar, on_open, on_close, on_fault, NULL, NULL};
    builder->messages = messages;
    return messages;
}

static void on_begin(void *ctx, enum gd_websocket_kind kind)
{
    struct gd_messages *messages = messages_of(ctx);
    if (messages == NULL)
        return;
    messages->mode = MESSAGE_BEGINS;
    messages->is_text = kind == GD_WEBSOCKET_TEXT;
}

static void begin_json(struct gd_builder *builder, struct gd_messages *messages)
{
    messages->mode = MESSAGE_JSON;
    builder->tree_depth = 0;
    if (messages->json != NULL) {
        gd_json_again(messages->json);
    } else if (gd_json_begin(&messages->json, &messages->handler, &builder->limits,
                             builder->arena) != GUARD_OK) {
        messages->json = NULL;
        messages->mode = MESSAGE_LOST;
        gd_builder_full(builder, location);
    }
}

static uint32_t field_of_message(struct gd_builder *builder, const struct gd_messages *messages)
{
    struct guard_span name = messages->is_text ? gd_span("", 0) : GUARD_SPAN_LITERAL("(binary)");
    return gd_builder_field(builder, location, GD_NO_FIELD, name, GD_LIFE_EXCHANGE);
}

static void begin_stream(struct gd_builder *builder, struct gd_messages *messages)
{
    gd_builder_stream_begin(builder, field_of_message(builder, messages));
    if (builder->capture != NULL)
        gd_capture_begin(builder->capture, GUARD_PLACE_BODY, gd_span(NULL, 0));
    messages->mode = builder->stream_field == GD_NO_FIELD ? MESSAGE_LOST : MESSAGE_STREAM;
}

static void capture_piece(struct gd_builder *builder, struct guard_span piece)
{
    if (builder->capture != NULL)
        gd_capture_more(builder->capture, piece);
    gd_stream_add(builder->stream, piece);
}

static void on_data(void *ctx, struct guard_span piece)
{
    struct gd_builder *builder = ctx;
    struct gd_messages *messages = builder->messages;
    if (messages == NULL)
        return;
    if (messages->mode == MESSAGE_BEGINS) {
        if (messages->is_text && (piece.ptr[0] == '{' || piece.ptr[0] == '['))
            begin_json(builder, messages);
        else
            begin_stream(builder, messages);
    }
    if (messages->mode == MESSAGE_JSON)
        gd_json_feed(messages->json, piece);
    else if (messages->mode == MESSAGE_STREAM)
        capture_piece(builder, piece);
}

static void on_end(void *ctx, bool cut)
{
    struct gd_builder *builder = ctx;
    struct gd_messages *messages = builder->messages;
    if (messages == NULL)
        return;
    if (messages->mode == MESSAGE_JSON && !cut) {
        gd_json_end(messages->json);
    } else if (messages->mode == MESSAGE_STREAM) {
        gd_builder_stream_end(builder);
        if (builder->capture != NULL)
            gd_capture_end(builder->capture);
    } else if (messages->mode == MESSAGE_BEGINS && !cut) {
        uint32_t field = field_of_message(builder, messages);
        if (field != GD_NO_FIELD)
            gd_builder_value(builder, field, gd_span(NULL, 0), 0, GD_LIFE_CALL);
    }
    messages->mode = MESSAGE_LOST;
}

static void add_named(struct gd_builder *builder, struct guard_span name, struct guard_span value)
{
    uint32_t field = gd_builder_field(builder, location, GD_NO_FIELD, name, GD_LIFE_EXCHANGE);
    if (field != GD_NO_FIELD)
        gd_builder_value(builder, field, value, 0, GD_LIFE_CALL);
}

static void on_control(void *ctx, enum gd_websocket_kind kind, struct guard_span content)
{
    enum { CODE_DIGITS = 5 };
    uint8_t digits[CODE_DIGITS];
    if (kind == GD_WEBSOCKET_PING) {
        add_named(ctx, GUARD_SPAN_LITERAL("(ping)"), content);
    } else if (kind == GD_WEBSOCKET_PONG) {
        add_named(ctx, GUARD_SPAN_LITERAL("(pong)"), content);
    } else if (content.len < 2) {
        add_named(ctx, GUARD_SPAN_LITERAL("(close)"), gd_span(NULL, 0));
    } else {
        unsigned code = (unsigned)content.ptr[0] << 8 | content.ptr[1];
        for (size_t i = CODE_DIGITS; i > 0; i--, code /= 10)
            digits[i - 1] = (uint8_t)('0' + code % 10);
        /* Codes have four digits, or are none. */
        add_named(ctx, GUARD_SPAN_LITERAL("(close)"),
                  digits[0] == '0' ? gd_span(digits + 1, CODE_DIGITS - 1)
                                   : gd_span(digits, CODE_DIGITS));
        if (content.len > 2)
            add_named(ctx, GUARD_SPAN_LITERAL("(reason)"), gd_span_from(content, 2));
    }
}

void gd_builder_websocket_sink(struct gd_builder *builder, struct gd_websocket_handler *out)
{
    *out = (struct gd_websocket_handler){builder, on_begin, on_data, on_end, on_control, on_fault};
}
