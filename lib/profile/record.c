/* SPDX-License-Identifier: Apache-2.0 */
/* Writes records, and reads their heads. The gate does this for every exchange: room for a whole
 * field is checked once and its bytes are then written without asking. */
#include "profile/record.h"

#include "base/wire.h"
#include "profile/memo.h"
#include "profile/record_layout.h"
#include "profile/segments.h"
#include "profile/short.h"

#include <guard/crypto.h>

static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (__builtin_expect(value >= 0x80, 0)) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static inline uint8_t *put_u24(uint8_t *at, uint32_t value)
{
    at[2] = (uint8_t)(value >> 16);
    return put_u16(at, value) + 1;
}

static inline uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    uint8_t bytes[8] = {
        (uint8_t)value,         (uint8_t)(value >> 8),  (uint8_t)(value >> 16),
        (uint8_t)(value >> 24), (uint8_t)(value >> 32), (uint8_t)(value >> 40),
        (uint8_t)(value >> 48), (uint8_t)(value >> 56),
    };
    memcpy(at, bytes, sizeof(bytes));
    return at + sizeof(bytes);
}

static inline bool has_transitions(const struct gd_summary *summary)
{
    return (summary->frequent | summary->transition_count) != 0;
}

static uint8_t *put_transitions(uint8_t *at, const struct gd_summary *summary)
{
    uint32_t count = summary->transition_count;
    const uint16_t *list = summary->transitions;
    uint32_t bytes = gd_frequent_bytes(summary->frequent);
    *at++ = (uint8_t)(bytes | (count > 0 ? GD_TRANSITIONS_RARE : 0u));
    (void)put_u64(at, summary->frequent); /* the rest is written over */
    at += bytes;
    if (count == 0)
        return at;
    at = put_varint(at, count);
    uint32_t i = 0;
    for (; i + 2 <= count; i += 2)
        at = put_u24(at, (uint32_t)list[i] | (uint32_t)list[i + 1] << 12);
    return i < count ? put_u16(at, list[i]) : at;
}

static inline uint8_t *put_types(uint8_t *at, const struct gd_summary *summary, uint8_t *flags)
{
    uint32_t types = summary->types;
    uint32_t rest = types & ~(1u << GUARD_TYPE_STRING);
    if (rest == 0 || (rest & (rest - 1)) != 0) {
        *flags |= GD_FIELD_TYPE_MANY;
        return put_u24(at, types);
    }
    *flags |= rest == types ? GD_FIELD_TYPE_ONE : GD_FIELD_TYPE_STRING;
    *at = (uint8_t)(__builtin_ctz(rest) | (summary->identity_known ? GD_TYPE_IDENTITY : 0));
    return at + 1;
}

/* One value (count is 1) has no classes beside those of its transitions, or one: the reader insists
 * on it. */
static inline uint8_t *put_classes(uint8_t *at, const struct gd_summary *summary, uint8_t *flags)
{
    uint64_t classes = summary->classes;
    if (!has_transitions(summary) && (classes & (classes - 1)) == 0) {
        *at = (uint8_t)(classes == 0 ? 0 : __builtin_ctzll(classes));
        *flags |= classes == 0 ? 0 : GD_FIELD_CLASSES_ONE;
        return at + (classes != 0);
    }
    if ((summary->count == 1 && !summary->transitions_full) ||
        classes == gd_record_classes(summary))
        return at;
    *flags |= GD_FIELD_CLASSES_MANY;
    at = put_u24(at, (uint32_t)classes & 0xffffff);
    return put_u24(at, (uint32_t)(classes >> 24));
}

static inline uint8_t *put_counts(uint8_t *at, const struct gd_summary *summary, uint8_t *flags)
{
    if (summary->count == 1 && summary->length_min == summary->length_max &&
        summary->items_max == 0 && !summary->transitions_full) {
        *flags |= GD_FIELD_PLAIN;
        return put_varint(at, summary->length_max);
    }
    at = put_varint(at, summary->count);
    at = put_varint(at, summary->length_min);
    at = put_varint(at, summary->length_max - summary->length_min);
    at = put_varint(at, summary->items_max);
    *at = summary->transitions_full;
    return at + 1;
}

static inline uint8_t *put_parent(uint8_t *at, const struct gd_profile *profile, uint32_t index,
                                  uint8_t *flags)
{
    uint32_t parent = profile->fields[index].parent;
    if (parent == GD_NO_FIELD)
        return at;
    if (parent + 1 == index) {
        *flags |= GD_FIELD_PARENT_LAST;
    } else if (parent == profile->fields[index - 1].parent) {
        *flags |= GD_FIELD_PARENT_SAME;
    } else {
        *flags |= GD_FIELD_PARENT_FAR;
        at = put_varint(at, index - parent);
    }
    return at;
}

/* at has room for GD_FIELD_BYTES_MAX. segments counts the PATH fields so far. */
static inline __attribute__((always_inline)) uint8_t *
put_field(uint8_t *at, const struct gd_profile *profile, uint32_t index, uint32_t *segments)
{
    const struct gd_field *field = &profile->fields[index];
    const struct gd_summary *summary = &field->summary;
    uint8_t *head = at;
    uint8_t first = (uint8_t)field->location;
    uint8_t second = 0;
    at += 2;
    if (field->location == GUARD_LOCATION_PATH && *segments < GD_SEGMENTS_MAX &&
        gd_span_equal(field->name, gd_segment_name((*segments)++))) {
        second |= GD_FIELD_SEGMENT;
    } else {
        size_t len = field->name.len < GD_NAME_MAX ? field->name.len : GD_NAME_MAX;
        *at++ = (uint8_t)len;
        gd_copy_short(at, field->name.ptr, len);
        at += len;
    }
    at = put_parent(at, profile, index, &second);
    at = put_types(at, summary, &first);
    at = put_classes(at, summary, &second);
    at = put_counts(at, summary, &first);
    if (summary->digits_max > 0) {
        second |= GD_FIELD_DIGITS;
        at = put_varint(at, summary->digits_max);
    }
    if (summary->specials_max > 0) {
        second |= GD_FIELD_SPECIALS;
        at = put_varint(at, summary->specials_max);
    }
    if (has_transitions(summary)) {
        second |= GD_FIELD_TRANSITIONS;
        at = put_transitions(at, summary);
    }
    if (summary->literal_known) {
        first |= GD_FIELD_LITERAL;
        at = put_u64(at, summary->literal);
    } else if (summary->identity_known && (first & GD_FIELD_TYPES) != GD_FIELD_TYPE_MANY) {
        at = put_u16(at, (uint32_t)summary->literal & 0xffff);
    }
    head[0] = first;
    head[1] = second;
    return at;
}

/* A header that the memo knows gives the same bytes wherever it stands. */
static inline uint8_t *put_remembered(uint8_t *at, struct gd_memo_header *place,
                                      const struct gd_profile *profile, uint32_t index)
{
    if (place->record_len == 0) {
        uint32_t segments = 0;
        size_t len = (size_t)(put_field(at, profile, index, &segments) - at);
        if (len > GD_MEMO_RECORD)
            return at + len;
        memcpy(place->record, at, len);
        place->record_len = (uint32_t)len;
        return at + len;
    }
    memcpy(at, place->record, GD_MEMO_RECORD); /* what is too much is written over */
    return at + place->record_len;
}

/* The last ones may not fit whole: they are written elsewhere first. */
static __attribute__((noinline)) uint8_t *put_tight(uint8_t *at, const uint8_t *end,
                                                    const struct gd_profile *profile,
                                                    uint32_t index, uint32_t *segments)
{
    uint8_t room[GD_FIELD_BYTES_MAX];
    size_t len = (size_t)(put_field(room, profile, index, segments) - room);
    if (len > (size_t)(end - at))
        return NULL;
    memcpy(at, room, len);
    return at + len;
}

/* Behind the fields that went in; *count becomes how many they are. */
static uint8_t *put_fields(uint8_t *at, const uint8_t *end, const struct gd_profile *profile,
                           uint32_t *count)
{
    uint32_t segments = 0;
    uint32_t most = profile->field_count < GD_FIELDS_MAX ? profile->field_count : GD_FIELDS_MAX;
    uint32_t i = 0;
    for (; i < most; i++) {
        if (__builtin_expect((size_t)(end - at) >= GD_FIELD_BYTES_MAX, 1)) {
            struct gd_memo_header *place =
                gd_memo_place(profile->memo, &profile->fields[i].summary);
            at = place != NULL ? put_remembered(at, place, profile, i)
                               : put_field(at, profile, i, &segments);
            continue;
        }
        uint8_t *next = put_tight(at, end, profile, i, &segments);
        if (next == NULL)
            break;
        at = next;
    }
    *count = i;
    return at;
}

static inline uint8_t *put_string(uint8_t *at, struct guard_span text, size_t max)
{
    size_t len = text.len < max ? text.len : max;
    at = put_varint(at, len);
    gd_copy_short(at, text.ptr, len);
    return at + len;
}

static uint8_t *put_client(uint8_t *at, const struct guard_client *client)
{
    size_t len = client->address_len == 4 ? 3 : client->address_len == 16 ? 7 : 0;
    bool subject = client->subject.len > 0;
    *at++ = (uint8_t)((unsigned)client->unit | (unsigned)len << 2 | (subject ? 0x20u : 0));
    gd_copy_short(at, client->address, len);
    at += len;
    if (subject) {
        uint8_t digest[GUARD_DIGEST_BYTES];
        guard_digest(digest, client->subject);
        memcpy(at, digest, GD_SUBJECT_DIGEST);
        at += GD_SUBJECT_DIGEST;
    }
    return at;
}

static uint8_t *put_faults(uint8_t *at, const struct gd_profile *profile)
{
    uint8_t *head = at;
    uint32_t mask = 0;
    uint32_t locations = gd_profile_is_faulty(profile) ? GUARD_LOCATION_COUNT : 0;
    at += 2;
    for (uint32_t i = 0; i < locations; i++) {
        if (profile->faults[i] != 0) {
            mask |= 1u << i;
            at = put_varint(at, profile->faults[i]);
        }
    }
    (void)put_u16(head, mask);
    return at;
}

static uint8_t *put_segments(uint8_t *at, const struct gd_profile *profile)
{
    uint32_t count =
        profile->segment_count < GD_SEGMENTS_MAX ? profile->segment_count : GD_SEGMENTS_MAX;
    *at++ = (uint8_t)count;
    for (uint32_t i = 0; i < count; i++) {
        struct guard_span text = gd_span_head(profile->segments[i].text, GD_NAME_MAX);
        *at++ = (uint8_t)(text.len << 1 | profile->segments[i].typed);
        gd_copy_short(at, text.ptr, text.len);
        at += text.len;
    }
    return at;
}

/* At least what everything before the fields can take. */
static size_t head_bound(const struct gd_profile *profile)
{
    enum { NUMBERS = 192 }; /* all integers, the client and the faults at their longest */
    size_t bound =
        NUMBERS + (profile->novel ? 1 + 8 * (size_t)GUARD_NOVEL_MAX : 0) +
        (profile->service.len < GD_SERVICE_MAX ? profile->service.len : GD_SERVICE_MAX) +
        GD_METHOD_MAX + profile->revision.len +
        (profile->media_type.len < GD_MEDIA_MAX ? profile->media_type.len : GD_MEDIA_MAX);
    for (uint32_t i = 0; i < profile->segment_count && i < GD_SEGMENTS_MAX; i++)
        bound += 1 + profile->segments[i].text.len;
    return bound;
}

/* What requests and responses have alike, before their fields. */
static uint8_t *put_message(uint8_t *at, const struct gd_profile *profile)
{
    *at++ = (uint8_t)profile->body_kind;
    at = put_string(at, profile->media_type, GD_MEDIA_MAX);
    at = put_varint(at, profile->depth);
    return put_faults(at, profile);
}

static uint8_t *put_readings(uint8_t *at, const struct gd_profile *profile, uint32_t fields)
{
    uint8_t *count = at++;
    uint32_t next = 0;
    *count = 0;
    for (uint32_t i = 0; profile->likeness && i < fields && *count < GD_RECORD_READINGS; i++) {
        const struct gd_summary *summary = &profile->fields[i].summary;
        if (summary->likeness == 0)
            continue;
        at = put_varint(at, i - next);
        at = put_u16(at, summary->likeness);
        *at++ = summary->construct;
        next = i + 1;
        ++*count;
    }
    return at;
}

/* The fields that fit, behind their number; *flags say whether these are all. */
static uint8_t *put_counted(uint8_t *at, const uint8_t *end, const struct gd_profile *profile,
                            bool readings, uint8_t *flags)
{
    const uint64_t dropped = UINT64_C(1) << GUARD_FAULT_RECORD;
    uint8_t *count_at = at;
    uint32_t count = 0;
    at = put_fields(at + 2, readings ? end - GD_RECORD_READINGS_ROOM : end, profile, &count);
    (void)put_u16(count_at, count);
    if (readings)
        at = put_readings(at, profile, count);
    *flags = profile->cut ? GD_RECORD_CUT : 0;
    if (count < profile->field_count || (profile->faults[GUARD_LOCATION_NONE] & dropped))
        *flags |= GD_RECORD_CUT | GD_RECORD_DROPPED;
    return at;
}

/* There is room for GD_RECORD_RESPONSE_ROOM bytes at least. */
static uint8_t *put_response(uint8_t *at, const uint8_t *end, const struct gd_profile *response,
                             bool readings)
{
    uint8_t *flags = at++;
    at = put_varint(at, response->body_bytes);
    at = put_varint(at, response->leaks);
    at = put_message(at, response);
    return put_counted(at, end, response, readings, flags);
}

static uint8_t *put_elements(uint8_t *at, const struct gd_profile *profile)
{
    *at++ = (uint8_t)profile->novel_count;
    for (uint32_t i = 0; i < profile->novel_count; i++)
        at = put_u64(at, profile->novel_elements[i]);
    return at;
}

enum guard_rc gd_record_encode(const struct gd_profile *profile, uint8_t *out, size_t cap,
                               size_t *len)
{
    const uint8_t *end = out + (cap < GUARD_RECORD_MAX ? cap : GUARD_RECORD_MAX);
    bool viewed = profile->response != NULL;
    bool released = profile->novel || profile->revision.len > 0;
    bool readings = released || profile->likeness || (viewed && profile->response->likeness);
    size_t bound = head_bound(profile) + (readings ? 2 * GD_RECORD_READINGS_ROOM : 0) +
                   (viewed ? GD_RECORD_RESPONSE_ROOM : 0);
    if (bound > (size_t)(end - out))
        return GUARD_E_LIMIT;
    uint8_t *at = out;
    *at++ = GD_RECORD_MAGIC;
    *at++ = released   ? GD_RECORD_VERSION
            : readings ? GD_RECORD_VERSION_READS
                       : GD_RECORD_VERSION_PLAIN;
    uint8_t *flags = at++;
    *at++ = (uint8_t)((unsigned)profile->decision | (profile->novel ? GD_RECORD_NOVEL : 0u) |
                      (profile->excepted ? GD_RECORD_EXCEPTED : 0u));
    at = put_string(at, profile->service, GD_SERVICE_MAX);
    if (released)
        at = put_string(at, profile->revision, GUARD_REVISION_MAX);
    if (profile->novel)
        at = put_elements(at, profile);
    at = put_string(at, profile->method, GD_METHOD_MAX);
    at = put_varint(at, profile->time_ms);
    at = put_varint(at, profile->status);
    at = put_varint(at, (uint32_t)(profile->latency_us + 1));
    at = put_varint(at, profile->body_bytes);
    at = put_client(at, &profile->client);

    at = put_varint(at, profile->version);
    at = put_message(at, profile);
    at = put_segments(at, profile);
    at = put_counted(at, viewed ? end - GD_RECORD_RESPONSE_ROOM : end, profile, readings, flags);
    *flags |=
        (uint8_t)((viewed ? GD_RECORD_RESPONSE : 0) | (profile->outbound ? GD_RECORD_OUTBOUND : 0) |
                  (profile->unseen ? GD_RECORD_UNSEEN : 0));
    if (viewed)
        at = put_response(at, end, profile->response, readings);
    *len = (size_t)(at - out);
    return GUARD_OK;
}

static void get_client(struct gd_reader *reader, struct guard_client *out)
{
    uint8_t head = gd_get_u8(reader);
    unsigned len = head >> 2 & 7;
    bool subject = (head & 0x20) != 0;
    *out = (struct guard_client){.unit = (enum guard_unit)(head & 3)};
    if (head > 0x3f || (len != 0 && len != 3 && len != 7)) {
        reader->failed = true;
        return;
    }
    struct guard_span address = gd_get_bytes(reader, len);
    out->address_len = len == 0 ? 0 : len == 3 ? 4 : 16;
    if (!reader->failed && len > 0)
        memcpy(out->address, address.ptr, len);
    if (subject)
        out->subject = gd_get_bytes(reader, GD_SUBJECT_DIGEST);
}

static uint32_t get_u32(struct gd_reader *reader)
{
    uint64_t value = gd_get_varint(reader);
    if (value > UINT32_MAX)
        reader->failed = true;
    return (uint32_t)value;
}

static void get_elements(struct gd_reader *reader, struct guard_record_head *out)
{
    out->novel_count = out->novel ? gd_get_u8(reader) : 0;
    if (out->novel_count > GUARD_NOVEL_MAX) {
        reader->failed = true;
        out->novel_count = 0;
    }
    for (uint32_t i = 0; i < out->novel_count; i++)
        out->novel_elements[i] = gd_get_u64(reader);
}

enum guard_rc gd_record_head(struct gd_reader *reader, uint8_t *flags,
                             struct guard_record_head *out)
{
    uint8_t magic = gd_get_u8(reader);
    uint8_t version = gd_get_u8(reader);
    if (reader->failed || magic != GD_RECORD_MAGIC)
        return GUARD_E_SYNTAX;
    if (version < GD_RECORD_VERSION_PLAIN || version > GD_RECORD_VERSION)
        return GUARD_E_VERSION;
    bool released = version == GD_RECORD_VERSION;
    *flags = gd_get_u8(reader);
    uint8_t decision = gd_get_u8(reader);
    out->service = gd_get_string(reader, GD_SERVICE_MAX);
    out->revision = released ? gd_get_string(reader, GUARD_REVISION_MAX) : gd_span(NULL, 0);
    out->novel = released && (decision & GD_RECORD_NOVEL) != 0;
    if (released)
        decision &= (uint8_t) ~(unsigned)GD_RECORD_NOVEL;
    out->excepted = (decision & GD_RECORD_EXCEPTED) != 0;
    decision &= (uint8_t) ~(unsigned)GD_RECORD_EXCEPTED;
    get_elements(reader, out);
    out->method = gd_get_string(reader, GD_METHOD_MAX);
    out->time_ms = gd_get_varint(reader);
    out->status = get_u32(reader);
    out->latency_us = get_u32(reader) - 1;
    out->request_bytes = get_u32(reader);
    out->decision = (enum guard_decision)decision;
    get_client(reader, &out->client);
    if (reader->failed || decision > GUARD_BLOCK || (*flags & ~(unsigned)GD_RECORD_FLAGS) != 0)
        return GUARD_E_SYNTAX;
    return GUARD_OK;
}

enum guard_rc guard_record_head_read(struct guard_span record, struct guard_record_head *out)
{
    struct gd_reader reader;
    uint8_t flags;
    gd_reader_init(&reader, record);
    return gd_record_head(&reader, &flags, out);
}
