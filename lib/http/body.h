/* SPDX-License-Identifier: Apache-2.0 */
/* A request body of any kind, fed in chunks: chosen by the Content-Type, with the incremental
 * parsers for forms, multipart and JSON behind one interface. */
#ifndef GD_HTTP_BODY_H
#define GD_HTTP_BODY_H

#include "http/json.h"
#include "http/protobuf.h"
#include "http/websocket.h"

/* type is lower-cased "type/subtype" without parameters, in the arena; empty when there is none or
 * it is malformed. malformed: the type or a parameter is. boundary: unquoted, in the arena; empty
 * unless it has 1 to 70 characters. */
struct gd_media_type {
    struct guard_span type;
    struct guard_span boundary;
    bool malformed;
};
void gd_media_type_parse(struct guard_span value, struct guard_arena *arena,
                         struct gd_media_type *out);
/* JSON: application/json and anything ending in +json; FORM; MULTIPART form-data with a boundary;
 * GRPC: grpc, grpc-web and grpc-web-text with protocol buffers in them; EVENTS: text/event-stream;
 * TEXT: text, xml, javascript, +xml, graphql; NONE when there is no usable type (gd_body_begin
 * then looks at the first byte); else BYTES. WEBSOCKET is said by no type. */
enum guard_body_kind gd_body_kind(const struct gd_media_type *type);
/* How protocol buffers come in a body of this type; BARE ones are of kind BYTES. */
enum gd_protobuf_framing gd_body_framing(const struct gd_media_type *type);

struct gd_body_sink {
    struct gd_view view; /* form values as FORM, multipart fields without file name as MULTIPART */
    struct gd_json_handler json; /* JSON bodies */
    /* A multipart part with a file name, a whole TEXT or BYTES body, or a line of EVENTS, in pieces
     * of any size. name is empty for bodies. Called once with begin=true, then with data, then with
     * end=true; only the calls between carry data. */
    void (*blob)(void *ctx, struct guard_span name, struct guard_span file_name,
                 struct guard_span content_type, struct guard_span data, bool begin, bool end);
    struct gd_protobuf_handler protobuf;   /* GRPC bodies, and BYTES that are BARE messages */
    struct gd_websocket_handler websocket; /* WEBSOCKET */
    enum gd_protobuf_framing framing;      /* of GRPC and BYTES */
    bool from_client;                      /* of WEBSOCKET: the direction */
};

struct gd_body; /* lives in the arena */

/* sink and limits are borrowed until gd_body_end. NONE and FORM bodies whose first non-blank byte
 * is '{' or '[' are read as JSON, for FORM with GUARD_FAULT_CONTENT_TYPE at BODY; other NONE bodies
 * are read as BYTES. The other kinds stay what their type says. */
GUARD_MUST_USE enum guard_rc gd_body_begin(struct gd_body **out, enum guard_body_kind kind,
                                           struct guard_span boundary,
                                           const struct gd_body_sink *sink,
                                           const struct gd_limits *limits,
                                           struct guard_arena *arena);
void gd_body_feed(struct gd_body *body, struct guard_span chunk);
void gd_body_end(struct gd_body *body);
/* What the body is read as; NONE as long as nothing but blanks was seen of a body without a type.
 */
enum guard_body_kind gd_body_kind_read(const struct gd_body *body);

#endif
