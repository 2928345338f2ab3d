/* SPDX-License-Identifier: Apache-2.0 */
/* See trace.h. */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct gd_limits trace_limits = {.names = 512, .leaves = 4096, .depth = 64, .value = 65536};

enum { ARENA_LIMIT = 1 << 20 };

void trace_init(struct trace *trace)
{
    *trace = (struct trace){.skip_from = UINT32_MAX};
    trace->cap = 256;
    trace->text = malloc(trace->cap);
    trace->text[0] = '\0';
    trace->node_count = 1; /* the root */
}

void trace_fini(struct trace *trace)
{
    for (uint32_t i = 1; i < trace->node_count; i++)
        free(trace->nodes[i].name);
    free(trace->nodes);
    free(trace->text);
}

static void put(struct trace *trace, const void *bytes, size_t len)
{
    if (trace->len + len + 1 > trace->cap) {
        trace->cap = 2 * (trace->len + len + 1);
        trace->text = realloc(trace->text, trace->cap);
    }
    if (len > 0)
        memcpy(trace->text + trace->len, bytes, len);
    trace->len += len;
    trace->text[trace->len] = '\0';
}

/* Bytes that aren't printable ASCII as \xHH, so that expected traces can be written in sources. */
static void put_bytes(struct trace *trace, struct guard_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char text[8];
        if (bytes.ptr[i] >= 0x20 && bytes.ptr[i] < 0x7f)
            put(trace, bytes.ptr + i, 1);
        else
            put(trace, text, (size_t)snprintf(text, sizeof(text), "\\x%02X", bytes.ptr[i]));
    }
}

static void put_text(struct trace *trace, const char *text)
{
    put(trace, text, strlen(text));
}

static void *take(void *ctx, size_t size)
{
    struct trace_alloc *state = ctx;
    if (++state->calls == state->fail_at)
        return NULL;
    state->live++;
    return malloc(size);
}

static void give(void *ctx, void *ptr)
{
    struct trace_alloc *state = ctx;
    state->live--;
    free(ptr);
}

struct guard_alloc trace_allocator(struct trace_alloc *state)
{
    return (struct guard_alloc){state, take, give};
}

static void on_segment(void *ctx, uint32_t index, struct guard_span text)
{
    struct trace *trace = ctx;
    char head[32];
    put(trace, head, (size_t)snprintf(head, sizeof(head), "seg%u=", index));
    put_bytes(trace, text);
    put_text(trace, "\n");
}

static void on_value(void *ctx, enum guard_location location, struct guard_span name,
                     struct guard_span value)
{
    struct trace *trace = ctx;
    trace->calls++;
    put_text(trace, guard_location_name(location));
    put_text(trace, " ");
    put_bytes(trace, name);
    put_text(trace, "=");
    put_bytes(trace, value);
    put_text(trace, "\n");
}

static void on_fault(void *ctx, enum guard_fault fault, enum guard_location location)
{
    struct trace *trace = ctx;
    trace->faults |= UINT64_C(1) << fault;
    put_text(trace, "! ");
    put_text(trace, guard_location_name(location));
    put_text(trace, " ");
    put_text(trace, guard_fault_name(fault));
    put_text(trace, "\n");
}

struct gd_view trace_view(struct trace *trace)
{
    return (struct gd_view){trace, on_segment, on_value, on_fault};
}

static void put_node(struct trace *trace, uint32_t node)
{
    if (node == GD_JSON_ROOT) {
        put_text(trace, "$");
        return;
    }
    put_node(trace, trace->nodes[node].parent);
    put_bytes(trace, gd_span(trace->nodes[node].name, trace->nodes[node].name_len));
}

static uint32_t node_of(struct trace *trace, uint32_t parent, const char *prefix,
                        struct guard_span key)
{
    size_t prefix_len = strlen(prefix);
    size_t len = prefix_len + key.len;
    for (uint32_t i = 1; i < trace->node_count; i++) {
        struct trace_node *node = &trace->nodes[i];
        if (node->parent == parent && node->name_len == len &&
            memcmp(node->name, prefix, prefix_len) == 0 &&
            (key.len == 0 || memcmp(node->name + prefix_len, key.ptr, key.len) == 0))
            return i;
    }
    if (trace->node_count >= trace->skip_from)
        return GD_JSON_SKIP;
    if (trace->node_count >= trace->node_cap) {
        trace->node_cap = 2 * trace->node_count + 16;
        trace->nodes = realloc(trace->nodes, trace->node_cap * sizeof(*trace->nodes));
    }
    struct trace_node *node = &trace->nodes[trace->node_count];
    *node = (struct trace_node){.parent = parent, .name = malloc(len + 1), .name_len = len};
    memcpy(node->name, prefix, prefix_len);
    if (key.len > 0)
        memcpy(node->name + prefix_len, key.ptr, key.len);
    return trace->node_count++;
}

static uint32_t on_member(void *ctx, uint32_t object, struct guard_span key)
{
    return node_of(ctx, object, ".", key);
}

static uint32_t on_element(void *ctx, uint32_t array)
{
    return node_of(ctx, array, "[]", gd_span(NULL, 0));
}

static void on_scalar(void *ctx, uint32_t node, enum gd_json_type type, struct guard_span text)
{
    static const char *const marks[] = {"null", "false", "true", "#", "\""};
    struct trace *trace = ctx;
    trace->calls++;
    put_node(trace, node);
    put_text(trace, "=");
    put_text(trace, marks[type]);
    put_bytes(trace, text);
    put_text(trace, "\n");
}

static void on_open(void *ctx, uint32_t node, bool is_array)
{
    struct trace *trace = ctx;
    trace->open++;
    put_node(trace, node);
    put_text(trace, is_array ? "[\n" : "{\n");
}

static void on_close(void *ctx, uint32_t node, bool is_array, uint32_t items)
{
    struct trace *trace = ctx;
    char tail[32];
    trace->open--;
    put_node(trace, node);
    put(trace, tail, (size_t)snprintf(tail, sizeof(tail), "%c%u\n", is_array ? ']' : '}', items));
}

static void on_json_fault(void *ctx, enum guard_fault fault)
{
    on_fault(ctx, fault, GUARD_LOCATION_JSON);
}

struct gd_json_handler trace_json(struct trace *trace)
{
    return (struct gd_json_handler){trace,    on_member,     on_element, on_scalar, on_open,
                                    on_close, on_json_fault, NULL,       NULL};
}

static void on_blob(void *ctx, struct guard_span name, struct guard_span file_name,
                    struct guard_span content_type, struct guard_span data, bool begin, bool end)
{
    struct trace *trace = ctx;
    if (begin) {
        trace->open++;
        put_text(trace, "blob ");
        put_bytes(trace, name);
        put_text(trace, "|");
        put_bytes(trace, file_name);
        put_text(trace, "|");
        put_bytes(trace, content_type);
        put_text(trace, "|");
    }
    put_bytes(trace, data);
    if (end) {
        trace->open--;
        put_text(trace, "|\n");
    }
}

static void put_number(struct trace *trace, const char *mark, unsigned long long number)
{
    char text[48];
    put(trace, text, (size_t)snprintf(text, sizeof(text), "%s%llu\n", mark, number));
}

static uint32_t on_field(void *ctx, uint32_t message, uint32_t number)
{
    char name[16];
    (void)snprintf(name, sizeof(name), ".%u", number);
    return node_of(ctx, message, name, gd_span(NULL, 0));
}

static void on_integer(void *ctx, uint32_t node, uint64_t value)
{
    put_node(ctx, node);
    put_number(ctx, "=", value);
}

static void on_fixed(void *ctx, uint32_t node, struct guard_span bytes)
{
    put_node(ctx, node);
    put_text(ctx, "=fixed ");
    put_bytes(ctx, bytes);
    put_text(ctx, "\n");
}

static void on_bytes(void *ctx, uint32_t node, struct guard_span bytes)
{
    put_node(ctx, node);
    put_text(ctx, "=\"");
    put_bytes(ctx, bytes);
    put_text(ctx, "\n");
}

static void on_message(void *ctx, uint32_t node)
{
    on_open(ctx, node, false);
}

static void on_message_end(void *ctx, uint32_t node, uint32_t items)
{
    on_close(ctx, node, false, items);
}

static void on_protobuf_fault(void *ctx, enum guard_fault fault)
{
    on_fault(ctx, fault, GUARD_LOCATION_PROTOBUF);
}

static void on_trailer(void *ctx, struct guard_span name, struct guard_span value)
{
    put_text(ctx, "trailer ");
    put_bytes(ctx, name);
    put_text(ctx, "=");
    put_bytes(ctx, value);
    put_text(ctx, "\n");
}

static const char *const kinds[] = {"text", "binary", "close", "ping", "pong"};

static void on_begin(void *ctx, enum gd_websocket_kind kind)
{
    struct trace *trace = ctx;
    trace->open++;
    put_text(trace, kinds[kind]);
    put_text(trace, " ");
}

static void on_data(void *ctx, struct guard_span piece)
{
    put_bytes(ctx, piece);
}

static void on_end(void *ctx, bool cut)
{
    struct trace *trace = ctx;
    trace->open--;
    put_text(trace, cut ? "~\n" : "|\n");
}

static void on_control(void *ctx, enum gd_websocket_kind kind, struct guard_span content)
{
    put_text(ctx, "<");
    put_text(ctx, kinds[kind]);
    put_text(ctx, " ");
    put_bytes(ctx, content);
    put_text(ctx, ">");
}

static void on_websocket_fault(void *ctx, enum guard_fault fault)
{
    on_fault(ctx, fault, GUARD_LOCATION_WEBSOCKET);
}

struct gd_body_sink trace_sink(struct trace *trace)
{
    return (struct gd_body_sink){
        .view = trace_view(trace),
        .json = trace_json(trace),
        .blob = on_blob,
        .protobuf = {trace, on_field, on_integer, on_fixed, on_bytes, on_message, on_message_end,
                     on_protobuf_fault, on_trailer},
        .websocket = {trace, on_begin, on_data, on_end, on_control, on_websocket_fault},
        .framing = trace->framing,
        .from_client = trace->from_client,
    };
}

static void feed_copy(struct gd_body *body, const uint8_t *ptr, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (len > 0)
        memcpy(copy, ptr, len);
    gd_body_feed(body, gd_span(copy, len));
    free(copy);
}

bool trace_body(struct trace *trace, enum guard_body_kind kind, struct guard_span boundary,
                struct guard_span text, const struct gd_limits *limits, struct trace_cuts cuts,
                struct trace_alloc *alloc)
{
    struct trace_alloc plain = {0};
    struct guard_alloc source = trace_allocator(alloc != NULL ? alloc : &plain);
    struct gd_body_sink sink = trace_sink(trace);
    struct guard_arena arena;
    struct gd_body *body;
    guard_arena_init(&arena, &source, ARENA_LIMIT);
    bool begun = gd_body_begin(&body, kind, boundary, &sink, limits, &arena) == GUARD_OK;
    if (begun) {
        size_t at = 0;
        while (at < text.len) {
            size_t left = text.len - at;
            size_t len = cuts.step > 0 ? cuts.step : at == 0 && cuts.cut > 0 ? cuts.cut : left;
            feed_copy(body, text.ptr + at, len < left ? len : left);
            at += len < left ? len : left;
        }
        gd_body_end(body);
    }
    guard_arena_reset(&arena);
    return begun;
}
