/* SPDX-License-Identifier: Apache-2.0 */
/* Lays what a person wrote about a field over what was learned of it: what is said replaces, what
 * isn't stays; and what a person allows is never a deviation. */
#include "policy/plan.h"
#include "policy/policy.h"

#include "base/arena.h"
#include "profile/profile.h"
#include "profile/transition.h"

enum { ALL_TYPES = (1 << GUARD_TYPE_COUNT) - 1, SCRATCH = 64 * 1024 };
#define BIT(type) (1u << GUARD_TYPE_##type)

static void configure(struct gd_policy_field *field, enum guard_rule rule)
{
    field->configured |= 1u << (unsigned)rule;
    field->strength[rule] = GD_POLICY_CERTAIN;
}

/* A value has the first type that fits, so a person who allows text allows words too. */
static uint32_t types_meant(uint32_t types)
{
    const uint32_t words = BIT(WORD) | BIT(INT) | BIT(HEX) | BIT(BOOL);
    const uint32_t tokens =
        words | BIT(TOKEN) | BIT(DECIMAL) | BIT(UUID) | BIT(BASE64) | BIT(JWT) | BIT(DATE);
    const uint32_t texts = tokens | BIT(TEXT) | BIT(EMPTY) | BIT(EMAIL) | BIT(IP) | BIT(URL);
    if (types & BIT(BYTES))
        types |= texts;
    if (types & BIT(TEXT))
        types |= texts;
    if (types & BIT(TOKEN))
        types |= tokens;
    if (types & BIT(DECIMAL))
        types |= BIT(INT);
    const uint32_t json_only =
        BIT(NULL) | BIT(BOOL) | BIT(INT) | BIT(DECIMAL) | BIT(OBJECT) | BIT(ARRAY);
    if (types & ~json_only)
        types |= BIT(STRING);
    return types;
}

/* Neighbourhoods with a class that was never learned can't be judged. */
static void open_rows(struct gd_plan_draft *draft, uint64_t classes)
{
    uint64_t unlearned = classes & ~draft->field.classes;
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++) {
        if (unlearned >> i & 1)
            draft->rows[i] = UINT64_MAX;
        else
            draft->rows[i] |= unlearned;
    }
}

static void apply_classes(struct gd_plan_draft *draft, uint64_t classes)
{
    open_rows(draft, classes);
    draft->field.classes = classes;
    draft->field.pending_classes = 0;
    configure(&draft->field, GUARD_RULE_CHARACTER);
    configure(&draft->field, GUARD_RULE_ALPHABET);
}

static void apply_numbers(struct gd_policy_field *field, const struct guard_criterion *criterion)
{
    if (criterion->length_max >= 0) {
        field->length_max = gd_saturate((uint64_t)criterion->length_max);
        configure(field, GUARD_RULE_LENGTH);
        configure(field, GUARD_RULE_LENGTH_FAR);
    }
    if (criterion->length_min >= 0) {
        field->length_min = gd_saturate((uint64_t)criterion->length_min);
        configure(field, GUARD_RULE_SHORT);
    }
    if (criterion->items_max >= 0) {
        field->items_max = gd_saturate((uint64_t)criterion->items_max);
        configure(field, GUARD_RULE_ITEMS);
        configure(field, GUARD_RULE_ITEMS_FAR);
    }
}

/* What all the values together look like: several of them at once can't be compared one by one. */
static void take_features(struct gd_plan_draft *draft, const struct gd_summary *summary)
{
    struct gd_policy_field *field = &draft->field;
    field->classes = summary->classes;
    field->types = summary->types;
    if (gd_location_in(GD_LOCATION_TREES, field->location))
        field->types |= BIT(STRING);
    field->pending_classes = field->pending_types = 0;
    field->length_min = summary->length_min;
    field->length_max = summary->length_max;
    field->digits_max = summary->digits_max;
    field->specials_max = summary->specials_max;
    memset(draft->rows, summary->transitions_full ? 0xff : 0, sizeof(draft->rows));
    memset(draft->pending_rows, 0, sizeof(draft->pending_rows));
    struct gd_transition_walk walk = gd_transitions(summary);
    for (uint32_t transition; gd_transition_next(&walk, &transition);)
        draft->rows[transition >> 6] |= UINT64_C(1) << (transition & 63);
    static const enum guard_rule rules[] = {
        GUARD_RULE_CHARACTER, GUARD_RULE_ALPHABET, GUARD_RULE_TRANSITION, GUARD_RULE_TRANSITIONS,
        GUARD_RULE_TYPE,      GUARD_RULE_LENGTH,   GUARD_RULE_LENGTH_FAR, GUARD_RULE_SHORT,
        GUARD_RULE_DIGITS,    GUARD_RULE_SPECIALS, GUARD_RULE_LITERAL};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        configure(field, rules[i]);
    field->flags |= GD_FIELD_CLOSED;
}

static enum guard_rc apply_values(struct gd_plan *plan, struct gd_plan_draft *draft,
                                  const struct guard_criterion *criterion)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_LITERALS];
    if (gd_is_secret_name(criterion->name))
        return guard_fail(plan->err, GUARD_E_RANGE,
                          "values of \"%.*s\" are secrets and can't be listed",
                          (int)criterion->name.len, (const char *)criterion->name.ptr);
    if (criterion->value_count > GD_POLICY_LITERALS)
        return guard_fail(plan->err, GUARD_E_LIMIT, "a field has at most %d values",
                          (int)GD_POLICY_LITERALS);
    draft->field.literals.first = section->count;
    uint64_t *literals = gd_vector_add(section, criterion->value_count);
    if (literals == NULL)
        return section->rc;
    struct guard_arena arena;
    guard_arena_init(&arena, section->alloc, SCRATCH);
    struct gd_summary all;
    gd_summary_init(&all);
    enum guard_rc rc = GUARD_OK;
    for (uint32_t i = 0; i < criterion->value_count && rc == GUARD_OK; i++) {
        struct gd_summary one;
        gd_summary_init(&one);
        gd_summary_add(&one, criterion->values[i], 0, &arena);
        gd_summary_add(&all, criterion->values[i], 0, &arena);
        literals[i] = gd_policy_literal(plan->literal_key, one.literal, NULL);
        if (one.transitions_full ||
            (all.transitions_full && all.transition_count < GD_TRANSITIONS_MAX))
            rc = GUARD_E_NOMEM;
        else if (!one.literal_known)
            rc = guard_fail(plan->err, GUARD_E_RANGE,
                            "\"%.*s\" can't be in a list of values: it is too long, a long number, "
                            "a date, an identity or an "
                            "address",
                            (int)criterion->values[i].len, (const char *)criterion->values[i].ptr);
    }
    if (rc == GUARD_OK) {
        take_features(draft, &all);
        gd_sort_u64(literals, criterion->value_count);
        uint32_t kept = 0;
        for (uint32_t i = 0; i < criterion->value_count; i++) {
            if (i == 0 || literals[i] != literals[i - 1])
                literals[kept++] = literals[i];
        }
        section->count = draft->field.literals.first + kept;
        draft->field.literals.count = kept;
        draft->literals = NULL;
    }
    guard_arena_reset(&arena);
    return rc;
}

enum guard_rc gd_criterion_apply(struct gd_plan *plan, struct gd_plan_draft *draft,
                                 const struct guard_criterion *criterion)
{
    struct gd_policy_field *field = &draft->field;
    field->flags &= (uint16_t)~GD_FIELD_PENDING;
    if (criterion->forbidden) {
        field->flags |= GD_FIELD_FORBIDDEN;
        configure(field, GUARD_RULE_NAME);
    }
    if (criterion->required > 0) {
        field->flags |= GD_FIELD_REQUIRED;
        configure(field, GUARD_RULE_MISSING);
    } else if (criterion->required == 0 || criterion->forbidden) {
        field->flags &= (uint16_t)~GD_FIELD_REQUIRED;
    }
    if (criterion->value_count > 0)
        GUARD_TRY(apply_values(plan, draft, criterion));
    if (criterion->types != 0) {
        field->types = types_meant(criterion->types & ALL_TYPES);
        field->pending_types = 0;
        configure(field, GUARD_RULE_TYPE);
    }
    if (criterion->classes_said)
        apply_classes(draft, criterion->classes);
    apply_numbers(field, criterion);
    return GUARD_OK;
}
