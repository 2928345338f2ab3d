/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of one direction of a WebSocket connection (RFC 6455), fed in chunks, for as long as
 * the connection lives. No message is held: its content is handed on as it comes. */
#ifndef GD_HTTP_WEBSOCKET_H
#define GD_HTTP_WEBSOCKET_H

#include "http/view.h"

enum gd_websocket_kind {
    GD_WEBSOCKET_TEXT,
    GD_WEBSOCKET_BINARY,
    GD_WEBSOCKET_CLOSE,
    GD_WEBSOCKET_PING,
    GD_WEBSOCKET_PONG,
};

struct gd_websocket_handler {
    void *ctx;
    /* A message: begin, its content unmasked in pieces of any size, end. cut: not all of it was
     * handed over. Control frames may come between the pieces of another message. */
    void (*begin)(void *ctx, enum gd_websocket_kind kind);
    void (*data)(void *ctx, struct guard_span piece);
    void (*end)(void *ctx, bool cut);
    /* CLOSE, PING, PONG with their content of at most 125 bytes. */
    void (*control)(void *ctx, enum gd_websocket_kind kind, struct guard_span content);
    /* Each fault at most once. */
    void (*fault)(void *ctx, enum guard_fault fault);
};

struct gd_websocket; /* lives in the arena */

/* from_client: frames must be masked, else they must not. handler is borrowed until
 * gd_websocket_end. GUARD_E_NOMEM when the arena is full. */
GUARD_MUST_USE enum guard_rc gd_websocket_begin(struct gd_websocket **out, bool from_client,
                                                const struct gd_websocket_handler *handler,
                                                const struct gd_limits *limits,
                                                struct guard_arena *arena);
/* The chunk is borrowed for the call. What RFC 6455 forbids is WEBSOCKET_SYNTAX, and read on as far
 * as its length is known: masks on the wrong side or missing, reserved bits and opcodes, lengths
 * that aren't in their shortest form, control frames that are fragmented or long, fragments of no
 * message. A text that isn't UTF-8 is INVALID_UTF8 or OVERLONG. Compressed messages (RFC 7692) are
 * CONTENT_ENCODING and handed over without content. Of a message beyond limits->value the head is
 * handed over, with VALUE_LENGTH. */
void gd_websocket_feed(struct gd_websocket *websocket, struct guard_span chunk);
/* The connection ended; within a frame or a message that is TRUNCATED. */
void gd_websocket_end(struct gd_websocket *websocket);

#endif
