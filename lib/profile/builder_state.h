/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's inside, shared by its files: the field table, the headers, the body's sinks. */
#ifndef GD_PROFILE_BUILDER_STATE_H
#define GD_PROFILE_BUILDER_STATE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "profile/builder.h"
#include "profile/capture.h"
#include "profile/memo.h"
#include "profile/record.h"
#include "profile/short.h"

enum {
    GD_FIELDS_FIRST =
        64, /* room at first; then three times as much up to 576, then half as much again */
    GD_PROBES_MAX =
        32, /* steps in the table, beyond which a name is dropped: flooding costs nothing */
    GD_TABLE_FIRST = 2 * GD_FIELDS_FIRST, /* slots, a power of two: at most half of them are used */
    GD_NAMES_MAX = 512,                   /* of query, form, multipart, cookie */
    GD_HEADERS_MAX = 128,
    GD_LEAVES_MAX = 4096,
    GD_DEPTH_MAX = 64,
    GD_VALUE_MAX = 65536,
    GD_BODY_MAX = 1 << 20,
    GD_ANSWER_MAX = 256 * 1024,
    GD_SAMPLE_MAX = 48,
    GD_SUBJECT_MAX = 1024,
    GD_TEXT_SLAB = 1024,
};

/* JSON nodes are field indices plus one; 0 is the document. Members whose key is a placeholder
 * share a node but are no duplicates: the scanner doesn't check nodes with this bit. */
enum { GD_NODE_SHARED = 0x10000, GD_NODE_MASK = 0xffff };

/* What belongs to a node beside its field. The members of an object mostly come in the same order
 * in each of its instances, so the node that followed last time is tried first. */
struct gd_link {
    uint32_t hash;
    uint16_t first; /* member that came first, 0 = none */
    uint16_t next;  /* sibling that followed */
    uint16_t last;  /* member seen last in the open instance */
    bool sampled;   /* the field's sample is a copy of our own that may be written over */
};

/* Where a value's bytes and its name's live. */
enum gd_life {
    GD_LIFE_EXCHANGE, /* as long as the exchange: targets, headers, decoded bytes in the arena */
    GD_LIFE_CALL,     /* body chunks */
};

struct gd_builder {
    struct gd_profile profile;
    struct guard_arena *arena;
    struct gd_link *links; /* field_cap + 1, by node */
    uint16_t *table;       /* nodes, 0 = free */
    uint32_t table_cap;
    uint8_t *text; /* room for copies of names and samples */
    uint8_t *text_end;
    uint64_t seed;
    struct gd_capture *capture; /* NULL: nobody asks for texts */
    gd_reader_of_values *read;  /* NULL: nobody asks what values read like */
    size_t read_left;           /* bytes that may still be read */
    struct gd_limits limits;
    uint32_t counts[GUARD_LOCATION_COUNT]; /* fields by location */

    struct guard_span authority; /* of a target in absolute form */
    struct guard_span host;      /* of an outbound call: the first */
    uint32_t hosts;
    bool tls; /* and its target begins with https */
    uint64_t content_length;
    bool content_length_known;
    bool chunked;
    bool typed;   /* a Content-Type came */
    bool encoded; /* and nobody undoes it */
    enum guard_coding coding;
    struct gd_media_type media;
    enum guard_body_kind kind;

    struct gd_body *body;
    struct gd_body_sink sink;
    size_t body_limit;
    size_t body_inspected;
    uint64_t body_bytes;
    bool body_over;   /* beyond the limit */
    bool body_dead;   /* the parser couldn't begin */
    bool from_client; /* of WebSocket frames: the direction */
    struct gd_stream *stream;
    uint32_t stream_field; /* GD_NO_FIELD: nothing streams */
    uint64_t stream_known; /* what the field's summary had before: classes, */
    uint64_t stream_frequent;
    uint32_t stream_transitions;
    struct gd_messages *messages; /* of a WebSocket connection */
    struct gd_buffer document;    /* GraphQL that is a body of its own */
    struct gd_buffer decoded;     /* a string in GraphQL */
    uint32_t tree_depth;          /* in what isn't JSON */
    uint32_t json_field;          /* of the document, GD_NO_FIELD before */
    uint32_t json_depth;
    struct gd_segment segments[GD_SEGMENTS_MAX]; /* this and what follows isn't cleared */
    uint16_t first_table[GD_TABLE_FIRST];
};

static inline void gd_builder_fault(struct gd_builder *builder, enum guard_location location,
                                    enum guard_fault fault)
{
    builder->profile.faults[location] |= UINT64_C(1) << (unsigned)fault;
}

/* The arena is full. */
void gd_builder_full(struct gd_builder *builder, enum guard_location location);
/* Field and value of a location where a name should come once. */
void gd_builder_pair(struct gd_builder *builder, enum guard_location location,
                     struct guard_span name, struct guard_span value, enum gd_life life);

/* builder_answer.c: what only responses have. */
void gd_builder_set_cookie(struct gd_builder *builder, struct guard_span value);

/* The request of a call that the service makes. */
static inline bool gd_builder_is_call(const struct gd_builder *builder)
{
    return builder->profile.outbound && !builder->profile.answer;
}

/* builder_target.c, for outbound calls. Takes the destination's place; returns what is left of the
 * target. */
struct guard_span gd_builder_destination_begin(struct gd_builder *builder,
                                               struct guard_span target);
void gd_builder_destination_host(struct gd_builder *builder, struct guard_span value);
/* Fills it, when the headers are complete. */
void gd_builder_destination_end(struct gd_builder *builder);

/* Where texts of a location are looked for by patches. */
static inline uint32_t gd_builder_place(enum guard_location location)
{
    switch ((int)location) {
    case GUARD_LOCATION_QUERY:
        return GUARD_PLACE_QUERY;
    case GUARD_LOCATION_COOKIE:
        return GUARD_PLACE_COOKIE;
    case GUARD_LOCATION_FORM:
        return GUARD_PLACE_FORM;
    case GUARD_LOCATION_MULTIPART:
        return GUARD_PLACE_MULTIPART;
    case GUARD_LOCATION_GRAPHQL:
        return GUARD_PLACE_GRAPHQL;
    default:
        return GUARD_PLACE_JSON;
    }
}

/* A value of the field is complete: reads it when it could be something. */
void gd_builder_look(struct gd_builder *builder, uint32_t field, struct guard_span value);

/* A value that comes in pieces; nothing is added when the field can't be made. */
void gd_builder_stream_begin(struct gd_builder *builder, uint32_t field);
void gd_builder_stream_end(struct gd_builder *builder);

/* Reads the text as a GraphQL document; cut: it goes on. */
void gd_builder_graphql(struct gd_builder *builder, struct guard_span text, bool cut);
void gd_builder_protobuf_sink(struct gd_builder *builder, struct gd_protobuf_handler *out);
void gd_builder_websocket_sink(struct gd_builder *builder, struct gd_websocket_handler *out);
void gd_builder_json_sink(struct gd_builder *builder, struct gd_json_handler *out);
void gd_builder_body_sink(struct gd_builder *builder, struct gd_body_sink *out);
/* The callbacks for target and cookies. */
void gd_builder_view(struct gd_builder *builder, struct gd_view *out);

#endif
