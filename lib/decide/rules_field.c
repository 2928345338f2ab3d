/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on one known field that isn't plainly normal. */
#include "decide/normal.h"

struct check {
    struct gd_decision *decision;
    const struct gd_policy_field *known;
    const struct gd_field *field;
    uint32_t index;
    uint32_t known_index;
};

static void deviates(const struct check *check, enum guard_rule rule, uint32_t detail,
                     uint32_t expected, bool pending)
{
    struct gd_candidate candidate = {.rule = rule,
                                     .location = check->field->location,
                                     .field = check->index,
                                     .known = check->known_index,
                                     .group = check->index,
                                     .detail = detail,
                                     .expected = expected,
                                     .values = check->known->values,
                                     .clients = check->known->clients,
                                     .strength = check->known->strength[rule],
                                     .pending = pending,
                                     .configured =
                                         (check->known->configured >> (unsigned)rule & 1) != 0};
    gd_candidate_add(check->decision, &candidate);
}

static void classes(const struct check *check)
{
    uint64_t unseen = check->field->summary.classes & ~check->known->classes;
    uint64_t fresh = unseen & ~check->known->pending_classes;
    if (unseen == 0)
        return;
    uint64_t these = fresh != 0 ? fresh : unseen;
    uint64_t syntax = these & gd_syntax_classes;
    uint32_t first = (uint32_t)__builtin_ctzll(syntax != 0 ? syntax : these);
    deviates(check, syntax != 0 ? GUARD_RULE_CHARACTER : GUARD_RULE_ALPHABET, first, 0, fresh == 0);
}

/* Of neighbourhoods that aren't known, those that nobody ever sent count; else those without
 * support. */
static void transitions(const struct check *check)
{
    const struct gd_policy_field *known = check->known;
    const struct gd_summary *summary = &check->field->summary;
    const uint64_t *rows = check->decision->policy->rows + known->row_first;
    bool banks = (known->flags & GD_FIELD_PENDING_ROWS) != 0;
    uint32_t fresh = 0, pending = 0, first_fresh = 0, first_pending = 0;
    struct gd_transition_walk walk = gd_transitions(summary);
    for (uint32_t transition; gd_transition_next(&walk, &transition);) {
        uint32_t rank = known->rank[transition >> 6];
        if (rows[rank] >> (transition & 63) & 1)
            continue;
        if (banks && (rows[known->row_count + rank] >> (transition & 63) & 1)) {
            if (pending++ == 0)
                first_pending = transition;
        } else if (fresh++ == 0) {
            first_fresh = transition;
        }
    }
    uint32_t count = fresh != 0 ? fresh : pending;
    if (count > 0)
        deviates(check, count >= 3 ? GUARD_RULE_TRANSITIONS : GUARD_RULE_TRANSITION,
                 fresh != 0 ? first_fresh : first_pending, count, fresh == 0);
}

static void types(const struct check *check)
{
    uint32_t unseen = check->field->summary.types & ~check->known->types;
    uint32_t fresh = unseen & ~check->known->pending_types;
    if (unseen == 0)
        return;
    uint32_t these = fresh != 0 ? fresh : unseen;
    uint32_t without_string = these & ~(1u << GUARD_TYPE_STRING);
    deviates(check, GUARD_RULE_TYPE,
             (uint32_t)__builtin_ctz(without_string != 0 ? without_string : these),
             check->known->types, fresh == 0);
}

enum { MANY = 8 }; /* items: twice as many as one aren't many */

static void numbers(const struct check *check)
{
    const struct gd_policy_field *known = check->known;
    const struct gd_summary *summary = &check->field->summary;
    if (summary->length_max > known->length_max) {
        bool far = summary->length_max / 2 > known->length_max &&
                   known->strength[GUARD_RULE_LENGTH_FAR] != 0;
        deviates(check, far ? GUARD_RULE_LENGTH_FAR : GUARD_RULE_LENGTH, summary->length_max,
                 known->length_max, false);
    }
    if (summary->length_min < known->length_min)
        deviates(check, GUARD_RULE_SHORT, summary->length_min, known->length_min, false);
    if (summary->digits_max > known->digits_max)
        deviates(check, GUARD_RULE_DIGITS, summary->digits_max, known->digits_max, false);
    if (summary->specials_max > known->specials_max)
        deviates(check, GUARD_RULE_SPECIALS, summary->specials_max, known->specials_max, false);
    uint32_t items = gd_items_of(check->field);
    if (items > known->items_max) {
        bool far = items >= MANY && items / 2 > known->items_max &&
                   known->strength[GUARD_RULE_ITEMS_FAR] != 0;
        deviates(check, far ? GUARD_RULE_ITEMS_FAR : GUARD_RULE_ITEMS, items, known->items_max,
                 false);
    }
}

enum closed { CLOSED_HOLDS, CLOSED_BROKEN, CLOSED_UNKNOWN };

static enum closed literal(const struct check *check)
{
    const struct gd_policy_field *known = check->known;
    const struct gd_summary *summary = &check->field->summary;
    const struct guard_policy *policy = check->decision->policy;
    /* Several values can't be compared one by one: their features are. */
    if (!summary->literal_known)
        return summary->count > 1 ? CLOSED_UNKNOWN : CLOSED_BROKEN;
    return gd_literal_known(policy, known, summary->literal, check->decision->memo) ? CLOSED_HOLDS
                                                                                    : CLOSED_BROKEN;
}

void gd_rules_field(struct gd_decision *decision, uint32_t index, uint32_t known_index)
{
    const struct gd_policy_field *known = &decision->policy->fields[known_index];
    const struct check whole = {decision, known, &decision->profile->fields[index], index,
                                known_index};
    const struct check *check = &whole;
    if (known->flags & GD_FIELD_FORBIDDEN) {
        deviates(check, GUARD_RULE_NAME, 0, 0, false);
        return;
    }
    if (known->flags & GD_FIELD_PENDING)
        deviates(check, GUARD_RULE_NAME, 0, 0, true);
    if (known->flags & GD_FIELD_CLOSED) {
        enum closed closed = literal(check);
        if (closed == CLOSED_BROKEN)
            deviates(check, GUARD_RULE_LITERAL, 0, known->literals.count, false);
        /* The other rules are only features of the same set. They are asked all the same when it
         * holds: another value of the same hash can be made. */
        if (closed == CLOSED_BROKEN && (known->configured >> (unsigned)GUARD_RULE_LITERAL & 1))
            return;
    }
    classes(check);
    transitions(check);
    types(check);
    numbers(check);
    if ((check->field->summary.likeness & ~known->likeness) != 0)
        gd_rules_likeness(decision, index, known_index);
}
