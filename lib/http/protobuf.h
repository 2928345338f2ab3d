/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol buffers without their schema: gRPC frames, fed in chunks, and the wire format of the
 * messages in them. A message is read when it is complete, up to the limit of a value. */
#ifndef GD_HTTP_PROTOBUF_H
#define GD_HTTP_PROTOBUF_H

#include "http/view.h"

/* Nodes are names of places ("1", "1.3.2"), given by the handler; GD_PROTOBUF_ROOT is the message.
 * When a handler returns GD_PROTOBUF_SKIP the subtree is checked for syntax but not reported. */
enum { GD_PROTOBUF_ROOT = 0, GD_PROTOBUF_SKIP = 0xffffffff };

struct gd_protobuf_handler {
    void *ctx;
    /* The node of a field, given its message's node and its number. */
    uint32_t (*field)(void *ctx, uint32_t message, uint32_t number);
    /* Varints: numbers, truth values, enumerations. Negative numbers are 2^64 - n. */
    void (*integer)(void *ctx, uint32_t node, uint64_t value);
    /* 4 or 8 bytes whose meaning (floating, integer) only the schema knows. */
    void (*fixed)(void *ctx, uint32_t node, struct guard_span bytes);
    /* Text or other bytes; may be empty. */
    void (*bytes)(void *ctx, uint32_t node, struct guard_span bytes);
    /* A message or group, also the whole. items: fields in it, repeated ones counted one by one. */
    void (*open)(void *ctx, uint32_t node);
    void (*close)(void *ctx, uint32_t node, uint32_t items);
    /* Each fault at most once. */
    void (*fault)(void *ctx, enum guard_fault fault);
    /* A field of the last frame of gRPC-Web; both live as long as the arena. */
    void (*trailer)(void *ctx, struct guard_span name, struct guard_span value);
};

enum gd_protobuf_framing {
    GD_PROTOBUF_NONE = 0,      /* no protocol buffers at all */
    GD_PROTOBUF_GRPC,          /* a flag, a length, a message; again and again */
    GD_PROTOBUF_GRPC_WEB,      /* the same, with trailers as a last frame */
    GD_PROTOBUF_GRPC_WEB_TEXT, /* that in base64, in one piece or in several */
    GD_PROTOBUF_BARE,          /* the body is one message */
};

struct gd_protobuf; /* lives in the arena */

/* handler and limits are borrowed until gd_protobuf_end. GUARD_E_NOMEM when the arena is full. */
GUARD_MUST_USE enum guard_rc gd_protobuf_begin(struct gd_protobuf **out,
                                               enum gd_protobuf_framing framing,
                                               const struct gd_protobuf_handler *handler,
                                               const struct gd_limits *limits,
                                               struct guard_arena *arena);
/* The chunk is borrowed for the call. Compressed messages are skipped with CONTENT_ENCODING. A
 * message beyond limits->value is read up to there, with VALUE_LENGTH. limits->leaves and depth
 * hold for each message. After a frame that is none, and after what isn't base64, the rest is
 * ignored. Nothing may follow trailers. */
void gd_protobuf_feed(struct gd_protobuf *protobuf, struct guard_span chunk);
/* Reads what is left of an unfinished message, with TRUNCATED. */
void gd_protobuf_end(struct gd_protobuf *protobuf);

#endif
