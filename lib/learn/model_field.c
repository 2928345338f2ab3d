/* SPDX-License-Identifier: Apache-2.0 */
/* From folded cells to the readable form of a field. */
#include "learn/model_field.h"

#include "base/arena.h"
#include "learn/histogram.h"
#include "learn/optional.h"
#include "sketch/bucket.h"

#include <guard/likeness.h>

enum {
    /* What a rule is still worth when a table overflowed: seen by people, too weak to block at the
       default budget. */
    LOST_MAX = 200,
    SHORT_MIN = 50,             /* records before a minimum means anything */
    SERVICE_REQUIRED_MIN = 100, /* exchanges, for headers and cookies */
};

uint16_t gd_model_strength(const struct gd_draft *draft, const struct gd_place *place,
                           enum guard_rule rule, bool lost)
{
    uint16_t strength = gd_place_strength(gd_draft_meter(draft, place), place, rule);
    return lost && strength > LOST_MAX ? LOST_MAX : strength;
}

/* The set of what is normal, of what is pending, or none. */
static uint64_t *set_of(const struct gd_draft *draft, const struct gd_cell *sum, uint64_t *known,
                        uint64_t *pending, uint64_t *none)
{
    if (gd_trusted(&draft->meter.trust, sum))
        return known;
    return gd_pending(&draft->meter.trust, sum) ? pending : none;
}

static void write_sets(struct guard_model_field *out, const struct gd_draft *draft,
                       const struct gd_draft_field *field)
{
    const struct gd_groups *classes = &field->kinds[GD_KIND_CLASS];
    const struct gd_groups *types = &field->kinds[GD_KIND_TYPE];
    const struct gd_groups *transitions = &field->kinds[GD_KIND_TRANSITION];
    const struct gd_groups *likeness = &field->kinds[GD_KIND_LIKENESS];
    uint64_t known_types = 0, known_likeness = 0;
    uint64_t pending_types = 0, pending_likeness = 0;
    uint64_t none = 0;
    for (uint32_t i = 0; i < classes->count; i++) {
        const struct gd_cell *sum = &classes->items[i].sum;
        if (sum->code < GUARD_CLASS_COUNT)
            *set_of(draft, sum, &out->classes, &out->pending_classes, &none) |= UINT64_C(1)
                                                                                << sum->code;
    }
    for (uint32_t i = 0; i < types->count; i++) {
        const struct gd_cell *sum = &types->items[i].sum;
        if (sum->code < GUARD_TYPE_COUNT)
            *set_of(draft, sum, &known_types, &pending_types, &none) |= UINT64_C(1) << sum->code;
    }
    for (uint32_t i = 0; i < likeness->count; i++) {
        const struct gd_cell *sum = &likeness->items[i].sum;
        if (sum->code < GUARD_LIKENESS_COUNT)
            *set_of(draft, sum, &known_likeness, &pending_likeness, &none) |= UINT64_C(1)
                                                                              << sum->code;
    }
    out->likeness = (uint32_t)known_likeness;
    out->pending_likeness = (uint32_t)pending_likeness;
    out->types = (uint32_t)known_types;
    out->pending_types = (uint32_t)pending_types;
    for (uint32_t i = 0; i < transitions->count; i++) {
        const struct gd_cell *sum = &transitions->items[i].sum;
        uint64_t from = sum->code >> 6, to = sum->code & 63;
        if (from >= GUARD_CLASS_COUNT || to >= GUARD_CLASS_COUNT)
            continue;
        *set_of(draft, sum, &out->transitions[from], &out->pending_transitions[from], &none) |=
            UINT64_C(1) << to;
    }
}

/* An accepted character is one with any neighbour, until it has support of its own. */
static void open_neighbours(struct guard_model_field *out, uint32_t code)
{
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++)
        out->transitions[i] |= UINT64_C(1) << code;
    out->transitions[code] = (UINT64_C(1) << GUARD_CLASS_COUNT) - 1;
}

static bool class_supported(const struct gd_draft *draft, const struct gd_draft_field *field,
                            uint32_t code)
{
    const struct gd_groups *classes = &field->kinds[GD_KIND_CLASS];
    for (uint32_t i = 0; i < classes->count; i++) {
        if (classes->items[i].sum.code == code)
            return gd_supported(&draft->meter.trust, &classes->items[i].sum);
    }
    return false;
}

/* What people accepted is normal also when the pile knows nothing of it, or no more. */
static void write_accepted(struct guard_model_field *out, const struct gd_draft *draft,
                           const struct gd_draft_field *field)
{
    const struct guard_review_entry *entry;
    for (uint32_t at = 0;
         (entry = gd_review_next(draft->meter.trust.review, &field->spot, &at)) != NULL;) {
        uint32_t code = entry->element.code;
        if (entry->decision != GUARD_REVIEW_ACCEPTED)
            continue;
        if (entry->element.kind == GUARD_REVIEW_CHARACTER && code < GUARD_CLASS_COUNT) {
            out->classes |= UINT64_C(1) << code;
            if (!class_supported(draft, field, code))
                open_neighbours(out, code);
        } else if (entry->element.kind == GUARD_REVIEW_PAIR && code >> 6 < GUARD_CLASS_COUNT &&
                   (code & 63) < GUARD_CLASS_COUNT) {
            out->transitions[code >> 6] |= UINT64_C(1) << (code & 63);
        } else if (entry->element.kind == GUARD_REVIEW_TYPE && code < GUARD_TYPE_COUNT) {
            out->types |= 1u << code;
        } else if (entry->element.kind == GUARD_REVIEW_LIKENESS && code < GUARD_LIKENESS_COUNT) {
            out->likeness |= 1u << code;
        }
    }
    out->pending_classes &= ~out->classes;
    out->pending_types &= ~out->types;
    out->pending_likeness &= ~out->likeness;
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++)
        out->pending_transitions[i] &= ~out->transitions[i];
}

static const enum gd_kind kind_of_number[GUARD_FIELD_NUMBERS] = {
    [GUARD_NUMBER_LENGTH] = GD_KIND_LENGTH, [GUARD_NUMBER_SHORTEST] = GD_KIND_LENGTH_MIN,
    [GUARD_NUMBER_DIGITS] = GD_KIND_DIGITS, [GUARD_NUMBER_SPECIALS] = GD_KIND_SPECIALS,
    [GUARD_NUMBER_ITEMS] = GD_KIND_ITEMS,
};

static bool limit(struct guard_histogram *out, const struct gd_draft *draft,
                  const struct gd_draft_field *field, enum gd_kind kind, enum gd_end end)
{
    struct gd_tail tail = gd_tail(&draft->meter.trust, &field->kinds[kind], end);
    enum guard_end side = end == GD_END_HIGH ? GUARD_END_UPPER : GUARD_END_LOWER;
    out->limited[side] = tail.supported;
    if (tail.supported)
        out->limits[side] =
            end == GD_END_HIGH ? gd_bucket_upper(tail.limit) : gd_bucket_lower(tail.limit);
    return tail.supported;
}

static void write_limits(struct guard_model_field *out, const struct gd_draft *draft,
                         const struct gd_draft_field *field, bool armed)
{
    static const struct {
        enum gd_end end;
        enum guard_rule rules[2];
    } limits[GUARD_FIELD_NUMBERS] = {
        [GUARD_NUMBER_LENGTH] = {GD_END_HIGH, {GUARD_RULE_LENGTH, GUARD_RULE_LENGTH_FAR}},
        [GUARD_NUMBER_SHORTEST] = {GD_END_LOW, {GUARD_RULE_SHORT, GUARD_RULE_SHORT}},
        [GUARD_NUMBER_DIGITS] = {GD_END_HIGH, {GUARD_RULE_DIGITS, GUARD_RULE_DIGITS}},
        [GUARD_NUMBER_SPECIALS] = {GD_END_HIGH, {GUARD_RULE_SPECIALS, GUARD_RULE_SPECIALS}},
        [GUARD_NUMBER_ITEMS] = {GD_END_HIGH, {GUARD_RULE_ITEMS, GUARD_RULE_ITEMS_FAR}},
    };
    for (int i = 0; i < GUARD_FIELD_NUMBERS; i++) {
        bool known = limit(&out->numbers[i], draft, field, kind_of_number[i], limits[i].end);
        if (i == GUARD_NUMBER_SHORTEST && field->group.sum.count < SHORT_MIN)
            known = false;
        for (size_t rule = 0; armed && known && rule < 2; rule++)
            out->strength[limits[i].rules[rule]] =
                gd_model_strength(draft, field->place, limits[i].rules[rule], false);
    }
    out->length_max = out->numbers[GUARD_NUMBER_LENGTH].limits[GUARD_END_UPPER];
    out->length_min = out->numbers[GUARD_NUMBER_SHORTEST].limits[GUARD_END_LOWER];
    out->digits_max = out->numbers[GUARD_NUMBER_DIGITS].limits[GUARD_END_UPPER];
    out->specials_max = out->numbers[GUARD_NUMBER_SPECIALS].limits[GUARD_END_UPPER];
    out->items_max = out->numbers[GUARD_NUMBER_ITEMS].limits[GUARD_END_UPPER];
}

/* One value in each exchange is the rule: its length is told once. */
static void join_lengths(struct guard_histogram *length, struct guard_histogram *shortest)
{
    if (gd_histogram_same(length, shortest))
        shortest->count = 0;
}

/* After the limits. */
static enum guard_rc write_numbers(struct guard_model_field *out,
                                   const struct gd_draft_field *field, struct guard_arena *arena)
{
    struct gd_exposure exposure;
    uint64_t epochs[GD_EPOCHS_MAX] = {0};
    gd_group_epochs(&field->group, epochs);
    gd_exposure_init(&exposure, epochs, 0);
    for (int i = 0; i < GUARD_FIELD_NUMBERS; i++)
        GUARD_TRY(gd_histogram_write(&out->numbers[i], (enum guard_number)i,
                                     &field->kinds[kind_of_number[i]], exposure.records, arena));
    join_lengths(&out->numbers[GUARD_NUMBER_LENGTH], &out->numbers[GUARD_NUMBER_SHORTEST]);
    return GUARD_OK;
}

static int order_codes(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static enum guard_rc write_literals(struct guard_model_field *out, const struct gd_draft *draft,
                                    const struct gd_draft_field *field, struct guard_arena *arena)
{
    const struct gd_groups *literals = &field->kinds[GD_KIND_LITERAL];
    out->literals = gd_arena_get(arena, literals->count * sizeof(*out->literals));
    if (out->literals == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < literals->count; i++) {
        if (gd_trusted(&draft->meter.trust, &literals->items[i].sum))
            out->literals[out->literal_count++] = literals->items[i].sum.code;
    }
    gd_sort(out->literals, sizeof(*out->literals), out->literal_count, order_codes);
    out->closed = true;
    out->strength[GUARD_RULE_LITERAL] =
        gd_model_strength(draft, field->place, GUARD_RULE_LITERAL, false);
    return GUARD_OK;
}

/* Values were seen here, not only an object or array around others. */
static bool has_values(const struct guard_model_field *out, const struct gd_draft_field *field)
{
    uint32_t structure = 1u << GUARD_TYPE_OBJECT | 1u << GUARD_TYPE_ARRAY;
    return (out->types & ~structure) != 0 || field->kinds[GD_KIND_CLASS].count > 0;
}

static void arm(struct guard_model_field *out, const struct gd_draft *draft,
                const struct gd_draft_field *field)
{
    static const enum guard_rule value_rules[] = {GUARD_RULE_CHARACTER, GUARD_RULE_ALPHABET,
                                                  GUARD_RULE_TRANSITION, GUARD_RULE_TRANSITIONS};
    bool transitions_lost = gd_draft_lost(&field->group, GD_KIND_TRANSITION);
    for (size_t i = 0; has_values(out, field) && i < sizeof(value_rules) / sizeof(value_rules[0]);
         i++) {
        bool of_pairs =
            value_rules[i] == GUARD_RULE_TRANSITION || value_rules[i] == GUARD_RULE_TRANSITIONS;
        if (!of_pairs || !transitions_lost)
            out->strength[value_rules[i]] =
                gd_model_strength(draft, field->place, value_rules[i], false);
    }
    if (!field->place->answer)
        out->strength[GUARD_RULE_LIKENESS] =
            gd_model_strength(draft, field->place, GUARD_RULE_LIKENESS, false);
    if (out->types != 0)
        out->strength[GUARD_RULE_TYPE] =
            gd_model_strength(draft, field->place, GUARD_RULE_TYPE, false);
    if (out->required)
        out->strength[GUARD_RULE_MISSING] =
            gd_model_strength(draft, field->place, GUARD_RULE_MISSING, false);
    if ((out->types & 1u << GUARD_TYPE_OBJECT) != 0 && !field->cut)
        out->strength[GUARD_RULE_NAME] = gd_model_strength(
            draft, field->place, GUARD_RULE_NAME, gd_draft_lost(&field->group, GD_KIND_NAME));
}

/* An empty list answers a question that nobody had asked before, and tells nothing. */
static bool finds_nothing(const struct gd_draft_field *field)
{
    return field->place->answer && gd_span_equal(field->group.sum.text, GUARD_SPAN_LITERAL("[]"));
}

enum guard_rc gd_model_field_write(struct guard_model_field *out, const struct gd_draft *draft,
                                   const struct gd_draft_field *field, bool service,
                                   struct guard_arena *arena)
{
    const struct gd_cell *sum = &field->group.sum;
    out->location = (enum guard_location)sum->location;
    out->values = sum->count;
    out->clients = gd_cells_clients(field->group.cells, field->group.cell_count);
    out->epochs = (uint32_t)__builtin_popcount(sum->epochs);
    out->support = gd_cell_weight(sum);
    out->trusted = field->trusted;
    write_sets(out, draft, field);
    if (field->trusted)
        write_accepted(out, draft, field);
    write_limits(out, draft, field, field->trusted);
    GUARD_TRY(write_numbers(out, field, arena));
    if (!field->trusted) {
        out->strength[GUARD_RULE_LIKENESS] =
            gd_pool_strength(draft->meter.pools, GUARD_RULE_LIKENESS);
        return GUARD_OK;
    }
    uint64_t least = service ? SERVICE_REQUIRED_MIN : GD_REQUIRED_MIN;
    out->required = field->whole->records >= least && !finds_nothing(field) &&
                    !gd_field_optional(field) &&
                    field->place->exposure.records == field->whole->records;
    arm(out, draft, field);
    return draft->keyed && gd_draft_closed(field, &draft->meter.trust)
               ? write_literals(out, draft, field, arena)
               : GUARD_OK;
}
