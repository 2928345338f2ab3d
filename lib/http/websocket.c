/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames. The state is of fixed size: a frame's head, what a control frame holds, and
 * how far the message has come. */
#include "http/websocket.h"

#include "base/arena.h"
#include "base/span.h"
#include "http/utf8_stream.h"

enum {
    HEAD_MAX = 14, /* two bytes, a length of eight, a mask of four */
    CONTROL_MAX = 125,
    PIECE_MAX = 512, /* unmasked at once */
};

enum opcode {
    CONTINUATION = 0,
    TEXT = 1,
    BINARY = 2,
    CLOSE = 8,
    PING = 9,
    PONG = 10,
};

/* Bits of the first two bytes. */
enum { FINAL = 0x80, COMPRESSED = 0x40, RESERVED = 0x30, OPCODE = 0x0f, CONTROL = 0x08 };
enum { MASKED = 0x80, LENGTH = 0x7f, LENGTH16 = 126, LENGTH64 = 127 };

struct gd_websocket {
    const struct gd_websocket_handler *handler;
    uint64_t seen; /* faults reported */
    size_t value_limit;
    bool from_client;
    bool dead;

    /* The frame. */
    bool inside;
    uint8_t head_len;
    uint8_t head[HEAD_MAX];
    uint8_t mask[4];
    uint64_t left;
    uint64_t done; /* bytes of content seen: the place in the mask */

    /* The message, which control frames may interrupt. */
    bool open;
    bool is_text;
    bool compressed;
    bool cut;
    size_t room; /* bytes that may still be handed over */
    struct gd_utf8_stream utf8;

    uint8_t control_len;
    uint8_t control[CONTROL_MAX];
};

enum guard_rc gd_websocket_begin(struct gd_websocket **out, bool from_client,
                                 const struct gd_websocket_handler *handler,
                                 const struct gd_limits *limits, struct guard_arena *arena)
{
    struct gd_websocket *websocket = gd_arena_get(arena, sizeof(*websocket));
    if (websocket == NULL)
        return GUARD_E_NOMEM;
    memset(websocket, 0, sizeof(*websocket));
    websocket->handler = handler;
    websocket->value_limit = limits->value;
    websocket->from_client = from_client;
    *out = websocket;
    return GUARD_OK;
}

static void fault(struct gd_websocket *websocket, enum guard_fault kind)
{
    uint64_t bit = UINT64_C(1) << (unsigned)kind;
    if ((websocket->seen & bit) == 0)
        websocket->handler->fault(websocket->handler->ctx, kind);
    websocket->seen |= bit;
}

static enum opcode opcode_of(const struct gd_websocket *websocket)
{
    return (enum opcode)(websocket->head[0] & OPCODE);
}

static bool is_control(const struct gd_websocket *websocket)
{
    return (websocket->head[0] & CONTROL) != 0;
}

static void end_message(struct gd_websocket *websocket)
{
    if (!websocket->open)
        return;
    if (websocket->is_text && !websocket->compressed && !websocket->cut) {
        gd_utf8_stream_end(&websocket->utf8);
        if (websocket->utf8.worst == GD_UTF8_OVERLONG)
            fault(websocket, GUARD_FAULT_OVERLONG);
        if (websocket->utf8.worst == GD_UTF8_INVALID)
            fault(websocket, GUARD_FAULT_INVALID_UTF8);
    }
    websocket->open = false;
    websocket->handler->end(websocket->handler->ctx, websocket->cut || websocket->compressed);
}

static void begin_message(struct gd_websocket *websocket, bool is_text)
{
    /* A message that begins inside another one ends it. */
    if (websocket->open) {
        fault(websocket, GUARD_FAULT_WEBSOCKET_SYNTAX);
        end_message(websocket);
    }
    websocket->open = true;
    websocket->is_text = is_text;
    websocket->compressed = (websocket->head[0] & COMPRESSED) != 0;
    websocket->cut = false;
    websocket->room = websocket->value_limit;
    gd_utf8_stream_begin(&websocket->utf8);
    websocket->handler->begin(websocket->handler->ctx,
                              is_text ? GD_WEBSOCKET_TEXT : GD_WEBSOCKET_BINARY);
}

static void begin_data(struct gd_websocket *websocket)
{
    enum opcode opcode = opcode_of(websocket);
    bool compressed = (websocket->head[0] & COMPRESSED) != 0;
    if (compressed)
        fault(websocket,
              opcode == CONTINUATION ? GUARD_FAULT_WEBSOCKET_SYNTAX : GUARD_FAULT_CONTENT_ENCODING);
    if (opcode == TEXT || opcode == BINARY) {
        begin_message(websocket, opcode == TEXT);
    } else if (opcode != CONTINUATION || !websocket->open) {
        /* Reserved, or the rest of nothing. */
        fault(websocket, GUARD_FAULT_WEBSOCKET_SYNTAX);
        begin_message(websocket, false);
    }
}

static void begin_control(struct gd_websocket *websocket)
{
    enum opcode opcode = opcode_of(websocket);
    if ((websocket->head[0] & FINAL) == 0 || (websocket->head[0] & COMPRESSED) != 0 ||
        websocket->left > CONTROL_MAX || opcode > PONG)
        fault(websocket, GUARD_FAULT_WEBSOCKET_SYNTAX);
    websocket->control_len = 0;
}

static void end_control(struct gd_websocket *websocket)
{
    enum opcode opcode = opcode_of(websocket);
    if (opcode > PONG)
        return;
    enum gd_websocket_kind kind = opcode == CLOSE  ? GD_WEBSOCKET_CLOSE
                                  : opcode == PING ? GD_WEBSOCKET_PING
                                                   : GD_WEBSOCKET_PONG;
    /* A close frame is empty or begins with a code of two bytes. */
    if (kind == GD_WEBSOCKET_CLOSE && websocket->control_len == 1)
        fault(websocket, GUARD_FAULT_WEBSOCKET_SYNTAX);
    struct guard_span content = {websocket->control, websocket->control_len};
    if (kind == GD_WEBSOCKET_CLOSE && gd_utf8_check(gd_span_from(content, 2)) != GD_UTF8_VALID)
        fault(websocket, GUARD_FAULT_INVALID_UTF8);
    websocket->handler->control(websocket->handler->ctx, kind, content);
}

static void end_frame(struct gd_websocket *websocket)
{
    websocket->inside = false;
    websocket->head_len = 0;
    if (is_control(websocket))
        end_control(websocket);
    else if (websocket->head[0] & FINAL)
        end_message(websocket);
}

static uint64_t number_at(const uint8_t *at, size_t len)
{
    uint64_t number = 0;
    for (size_t i = 0; i < len; i++)
        number = number << 8 | at[i];
    return number;
}

/* How many bytes the length takes behind the first two. */
static size_t length_bytes(const struct gd_websocket *websocket)
{
    uint8_t length = websocket->head[1] & LENGTH;
    return length == LENGTH64 ? 8 : length == LENGTH16 ? 2 : 0;
}

static void begin_frame(struct gd_websocket *websocket)
{
    const uint8_t *head = websocket->head;
    size_t bytes = length_bytes(websocket);
    uint64_t left = bytes == 0 ? head[1] & LENGTH : number_at(head + 2, bytes);
    bool masked = (head[1] & MASKED) != 0;
    if (masked)
        memcpy(websocket->mask, head + 2 + bytes, sizeof(websocket->mask));
    else
        memset(websocket->mask, 0, sizeof(websocket->mask));
    if (masked != websocket->from_client || (head[0] & RESERVED) != 0 ||
        (bytes == 2 && left < LENGTH16) || (bytes == 8 && left <= UINT16_MAX))
        fault(websocket, GUARD_FAULT_WEBSOCKET_SYNTAX);
    if (left > INT64_MAX) {
        fault(websocket, GUARD_FAULT_WEBSOCKET_SYNTAX);
        websocket->dead = true;
        return;
    }
    websocket->inside = true;
    websocket->left = left;
    websocket->done = 0;
    if (is_control(websocket))
        begin_control(websocket);
    else
        begin_data(websocket);
    if (left == 0)
        end_frame(websocket);
}

static struct guard_span take_head(struct gd_websocket *websocket, struct guard_span chunk)
{
    size_t need = 2;
    if (websocket->head_len >= 2)
        need += length_bytes(websocket) + ((websocket->head[1] & MASKED) != 0 ? 4 : 0);
    struct guard_span piece = gd_span_head(chunk, need - websocket->head_len);
    memcpy(websocket->head + websocket->head_len, piece.ptr, piece.len);
    bool first = websocket->head_len < 2;
    websocket->head_len += (uint8_t)piece.len;
    /* Behind the second byte more may be due, and nothing may be. */
    if (websocket->head_len == need && first)
        need += length_bytes(websocket) + ((websocket->head[1] & MASKED) != 0 ? 4 : 0);
    if (websocket->head_len == need)
        begin_frame(websocket);
    return gd_span_from(chunk, piece.len);
}

static void add_control(struct gd_websocket *websocket, struct guard_span piece)
{
    piece = gd_span_head(piece, CONTROL_MAX - (size_t)websocket->control_len);
    if (piece.len > 0)
        memcpy(websocket->control + websocket->control_len, piece.ptr, piece.len);
    websocket->control_len += (uint8_t)piece.len;
}

static void add_data(struct gd_websocket *websocket, struct guard_span piece)
{
    if (websocket->compressed)
        return;
    struct guard_span head = gd_span_head(piece, websocket->room);
    websocket->room -= head.len;
    if (websocket->is_text)
        gd_utf8_stream_add(&websocket->utf8, head);
    if (head.len > 0)
        websocket->handler->data(websocket->handler->ctx, head);
    if (head.len < piece.len) {
        fault(websocket, GUARD_FAULT_VALUE_LENGTH);
        websocket->cut = true;
    }
}

/* At most PIECE_MAX bytes: into `out` when they are masked. */
static struct guard_span unmask(const struct gd_websocket *websocket, struct guard_span piece,
                                uint8_t *out)
{
    if ((websocket->head[1] & MASKED) == 0)
        return piece;
    size_t turn = (size_t)(websocket->done & 3);
    uint8_t mask[8];
    for (size_t i = 0; i < sizeof(mask); i++)
        mask[i] = websocket->mask[(turn + i) & 3];
    uint64_t word, key;
    memcpy(&key, mask, sizeof(key));
    size_t at = 0;
    for (; piece.len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, piece.ptr + at, sizeof(word));
        word ^= key;
        memcpy(out + at, &word, sizeof(word));
    }
    for (; at < piece.len; at++)
        out[at] = piece.ptr[at] ^ mask[at & 7];
    return gd_span(out, piece.len);
}

static struct guard_span take_content(struct gd_websocket *websocket, struct guard_span chunk)
{
    uint8_t out[PIECE_MAX];
    struct guard_span piece = gd_span_head(chunk, PIECE_MAX);
    if (piece.len > websocket->left)
        piece = gd_span_head(chunk, (size_t)websocket->left);
    struct guard_span plain = unmask(websocket, piece, out);
    websocket->left -= piece.len;
    websocket->done += piece.len;
    if (is_control(websocket))
        add_control(websocket, plain);
    else
        add_data(websocket, plain);
    if (websocket->left == 0)
        end_frame(websocket);
    return gd_span_from(chunk, piece.len);
}

void gd_websocket_feed(struct gd_websocket *websocket, struct guard_span chunk)
{
    while (chunk.len > 0 && !websocket->dead)
        chunk = websocket->inside ? take_content(websocket, chunk) : take_head(websocket, chunk);
}

void gd_websocket_end(struct gd_websocket *websocket)
{
    if (!websocket->dead && (websocket->inside || websocket->head_len > 0 || websocket->open))
        fault(websocket, GUARD_FAULT_TRUNCATED);
    websocket->dead = true;
    if (websocket->open) {
        websocket->cut = true;
        end_message(websocket);
    }
}
