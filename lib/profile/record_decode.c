/* SPDX-License-Identifier: Apache-2.0 */
/* Reads records, which may come from anybody: nothing in them is believed before it is checked. */
#include "base/arena.h"
#include "profile/record.h"
#include "profile/record_layout.h"
#include "profile/segments.h"

#include <guard/likeness.h>

static inline uint32_t get_u32(struct gd_reader *reader)
{
    uint64_t value = gd_get_varint(reader);
    if (value > UINT32_MAX)
        reader->failed = true;
    return (uint32_t)value;
}

static void get_faults(struct gd_reader *reader, struct gd_profile *out)
{
    uint16_t mask = gd_get_u16(reader);
    if (mask >> GUARD_LOCATION_COUNT)
        reader->failed = true;
    for (unsigned i = 0; i < GUARD_LOCATION_COUNT; i++) {
        if (!(mask >> i & 1))
            continue;
        out->faults[i] = gd_get_varint(reader);
        if (out->faults[i] == 0 || out->faults[i] >> GUARD_FAULT_COUNT)
            reader->failed = true;
    }
}

static enum guard_rc get_segments(struct gd_reader *reader, struct guard_arena *arena,
                                  struct gd_profile *out)
{
    uint8_t count = gd_get_u8(reader);
    if (reader->failed || count > GD_SEGMENTS_MAX)
        return GUARD_E_SYNTAX;
    out->segments = gd_arena_get(arena, (count > 0 ? count : 1u) * sizeof(*out->segments));
    if (out->segments == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t head = gd_get_u8(reader);
        if (head >> 1 > GD_NAME_MAX)
            reader->failed = true;
        out->segments[i].typed = head & 1;
        out->segments[i].text = gd_get_bytes(reader, head >> 1);
        if (reader->failed)
            return GUARD_E_SYNTAX;
    }
    out->segment_count = count;
    return GUARD_OK;
}

/* Which transitions a field has named: a bit each, in rows by the class that they come from. The
 * rows are clear between fields, so that a field pays only for those that it uses. */
struct transition_set {
    uint64_t rows[GUARD_CLASS_COUNT];
    uint64_t from; /* a bit per row in use */
    uint64_t to;
};

static inline bool add_transition(struct transition_set *set, uint32_t transition)
{
    uint32_t from = transition >> 6;
    uint32_t to = transition & 63;
    uint64_t bit = UINT64_C(1) << to;
    if (from >= GUARD_CLASS_COUNT || to >= GUARD_CLASS_COUNT || (set->rows[from] & bit) != 0 ||
        gd_frequent_bit(from, to) != 0)
        return false;
    set->rows[from] |= bit;
    set->from |= UINT64_C(1) << from;
    set->to |= bit;
    return true;
}

/* The classes that they name; empties the set. */
static uint64_t take_classes(struct transition_set *set)
{
    uint64_t classes = set->from | set->to;
    for (uint64_t from = set->from; from != 0; from &= from - 1)
        set->rows[__builtin_ctzll(from)] = 0;
    set->from = set->to = 0;
    return classes;
}

static enum guard_rc get_transitions(struct gd_reader *reader, struct guard_arena *arena,
                                     struct transition_set *set, struct gd_summary *out)
{
    uint8_t head = gd_get_u8(reader);
    uint32_t bytes = head & ~(uint32_t)GD_TRANSITIONS_RARE;
    if (reader->failed || head == 0 || bytes > sizeof(out->frequent))
        return GUARD_E_SYNTAX;
    const uint8_t *low = gd_take(reader, bytes);
    for (uint32_t i = 0; low != NULL && i < bytes; i++)
        out->frequent |= (uint64_t)low[i] << (8 * i);
    if (reader->failed || (out->frequent & ~GD_FREQUENT_ALL) != 0 ||
        gd_frequent_bytes(out->frequent) != bytes)
        return GUARD_E_SYNTAX;
    if ((head & GD_TRANSITIONS_RARE) == 0)
        return GUARD_OK;
    uint32_t count = get_u32(reader);
    if (reader->failed || count == 0 || count > GD_TRANSITIONS_MAX)
        return GUARD_E_SYNTAX;
    const uint8_t *at = gd_take(reader, count / 2 * 3 + count % 2 * 2);
    if (at == NULL)
        return GUARD_E_SYNTAX;
    if (count > GD_TRANSITIONS_INLINE) {
        out->transitions = gd_arena_get(arena, count * sizeof(*out->transitions));
        if (out->transitions == NULL)
            return GUARD_E_NOMEM;
        out->transition_cap = (uint16_t)count;
    }
    uint16_t *transitions = out->transitions;
    for (uint32_t i = 0; i + 1 < count; i += 2, at += 3) {
        transitions[i] = (uint16_t)(at[0] | (at[1] & 15) << 8);
        transitions[i + 1] = (uint16_t)(at[1] >> 4 | at[2] << 4);
        if (!add_transition(set, transitions[i]) || !add_transition(set, transitions[i + 1]))
            return GUARD_E_SYNTAX;
    }
    if (count % 2 != 0) {
        uint32_t last = (uint32_t)at[0] | (uint32_t)at[1] << 8;
        transitions[count - 1] = (uint16_t)last;
        if (last >> 12 != 0 || !add_transition(set, last))
            return GUARD_E_SYNTAX;
    }
    out->transition_count = (uint16_t)count;
    return GUARD_OK;
}

static inline void get_name(struct gd_reader *reader, uint8_t second, uint32_t *segments,
                            struct gd_field *field)
{
    bool path = field->location == GUARD_LOCATION_PATH;
    if (!(second & GD_FIELD_SEGMENT)) {
        field->name = gd_get_string(reader, GD_NAME_MAX);
    } else if (path && *segments < GD_SEGMENTS_MAX) {
        field->name = gd_segment_name(*segments);
    } else {
        reader->failed = true;
    }
    *segments += path;
}

static inline void get_parent(struct gd_reader *reader, uint8_t second, struct gd_field *fields,
                              uint32_t index)
{
    struct gd_field *field = &fields[index];
    field->parent = GD_NO_FIELD;
    if ((second & GD_FIELD_PARENT) == GD_FIELD_PARENT_NONE)
        return;
    uint32_t parent = GD_NO_FIELD;
    if ((second & GD_FIELD_PARENT) == GD_FIELD_PARENT_FAR)
        parent = index - get_u32(reader);
    else if (index > 0)
        parent = (second & GD_FIELD_PARENT) == GD_FIELD_PARENT_LAST ? index - 1
                                                                    : fields[index - 1].parent;
    if (parent >= index || !gd_location_in(GD_LOCATION_TREES, field->location) ||
        fields[parent].location != field->location) {
        reader->failed = true;
        return;
    }
    field->parent = parent;
}

static inline void get_types(struct gd_reader *reader, uint8_t first, struct gd_summary *out)
{
    if ((first & GD_FIELD_TYPES) == GD_FIELD_TYPE_MANY) {
        out->types = gd_get_u24(reader);
    } else {
        uint8_t type = gd_get_u8(reader);
        out->identity_known = (type & GD_TYPE_IDENTITY) != 0;
        type &= (uint8_t) ~(unsigned)GD_TYPE_IDENTITY;
        if (type >= GUARD_TYPE_STRING || (first & GD_FIELD_TYPES) == GD_FIELD_TYPES) {
            reader->failed = true;
            return;
        }
        out->types =
            1u << type |
            ((first & GD_FIELD_TYPES) == GD_FIELD_TYPE_STRING ? 1u << GUARD_TYPE_STRING : 0);
    }
    if (out->types >> GUARD_TYPE_COUNT)
        reader->failed = true;
}

static inline void get_classes(struct gd_reader *reader, uint8_t second, struct gd_summary *out)
{
    if ((second & GD_FIELD_CLASSES) == GD_FIELD_CLASSES_ONE) {
        uint8_t cls = gd_get_u8(reader);
        if (cls >= GUARD_CLASS_COUNT)
            reader->failed = true;
        else
            out->classes = UINT64_C(1) << cls;
    } else if ((second & GD_FIELD_CLASSES) == GD_FIELD_CLASSES_MANY) {
        out->classes = gd_get_u24(reader);
        out->classes |= (uint64_t)gd_get_u24(reader) << 24;
    } else if ((second & GD_FIELD_CLASSES) != GD_FIELD_CLASSES_NONE) {
        reader->failed = true;
    }
}

static inline void get_counts(struct gd_reader *reader, uint8_t first, struct gd_summary *out)
{
    if (first & GD_FIELD_PLAIN) {
        out->count = 1;
        out->length_min = get_u32(reader);
        out->length_max = out->length_min;
        return;
    }
    out->count = get_u32(reader);
    out->length_min = get_u32(reader);
    if (__builtin_add_overflow(out->length_min, get_u32(reader), &out->length_max))
        reader->failed = true;
    out->items_max = get_u32(reader);
    uint8_t full = gd_get_u8(reader);
    if (full > 1)
        reader->failed = true;
    out->transitions_full = full == 1;
}

static enum guard_rc get_field(struct gd_reader *reader, struct guard_arena *arena,
                               struct transition_set *set, struct gd_field *fields, uint32_t index,
                               uint32_t *segments)
{
    struct gd_field *field = &fields[index];
    struct gd_summary *summary = &field->summary;
    uint8_t first = gd_get_u8(reader);
    uint8_t second = gd_get_u8(reader);
    unsigned location = first & GD_FIELD_LOCATION;
    gd_summary_init(summary);
    field->sample = gd_span(NULL, 0);
    field->location = (enum guard_location)location;
    if (!gd_location_in(GD_LOCATION_FIELDS, location))
        return GUARD_E_SYNTAX;
    get_name(reader, second, segments, field);
    get_parent(reader, second, fields, index);
    get_types(reader, first, summary);
    get_classes(reader, second, summary);
    get_counts(reader, first, summary);
    if (second & GD_FIELD_DIGITS)
        summary->digits_max = get_u32(reader);
    if (second & GD_FIELD_SPECIALS)
        summary->specials_max = get_u32(reader);
    if (reader->failed)
        return GUARD_E_SYNTAX;
    uint64_t named = 0; /* classes, by transitions */
    if (second & GD_FIELD_TRANSITIONS) {
        GUARD_TRY(get_transitions(reader, arena, set, summary));
        named = take_classes(set) | gd_frequent_classes(summary->frequent);
    }
    if ((second & GD_FIELD_CLASSES) == GD_FIELD_CLASSES_NONE)
        summary->classes = named;
    /* One value has the classes of its transitions, or a single one. */
    if ((first & GD_FIELD_PLAIN) && (second & GD_FIELD_TRANSITIONS) && summary->classes != named)
        return GUARD_E_SYNTAX;
    if ((first & GD_FIELD_PLAIN) && (second & GD_FIELD_CLASSES) == GD_FIELD_CLASSES_MANY)
        return GUARD_E_SYNTAX;
    if ((first & GD_FIELD_LITERAL) && summary->identity_known)
        return GUARD_E_SYNTAX; /* either */
    if (first & GD_FIELD_LITERAL) {
        summary->literal_known = true;
        summary->literal = gd_get_u64(reader);
    } else if (summary->identity_known) {
        summary->literal = gd_get_u16(reader);
    }
    return reader->failed ? GUARD_E_SYNTAX : GUARD_OK;
}

static enum guard_rc get_readings(struct gd_reader *reader, struct gd_profile *out)
{
    uint8_t count = gd_get_u8(reader);
    uint64_t index = 0;
    if (count > GD_RECORD_READINGS)
        return GUARD_E_SYNTAX;
    for (uint32_t i = 0; i < count; i++, index++) {
        index += get_u32(reader);
        uint16_t classes = gd_get_u16(reader);
        uint8_t construct = gd_get_u8(reader);
        enum guard_likeness own = guard_construct_likeness((enum guard_construct)construct);
        if (reader->failed || index >= out->field_count || own == GUARD_LIKENESS_COUNT ||
            (classes >> (unsigned)own & 1) == 0)
            return GUARD_E_SYNTAX;
        out->fields[index].summary.likeness = classes;
        out->fields[index].summary.construct = construct;
    }
    out->likeness = count > 0;
    return GUARD_OK;
}

static enum guard_rc get_fields(struct gd_reader *reader, struct guard_arena *arena,
                                struct gd_profile *out, uint8_t flags, bool readings)
{
    uint32_t count = gd_get_u16(reader);
    if (reader->failed || count > GD_FIELDS_MAX ||
        (size_t)(reader->end - reader->ptr) / GD_FIELD_BYTES_MIN < count)
        return GUARD_E_SYNTAX;
    out->fields = gd_arena_get(arena, (count > 0 ? count : 1u) * sizeof(*out->fields));
    if (out->fields == NULL)
        return GUARD_E_NOMEM;
    uint32_t segments = 0;
    struct transition_set set = {.from = 0};
    for (uint32_t i = 0; i < count; i++)
        GUARD_TRY(get_field(reader, arena, &set, out->fields, i, &segments));
    out->field_cap = count;
    out->field_count = count;
    out->cut = (flags & GD_RECORD_CUT) != 0;
    if (flags & GD_RECORD_DROPPED)
        out->faults[GUARD_LOCATION_NONE] |= UINT64_C(1) << GUARD_FAULT_RECORD;
    return readings ? get_readings(reader, out) : GUARD_OK;
}

static enum guard_rc get_message(struct gd_reader *reader, struct gd_profile *out)
{
    uint8_t kind = gd_get_u8(reader);
    out->body_kind = (enum guard_body_kind)kind;
    out->media_type = gd_get_string(reader, GD_MEDIA_MAX);
    out->depth = get_u32(reader);
    get_faults(reader, out);
    return reader->failed || kind > GUARD_BODY_EVENTS ? GUARD_E_SYNTAX : GUARD_OK;
}

static enum guard_rc get_response(struct gd_reader *reader, struct guard_arena *arena,
                                  struct gd_profile *request, bool readings)
{
    struct gd_profile *out = gd_arena_get(arena, sizeof(*out));
    if (out == NULL)
        return GUARD_E_NOMEM;
    *out = (struct gd_profile){.service = request->service,
                               .time_ms = request->time_ms,
                               .status = request->status,
                               .latency_us = request->latency_us,
                               .decision = request->decision,
                               .answer = true};
    uint8_t flags = gd_get_u8(reader);
    out->body_bytes = get_u32(reader);
    out->leaks = get_u32(reader);
    if (reader->failed || (flags & ~(unsigned)GD_RESPONSE_FLAGS) != 0 ||
        out->leaks >> GUARD_LEAK_COUNT != 0)
        return GUARD_E_SYNTAX;
    GUARD_TRY(get_message(reader, out));
    GUARD_TRY(get_fields(reader, arena, out, flags, readings));
    request->response = out;
    return GUARD_OK;
}

enum guard_rc gd_record_decode(struct guard_span record, struct guard_arena *arena,
                               struct gd_profile *out)
{
    struct gd_reader reader;
    struct guard_record_head head;
    uint8_t flags;
    if (record.len > GUARD_RECORD_MAX)
        return GUARD_E_SYNTAX;
    gd_reader_init(&reader, record);
    GUARD_TRY(gd_record_head(&reader, &flags, &head));
    bool readings = record.ptr[1] != GD_RECORD_VERSION_PLAIN;
    *out = (struct gd_profile){
        .service = head.service,
        .method = head.method,
        .time_ms = head.time_ms,
        .client = head.client,
        .status = head.status,
        .latency_us = head.latency_us,
        .body_bytes = head.request_bytes,
        .decision = head.decision,
        .novel = head.novel,
        .excepted = head.excepted,
        .revision = head.revision,
        .outbound = (flags & GD_RECORD_OUTBOUND) != 0,
        .unseen = (flags & GD_RECORD_UNSEEN) != 0,
    };
    out->novel_count = head.novel_count;
    memcpy(out->novel_elements, head.novel_elements, head.novel_count * sizeof(uint64_t));
    out->version = get_u32(&reader);
    GUARD_TRY(get_message(&reader, out));
    GUARD_TRY(get_segments(&reader, arena, out));
    GUARD_TRY(get_fields(&reader, arena, out, flags, readings));
    if (flags & GD_RECORD_RESPONSE)
        GUARD_TRY(get_response(&reader, arena, out, readings));
    return gd_reader_done(&reader) ? GUARD_OK : GUARD_E_SYNTAX;
}
