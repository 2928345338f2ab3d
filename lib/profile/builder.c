/* SPDX-License-Identifier: Apache-2.0 */
/* Target, headers and cookies become fields here; bodies in builder_body.c and builder_json.c. */
#include "profile/builder.h"

#include "base/span.h"
#include "http/graphql.h"
#include "http/target.h"
#include "profile/field_table.h"
#include "profile/segments.h"

enum guard_rc gd_builder_begin(struct gd_builder **out, const struct guard_txn_cfg *cfg,
                               struct guard_arena *arena)
{
    *out = NULL;
    struct gd_builder *builder = gd_arena_get(arena, sizeof(*builder));
    if (builder == NULL)
        return GUARD_E_NOMEM;
    gd_clear(builder, offsetof(struct gd_builder, segments));
    struct gd_profile *profile = &builder->profile;
    profile->fields = gd_arena_get(arena, GD_FIELDS_FIRST * sizeof(*profile->fields));
    builder->links = gd_arena_get(arena, (GD_FIELDS_FIRST + 1) * sizeof(*builder->links));
    if (profile->fields == NULL || builder->links == NULL)
        return GUARD_E_NOMEM;
    profile->field_cap = GD_FIELDS_FIRST;
    profile->segments = builder->segments;
    profile->service = cfg->service;
    profile->time_ms = cfg->time_ms;
    profile->unseen = cfg->unseen;
    profile->revision = gd_span_head(cfg->revision, GUARD_REVISION_MAX);
    profile->outbound = cfg->outbound;
    profile->likeness_without = cfg->likeness_without;
    profile->latency_us = UINT32_MAX;
    builder->links[0] = (struct gd_link){.hash = 0};
    builder->table = builder->first_table;
    builder->table_cap = GD_TABLE_FIRST;
    gd_clear(builder->first_table, sizeof(builder->first_table));
    builder->arena = arena;
    builder->seed = cfg->hash_seed;
    profile->memo = cfg->memo;
    builder->limits = (struct gd_limits){GD_NAMES_MAX, GD_LEAVES_MAX, GD_DEPTH_MAX, GD_VALUE_MAX};
    builder->body_limit = cfg->body_limit == 0 ? GD_BODY_MAX : cfg->body_limit;
    builder->stream_field = GD_NO_FIELD;
    builder->json_field = GD_NO_FIELD;
    gd_buffer_init(&builder->document, arena, builder->limits.value);
    gd_buffer_init(&builder->decoded, arena, builder->limits.value);
    *out = builder;
    return GUARD_OK;
}

void gd_builder_client(struct gd_builder *builder, const struct guard_client *client)
{
    struct guard_client *own = &builder->profile.client;
    *own = *client;
    own->subject = gd_span(NULL, 0);
    if (own->address_len != 4 && own->address_len != 16)
        own->address_len = 0;
    if (client->unit != GUARD_UNIT_SUBJECT || client->subject.len == 0)
        return;
    own->subject = gd_builder_keep(builder, gd_span_head(client->subject, GD_SUBJECT_MAX));
    if (own->subject.len == 0)
        gd_builder_full(builder, GUARD_LOCATION_CLIENT);
}

/* "a[]" is a list by convention; of headers only some are meant to come once. */
static bool may_repeat(enum guard_location location, struct guard_span name)
{
    if (location == GUARD_LOCATION_HEADER)
        return !gd_span_equal(name, GUARD_SPAN_LITERAL("host")) &&
               !gd_span_equal(name, GUARD_SPAN_LITERAL("content-type")) &&
               !gd_span_equal(name, GUARD_SPAN_LITERAL("authorization"));
    return name.len >= 2 && memcmp(name.ptr + name.len - 2, "[]", 2) == 0;
}

static inline __attribute__((always_inline)) void
add_pair(struct gd_builder *builder, enum guard_location location, struct guard_span name,
         struct guard_span value, enum gd_life life)
{
    uint32_t index = gd_builder_field(builder, location, GD_NO_FIELD, name, life);
    if (index == GD_NO_FIELD)
        return;
    gd_builder_value(builder, index, value, 0, life);
    if (builder->profile.fields[index].summary.count > 1 && !may_repeat(location, name))
        gd_builder_fault(builder, location, GUARD_FAULT_DUPLICATE_NAME);
}

void gd_builder_pair(struct gd_builder *builder, enum guard_location location,
                     struct guard_span name, struct guard_span value, enum gd_life life)
{
    add_pair(builder, location, name, value, life);
}

static void on_segment(void *ctx, uint32_t index, struct guard_span text)
{
    struct gd_builder *builder = ctx;
    struct gd_profile *profile = &builder->profile;
    index += profile->outbound; /* the destination stands before */
    bool rest = index >= GD_SEGMENTS_MAX;
    uint32_t place = rest ? GD_SEGMENTS_MAX - 1 : index;
    uint32_t field = gd_builder_field(builder, GUARD_LOCATION_PATH, GD_NO_FIELD,
                                      gd_segment_name(place), GD_LIFE_EXCHANGE);
    if (field == GD_NO_FIELD)
        return;
    gd_builder_value(builder, field, text, 0, GD_LIFE_EXCHANGE);
    if (rest) {
        profile->segments[place] = (struct gd_segment){GUARD_SPAN_LITERAL("{rest}"), true};
        return;
    }
    profile->segments[place] = gd_segment_of(text, &profile->fields[field].summary);
    profile->segment_count = place + 1;
}

/* Searches have a parameter of this name as well: only what is GraphQL all through is read so. */
static void query_parameter(struct gd_builder *builder, struct guard_span value)
{
    if (value.len <= GD_VALUE_MAX && gd_graphql_looks(value) &&
        gd_graphql_check(value, &builder->limits))
        gd_builder_graphql(builder, value, false);
}

static void on_value(void *ctx, enum guard_location location, struct guard_span name,
                     struct guard_span value)
{
    const struct gd_builder *builder = ctx;
    if (__builtin_expect(builder->capture != NULL, 0))
        gd_capture_value(builder->capture, gd_builder_place(location), name, value, 0);
    if (location != GUARD_LOCATION_QUERY && location != GUARD_LOCATION_COOKIE) {
        gd_builder_pair(ctx, location, name, value, GD_LIFE_CALL);
        return;
    }
    add_pair(ctx, location, name, value, GD_LIFE_EXCHANGE);
    if (location == GUARD_LOCATION_QUERY && gd_span_equal(name, GUARD_SPAN_LITERAL("query")))
        query_parameter(ctx, value);
}

static void on_fault(void *ctx, enum guard_fault fault, enum guard_location location)
{
    struct gd_builder *builder = ctx;
    /* Repeated names are told apart by pair; what is cut at our own limit isn't the sender's
     * truncation. */
    if (fault == GUARD_FAULT_DUPLICATE_NAME ||
        (fault == GUARD_FAULT_TRUNCATED && builder->body_over))
        return;
    if (fault == GUARD_FAULT_MEMORY)
        builder->profile.cut = true;
    gd_builder_fault(builder, location, fault);
}

void gd_builder_view(struct gd_builder *builder, struct gd_view *out)
{
    *out = (struct gd_view){builder, on_segment, on_value, on_fault};
}

void gd_builder_request(struct gd_builder *builder, struct guard_span method,
                        struct guard_span target, uint32_t version)
{
    struct gd_view view;
    gd_builder_view(builder, &view);
    if (builder->capture != NULL)
        gd_capture_request(builder->capture, method, target, builder->arena);
    builder->profile.method = gd_span_head(method, GD_METHOD_MAX);
    builder->profile.version = version;
    if (target.len > 0 && target.ptr[0] != '/')
        builder->authority = gd_target_authority(target);
    if (builder->profile.outbound)
        target = gd_builder_destination_begin(builder, target);
    gd_target_view(target, &builder->limits, builder->arena, &view);
}

/* 0x20 in every byte that is an upper case letter. */
static inline uint64_t upper_bits(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = word & (ones * 0x7f);
    /* The top bit of a byte says "at least 'A'", then "not more than 'Z'". */
    return (
        ((low + ones * (0x80 - 'A')) & ~(low + ones * (0x80 - 'Z' - 1)) & ~word & (ones * 0x80)) >>
        2);
}

/* 8 bytes of the text, whatever their order: its last ones with those before them, or all of them.
 */
static inline uint64_t word_at(struct guard_span text, size_t at)
{
    uint64_t word;
    if (__builtin_expect(text.len >= sizeof(word), 1)) {
        memcpy(&word, text.ptr + (at < text.len - 8 ? at : text.len - 8), sizeof(word));
        return word;
    }
    uint64_t head, tail;
    gd_load_short(text, &head, &tail);
    return head | tail << 32;
}

static uint64_t load(struct guard_span text, size_t at)
{
    uint64_t word = 0;
    if (text.len - at >= sizeof(word))
        memcpy(&word, text.ptr + at, sizeof(word));
    else
        gd_copy_short((uint8_t *)&word, text.ptr + at, text.len - at);
    return word;
}

static __attribute__((noinline)) struct guard_span lowered(struct gd_builder *builder,
                                                           struct guard_span name)
{
    size_t room = (name.len + 7) & ~(size_t)7;
    uint8_t *out = name.len > GD_VALUE_MAX ? NULL : gd_arena_get(builder->arena, room);
    if (out == NULL)
        return gd_span(NULL, 0);
    for (size_t i = 0; i < name.len; i += 8) {
        uint64_t word = load(name, i);
        word |= upper_bits(word);
        memcpy(out + i, &word, sizeof(word));
    }
    return gd_span(out, name.len);
}

/* The name in lower case: itself when it is already; a NULL pointer when the arena is full. */
static inline struct guard_span lower_name(struct gd_builder *builder, struct guard_span name)
{
    uint64_t found = 0;
    for (size_t i = 0; i < name.len; i += 8)
        found |= upper_bits(word_at(name, i));
    if (__builtin_expect(found != 0, 0))
        return lowered(builder, name);
    return name.ptr == NULL ? gd_span("", 0) : name;
}

static void content_length(struct gd_builder *builder, struct guard_span value)
{
    uint64_t length = 0;
    bool bad = value.len == 0 || builder->content_length_known;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.ptr[i];
        bad = bad || byte < '0' || byte > '9' ||
              __builtin_mul_overflow(length, (uint64_t)10, &length) ||
              __builtin_add_overflow(length, (uint64_t)(byte - '0'), &length);
    }
    builder->content_length_known = true;
    builder->content_length = bad ? 0 : length;
    if (bad)
        gd_builder_fault(builder, GUARD_LOCATION_HEADER, GUARD_FAULT_LENGTH_CONFLICT);
}

static void content_type(struct gd_builder *builder, struct guard_span value)
{
    struct gd_media_type media;
    gd_media_type_parse(value, builder->arena, &media);
    if (media.malformed || builder->typed)
        gd_builder_fault(builder, GUARD_LOCATION_HEADER, GUARD_FAULT_CONTENT_TYPE);
    if (!builder->typed)
        builder->media = media;
    builder->typed = true;
}

static void content_encoding(struct gd_builder *builder, struct guard_span value)
{
    static const struct {
        struct guard_span name;
        enum guard_coding coding;
    } codings[] = {
        {{(const uint8_t *)"gzip", 4}, GUARD_CODING_GZIP},
        {{(const uint8_t *)"x-gzip", 6}, GUARD_CODING_GZIP},
        {{(const uint8_t *)"deflate", 7}, GUARD_CODING_DEFLATE},
        {{(const uint8_t *)"br", 2}, GUARD_CODING_BROTLI},
        {{(const uint8_t *)"zstd", 4}, GUARD_CODING_ZSTD},
    };
    if (gd_span_equal_nocase(value, GUARD_SPAN_LITERAL("identity")))
        return;
    enum guard_coding coding = GUARD_CODING_OTHER;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        if (gd_span_equal_nocase(value, codings[i].name))
            coding = codings[i].coding;
    }
    builder->coding = builder->encoded ? GUARD_CODING_OTHER : coding;
    builder->encoded = true;
}

/* Who is asked. False: it is no field. */
static bool host_header(struct gd_builder *builder, struct guard_span value)
{
    /* When it is said twice, servers disagree on which of the two it is. */
    if (builder->authority.len > 0 && !gd_span_equal_nocase(value, builder->authority))
        gd_builder_fault(builder, GUARD_LOCATION_HEADER, GUARD_FAULT_DUPLICATE_NAME);
    if (!gd_builder_is_call(builder))
        return true;
    gd_builder_destination_host(builder, value);
    return false;
}

static void cookie_header(struct gd_builder *builder, struct guard_span value)
{
    struct gd_view view;
    gd_builder_view(builder, &view);
    gd_cookie_view(value, &builder->limits, builder->arena, &view);
}

/* True when the header is a field as well. Each length is that of one name here. */
static inline bool special_header(struct gd_builder *builder, struct guard_span name,
                                  struct guard_span value)
{
    switch (name.len) {
    case sizeof("host") - 1:
        return !gd_span_equal(name, GUARD_SPAN_LITERAL("host")) || host_header(builder, value);
    case sizeof("cookie") - 1:
        if (!gd_span_equal(name, GUARD_SPAN_LITERAL("cookie")))
            return true;
        cookie_header(builder, value);
        return false;
    case sizeof("set-cookie") - 1:
        if (!builder->profile.answer || !gd_span_equal(name, GUARD_SPAN_LITERAL("set-cookie")))
            return true;
        gd_builder_set_cookie(builder, value);
        return false;
    case sizeof("content-type") - 1:
        if (gd_span_equal(name, GUARD_SPAN_LITERAL("content-type")))
            content_type(builder, value);
        return true;
    case sizeof("content-length") - 1:
        if (!gd_span_equal(name, GUARD_SPAN_LITERAL("content-length")))
            return true;
        content_length(builder, value);
        return false;
    case sizeof("content-encoding") - 1:
        if (gd_span_equal(name, GUARD_SPAN_LITERAL("content-encoding")))
            content_encoding(builder, value);
        return true;
    case sizeof("transfer-encoding") - 1:
        if (gd_span_equal(name, GUARD_SPAN_LITERAL("transfer-encoding")))
            builder->chunked = true;
        return true;
    default:
        return true;
    }
}

/* As gd_builder_pair; the features of headers that come again and again are taken from the memo. */
static void add_header(struct gd_builder *builder, struct guard_span name, struct guard_span value)
{
    struct gd_memo_visit visit;
    uint32_t index =
        gd_builder_field(builder, GUARD_LOCATION_HEADER, GD_NO_FIELD, name, GD_LIFE_EXCHANGE);
    if (index == GD_NO_FIELD)
        return;
    struct gd_field *field = &builder->profile.fields[index];
    if (field->summary.count > 0) {
        field->summary.memo_place = 0;
        gd_builder_value(builder, index, value, 0, GD_LIFE_EXCHANGE);
        if (!may_repeat(GUARD_LOCATION_HEADER, name))
            gd_builder_fault(builder, GUARD_LOCATION_HEADER, GUARD_FAULT_DUPLICATE_NAME);
        return;
    }
    /* What wasn't read is no answer to who asks. */
    gd_memo_look(&visit, builder->profile.memo, builder->seed ^ (builder->read == NULL), name,
                 value);
    if (visit.found != NULL) {
        field->summary = visit.found->summary;
        gd_summary_moved(&field->summary, &visit.found->summary);
        field->sample = gd_span_head(value, GD_SAMPLE_MAX);
        builder->profile.likeness |= field->summary.likeness != 0;
        return;
    }
    gd_builder_value(builder, index, value, 0, GD_LIFE_EXCHANGE);
    /* A secret is what its name says; see drop_secret_literals. */
    field->summary.identity_known = false; /* nobody is asked for in a header */
    if (field->summary.literal_known && gd_is_secret_name(name))
        field->summary.literal_known = false;
    gd_memo_keep(&visit, name, value, &field->summary);
}

/* Cookies are a header as well: what breaks out of a pair is seen there. */
static void capture_header(struct gd_capture *capture, struct guard_span name,
                           struct guard_span value)
{
    gd_capture_value(capture, GUARD_PLACE_HEADER, name, value, 0);
    if (!capture->raw)
        return;
    gd_capture_value(capture, GUARD_PLACE_HEADER, name, value, GD_CAPTURE_RAW);
    if (gd_span_equal(name, GUARD_SPAN_LITERAL("cookie")))
        gd_capture_raw_pairs(capture, GUARD_PLACE_COOKIE, value, ';');
}

/* There is no memory for its name. */
static void lose_header(struct gd_builder *builder)
{
    gd_builder_full(builder, GUARD_LOCATION_HEADER);
    if (builder->capture != NULL)
        builder->capture->full = true;
}

void gd_builder_header(struct gd_builder *builder, struct guard_span name, struct guard_span value)
{
    struct guard_span lower = lower_name(builder, name);
    if (lower.ptr == NULL) {
        lose_header(builder);
        return;
    }
    if (__builtin_expect(builder->capture != NULL, 0))
        capture_header(builder->capture, lower, value);
    if (special_header(builder, lower, value))
        add_header(builder, lower, value);
}

void gd_builder_trailer(struct gd_builder *builder, struct guard_span name, struct guard_span value)
{
    struct guard_span lower = lower_name(builder, name);
    if (lower.ptr == NULL)
        lose_header(builder);
    else {
        if (__builtin_expect(builder->capture != NULL, 0))
            capture_header(builder->capture, lower, value);
        add_header(builder, lower, value);
    }
}

void gd_builder_captures(struct gd_builder *builder, struct gd_capture *capture)
{
    builder->capture = capture;
    capture->builder = builder;
}

/* A response has neither forms nor files. */
static enum guard_body_kind kind_of(const struct gd_builder *builder)
{
    enum guard_body_kind kind = gd_body_kind(&builder->media);
    if (builder->profile.answer && kind == GUARD_BODY_FORM)
        return GUARD_BODY_TEXT;
    if (builder->profile.answer && kind == GUARD_BODY_MULTIPART)
        return GUARD_BODY_BYTES;
    return kind;
}

enum guard_body_kind gd_builder_headers_end(struct gd_builder *builder)
{
    if (builder->content_length_known && builder->chunked)
        gd_builder_fault(builder, GUARD_LOCATION_HEADER, GUARD_FAULT_LENGTH_CONFLICT);
    if (gd_builder_is_call(builder))
        gd_builder_destination_end(builder);
    builder->profile.media_type = builder->media.type;
    if (builder->capture != NULL)
        gd_capture_mark(builder->capture);
    builder->kind = builder->encoded ? GUARD_BODY_BYTES : kind_of(builder);
    return builder->kind;
}

enum guard_coding gd_builder_coding(const struct gd_builder *builder)
{
    return builder->coding;
}

enum guard_body_kind gd_builder_decoded(struct gd_builder *builder)
{
    builder->encoded = false;
    builder->kind = kind_of(builder);
    return builder->kind;
}

void gd_builder_decoding_failed(struct gd_builder *builder)
{
    gd_builder_fault(builder, GUARD_LOCATION_BODY, GUARD_FAULT_DECODING);
}

struct gd_profile *gd_builder_profile(struct gd_builder *builder)
{
    return &builder->profile;
}
