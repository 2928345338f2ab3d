/* SPDX-License-Identifier: Apache-2.0 */
/* Fields by name and their values: the hot path of the builder, inlined into target, header and
 * JSON code. */
#ifndef GD_PROFILE_FIELD_TABLE_H
#define GD_PROFILE_FIELD_TABLE_H

#include "profile/builder_state.h"
#include "profile/shape.h"

/* New room for copies; false when the arena is full. */
bool gd_builder_slab(struct gd_builder *builder, size_t len);
/* Room for one more field of the location? A fault was noted if not. */
bool gd_builder_reserve(struct gd_builder *builder, enum guard_location location);
/* gd_builder_field for names longer than GD_NAME_MAX. */
uint32_t gd_builder_shortened(struct gd_builder *builder, enum guard_location location,
                              uint32_t parent, struct guard_span name);
/* Index of the field of that name, of any length; GD_NO_FIELD when there is none. */
uint32_t gd_builder_find(const struct gd_builder *builder, enum guard_location location,
                         uint32_t parent, struct guard_span name);
/* Shows the value, which isn't empty and may be gone soon, as the field's sample. */
void gd_builder_sample(struct gd_builder *builder, uint32_t field, struct guard_span value);
/* gd_builder_value for whatever gd_shape doesn't know. */
void gd_builder_scanned(struct gd_builder *builder, uint32_t field, struct guard_span value,
                        uint32_t json, enum gd_life life);

/* A copy that lives as long as the exchange; empty with a NULL pointer when the arena is full. */
static inline struct guard_span gd_builder_keep(struct gd_builder *builder, struct guard_span text)
{
    if (__builtin_expect(text.len >= (size_t)(builder->text_end - builder->text), 0) &&
        !gd_builder_slab(builder, text.len + 1))
        return gd_span(NULL, 0);
    uint8_t *copy = builder->text;
    gd_copy_short(copy, text.ptr, text.len);
    builder->text += text.len;
    return gd_span(copy, text.len);
}

static inline bool gd_is_field(const struct gd_field *field, enum guard_location location,
                               uint32_t parent, struct guard_span name)
{
    return field->location == location && field->parent == parent &&
           gd_equal_short(field->name, name);
}

enum gd_probe { GD_PROBE_FREE, GD_PROBE_FOUND, GD_PROBE_FULL };

/* Triangular steps visit every slot of a power of two. *at becomes the free slot or the node found.
 */
static inline enum gd_probe gd_builder_probe(const struct gd_builder *builder, uint32_t hash,
                                             enum guard_location location, uint32_t parent,
                                             struct guard_span name, uint32_t *at)
{
    uint32_t mask = builder->table_cap - 1;
    uint32_t slot = hash & mask;
    for (uint32_t step = 1; step <= GD_PROBES_MAX; step++) {
        uint32_t node = builder->table[slot];
        if (node == 0) {
            *at = slot;
            return GD_PROBE_FREE;
        }
        if (builder->links[node].hash == hash &&
            gd_is_field(&builder->profile.fields[node - 1], location, parent, name)) {
            *at = node;
            return GD_PROBE_FOUND;
        }
        slot = (slot + step) & mask;
    }
    return GD_PROBE_FULL;
}

static inline uint32_t gd_builder_append(struct gd_builder *builder, enum guard_location location,
                                         uint32_t parent, struct guard_span name, uint32_t hash)
{
    uint32_t index = builder->profile.field_count++;
    struct gd_field *field = &builder->profile.fields[index];
    field->location = location;
    field->parent = parent;
    field->name = name;
    field->sample = gd_span(NULL, 0);
    gd_summary_init(&field->summary);
    builder->links[index + 1] = (struct gd_link){.hash = hash};
    builder->counts[location]++;
    return index;
}

/* Index of the field of that name, made when there is none; GD_NO_FIELD when it can't be (a fault
 * was noted). */
static inline __attribute__((always_inline)) uint32_t
gd_builder_field(struct gd_builder *builder, enum guard_location location, uint32_t parent,
                 struct guard_span name, enum gd_life life)
{
    if (__builtin_expect(name.len > GD_NAME_MAX, 0))
        return gd_builder_shortened(builder, location, parent, name);
    uint32_t hash = gd_hash_short(builder->seed, (uint64_t)parent << 4 | (uint64_t)location, name);
    uint32_t at = 0;
    enum gd_probe found = gd_builder_probe(builder, hash, location, parent, name, &at);
    if (found == GD_PROBE_FOUND)
        return at - 1;
    if (__builtin_expect(found == GD_PROBE_FULL, 0)) {
        gd_builder_fault(builder, location, GUARD_FAULT_NAMES);
        return GD_NO_FIELD;
    }
    uint32_t limit = location == GUARD_LOCATION_JSON ? GD_FIELDS_MAX : GD_HEADERS_MAX;
    if (__builtin_expect(builder->profile.field_count == builder->profile.field_cap ||
                             builder->counts[location] >= limit,
                         0)) {
        if (!gd_builder_reserve(builder, location) ||
            gd_builder_probe(builder, hash, location, parent, name, &at) != GD_PROBE_FREE)
            return GD_NO_FIELD;
    }
    if (life == GD_LIFE_CALL) {
        name = gd_builder_keep(builder, name);
        if (__builtin_expect(name.ptr == NULL, 0)) {
            gd_builder_full(builder, location);
            return GD_NO_FIELD;
        }
    }
    uint32_t index = gd_builder_append(builder, location, parent, name, hash);
    builder->table[at] = (uint16_t)(index + 1);
    return index;
}

/* Adds a value whose features are known, of frequent classes only. */
static inline void gd_builder_features(struct gd_builder *builder, uint32_t index,
                                       const struct gd_features *features, struct guard_span value,
                                       bool string, enum gd_life life)
{
    struct gd_field *field = &builder->profile.fields[index];
    bool fresh = gd_features_are_new(features, &field->summary);
    gd_summary_merge(&field->summary, features, value, string);
    if (!fresh)
        return;
    /* What is shown is the last value that brought a character or neighbourhood. */
    if (life == GD_LIFE_EXCHANGE)
        field->sample = gd_span_head(value, GD_SAMPLE_MAX);
    else
        gd_builder_sample(builder, index, value);
}

/* Adds a value to a field. json as in gd_summary_add. */
static inline void gd_builder_value(struct gd_builder *builder, uint32_t index,
                                    struct guard_span value, uint32_t json, enum gd_life life)
{
    struct gd_features features GD_UNINITIALIZED;
    if ((json & ~(1u << GUARD_TYPE_STRING)) == 0 && value.len != 0 && gd_shape(value, &features))
        gd_builder_features(builder, index, &features, value, json != 0, life);
    else
        gd_builder_scanned(builder, index, value, json, life);
}

#endif
