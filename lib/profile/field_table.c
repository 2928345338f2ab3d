/* SPDX-License-Identifier: Apache-2.0 */
/* Fields by name, through one table whose hash is keyed by a secret of the process and whose probe
 * sequences are bounded. */
#include "profile/field_table.h"

#include "profile/segments.h"

void gd_builder_full(struct gd_builder *builder, enum guard_location location)
{
    gd_builder_fault(builder, location, GUARD_FAULT_MEMORY);
    builder->profile.cut = true;
}

bool gd_builder_slab(struct gd_builder *builder, size_t len)
{
    size_t size = len > GD_TEXT_SLAB ? len : GD_TEXT_SLAB;
    uint8_t *slab = gd_arena_get(builder->arena, size);
    if (slab == NULL)
        return false;
    builder->text = slab;
    builder->text_end = slab + size;
    return true;
}

/* Enter all nodes anew; one that finds no place won't be found again and its name is dropped when
 * it comes again. */
static void fill_table(struct gd_builder *builder)
{
    memset(builder->table, 0, builder->table_cap * sizeof(*builder->table));
    uint32_t mask = builder->table_cap - 1;
    for (uint32_t node = 1; node <= builder->profile.field_count; node++) {
        uint32_t slot = builder->links[node].hash & mask;
        for (uint32_t step = 1; step <= GD_PROBES_MAX; step++) {
            if (builder->table[slot] == 0) {
                builder->table[slot] = (uint16_t)node;
                break;
            }
            slot = (slot + step) & mask;
        }
    }
}

/* Three times as much up to 576 fields, then half as much again: with what the exchange's arena can
 * give, this reaches further than doubling. */
static uint32_t next_cap(uint32_t cap)
{
    uint32_t next = cap < 9 * GD_FIELDS_FIRST ? cap * 3 : cap + cap / 2;
    return next < GD_FIELDS_MAX ? next : GD_FIELDS_MAX;
}

static bool grow(struct gd_builder *builder)
{
    struct gd_profile *profile = &builder->profile;
    uint32_t cap = next_cap(profile->field_cap);
    uint32_t slots = builder->table_cap;
    while (slots < 2 * cap)
        slots *= 2;
    struct gd_field *fields = gd_arena_get(builder->arena, cap * sizeof(*fields));
    struct gd_link *links =
        fields == NULL ? NULL : gd_arena_get(builder->arena, (cap + 1) * sizeof(*links));
    uint16_t *table = links == NULL ? NULL : gd_arena_get(builder->arena, slots * sizeof(*table));
    if (table == NULL)
        return false;
    struct gd_field *old = profile->fields;
    for (uint32_t i = 0; i < profile->field_count; i++) {
        fields[i] = old[i];
        gd_summary_moved(&fields[i].summary, &old[i].summary);
    }
    memcpy(links, builder->links, (profile->field_count + 1) * sizeof(*links));
    /* What was outgrown is room for names and samples. */
    builder->text = (uint8_t *)old;
    builder->text_end = (uint8_t *)(old + profile->field_cap);
    profile->fields = fields;
    profile->field_cap = cap;
    builder->links = links;
    builder->table = table;
    builder->table_cap = slots;
    fill_table(builder);
    return true;
}

static uint32_t names_limit(enum guard_location location)
{
    if (location == GUARD_LOCATION_JSON)
        return GD_FIELDS_MAX;
    return location == GUARD_LOCATION_HEADER ? GD_HEADERS_MAX : GD_NAMES_MAX;
}

bool gd_builder_reserve(struct gd_builder *builder, enum guard_location location)
{
    struct gd_profile *profile = &builder->profile;
    if (builder->counts[location] >= names_limit(location) ||
        profile->field_count >= GD_FIELDS_MAX) {
        gd_builder_fault(builder, location, GUARD_FAULT_NAMES);
        return false;
    }
    if (profile->field_count == profile->field_cap && !grow(builder)) {
        gd_builder_full(builder, location);
        return false;
    }
    return true;
}

uint32_t gd_builder_shortened(struct gd_builder *builder, enum guard_location location,
                              uint32_t parent, struct guard_span name)
{
    uint8_t room[GD_NAME_MAX];
    return gd_builder_field(builder, location, parent, gd_name_shorten(name, room), GD_LIFE_CALL);
}

/* Names that found no place in the table may still have a field. */
static uint32_t find_apart(const struct gd_builder *builder, enum guard_location location,
                           uint32_t parent, struct guard_span name)
{
    for (uint32_t i = 0; i < builder->profile.field_count; i++) {
        if (gd_is_field(&builder->profile.fields[i], location, parent, name))
            return i;
    }
    return GD_NO_FIELD;
}

uint32_t gd_builder_find(const struct gd_builder *builder, enum guard_location location,
                         uint32_t parent, struct guard_span name)
{
    uint8_t room[GD_NAME_MAX];
    uint32_t at = 0;
    name = gd_name_shorten(name, room);
    const uint32_t hash =
        gd_hash_short(builder->seed, (uint64_t)parent << 4 | (uint64_t)location, name);
    switch (gd_builder_probe(builder, hash, location, parent, name, &at)) {
    case GD_PROBE_FOUND:
        return at - 1;
    case GD_PROBE_FULL:
        return find_apart(builder, location, parent, name);
    case GD_PROBE_FREE:
        break;
    }
    return GD_NO_FIELD;
}

/* What a mask makes of letters or digits alone: such values, the most frequent ones, need no copy.
 */
#define TIMES48(text) text text text text text text text text
static const uint8_t shapes[GUARD_CLASS_DIGIT + 1][GD_SAMPLE_MAX + 1] = {
    [GUARD_CLASS_LOWER] = TIMES48("aaaaaa"),
    [GUARD_CLASS_UPPER] = TIMES48("AAAAAA"),
    [GUARD_CLASS_DIGIT] = TIMES48("000000"),
};

void gd_builder_sample(struct gd_builder *builder, uint32_t index, struct guard_span value)
{
    struct gd_field *field = &builder->profile.fields[index];
    struct gd_link *link = &builder->links[index + 1];
    uint64_t classes = field->summary.classes;
    value = gd_span_head(value, GD_SAMPLE_MAX);
    if (classes != 0 && classes <= 1u << GUARD_CLASS_DIGIT && (classes & (classes - 1)) == 0) {
        field->sample = gd_span(shapes[__builtin_ctzll(classes)], value.len);
        link->sampled = false;
        return;
    }
    if (link->sampled) {
        /* Samples of body values that aren't shapes are copies with room for the longest. */
        memcpy((uint8_t *)(uintptr_t)field->sample.ptr, value.ptr, value.len);
        field->sample.len = value.len;
        return;
    }
    /* The second one gets a place that holds any. */
    bool again = field->summary.count > 1;
    if (again && (size_t)(builder->text_end - builder->text) <= GD_SAMPLE_MAX &&
        !gd_builder_slab(builder, GD_SAMPLE_MAX + 1)) {
        gd_builder_full(builder, field->location);
        return;
    }
    struct guard_span kept = gd_builder_keep(builder, value);
    if (kept.ptr == NULL) {
        gd_builder_full(builder, field->location);
        return;
    }
    if (again)
        builder->text += GD_SAMPLE_MAX - value.len;
    link->sampled = again;
    field->sample = kept;
}

/* Characters that text shouldn't have. */
static void text_faults(struct gd_builder *builder, const struct gd_field *field)
{
    const uint64_t control = UINT64_C(1) << GUARD_CLASS_CONTROL;
    const uint64_t invalid = UINT64_C(1) << GUARD_CLASS_INVALID;
    /* Protocol buffers don't say which of their fields are text. */
    if ((field->summary.classes & control) && field->location != GUARD_LOCATION_PROTOBUF)
        gd_builder_fault(builder, field->location, GUARD_FAULT_CONTROL);
    /* The decoders have named what they saw; headers have none. */
    if ((field->summary.classes & invalid) && field->location == GUARD_LOCATION_HEADER)
        gd_builder_fault(builder, field->location, GUARD_FAULT_INVALID_UTF8);
}

void gd_builder_scanned(struct gd_builder *builder, uint32_t index, struct guard_span value,
                        uint32_t json, enum gd_life life)
{
    const uint64_t odd = UINT64_C(1) << GUARD_CLASS_CONTROL | UINT64_C(1) << GUARD_CLASS_INVALID;
    struct gd_field *field = &builder->profile.fields[index];
    struct gd_summary *summary = &field->summary;
    uint64_t classes = summary->classes;
    uint64_t frequent = summary->frequent;
    uint32_t transitions = summary->transition_count;
    if (__builtin_expect(value.len > GD_VALUE_MAX, 0)) {
        gd_builder_fault(builder, field->location, GUARD_FAULT_VALUE_LENGTH);
        value.len = GD_VALUE_MAX;
    }
    gd_summary_add(summary, value, json, builder->arena);
    if (classes != summary->classes || frequent != summary->frequent ||
        transitions != summary->transition_count) {
        if (life == GD_LIFE_EXCHANGE)
            field->sample = gd_span_head(value, GD_SAMPLE_MAX);
        else
            gd_builder_sample(builder, index, value);
    }
    if (__builtin_expect((summary->classes & odd) != 0, 0))
        text_faults(builder, field);
    if (builder->read != NULL)
        gd_builder_look(builder, index, value);
}
