/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: their limit, their parser, and those parts of them that come as streams. */
#include "profile/field_table.h"

#include "base/span.h"

void gd_builder_stream_begin(struct gd_builder *builder, uint32_t index)
{
    builder->stream_field = GD_NO_FIELD;
    if (index == GD_NO_FIELD)
        return;
    if (builder->stream == NULL)
        builder->stream = gd_stream_new(builder->arena);
    if (builder->stream == NULL) {
        gd_builder_full(builder, builder->profile.fields[index].location);
        return;
    }
    struct gd_summary *summary = &builder->profile.fields[index].summary;
    builder->stream_field = index;
    builder->stream_known = summary->classes;
    builder->stream_frequent = summary->frequent;
    builder->stream_transitions = summary->transition_count;
    gd_stream_begin(builder->stream, summary, builder->arena);
}

void gd_builder_stream_end(struct gd_builder *builder)
{
    const struct gd_field *field = &builder->profile.fields[builder->stream_field];
    struct guard_span head = gd_stream_end(builder->stream);
    const struct gd_summary *summary = &field->summary;
    /* What is shown is the last value that brought something new. */
    if (head.len > 0 && (summary->classes != builder->stream_known ||
                         summary->frequent != builder->stream_frequent ||
                         summary->transition_count != builder->stream_transitions))
        gd_builder_sample(builder, builder->stream_field, head);
    if (builder->read != NULL)
        gd_builder_look(builder, builder->stream_field, gd_stream_head(builder->stream));
    builder->stream_field = GD_NO_FIELD;
}

/* "NAME.filename", "NAME.type". */
static void add_attribute(struct gd_builder *builder, struct guard_span name,
                          struct guard_span suffix, struct guard_span value)
{
    uint8_t *joined = gd_arena_get(builder->arena, name.len + suffix.len);
    if (joined == NULL) {
        gd_builder_full(builder, GUARD_LOCATION_MULTIPART);
        return;
    }
    if (name.len > 0)
        memcpy(joined, name.ptr, name.len);
    memcpy(joined + name.len, suffix.ptr, suffix.len);
    uint32_t field = gd_builder_field(builder, GUARD_LOCATION_MULTIPART, GD_NO_FIELD,
                                      gd_span(joined, name.len + suffix.len), GD_LIFE_EXCHANGE);
    if (field != GD_NO_FIELD)
        gd_builder_value(builder, field, value, 0, GD_LIFE_CALL);
}

static bool is_list(struct guard_span name)
{
    return name.len >= 2 && memcmp(name.ptr + name.len - 2, "[]", 2) == 0;
}

static void begin_blob(struct gd_builder *builder, struct guard_span name,
                       struct guard_span file_name, struct guard_span content_type)
{
    bool part = builder->kind == GUARD_BODY_MULTIPART;
    uint32_t index =
        gd_builder_field(builder, part ? GUARD_LOCATION_MULTIPART : GUARD_LOCATION_BODY,
                         GD_NO_FIELD, name, GD_LIFE_CALL);
    if (builder->capture != NULL && part)
        gd_capture_value(builder->capture, GUARD_PLACE_FILE, name, file_name, 0);
    else if (builder->capture != NULL && builder->kind == GUARD_BODY_EVENTS)
        gd_capture_begin(builder->capture, GUARD_PLACE_BODY, name);
    if (part) {
        add_attribute(builder, name, GUARD_SPAN_LITERAL(".filename"), file_name);
        add_attribute(builder, name, GUARD_SPAN_LITERAL(".type"), content_type);
    }
    if (part && index != GD_NO_FIELD && builder->profile.fields[index].summary.count > 0 &&
        !is_list(name))
        gd_builder_fault(builder, GUARD_LOCATION_MULTIPART, GUARD_FAULT_DUPLICATE_NAME);
    gd_builder_stream_begin(builder, index);
}

/* Whole bodies of GraphQL are read at their end; here they are text. */
static bool is_graphql(const struct gd_builder *builder)
{
    return builder->kind == GUARD_BODY_TEXT &&
           gd_span_equal(builder->media.type, GUARD_SPAN_LITERAL("application/graphql"));
}

static void end_document(struct gd_builder *builder)
{
    struct gd_buffer *document = &builder->document;
    if (document->failed)
        gd_builder_full(builder, GUARD_LOCATION_GRAPHQL);
    if (document->over)
        gd_builder_fault(builder, GUARD_LOCATION_GRAPHQL, GUARD_FAULT_VALUE_LENGTH);
    if (document->len > 0 && !document->failed)
        gd_builder_graphql(builder, gd_buffer_span(document), document->over || builder->body_over);
}

static void on_blob(void *ctx, struct guard_span name, struct guard_span file_name,
                    struct guard_span content_type, struct guard_span data, bool begin, bool end)
{
    struct gd_builder *builder = ctx;
    if (begin)
        begin_blob(builder, name, file_name, content_type);
    if (builder->capture != NULL && builder->kind == GUARD_BODY_EVENTS) {
        gd_capture_more(builder->capture, data);
        if (end)
            gd_capture_end(builder->capture);
    }
    if (is_graphql(builder)) {
        gd_buffer_add(&builder->document, data.ptr, data.len);
        if (end)
            end_document(builder);
    }
    if (builder->stream_field == GD_NO_FIELD)
        return;
    gd_stream_add(builder->stream, data);
    if (end)
        gd_builder_stream_end(builder);
}

void gd_builder_body_sink(struct gd_builder *builder, struct gd_body_sink *out)
{
    gd_builder_view(builder, &out->view);
    gd_builder_json_sink(builder, &out->json);
    out->blob = on_blob;
    out->framing = GD_PROTOBUF_NONE;
    if (builder->kind == GUARD_BODY_GRPC || builder->kind == GUARD_BODY_BYTES) {
        gd_builder_protobuf_sink(builder, &out->protobuf);
        out->framing = gd_body_framing(&builder->media);
    } else if (builder->kind == GUARD_BODY_WEBSOCKET) {
        gd_builder_websocket_sink(builder, &out->websocket);
        out->from_client = builder->from_client;
    }
}

void gd_builder_upgraded(struct gd_builder *builder, bool from_client)
{
    builder->kind = GUARD_BODY_WEBSOCKET;
    builder->encoded = false;
    builder->from_client = from_client;
}

/* Streams of messages have limits for each of them and none for all. */
static bool is_endless(enum guard_body_kind kind)
{
    return kind == GUARD_BODY_GRPC || kind == GUARD_BODY_WEBSOCKET || kind == GUARD_BODY_EVENTS;
}

bool gd_builder_is_endless(const struct gd_builder *builder)
{
    return is_endless(builder->kind);
}

bool gd_builder_has_body(const struct gd_builder *builder)
{
    return builder->body_bytes > 0;
}

bool gd_builder_is_base64(const struct gd_builder *builder)
{
    return builder->kind == GUARD_BODY_GRPC &&
           gd_body_framing(&builder->media) == GD_PROTOBUF_GRPC_WEB_TEXT;
}

size_t gd_builder_room(const struct gd_builder *builder)
{
    return is_endless(builder->kind) ? SIZE_MAX : builder->body_limit - builder->body_inspected;
}

static void capture_body(struct gd_builder *builder, struct guard_span chunk)
{
    const uint64_t expected = builder->content_length;
    gd_capture_body(builder->capture, chunk,
                    expected < builder->body_limit ? (size_t)expected : builder->body_limit);
    if (builder->kind == GUARD_BODY_JSON)
        gd_capture_document(builder->capture, chunk);
}

/* Of what a service hands out as files only the size is learned; patches may ask for more. */
static void capture_file(struct gd_builder *builder, struct guard_span chunk)
{
    struct gd_capture *capture = builder->capture;
    const size_t room = builder->body_limit - builder->body_inspected;
    if (chunk.len > room)
        capture->missed |= GUARD_PLACE_BODY;
    chunk = gd_span_head(chunk, room);
    builder->body_inspected += chunk.len;
    if (chunk.len > 0)
        capture_body(builder, chunk);
}

void gd_builder_body(struct gd_builder *builder, struct guard_span chunk)
{
    if (chunk.len == 0)
        return;
    builder->body_bytes += chunk.len;
    builder->profile.body_bytes =
        builder->body_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)builder->body_bytes;
    if (builder->body == NULL)
        builder->profile.body_kind = builder->kind;
    if (builder->encoded) {
        gd_builder_fault(builder, GUARD_LOCATION_BODY, GUARD_FAULT_CONTENT_ENCODING);
        return;
    }
    if (builder->profile.answer && builder->kind == GUARD_BODY_BYTES &&
        gd_body_framing(&builder->media) == GD_PROTOBUF_NONE) {
        if (builder->capture != NULL)
            capture_file(builder, chunk);
        return;
    }
    size_t room = gd_builder_room(builder);
    if (chunk.len > room) {
        builder->body_over = true;
        gd_builder_fault(builder, GUARD_LOCATION_BODY, GUARD_FAULT_BODY_LENGTH);
        chunk.len = room;
    }
    if (chunk.len == 0)
        return;
    builder->body_inspected += chunk.len;
    if (builder->capture != NULL && !is_endless(builder->kind))
        capture_body(builder, chunk);
    if (builder->body_dead)
        return;
    if (builder->body == NULL) {
        gd_builder_body_sink(builder, &builder->sink);
        if (gd_body_begin(&builder->body, builder->kind, builder->media.boundary, &builder->sink,
                          &builder->limits, builder->arena) != GUARD_OK) {
            builder->body = NULL;
            builder->body_dead = true;
            gd_builder_full(builder, GUARD_LOCATION_BODY);
            return;
        }
    }
    gd_body_feed(builder->body, chunk);
    builder->profile.body_kind = gd_body_kind_read(builder->body);
}

/* A hash of a password is a password to whoever can guess; names say what values don't. Headers
 * were looked at when they came. */
static void drop_secret_literals(struct gd_profile *profile)
{
    /* Segments have no names of their own. */
    const uint32_t apart = 1u << GUARD_LOCATION_HEADER | 1u << GUARD_LOCATION_PATH;
    for (uint32_t i = 0; i < profile->field_count; i++) {
        struct gd_field *field = &profile->fields[i];
        bool hashed = field->summary.literal_known || field->summary.identity_known;
        if (!hashed || (1u << field->location & apart) != 0)
            continue;
        const struct gd_field *named = field;
        while (named->parent != GD_NO_FIELD && gd_span_equal(named->name, GUARD_SPAN_LITERAL("[]")))
            named = &profile->fields[named->parent];
        if (gd_is_secret_name(named->name))
            field->summary.literal_known = field->summary.identity_known = false;
    }
}

static void end_body(struct gd_builder *builder)
{
    struct gd_profile *profile = &builder->profile;
    if (builder->capture != NULL)
        gd_capture_document_end(builder->capture);
    if (builder->body != NULL)
        gd_body_end(builder->body);
    uint64_t bytes = builder->body_bytes;
    bool conflict =
        builder->content_length_known && builder->coding == GUARD_CODING_IDENTITY &&
        !builder->chunked && bytes > 0 &&
        (builder->body_over ? bytes > builder->content_length : bytes != builder->content_length);
    if (conflict)
        gd_builder_fault(builder, GUARD_LOCATION_HEADER, GUARD_FAULT_LENGTH_CONFLICT);
    /* A host may stop at the limit; the header then tells how long the body is. */
    if (builder->body_over && builder->content_length_known &&
        builder->coding == GUARD_CODING_IDENTITY && builder->content_length > bytes)
        bytes = builder->content_length;
    profile->body_bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
    if (bytes == 0)
        profile->body_kind = GUARD_BODY_NONE;
    else if (builder->body != NULL)
        profile->body_kind = gd_body_kind_read(builder->body);
    else
        profile->body_kind = builder->encoded ? GUARD_BODY_BYTES : builder->kind;
}

void gd_builder_end(struct gd_builder *builder)
{
    end_body(builder);
    drop_secret_literals(&builder->profile);
}
