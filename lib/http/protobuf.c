/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC frames. Messages that lie within a chunk are read where they lie, others are put together in
 * a buffer that is used again and again, so that a stream of any length needs no more memory. */
#include "http/protobuf.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "http/base64.h"
#include "http/media_type.h"
#include "http/protobuf_message.h"

enum {
    HEAD_BYTES = 5,
    FLAG_COMPRESSED = 0x01,
    FLAG_TRAILERS = 0x80,
    DECODED_BYTES = 768, /* of base64 at a time */
};

struct gd_protobuf {
    struct gd_protobuf_reader reader;
    struct gd_buffer buffer; /* of the message that comes in pieces */
    size_t value_limit;
    uint64_t left; /* bytes of the frame that are still to come */
    enum gd_protobuf_framing framing;
    uint8_t head_len;
    uint8_t head[HEAD_BYTES];
    bool inside;   /* behind a head */
    bool skip;     /* what is in the frame isn't looked at */
    bool trailers; /* the frame holds them */
    bool complete; /* trailers came: nothing may follow */
    bool dead;
    struct gd_base64 base64;
};

enum guard_rc gd_protobuf_begin(struct gd_protobuf **out, enum gd_protobuf_framing framing,
                                const struct gd_protobuf_handler *handler,
                                const struct gd_limits *limits, struct guard_arena *arena)
{
    struct gd_protobuf *protobuf = gd_arena_get(arena, sizeof(*protobuf));
    size_t size;
    if (protobuf == NULL ||
        __builtin_mul_overflow(limits->depth, sizeof(struct gd_protobuf_frame), &size))
        return GUARD_E_NOMEM;
    memset(protobuf, 0, sizeof(*protobuf));
    struct gd_protobuf_frame *frames = gd_arena_get(arena, size);
    if (frames == NULL)
        return GUARD_E_NOMEM;
    protobuf->reader = (struct gd_protobuf_reader){.handler = handler,
                                                   .frames = frames,
                                                   .depth_limit = limits->depth,
                                                   .leaf_limit = limits->leaves};
    gd_buffer_init(&protobuf->buffer, arena, limits->value);
    protobuf->value_limit = limits->value;
    protobuf->framing = framing;
    if (framing == GD_PROTOBUF_BARE) {
        protobuf->inside = true;
        protobuf->left = UINT64_MAX;
    }
    *out = protobuf;
    return GUARD_OK;
}

static void die(struct gd_protobuf *protobuf, enum guard_fault fault)
{
    gd_protobuf_report(&protobuf->reader, fault);
    protobuf->dead = true;
}

static void begin_frame(struct gd_protobuf *protobuf)
{
    const uint8_t *head = protobuf->head;
    uint8_t flag = head[0];
    bool web =
        protobuf->framing == GD_PROTOBUF_GRPC_WEB || protobuf->framing == GD_PROTOBUF_GRPC_WEB_TEXT;
    bool trailers = web && (flag & FLAG_TRAILERS) != 0;
    if ((flag & ~(FLAG_COMPRESSED | (trailers ? FLAG_TRAILERS : 0))) != 0) {
        die(protobuf, GUARD_FAULT_PROTOBUF_SYNTAX);
        return;
    }
    if (flag & FLAG_COMPRESSED)
        gd_protobuf_report(&protobuf->reader, GUARD_FAULT_CONTENT_ENCODING);
    protobuf->inside = true;
    protobuf->skip = (flag & FLAG_COMPRESSED) != 0;
    protobuf->trailers = trailers;
    protobuf->left = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 |
                     (uint32_t)head[4];
    gd_buffer_clear(&protobuf->buffer);
}

static struct guard_span take_head(struct gd_protobuf *protobuf, struct guard_span chunk)
{
    struct guard_span piece = gd_span_head(chunk, HEAD_BYTES - (size_t)protobuf->head_len);
    memcpy(protobuf->head + protobuf->head_len, piece.ptr, piece.len);
    protobuf->head_len += (uint8_t)piece.len;
    if (protobuf->head_len == HEAD_BYTES)
        begin_frame(protobuf);
    return gd_span_from(chunk, piece.len);
}

static void read_message(struct gd_protobuf *protobuf, struct guard_span message, bool cut)
{
    if (message.len > protobuf->value_limit || protobuf->buffer.over) {
        gd_protobuf_report(&protobuf->reader, GUARD_FAULT_VALUE_LENGTH);
        message = gd_span_head(message, protobuf->value_limit);
        cut = true;
    }
    gd_protobuf_message(&protobuf->reader, message, cut);
}

static void read_trailer(struct gd_protobuf *protobuf, struct guard_span line)
{
    const struct gd_protobuf_handler *handler = protobuf->reader.handler;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0)
        return;
    size_t colon = gd_span_find(line, ':');
    struct guard_span name = gd_span_head(line, colon);
    if (colon < line.len && gd_is_token(name))
        handler->trailer(handler->ctx, name, gd_span_trim(gd_span_from(line, colon + 1)));
    else
        gd_protobuf_report(&protobuf->reader, GUARD_FAULT_PROTOBUF_SYNTAX);
}

static void read_trailers(struct gd_protobuf *protobuf)
{
    struct guard_span rest = gd_buffer_span(&protobuf->buffer);
    if (protobuf->buffer.over)
        gd_protobuf_report(&protobuf->reader, GUARD_FAULT_VALUE_LENGTH);
    while (rest.len > 0) {
        size_t end = gd_span_find(rest, '\n');
        read_trailer(protobuf, gd_span_head(rest, end));
        rest = gd_span_from(rest, end + 1);
    }
}

static void end_frame(struct gd_protobuf *protobuf, struct guard_span content)
{
    if (!protobuf->skip && protobuf->trailers)
        read_trailers(protobuf);
    else if (!protobuf->skip)
        read_message(protobuf, content, false);
    protobuf->complete = protobuf->trailers;
    protobuf->inside = false;
    protobuf->head_len = 0;
}

static struct guard_span take_content(struct gd_protobuf *protobuf, struct guard_span chunk)
{
    struct gd_buffer *buffer = &protobuf->buffer;
    struct guard_span piece = chunk;
    if (piece.len > protobuf->left)
        piece = gd_span_head(chunk, (size_t)protobuf->left);
    protobuf->left -= piece.len;
    /* Trailers are kept: what is said of them lives longer than the chunk. */
    bool whole = protobuf->left == 0 && buffer->len == 0 && !buffer->over && !protobuf->trailers;
    if (!protobuf->skip && !whole)
        gd_buffer_add(buffer, piece.ptr, piece.len);
    if (buffer->failed) {
        die(protobuf, GUARD_FAULT_MEMORY);
    } else if (protobuf->left == 0) {
        end_frame(protobuf, whole ? piece : gd_buffer_span(buffer));
    }
    return gd_span_from(chunk, piece.len);
}

static void feed_frames(struct gd_protobuf *protobuf, struct guard_span chunk)
{
    while (!protobuf->dead && (chunk.len > 0 || (protobuf->inside && protobuf->left == 0))) {
        if (protobuf->inside)
            chunk = take_content(protobuf, chunk);
        else if (protobuf->complete)
            die(protobuf, GUARD_FAULT_PROTOBUF_SYNTAX);
        else
            chunk = take_head(protobuf, chunk);
    }
}

static void feed_text(struct gd_protobuf *protobuf, struct guard_span chunk)
{
    uint8_t decoded[DECODED_BYTES];
    while (!protobuf->dead && chunk.len > 0) {
        size_t len = gd_base64_feed(&protobuf->base64, &chunk, decoded, sizeof(decoded));
        feed_frames(protobuf, gd_span(decoded, len));
        if (protobuf->base64.bad && !protobuf->dead)
            die(protobuf, GUARD_FAULT_PROTOBUF_SYNTAX);
    }
}

void gd_protobuf_feed(struct gd_protobuf *protobuf, struct guard_span chunk)
{
    if (protobuf->framing == GD_PROTOBUF_GRPC_WEB_TEXT)
        feed_text(protobuf, chunk);
    else
        feed_frames(protobuf, chunk);
}

void gd_protobuf_end(struct gd_protobuf *protobuf)
{
    if (protobuf->dead)
        return;
    protobuf->dead = true;
    bool bare = protobuf->framing == GD_PROTOBUF_BARE;
    if (!bare &&
        (protobuf->inside || protobuf->head_len > 0 || !gd_base64_complete(&protobuf->base64)))
        gd_protobuf_report(&protobuf->reader, GUARD_FAULT_TRUNCATED);
    if (protobuf->inside && !protobuf->skip && protobuf->trailers)
        read_trailers(protobuf);
    else if (protobuf->inside && !protobuf->skip && (bare || protobuf->buffer.len > 0))
        read_message(protobuf, gd_buffer_span(&protobuf->buffer), !bare);
}
