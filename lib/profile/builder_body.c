/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: their limit, their parser, and those parts of them that come as streams. */
#include "profile/field_table.h"

#include "base/span.h"

/* The field that a stream goes into; the file's name and type stand behind it. */
static void begin_stream(struct gd_builder *builder, enum guard_location location,
                         struct guard_span name)
{
    builder->stream_field = GD_NO_FIELD;
    uint32_t field = gd_builder_field(builder, location, GD_NO_FIELD, name, GD_LIFE_CALL);
    if (field == GD_NO_FIELD)
        return;
    if (builder->stream == NULL)
        builder->stream = gd_stream_new(builder->arena);
    if (builder->stream == NULL) {
        gd_builder_full(builder, location);
        return;
    }
    builder->stream_field = field;
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

static void end_stream(struct gd_builder *builder)
{
    struct gd_field *field = &builder->profile.fields[builder->stream_field];
    struct guard_span head = gd_span_head(gd_stream_end(builder->stream), GD_SAMPLE_MAX);
    struct guard_span kept = gd_builder_keep(builder, head);
    if (kept.ptr == NULL)
        gd_builder_full(builder, field->location);
    else
        field->sample = kept;
    builder->stream_field = GD_NO_FIELD;
}

static bool is_list(struct guard_span name)
{
    return name.len >= 2 && memcmp(name.ptr + name.len - 2, "[]", 2) == 0;
}

static void begin_blob(struct gd_builder *builder, struct guard_span name,
                       struct guard_span file_name, struct guard_span content_type)
{
    bool part = builder->kind == GUARD_BODY_MULTIPART;
    begin_stream(builder, part ? GUARD_LOCATION_MULTIPART : GUARD_LOCATION_BODY, name);
    if (part) {
        add_attribute(builder, name, GUARD_SPAN_LITERAL(".filename"), file_name);
        add_attribute(builder, name, GUARD_SPAN_LITERAL(".type"), content_type);
    }
    if (builder->stream_field == GD_NO_FIELD)
        return;
    struct gd_summary *summary = &builder->profile.fields[builder->stream_field].summary;
    if (summary->count > 0 && !is_list(name))
        gd_builder_fault(builder, GUARD_LOCATION_MULTIPART, GUARD_FAULT_DUPLICATE_NAME);
    gd_stream_begin(builder->stream, summary, builder->arena);
}

static void on_blob(void *ctx, struct guard_span name, struct guard_span file_name,
                    struct guard_span content_type, struct guard_span data, bool begin, bool end)
{
    struct gd_builder *builder = ctx;
    if (begin)
        begin_blob(builder, name, file_name, content_type);
    if (builder->stream_field == GD_NO_FIELD)
        return;
    gd_stream_add(builder->stream, data);
    if (end)
        end_stream(builder);
}

void gd_builder_body_sink(struct gd_builder *builder, struct gd_body_sink *out)
{
    gd_builder_view(builder, &out->view);
    gd_builder_json_sink(builder, &out->json);
    out->blob = on_blob;
}

size_t gd_builder_room(const struct gd_builder *builder)
{
    return builder->body_limit - builder->body_inspected;
}

void gd_builder_body(struct gd_builder *builder, struct guard_span chunk)
{
    if (chunk.len == 0)
        return;
    builder->body_bytes += chunk.len;
    builder->profile.body_bytes =
        builder->body_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)builder->body_bytes;
    if (builder->encoded) {
        gd_builder_fault(builder, GUARD_LOCATION_BODY, GUARD_FAULT_CONTENT_ENCODING);
        return;
    }
    /* Of what a service hands out as files only the size is learned. */
    if (builder->profile.answer && builder->kind == GUARD_BODY_BYTES)
        return;
    size_t room = builder->body_limit - builder->body_inspected;
    if (chunk.len > room) {
        builder->body_over = true;
        gd_builder_fault(builder, GUARD_LOCATION_BODY, GUARD_FAULT_BODY_LENGTH);
        chunk.len = room;
    }
    if (builder->body_dead || chunk.len == 0)
        return;
    builder->body_inspected += chunk.len;
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
}

/* A hash of a password is a password to whoever can guess; names say what values don't. Headers
 * were looked at when they came. */
static void drop_secret_literals(struct gd_profile *profile)
{
    for (uint32_t i = 0; i < profile->field_count; i++) {
        struct gd_field *field = &profile->fields[i];
        if (!field->summary.literal_known || field->location == GUARD_LOCATION_HEADER)
            continue;
        const struct gd_field *named = field;
        while (named->parent != GD_NO_FIELD && gd_span_equal(named->name, GUARD_SPAN_LITERAL("[]")))
            named = &profile->fields[named->parent];
        if (gd_is_secret_name(named->name))
            field->summary.literal_known = false;
    }
}

static void end_body(struct gd_builder *builder)
{
    struct gd_profile *profile = &builder->profile;
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
