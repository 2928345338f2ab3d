/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of the HTTP parsers share: everything reported goes into one running hash,
 * which must not depend on where the chunks end, and what is opened must be closed. */
#ifndef FUZZ_HTTP_RUN_H
#define FUZZ_HTTP_RUN_H

#include "base/span.h"
#include "http/body.h"

#include <stdint.h>
#include <stdlib.h>

struct http_run {
    uint64_t hash;
    uint64_t fail_at; /* the allocation that fails, from 1; 0: none */
    uint64_t calls;
    long live;
    long open;
    uint64_t faults;
    enum gd_protobuf_framing framing;
    bool from_client;
};

static inline void http_run_add(struct http_run *run, const void *ptr, size_t len)
{
    const uint8_t *bytes = ptr;
    for (size_t i = 0; i < len; i++)
        run->hash = (run->hash ^ bytes[i]) * UINT64_C(0x100000001b3);
}

static inline void http_run_mark(struct http_run *run, char kind, uint64_t number,
                                 struct guard_span text)
{
    http_run_add(run, &kind, 1);
    http_run_add(run, &number, sizeof(number));
    http_run_add(run, text.ptr, text.len);
    http_run_add(run, &text.len, sizeof(text.len));
}

static inline void http_run_segment(void *ctx, uint32_t index, struct guard_span text)
{
    http_run_mark(ctx, 's', index, text);
}

static inline void http_run_value(void *ctx, enum guard_location location, struct guard_span name,
                                  struct guard_span value)
{
    http_run_mark(ctx, 'n', location, name);
    http_run_mark(ctx, 'v', location, value);
}

static inline void http_run_fault(void *ctx, enum guard_fault fault, enum guard_location location)
{
    struct http_run *run = ctx;
    /* Each fault once per location. */
    uint64_t bit = UINT64_C(1) << fault;
    if (location != GUARD_LOCATION_PATH && location != GUARD_LOCATION_QUERY &&
        (run->faults & bit) != 0)
        abort();
    run->faults |= bit;
    http_run_mark(ctx, 'f', (uint64_t)fault, gd_span(NULL, 0));
}

static inline uint32_t http_run_member(void *ctx, uint32_t object, struct guard_span key)
{
    struct http_run *run = ctx;
    http_run_mark(run, 'm', object, key);
    /* Few nodes, so that some keys are repeated; some are skipped, some beyond all tables. */
    uint32_t node = (uint32_t)(object * 7 + key.len + (key.len > 0 ? key.ptr[0] * 3u : 0)) % 20000;
    return node % 97 == 0 ? GD_JSON_SKIP : node;
}

static inline uint32_t http_run_element(void *ctx, uint32_t array)
{
    http_run_mark(ctx, 'e', array, gd_span(NULL, 0));
    return array % 13 == 1 ? GD_JSON_SKIP : array + 1;
}

static inline void http_run_scalar(void *ctx, uint32_t node, enum gd_json_type type,
                                   struct guard_span text)
{
    if (node == GD_JSON_SKIP)
        abort();
    http_run_mark(ctx, (char)('0' + (int)type), node, text);
}

static inline void http_run_open(void *ctx, uint32_t node, bool is_array)
{
    struct http_run *run = ctx;
    run->open++;
    http_run_mark(run, is_array ? '[' : '{', node, gd_span(NULL, 0));
}

static inline void http_run_close(void *ctx, uint32_t node, bool is_array, uint32_t items)
{
    struct http_run *run = ctx;
    run->open--;
    http_run_mark(run, is_array ? ']' : '}', node, gd_span(NULL, 0));
    http_run_mark(run, '#', items, gd_span(NULL, 0));
}

static inline void http_run_json_fault(void *ctx, enum guard_fault fault)
{
    http_run_fault(ctx, fault, GUARD_LOCATION_JSON);
}

static inline void http_run_blob(void *ctx, struct guard_span name, struct guard_span file_name,
                                 struct guard_span content_type, struct guard_span data, bool begin,
                                 bool end)
{
    struct http_run *run = ctx;
    if (begin) {
        run->open++;
        http_run_mark(run, 'b', 0, name);
        http_run_mark(run, 'b', 1, file_name);
        http_run_mark(run, 'b', 2, content_type);
    }
    http_run_add(run, data.ptr, data.len);
    if (end) {
        run->open--;
        http_run_mark(run, 'b', 3, name);
    }
}

static inline uint32_t http_run_number(void *ctx, uint32_t message, uint32_t number)
{
    http_run_mark(ctx, 'p', message, gd_span(&number, sizeof(number)));
    uint32_t node = (message * 7 + number) % 20000;
    return node % 97 == 5 ? GD_PROTOBUF_SKIP : node;
}

static inline void http_run_integer(void *ctx, uint32_t node, uint64_t value)
{
    http_run_mark(ctx, 'i', node, gd_span(&value, sizeof(value)));
}

static inline void http_run_bytes(void *ctx, uint32_t node, struct guard_span bytes)
{
    http_run_mark(ctx, 'y', node, bytes);
}

static inline void http_run_message(void *ctx, uint32_t node)
{
    http_run_open(ctx, node, false);
}

static inline void http_run_message_end(void *ctx, uint32_t node, uint32_t items)
{
    http_run_close(ctx, node, false, items);
}

static inline void http_run_protobuf_fault(void *ctx, enum guard_fault fault)
{
    http_run_fault(ctx, fault, GUARD_LOCATION_PROTOBUF);
}

static inline void http_run_trailer(void *ctx, struct guard_span name, struct guard_span value)
{
    http_run_mark(ctx, 't', 0, name);
    http_run_mark(ctx, 'T', 0, value);
}

static inline void http_run_begin(void *ctx, enum gd_websocket_kind kind)
{
    struct http_run *run = ctx;
    run->open++;
    http_run_mark(run, 'w', kind, gd_span(NULL, 0));
}

static inline void http_run_data(void *ctx, struct guard_span piece)
{
    http_run_add(ctx, piece.ptr, piece.len);
}

static inline void http_run_end(void *ctx, bool cut)
{
    struct http_run *run = ctx;
    run->open--;
    http_run_mark(run, 'W', cut, gd_span(NULL, 0));
}

static inline void http_run_control(void *ctx, enum gd_websocket_kind kind,
                                    struct guard_span content)
{
    http_run_mark(ctx, 'c', kind, content);
}

static inline void http_run_websocket_fault(void *ctx, enum guard_fault fault)
{
    http_run_fault(ctx, fault, GUARD_LOCATION_WEBSOCKET);
}

static inline void *http_run_get(void *ctx, size_t size)
{
    struct http_run *run = ctx;
    if (++run->calls == run->fail_at)
        return NULL;
    run->live++;
    return malloc(size);
}

static inline void http_run_put(void *ctx, void *ptr)
{
    struct http_run *run = ctx;
    run->live--;
    free(ptr);
}

static inline struct gd_view http_run_view(struct http_run *run)
{
    return (struct gd_view){run, http_run_segment, http_run_value, http_run_fault};
}

/* Feed the body in chunks of `step` bytes (0: whole), each in a block of its own. */
static inline void http_run_body(struct http_run *run, enum guard_body_kind kind,
                                 struct guard_span boundary, struct guard_span text,
                                 const struct gd_limits *limits, size_t step)
{
    struct guard_alloc source = {run, http_run_get, http_run_put};
    const struct gd_body_sink sink = {
        .view = http_run_view(run),
        .json = {run, http_run_member, http_run_element, http_run_scalar, http_run_open,
                 http_run_close, http_run_json_fault, NULL, NULL},
        .blob = http_run_blob,
        .protobuf = {run, http_run_number, http_run_integer, http_run_bytes, http_run_bytes,
                     http_run_message, http_run_message_end, http_run_protobuf_fault,
                     http_run_trailer},
        .websocket = {run, http_run_begin, http_run_data, http_run_end, http_run_control,
                      http_run_websocket_fault},
        .framing = run->framing,
        .from_client = run->from_client,
    };
    struct guard_arena arena;
    struct gd_body *body;
    guard_arena_init(&arena, &source, 256 * 1024);
    if (gd_body_begin(&body, kind, boundary, &sink, limits, &arena) == GUARD_OK) {
        for (size_t at = 0; at < text.len;) {
            size_t len = step == 0 || step > text.len - at ? text.len - at : step;
            uint8_t *copy = malloc(len);
            if (copy == NULL)
                abort();
            memcpy(copy, text.ptr + at, len);
            gd_body_feed(body, gd_span(copy, len));
            free(copy);
            at += len;
        }
        gd_body_end(body);
    }
    guard_arena_reset(&arena);
    if (run->live != 0 || run->open != 0)
        abort();
}

/* The target of all bodies. The first byte chooses chunks, limits and the allocation that fails;
 * the rest is the body. */
static inline void http_run_framed(enum guard_body_kind kind, struct guard_span boundary,
                                   enum gd_protobuf_framing framing, bool from_client,
                                   const uint8_t *data, size_t size)
{
    static const struct gd_limits usual = {
        .names = 512, .leaves = 4096, .depth = 64, .value = 65536};
    static const struct gd_limits small = {.names = 4, .leaves = 8, .depth = 3, .value = 24};
    if (size == 0)
        return;
    struct guard_span text = {data + 1, size - 1};
    const struct gd_limits *limits = data[0] & 1 ? &small : &usual;
    struct http_run whole = {.framing = framing, .from_client = from_client};
    struct http_run pieces = whole;
    http_run_body(&whole, kind, boundary, text, limits, 0);
    http_run_body(&pieces, kind, boundary, text, limits, 1 + (data[0] >> 1) % 31);
    if (whole.hash != pieces.hash)
        abort();
    struct http_run failing = {
        .fail_at = 1 + data[0] % 5, .framing = framing, .from_client = from_client};
    http_run_body(&failing, kind, boundary, text, limits, 0);
}

static inline void http_run_target(enum guard_body_kind kind, struct guard_span boundary,
                                   const uint8_t *data, size_t size)
{
    http_run_framed(kind, boundary, GD_PROTOBUF_NONE, false, data, size);
}

#endif
