/* SPDX-License-Identifier: Apache-2.0 */
/* Which values are read for what they read like: those with characters that syntax is made of, as
 * most values are names and numbers and cost nothing. */
#include "profile/builder_state.h"
#include "profile/transition.h"

#include <guard/likeness.h>

enum {
    READ_MAX = 80 * 1024, /* bytes of an exchange */
    VALUE_MAX = 5 * 1024, /* no more of a value is looked at */
    VALUE_MIN = 3,
};

#define CLASS(name) (UINT64_C(1) << GUARD_CLASS_##name)
/* Of ASCII punctuation, by its place among the 32 in the order of their codes. */
#define MARK(place) (UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + (place)))

/* What constructs begin or end with: ! " $ % & ' ( ; < = \ ` { | and what isn't written in lines.
 */
static const uint64_t asked = CLASS(BREAK) | CLASS(CONTROL) | CLASS(SYMBOL) | MARK(0) | MARK(1) |
                              MARK(3) | MARK(4) | MARK(5) | MARK(6) | MARK(7) | MARK(16) |
                              MARK(17) | MARK(18) | MARK(23) | MARK(27) | MARK(28) | MARK(29);

void gd_builder_reads(struct gd_builder *builder, gd_reader_of_values *read)
{
    builder->read = read;
    builder->read_left = READ_MAX;
}

static inline bool could_be(const struct gd_summary *summary)
{
    const uint64_t points = GD_FREQUENT_PAIR(GD_FREQUENT_POINT, GD_FREQUENT_POINT);
    const uint32_t types = 1u << GUARD_TYPE_URL | 1u << GUARD_TYPE_BASE64;
    return ((summary->classes & asked) | (summary->frequent & points) | (summary->types & types)) !=
           0;
}

void gd_builder_look(struct gd_builder *builder, uint32_t index, struct guard_span value)
{
    struct gd_summary *summary = &builder->profile.fields[index].summary;
    size_t cost = value.len < VALUE_MAX ? value.len : VALUE_MAX;
    if (!could_be(summary) || value.len < VALUE_MIN || cost > builder->read_left)
        return;
    builder->read_left -= cost;
    const struct gd_reading reading = builder->read(value, builder->profile.likeness_without);
    if (reading.classes == 0)
        return;
    builder->profile.likeness = true;
    summary->likeness |= reading.classes;
    if (guard_construct_degree((enum guard_construct)reading.construct) >
        guard_construct_degree((enum guard_construct)summary->construct))
        summary->construct = reading.construct;
}
