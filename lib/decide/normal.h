/* SPDX-License-Identifier: Apache-2.0 */
/* The way of benign values: a handful of mask tests and one table load per neighbourhood of
 * characters, inlined into the loop over the fields. Only what fails here is looked at closely. */
#ifndef GD_DECIDE_NORMAL_H
#define GD_DECIDE_NORMAL_H

#include "decide/decide.h"
#include "profile/transition.h"

/* How often a name came, unless once; of trees how much is in it. */
static inline uint32_t gd_items_of(const struct gd_field *field)
{
    if (gd_location_in(GD_LOCATION_TREES, field->location))
        return field->summary.items_max;
    return field->summary.count > 1 ? field->summary.count : 0;
}

static inline bool gd_transition_known(const struct gd_policy_field *known, const uint64_t *rows,
                                       uint32_t transition)
{
    return rows[known->rank[transition >> 6]] >> (transition & 63) & 1;
}

static inline bool gd_transitions_known(const struct gd_policy_field *known, const uint64_t *rows,
                                        const struct gd_summary *summary)
{
    const uint16_t *at = summary->transitions;
    const uint16_t *end = at + summary->transition_count;
    for (; end - at >= 4; at += 4) {
        if (!gd_transition_known(known, rows, at[0]) || !gd_transition_known(known, rows, at[1]) ||
            !gd_transition_known(known, rows, at[2]) || !gd_transition_known(known, rows, at[3]))
            return false;
    }
    for (; at < end; at++) {
        if (!gd_transition_known(known, rows, *at))
            return false;
    }
    return true;
}

/* Is the value, which is known, one of the field's closed set? */
static inline bool gd_literal_known(const struct guard_policy *policy,
                                    const struct gd_policy_field *known, uint64_t literal,
                                    struct gd_hash_memo *memo)
{
    uint64_t code = gd_policy_literal(policy->header->literal_key, literal, memo);
    const uint64_t *literals = policy->literals + known->literals.first;
    uint32_t low = 0, high = known->literals.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (literals[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < known->literals.count && literals[low] == code;
}

/* Nothing that a rule could find. */
static inline bool gd_field_is_normal(const struct guard_policy *policy,
                                      const struct gd_policy_field *known,
                                      const struct gd_field *field, struct gd_hash_memo *memo)
{
    const struct gd_summary *summary = &field->summary;
    uint64_t odd = (summary->classes & ~known->classes) | (summary->frequent & ~known->frequent) |
                   (summary->types & ~known->types) | (summary->likeness & ~known->likeness) |
                   (known->flags & (GD_FIELD_FORBIDDEN | GD_FIELD_PENDING));
    return odd == 0 && summary->length_max <= known->length_max &&
           summary->length_min >= known->length_min && summary->digits_max <= known->digits_max &&
           summary->specials_max <= known->specials_max && gd_items_of(field) <= known->items_max &&
           ((known->flags & GD_FIELD_PAIRS) != 0 ||
            gd_transitions_known(known, policy->rows + known->row_first, summary)) &&
           ((known->flags & GD_FIELD_CLOSED) == 0 ||
            (summary->literal_known && gd_literal_known(policy, known, summary->literal, memo)));
}

#endif
