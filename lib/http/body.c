/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the parser of a body: by its type, or by its first byte when there is no type to trust.
 */
#include "http/body.h"

#include "base/arena.h"
#include "base/span.h"
#include "http/events.h"
#include "http/form.h"
#include "http/multipart.h"

/* More blanks than this before the first byte and the body isn't JSON to us. */
enum { HELD_MAX = 64 };

struct gd_body {
    const struct gd_body_sink *sink;
    const struct gd_limits *limits;
    struct guard_arena *arena;
    struct gd_json *json;
    struct gd_form *form;
    struct gd_multipart *multipart;
    struct gd_protobuf *protobuf;
    struct gd_websocket *websocket;
    struct gd_events *events;
    enum guard_body_kind kind;
    bool undecided; /* the first byte isn't seen yet */
    bool begun;     /* TEXT, BYTES: the blob was begun */
    bool dead;
    uint8_t held_len;
    uint8_t held[HELD_MAX]; /* blanks before the first byte */
};

static enum guard_rc begin_protobuf(struct gd_body *body)
{
    enum gd_protobuf_framing framing = body->sink->framing;
    if (framing == GD_PROTOBUF_NONE)
        framing = GD_PROTOBUF_GRPC;
    return gd_protobuf_begin(&body->protobuf, framing, &body->sink->protobuf, body->limits,
                             body->arena);
}

static enum guard_rc begin_parser(struct gd_body *body, struct guard_span boundary)
{
    switch (body->kind) {
    case GUARD_BODY_JSON:
        return gd_json_begin(&body->json, &body->sink->json, body->limits, body->arena);
    case GUARD_BODY_FORM:
        return gd_form_begin(&body->form, &body->sink->view, body->limits, body->arena);
    case GUARD_BODY_MULTIPART:
        return gd_multipart_begin(&body->multipart, boundary, body->sink, body->limits,
                                  body->arena);
    case GUARD_BODY_GRPC:
        return begin_protobuf(body);
    case GUARD_BODY_WEBSOCKET:
        return gd_websocket_begin(&body->websocket, body->sink->from_client, &body->sink->websocket,
                                  body->limits, body->arena);
    case GUARD_BODY_EVENTS:
        return gd_events_begin(&body->events, body->sink, body->arena);
    case GUARD_BODY_BYTES:
        return body->sink->framing == GD_PROTOBUF_BARE ? begin_protobuf(body) : GUARD_OK;
    case GUARD_BODY_NONE:
    case GUARD_BODY_TEXT:
        break;
    }
    return GUARD_OK;
}

enum guard_rc gd_body_begin(struct gd_body **out, enum guard_body_kind kind,
                            struct guard_span boundary, const struct gd_body_sink *sink,
                            const struct gd_limits *limits, struct guard_arena *arena)
{
    struct gd_body *body = gd_arena_get(arena, sizeof(*body));
    if (body == NULL)
        return GUARD_E_NOMEM;
    memset(body, 0, sizeof(*body));
    body->sink = sink;
    body->limits = limits;
    body->arena = arena;
    body->kind = kind;
    body->undecided = kind == GUARD_BODY_NONE || kind == GUARD_BODY_FORM;
    if (!body->undecided)
        GUARD_TRY(begin_parser(body, boundary));
    *out = body;
    return GUARD_OK;
}

static void blob(const struct gd_body *body, struct guard_span data, bool begin, bool end)
{
    const struct guard_span none = {NULL, 0};
    body->sink->blob(body->sink->view.ctx, none, none, none, data, begin, end);
}

/* What has no names. */
static void feed_bytes(struct gd_body *body, struct guard_span chunk)
{
    if (body->protobuf != NULL) {
        gd_protobuf_feed(body->protobuf, chunk);
        return;
    }
    if (!body->begun)
        blob(body, gd_span(NULL, 0), true, false);
    body->begun = true;
    blob(body, chunk, false, false);
}

static void feed_parser(struct gd_body *body, struct guard_span chunk)
{
    if (body->dead || chunk.len == 0)
        return;
    switch (body->kind) {
    case GUARD_BODY_JSON:
        gd_json_feed(body->json, chunk);
        break;
    case GUARD_BODY_FORM:
        gd_form_feed(body->form, chunk);
        break;
    case GUARD_BODY_MULTIPART:
        gd_multipart_feed(body->multipart, chunk);
        break;
    case GUARD_BODY_GRPC:
        gd_protobuf_feed(body->protobuf, chunk);
        break;
    case GUARD_BODY_WEBSOCKET:
        gd_websocket_feed(body->websocket, chunk);
        break;
    case GUARD_BODY_EVENTS:
        gd_events_feed(body->events, chunk);
        break;
    case GUARD_BODY_NONE:
    case GUARD_BODY_TEXT:
    case GUARD_BODY_BYTES:
        feed_bytes(body, chunk);
        break;
    }
}

static void fault(const struct gd_body *body, enum guard_fault kind)
{
    body->sink->view.fault(body->sink->view.ctx, kind, GUARD_LOCATION_BODY);
}

static void decide(struct gd_body *body, bool is_json)
{
    body->undecided = false;
    if (is_json && body->kind == GUARD_BODY_FORM)
        fault(body, GUARD_FAULT_CONTENT_TYPE);
    if (is_json)
        body->kind = GUARD_BODY_JSON;
    else if (body->kind == GUARD_BODY_NONE)
        body->kind = GUARD_BODY_BYTES;
    if (begin_parser(body, gd_span(NULL, 0)) != GUARD_OK) {
        body->dead = true;
        fault(body, GUARD_FAULT_MEMORY);
    }
    feed_parser(body, gd_span(body->held, body->held_len));
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

void gd_body_feed(struct gd_body *body, struct guard_span chunk)
{
    while (body->undecided && chunk.len > 0) {
        uint8_t byte = chunk.ptr[0];
        if (is_blank(byte) && body->held_len < HELD_MAX) {
            body->held[body->held_len++] = byte;
            chunk = gd_span_from(chunk, 1);
        } else {
            decide(body, byte == '{' || byte == '[');
        }
    }
    feed_parser(body, chunk);
}

void gd_body_end(struct gd_body *body)
{
    if (body->undecided && body->held_len > 0)
        decide(body, false);
    if (body->dead || body->undecided)
        return;
    if (body->kind == GUARD_BODY_JSON)
        gd_json_end(body->json);
    else if (body->kind == GUARD_BODY_FORM)
        gd_form_end(body->form);
    else if (body->kind == GUARD_BODY_MULTIPART)
        gd_multipart_end(body->multipart);
    else if (body->protobuf != NULL)
        gd_protobuf_end(body->protobuf);
    else if (body->websocket != NULL)
        gd_websocket_end(body->websocket);
    else if (body->events != NULL)
        gd_events_end(body->events);
    else if (body->begun)
        blob(body, gd_span(NULL, 0), false, true);
    body->dead = true;
}

enum guard_body_kind gd_body_kind_read(const struct gd_body *body)
{
    return body->kind;
}
