/* SPDX-License-Identifier: Apache-2.0 */
/* Folding a pile: templates, their endpoints, the fields of these, and how often their rules would
 * have fired. */
#include "learn/draft.h"

#include "base/arena.h"
#include "learn/optional.h"
#include "learn/scale.h"
#include "learn/taint.h"
#include "learn/unknown.h"

static enum guard_rc fold_kinds(struct gd_groups kinds[GD_KIND_COUNT], const struct gd_group *group,
                                enum gd_kind from, enum gd_kind to, struct guard_arena *arena)
{
    for (uint32_t kind = from; kind <= to; kind++)
        GUARD_TRY(gd_group_children(&kinds[kind], group, (enum gd_kind)kind, arena));
    return GUARD_OK;
}

static void expose(struct gd_exposure *exposure, const struct gd_group *group)
{
    uint64_t epochs[GD_EPOCHS_MAX] = {0};
    gd_group_epochs(group, epochs);
    gd_exposure_init(exposure, epochs, gd_cells_clients(group->cells, group->cell_count));
}

static enum gd_family family_of_type(uint32_t type)
{
    if (type == GUARD_TYPE_OBJECT || type == GUARD_TYPE_ARRAY)
        return GD_FAMILY_STRUCTURE;
    if (type <= GUARD_TYPE_DECIMAL || type == GUARD_TYPE_DATE)
        return GD_FAMILY_NUMBER;
    if (type == GUARD_TYPE_TEXT || type == GUARD_TYPE_BYTES || type == GUARD_TYPE_URL)
        return GD_FAMILY_TEXT;
    if (type == GUARD_TYPE_WORD || type == GUARD_TYPE_TOKEN || type == GUARD_TYPE_EMAIL)
        return GD_FAMILY_WORD;
    return GD_FAMILY_ID;
}

/* By the type that most records have, those of a loud unit capped; "empty" and "null" say nothing
 * of the others. */
static uint32_t dominant_type(const struct gd_groups *types)
{
    uint32_t best = GUARD_TYPE_EMPTY;
    uint64_t most = 0;
    for (uint32_t i = 0; i < types->count; i++) {
        const struct gd_cell *type = &types->items[i].sum;
        uint64_t records = gd_records(type);
        if (type->code <= GUARD_TYPE_NULL || type->code >= GUARD_TYPE_STRING || records <= most)
            continue;
        most = records;
        best = (uint32_t)type->code;
    }
    return best;
}

static enum gd_family family_of(const struct gd_draft_field *field)
{
    uint32_t family = family_of_type(dominant_type(&field->kinds[GD_KIND_TYPE]));
    bool header = field->group.sum.location == GUARD_LOCATION_HEADER ||
                  field->group.sum.location == GUARD_LOCATION_COOKIE;
    return (enum gd_family)(header ? family + GD_FAMILY_VALUES : family);
}

bool gd_draft_lost(const struct gd_group *group, enum gd_kind kind)
{
    return (group->sum.dropped_kinds >> kind & 1) != 0;
}

static bool free_text(const struct gd_draft_field *field, const struct gd_trust *trust)
{
    enum { CLASSES_OF_PROSE = 12 };
    const struct gd_groups *classes = &field->kinds[GD_KIND_CLASS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < classes->count; i++)
        count += trust->anonymous || gd_trusted(trust, &classes->items[i].sum);
    return count >= CLASSES_OF_PROSE &&
           dominant_type(&field->kinds[GD_KIND_TYPE]) == GUARD_TYPE_TEXT;
}

/* Tags of the units behind literals without support; of all, or of those that one unit alone sent.
 */
static uint64_t fresh_literals(const struct gd_draft_field *field, const struct gd_trust *trust,
                               uint32_t *tags, bool single)
{
    const struct gd_groups *literals = &field->kinds[GD_KIND_LITERAL];
    size_t count = 0;
    for (uint32_t i = 0; i < literals->count; i++) {
        const struct gd_cell *literal = &literals->items[i].sum;
        if (single ? literal->tag_count != 1 : gd_trusted(trust, literal))
            continue;
        memcpy(tags + count, literal->tags, literal->tag_count * sizeof(*tags));
        count += literal->tag_count;
    }
    return gd_firings_counted(trust, tags, count);
}

/* Literals with support, and those of the others that don't come from fewer than D units. */
static enum guard_rc count_literals(struct gd_draft *draft, struct gd_draft_field *field)
{
    const struct gd_groups *literals = &field->kinds[GD_KIND_LITERAL];
    const struct gd_trust *trust = &draft->meter.trust;
    uint32_t *tags =
        gd_arena_get(draft->arena, ((size_t)literals->count * GD_TAGS_MAX + 1) * sizeof(*tags));
    if (tags == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < literals->count; i++)
        field->literals.trusted += gd_trusted(trust, &literals->items[i].sum);
    uint64_t others = literals->count - field->literals.trusted;
    uint64_t fresh = fresh_literals(field, trust, tags, false);
    field->literals.count = field->literals.trusted + (fresh < others ? fresh : others);
    field->literals.single = fresh_literals(field, trust, tags, true);
    return GUARD_OK;
}

/* Trials, not records: one form that a client sends again and again doesn't make a closed set. */
static bool literals_repeat(const struct gd_draft_field *field, const struct gd_trust *trust)
{
    enum { TRIALS_MIN = 50, REPEATS_MIN = 10, LITERALS_MAX = 64 };
    uint64_t count = field->literals.count;
    uint64_t trials = gd_exposure_trials(&field->place->exposure) / GD_TRIAL;
    return count > 0 && count <= LITERALS_MAX && trials >= TRIALS_MIN &&
           trials / count >= REPEATS_MIN && !gd_draft_lost(&field->group, GD_KIND_LITERAL) &&
           !free_text(field, trust);
}

bool gd_draft_closed(const struct gd_draft_field *field, const struct gd_trust *trust)
{
    enum { LITERALS_MAX = 32, NEW_SHARE = 50, UNKNOWN_SHARE = 50 };
    const struct gd_groups *literals = &field->kinds[GD_KIND_LITERAL];
    if (!literals_repeat(field, trust))
        return false;
    uint64_t known = 0, trusted = field->literals.trusted;
    for (uint32_t i = 0; i < literals->count; i++)
        known += literals->items[i].sum.count;
    uint64_t records = field->place->exposure.records;
    uint64_t trials = gd_exposure_trials(&field->place->exposure) / GD_TRIAL;
    return trusted > 0 && trusted <= LITERALS_MAX && field->literals.single <= trials / NEW_SHARE &&
           known + records / UNKNOWN_SHARE >= records;
}

static bool is_syntax(const struct gd_cell *element)
{
    return element->code < GUARD_CLASS_COUNT &&
           guard_class_is_syntax((enum guard_class)element->code);
}

static bool is_harmless(const struct gd_cell *element)
{
    return !is_syntax(element);
}

static bool is_parameter(const struct gd_cell *element)
{
    return element->location != GUARD_LOCATION_PATH;
}

static enum guard_rc measure_sets(const struct gd_meter *meter, struct gd_draft_field *field)
{
    struct gd_place *place = field->place;
    const struct gd_groups *kinds = field->kinds;
    const struct gd_groups *classes = &kinds[GD_KIND_CLASS];
    const struct gd_groups *transitions = &kinds[GD_KIND_TRANSITION];
    GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_CHARACTER, classes, is_syntax, 1));
    GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_ALPHABET, classes, is_harmless, 1));
    if (!gd_draft_lost(&field->group, GD_KIND_TRANSITION)) {
        GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_TRANSITION, transitions, NULL, 1));
        GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_TRANSITIONS, transitions, NULL, 3));
    }
    GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_TYPE, &kinds[GD_KIND_TYPE], NULL, 1));
    if (!place->answer)
        GUARD_TRY(
            gd_measure_set(meter, place, GUARD_RULE_LIKENESS, &kinds[GD_KIND_LIKENESS], NULL, 1));
    if (literals_repeat(field, &meter->trust))
        GUARD_TRY(
            gd_measure_set(meter, place, GUARD_RULE_LITERAL, &kinds[GD_KIND_LITERAL], NULL, 1));
    if (kinds[GD_KIND_NAME].count > 0)
        GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_NAME, &kinds[GD_KIND_NAME], NULL, 1));
    return GUARD_OK;
}

static enum guard_rc measure_tails(const struct gd_meter *meter, struct gd_draft_field *field)
{
    static const struct {
        enum guard_rule rule;
        enum gd_kind kind;
        struct gd_beyond beyond;
    } tails[] = {
        {GUARD_RULE_LENGTH, GD_KIND_LENGTH, {GD_END_HIGH, 1, 0}},
        {GUARD_RULE_LENGTH_FAR, GD_KIND_LENGTH, {GD_END_HIGH, 2, 0}},
        {GUARD_RULE_SHORT, GD_KIND_LENGTH_MIN, {GD_END_LOW, 1, 0}},
        {GUARD_RULE_DIGITS, GD_KIND_DIGITS, {GD_END_HIGH, 1, 0}},
        {GUARD_RULE_SPECIALS, GD_KIND_SPECIALS, {GD_END_HIGH, 1, 0}},
        {GUARD_RULE_ITEMS, GD_KIND_ITEMS, {GD_END_HIGH, 1, 0}},
        {GUARD_RULE_ITEMS_FAR, GD_KIND_ITEMS, {GD_END_HIGH, 2, 0}},
    };
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        const struct gd_groups *elements = &field->kinds[tails[i].kind];
        if (elements->count > 0)
            GUARD_TRY(
                gd_measure_tail(meter, field->place, tails[i].rule, elements, &tails[i].beyond));
    }
    return GUARD_OK;
}

static enum guard_rc measure_field(struct gd_draft *draft, struct gd_draft_field *field,
                                   uint32_t owner, bool answer)
{
    field->place = gd_arena_get(draft->arena, sizeof(*field->place));
    if (field->place == NULL)
        return GUARD_E_NOMEM;
    memset(field->place, 0, sizeof(*field->place));
    expose(&field->place->exposure, &field->group);
    field->place->family = family_of(field);
    field->place->answer = answer;
    field->place->owner = owner;
    field->place->order = ++draft->place_count;
    const struct gd_meter *meter = gd_draft_meter(draft, field->place);
    GUARD_TRY(count_literals(draft, field));
    GUARD_TRY(measure_sets(meter, field));
    GUARD_TRY(measure_tails(meter, field));
    if (!gd_field_optional(field))
        gd_measure_missing(meter, field->place, field->whole);
    return GUARD_OK;
}

/* Where fields go, and what they are part of. */
struct harvest {
    struct gd_draft *draft;
    struct gd_draft_fields *fields;
    struct gd_exposure *whole;
    const struct gd_template *node; /* NULL for the service and for responses */
    uint32_t owner;
    bool answer;
    struct gd_draft_field *parent;
    struct gd_review_spot spot; /* of the message; of the parent, where there is one */
    uint32_t waiver;
    const struct gd_suspects *suspects; /* of the endpoint; NULL: nobody */
};

static int order_names(const void *left, const void *right)
{
    const struct gd_cell *a = &((const struct gd_group *)left)->sum;
    const struct gd_cell *b = &((const struct gd_group *)right)->sum;
    if (a->location != b->location)
        return a->location < b->location ? -1 : 1;
    return gd_span_compare(a->text, b->text);
}

/* "seg0" is the value at the first segment; only where the template has a wildcard it is a value at
 * all. */
static bool is_wildcard_segment(const struct gd_template *node, struct guard_span name)
{
    uint32_t index = 0;
    if (name.len < 4 || name.len > 6)
        return false;
    for (size_t i = 3; i < name.len; i++) {
        if (name.ptr[i] < '0' || name.ptr[i] > '9')
            return false;
        index = index * 10 + (uint32_t)(name.ptr[i] - '0');
    }
    while (node != NULL && node->depth > index + 1)
        node = node->parent;
    return node != NULL && node->depth == index + 1 && node->wildcard;
}

static bool takes(const struct harvest *harvest, const struct gd_cell *name)
{
    if (harvest->answer)
        return true;
    if (harvest->node == NULL)
        return name->location == GUARD_LOCATION_HEADER || name->location == GUARD_LOCATION_COOKIE;
    return name->location != GUARD_LOCATION_PATH || is_wildcard_segment(harvest->node, name->text);
}

/* Before anything of the field is measured. */
static enum guard_rc review_field(const struct harvest *harvest, struct gd_draft_field *field,
                                  const struct gd_suspects *suspects)
{
    const struct gd_trust *trust = &harvest->draft->meter.trust;
    if (trust->review == NULL)
        return GUARD_OK;
    field->waiver = harvest->waiver | gd_review_waiver(trust, &field->group.sum);
    GUARD_TRY(gd_review_values(trust, &field->spot, field->kinds, field->waiver, suspects));
    return gd_review_names(trust, &field->spot, &field->kinds[GD_KIND_NAME], field->waiver);
}

static enum guard_rc add_field(struct harvest *harvest, const struct gd_group *group,
                               const struct gd_review_spot *spot,
                               const struct gd_suspects *suspects, bool trusted)
{
    struct gd_draft *draft = harvest->draft;
    struct gd_draft_field *field = gd_arena_get(draft->arena, sizeof(*field));
    if (field == NULL)
        return GUARD_E_NOMEM;
    *field = (struct gd_draft_field){.group = *group, .parent = harvest->parent};
    field->whole = harvest->whole;
    field->trusted = trusted;
    field->index = draft->field_count++;
    if (harvest->fields->last == NULL)
        harvest->fields->first = field;
    else
        harvest->fields->last->next = field;
    harvest->fields->last = field;
    harvest->fields->count++;
    GUARD_TRY(fold_kinds(field->kinds, group, GD_KIND_NAME, GD_KIND_ITEMS, draft->arena));
    GUARD_TRY(fold_kinds(field->kinds, group, GD_KIND_LIKENESS, GD_KIND_LIKENESS, draft->arena));
    field->spot = *spot;
    if (trusted)
        GUARD_TRY(review_field(harvest, field, suspects));
    for (uint32_t kind = GD_KIND_NAME; !gd_suspects_none(suspects) && kind < GD_KIND_COUNT; kind++)
        gd_suspects_leave_all(suspects, &field->kinds[kind]);
    return trusted ? measure_field(draft, field, harvest->owner, harvest->answer) : GUARD_OK;
}

/* What people refused says nothing of what is usual. */
static bool is_refused(const struct gd_cell *sum)
{
    return (sum->review & GD_REVIEW_REFUSED) != 0;
}

/* One that waits, or that people decided about. */
static enum guard_rc list_name(const struct harvest *harvest, struct gd_group *name,
                               const struct gd_review_spot *spot,
                               const struct gd_suspects *suspects)
{
    const struct gd_groups one = {name, 1};
    /* A segment of the path has no name that a client chose. */
    if (name->sum.location == GUARD_LOCATION_PATH)
        return GUARD_OK;
    return gd_review_list(&harvest->draft->meter.trust, spot, GUARD_REVIEW_NAME, &one, 0, suspects);
}

/* Sorts the names in place; their order has no meaning but that it is the model's. */
static enum guard_rc add_names(struct harvest *harvest, struct gd_groups *names, bool *cut)
{
    struct gd_draft *draft = harvest->draft;
    gd_sort(names->items, sizeof(*names->items), names->count, order_names);
    for (uint32_t i = 0; i < names->count; i++) {
        struct gd_group *name = &names->items[i];
        struct gd_suspects suspects = {.also = harvest->suspects};
        struct gd_review_spot spot;
        if (!takes(harvest, &name->sum))
            continue;
        GUARD_TRY(
            gd_review_field_spot(&spot, draft->meter.trust.review, &harvest->spot, &name->sum));
        if (!harvest->answer)
            GUARD_TRY(gd_taint_name(&suspects, draft, name, &spot, harvest->suspects));
        GUARD_TRY(list_name(harvest, name, &spot, &suspects));
        (void)gd_suspects_leave(&suspects, &name->sum);
        bool trusted = gd_trusted(&draft->meter.trust, &name->sum);
        if (!trusted && !harvest->answer && !is_refused(&name->sum))
            GUARD_TRY(gd_unknown_measure(draft, name, harvest->owner, harvest->suspects));
        if (!trusted && (!gd_pending(&draft->meter.trust, &name->sum) ||
                         draft->pending_count >= GD_MODEL_PENDING_MAX))
            continue;
        if (draft->field_count >= GD_MODEL_FIELDS_MAX) {
            *cut = *cut || trusted;
            continue;
        }
        draft->pending_count += !trusted;
        GUARD_TRY(add_field(harvest, name, &spot, &suspects, trusted));
    }
    return GUARD_OK;
}

static enum guard_rc add_tree(struct harvest *harvest, struct gd_groups *names)
{
    GUARD_TRY(add_names(harvest, names, &harvest->fields->cut));
    for (struct gd_draft_field *field = harvest->fields->first; field != NULL;
         field = field->next) {
        if (!field->trusted || field->kinds[GD_KIND_NAME].count == 0)
            continue;
        harvest->parent = field;
        harvest->whole = &field->place->exposure;
        harvest->spot = field->spot;
        harvest->waiver = field->waiver;
        GUARD_TRY(add_names(harvest, &field->kinds[GD_KIND_NAME], &field->cut));
    }
    return GUARD_OK;
}

/* Each location is a place of its own: that nothing of a million queries was malformed is proved by
 * a million, whatever the bodies were. elements are sorted by (location, fault). */
static enum guard_rc measure_faults(const struct gd_meter *meter, struct gd_place *place,
                                    const struct gd_groups *elements, uint32_t locations)
{
    for (uint32_t location = 0; location < GUARD_LOCATION_COUNT; location++) {
        struct gd_groups here = {elements->items, 0};
        for (uint32_t i = 0; i < elements->count; i++) {
            if (elements->items[i].sum.code >> 8 != location)
                continue;
            if (here.count++ == 0)
                here.items = &elements->items[i];
        }
        if (here.count > 0 || (locations >> location & 1) != 0)
            GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_FAULT, &here, NULL, 1));
    }
    return GUARD_OK;
}

/* Where there are values with support, and could be malformed ones; the path always. */
static uint32_t locations_of(const struct gd_groups *names, const struct gd_trust *trust)
{
    uint32_t locations = 1u << GUARD_LOCATION_PATH;
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->items[i].sum.location < GUARD_LOCATION_COUNT &&
            gd_trusted(trust, &names->items[i].sum))
            locations |= 1u << names->items[i].sum.location;
    }
    return locations;
}

/* What requests and responses have alike. */
static enum guard_rc measure_message(struct gd_draft *draft, struct gd_draft_endpoint *endpoint)
{
    static const struct gd_beyond above = {GD_END_HIGH, 1, 0};
    static const struct gd_beyond far = {GD_END_HIGH, 2, 0};
    struct gd_groups *kinds = endpoint->kinds;
    struct gd_place *place = &endpoint->place;
    const struct gd_meter *meter = gd_draft_meter(draft, place);
    GUARD_TRY(
        gd_measure_set(meter, place, GUARD_RULE_CONTENT_TYPE, &kinds[GD_KIND_MEDIA], NULL, 1));
    GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_NAME, &kinds[GD_KIND_NAME], is_parameter, 1));
    GUARD_TRY(measure_faults(meter, place, &kinds[GD_KIND_FAULT],
                             locations_of(&kinds[GD_KIND_NAME], &meter->trust)));
    GUARD_TRY(gd_measure_tail(meter, place, GUARD_RULE_SIZE, &kinds[GD_KIND_SIZE], &above));
    GUARD_TRY(gd_measure_tail(meter, place, GUARD_RULE_SIZE_FAR, &kinds[GD_KIND_SIZE], &far));
    GUARD_TRY(gd_measure_tail(meter, place, GUARD_RULE_DEPTH, &kinds[GD_KIND_DEPTH], &above));
    struct harvest harvest = {.draft = draft,
                              .fields = &endpoint->fields,
                              .whole = &place->exposure,
                              .node = endpoint->node,
                              .owner = place->owner,
                              .answer = place->answer,
                              .spot = endpoint->spot,
                              .waiver = endpoint->waiver,
                              .suspects = &endpoint->suspects};
    return add_tree(&harvest, &kinds[GD_KIND_NAME]);
}

/* Names are left name by name. */
static void leave_suspects(const struct gd_draft *draft, struct gd_draft_endpoint *endpoint)
{
    endpoint->suspects.attackers = &draft->attackers;
    for (uint32_t kind = GD_KIND_MEDIA; kind < GD_KIND_COUNT; kind++) {
        if (kind != GD_KIND_NAME && !gd_suspects_none(&endpoint->suspects))
            gd_suspects_leave_all(&endpoint->suspects, &endpoint->kinds[kind]);
    }
}

static enum guard_rc measure_endpoint(struct gd_draft *draft, struct gd_draft_endpoint *endpoint)
{
    static const struct gd_beyond late = {GD_END_HIGH, GUARD_LATE_FACTOR, GUARD_LATE_LEAST_MS};
    const struct gd_meter *meter = &draft->meter;
    struct gd_groups *kinds = endpoint->kinds;
    const struct gd_group *method = &endpoint->group;
    if (!endpoint->trusted)
        return is_refused(&method->sum) ? GUARD_OK : gd_unknown_measure(draft, method, 0, NULL);
    leave_suspects(draft, endpoint);
    GUARD_TRY(gd_measure_set(meter, &endpoint->place, GUARD_RULE_STATUS, &kinds[GD_KIND_STATUS],
                             NULL, 1));
    GUARD_TRY(gd_measure_tail(meter, &endpoint->place, GUARD_RULE_LATENCY, &kinds[GD_KIND_LATENCY],
                              &late));
    return measure_message(draft, endpoint);
}

/* Of a message, before anything of it is measured. */
static enum guard_rc review_message(const struct gd_draft *draft,
                                    struct gd_draft_endpoint *endpoint)
{
    static const struct {
        enum guard_review_kind kind;
        enum gd_kind cells;
    } kinds[] = {{GUARD_REVIEW_CONTENT_TYPE, GD_KIND_MEDIA},
                 {GUARD_REVIEW_FAULT, GD_KIND_FAULT},
                 {GUARD_REVIEW_LEAK, GD_KIND_LEAK}};
    const struct gd_trust *trust = &draft->meter.trust;
    for (uint32_t kind = GD_KIND_MEDIA; kind <= GD_KIND_LEAK; kind++)
        gd_review_waive(&endpoint->kinds[kind], kind == GD_KIND_NAME ? 0 : endpoint->waiver);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct gd_groups *groups = &endpoint->kinds[kinds[i].cells];
        gd_review_mark(trust->review, &endpoint->spot, kinds[i].kind, groups);
        GUARD_TRY(gd_review_list(trust, &endpoint->spot, kinds[i].kind, groups, 0, NULL));
    }
    gd_review_waive(&endpoint->kinds[GD_KIND_ANSWER], endpoint->waiver);
    return gd_review_names(trust, &endpoint->spot, &endpoint->kinds[GD_KIND_NAME],
                           endpoint->waiver);
}

static enum guard_rc add_endpoint(struct gd_draft *draft, const struct gd_template *node,
                                  const struct gd_group *method)
{
    struct gd_draft_endpoint *endpoint = gd_arena_get(draft->arena, sizeof(*endpoint));
    if (endpoint == NULL)
        return GUARD_E_NOMEM;
    memset(endpoint, 0, sizeof(*endpoint));
    endpoint->group = *method;
    endpoint->node = node;
    endpoint->trusted = gd_trusted(&draft->meter.trust, &method->sum);
    expose(&endpoint->place.exposure, method);
    if (draft->last_endpoint == NULL)
        draft->endpoints = endpoint;
    else
        draft->last_endpoint->next = endpoint;
    draft->last_endpoint = endpoint;
    endpoint->index = draft->endpoint_count++;
    endpoint->place.owner = 1 + endpoint->index;
    endpoint->place.order = ++draft->place_count;
    if (!endpoint->trusted)
        return GUARD_OK;
    GUARD_TRY(fold_kinds(endpoint->kinds, method, GD_KIND_MEDIA, GD_KIND_ANSWER, draft->arena));
    endpoint->waiver = node->waiver | gd_review_waiver(&draft->meter.trust, &method->sum);
    endpoint->spot.method = method->sum.text;
    GUARD_TRY(gd_template_text(&endpoint->spot.template_text, node, draft->arena));
    GUARD_TRY(review_message(draft, endpoint));
    GUARD_TRY(gd_taint_endpoint(&endpoint->suspects, draft, endpoint));
    return GUARD_OK;
}

/* endpoint: NULL for the service. */
static enum guard_rc add_answer(struct gd_draft *draft, const struct gd_draft_endpoint *endpoint,
                                const struct gd_group *group)
{
    struct gd_draft_endpoint *answer = gd_arena_get(draft->arena, sizeof(*answer));
    if (answer == NULL)
        return GUARD_E_NOMEM;
    *answer = (struct gd_draft_endpoint){.group = *group, .answer_of = endpoint, .trusted = true};
    answer->place.answer = true;
    answer->place.owner = 1 + draft->answer_count;
    answer->place.order = ++draft->place_count;
    expose(&answer->place.exposure, group);
    if (draft->last_answer == NULL)
        draft->answers = answer;
    else
        draft->last_answer->next = answer;
    draft->last_answer = answer;
    draft->answer_count++;
    GUARD_TRY(fold_kinds(answer->kinds, group, GD_KIND_MEDIA, GD_KIND_LEAK, draft->arena));
    if (endpoint != NULL) {
        answer->spot = endpoint->spot;
        answer->waiver = endpoint->waiver;
        answer->suspects = endpoint->suspects;
    }
    answer->spot.status = (uint32_t)group->sum.code;
    GUARD_TRY(review_message(draft, answer));
    leave_suspects(draft, answer);
    GUARD_TRY(gd_measure_set(&draft->answers_meter, &answer->place, GUARD_RULE_LEAK,
                             &answer->kinds[GD_KIND_LEAK], NULL, 1));
    return measure_message(draft, answer);
}

/* Only classes of status with support are norms. */
static enum guard_rc add_answers(struct gd_draft *draft, const struct gd_draft_endpoint *endpoint,
                                 const struct gd_groups *classes)
{
    for (uint32_t i = 0; i < classes->count; i++) {
        if (gd_trusted(&draft->meter.trust, &classes->items[i].sum) &&
            draft->answer_count < GD_MODEL_ANSWERS_MAX)
            GUARD_TRY(add_answer(draft, endpoint, &classes->items[i]));
    }
    return GUARD_OK;
}

static enum guard_rc add_all_answers(struct gd_draft *draft)
{
    struct gd_groups classes;
    /* The service's first: their number is small, and what is at the endpoints rests on them. */
    GUARD_TRY(gd_group_children(&classes, &draft->service, GD_KIND_ANSWER, draft->arena));
    GUARD_TRY(add_answers(draft, NULL, &classes));
    for (const struct gd_draft_endpoint *at = draft->endpoints; at != NULL; at = at->next) {
        if (at->trusted)
            GUARD_TRY(add_answers(draft, at, &at->kinds[GD_KIND_ANSWER]));
    }
    return GUARD_OK;
}

static enum guard_rc measure_node(struct gd_draft *draft, struct gd_draft_node *entry)
{
    struct gd_template *node = entry->node;
    struct gd_group traffic;
    uint64_t epochs[GD_EPOCHS_MAX] = {0};
    GUARD_TRY(gd_template_traffic(&traffic, node, draft->arena));
    expose(&entry->below.exposure, &traffic);
    for (uint32_t i = 0; i < node->methods.count; i++)
        gd_group_epochs(&node->methods.items[i], epochs);
    gd_exposure_init(&entry->here.exposure, epochs, entry->below.exposure.clients);
    entry->below.order = ++draft->place_count;
    entry->here.order = ++draft->place_count;
    if (!node->open) {
        /* The wildcard's segments are one element: any of them is known once one is. */
        uint32_t total = node->known.count + node->pending.count;
        struct gd_groups elements = {
            gd_arena_get(draft->arena, (total + 1u) * sizeof(*elements.items)), 0};
        if (elements.items == NULL)
            return GUARD_E_NOMEM;
        for (uint32_t i = 0; i < node->known.count; i++)
            elements.items[elements.count++] = node->known.items[i];
        for (uint32_t i = 0; i < node->pending.count; i++)
            elements.items[elements.count++] = node->pending.items[i];
        if (node->joined != NULL)
            elements.items[elements.count++] = *node->joined;
        GUARD_TRY(
            gd_measure_set(&draft->meter, &entry->below, GUARD_RULE_PATH, &elements, NULL, 1));
    }
    if (entry->here.exposure.records == 0)
        return GUARD_OK;
    return gd_measure_set(&draft->meter, &entry->here, GUARD_RULE_METHOD, &node->methods, NULL, 1);
}

static enum guard_rc add_endpoints(struct gd_draft *draft)
{
    for (struct gd_template *node = draft->templates.root; node != NULL; node = node->next) {
        for (uint32_t i = 0; i < node->methods.count; i++) {
            if (draft->endpoint_count < GD_MODEL_ENDPOINTS_MAX)
                GUARD_TRY(add_endpoint(draft, node, &node->methods.items[i]));
            else
                node->cut = true;
        }
    }
    return GUARD_OK;
}

static enum guard_rc add_node(struct gd_draft *draft, struct gd_template *node)
{
    struct gd_draft_node *entry = gd_arena_get(draft->arena, sizeof(*entry));
    if (entry == NULL)
        return GUARD_E_NOMEM;
    memset(entry, 0, sizeof(*entry));
    entry->node = node;
    if (draft->last_node == NULL)
        draft->nodes = entry;
    else
        draft->last_node->next = entry;
    draft->last_node = entry;
    return measure_node(draft, entry);
}

/* Hostile piles hold any count; sums of what is kept here don't overflow. */
static uint64_t at_most_records(uint64_t count)
{
    return count < UINT32_MAX ? count : UINT32_MAX;
}

/* Of the units that were refused only those count that D - 1 could not have made up, each once; of
 * records without a client each. */
static struct gd_measure refused(const struct gd_draft *draft, const struct gd_cell *status,
                                 uint64_t records)
{
    const struct gd_trust *trust = &draft->meter.trust;
    uint64_t units = gd_units(status), least = trust->weight / GD_WEIGHT_STRONG - 1;
    if (trust->anonymous)
        return (struct gd_measure){records * GD_TRIAL, at_most_records(status->count)};
    return (struct gd_measure){gd_exposure_trials(&draft->service_place.exposure),
                               units > least ? units - least : 0};
}

/* Paths with syntax that it refused: how often a value at a wildcard is one that clients mistyped.
 */
static void measure_mistyped(struct gd_draft *draft, const struct gd_groups *classes,
                             uint64_t records)
{
    for (uint32_t i = 0; i < classes->count; i++) {
        const struct gd_cell *status = &classes->items[i].sum;
        if (status->code == GD_STATUS_MISTYPED && gd_trusted(&draft->meter.trust, status))
            draft->mistyped_most = gd_rate_strength(refused(draft, status, records));
        struct gd_cell honest = *status;
        if (status->code == GD_STATUS_ATTACK_LIKE &&
            gd_suspects_leave(&draft->attackers, &honest) &&
            gd_trusted(&draft->meter.trust, &honest))
            draft->attack_like_most = gd_rate_strength(refused(draft, status, records));
    }
}

/* What the service refused (4xx) isn't learned, but clients that do no harm send it: links to pages
 * that are gone, what browsers and crawlers ask of any site. Unknown paths and methods fire at
 * least as often as that. One client's scan is no habit of many. */
static enum guard_rc measure_refused(struct gd_draft *draft)
{
    enum { REFUSED = 4 };
    struct gd_groups classes;
    struct gd_measure measure = {0, 0};
    uint64_t records = 0;
    draft->refused_most = draft->mistyped_most = draft->attack_like_most = GD_STRENGTH_MAX;
    GUARD_TRY(gd_group_children(&classes, &draft->service, GD_KIND_STATUS, draft->arena));
    for (uint32_t i = 0; i < classes.count; i++)
        records += classes.items[i].sum.code >= GD_STATUS_MISTYPED
                       ? 0
                       : at_most_records(classes.items[i].sum.count);
    for (uint32_t i = 0; i < classes.count; i++) {
        const struct gd_cell *status = &classes.items[i].sum;
        if (status->code == REFUSED && gd_trusted(&draft->meter.trust, status))
            measure = refused(draft, status, records);
    }
    measure_mistyped(draft, &classes, records);
    if (measure.fires > 0)
        draft->refused_most = gd_rate_strength(measure);
    return GUARD_OK;
}

static bool is_failure(const struct gd_cell *status)
{
    return status->code == 5;
}

static enum guard_rc measure_service(struct gd_draft *draft)
{
    const struct gd_meter *meter = &draft->meter;
    struct gd_groups *kinds = draft->service_kinds;
    GUARD_TRY(gd_group_children(&kinds[GD_KIND_NAME], &draft->service, GD_KIND_NAME, draft->arena));
    GUARD_TRY(
        gd_group_children(&kinds[GD_KIND_FAULT], &draft->service, GD_KIND_FAULT, draft->arena));
    GUARD_TRY(
        gd_group_children(&kinds[GD_KIND_CLIENT], &draft->service, GD_KIND_CLIENT, draft->arena));
    const struct gd_review_spot whole = {.status = 0};
    gd_review_mark(meter->trust.review, &whole, GUARD_REVIEW_FAULT, &kinds[GD_KIND_FAULT]);
    GUARD_TRY(
        gd_review_list(&meter->trust, &whole, GUARD_REVIEW_FAULT, &kinds[GD_KIND_FAULT], 0, NULL));
    GUARD_TRY(gd_review_names(&meter->trust, &whole, &kinds[GD_KIND_NAME], 0));
    const struct gd_suspects suspects = {.attackers = &draft->attackers};
    gd_suspects_leave_all(&suspects, &kinds[GD_KIND_FAULT]);
    struct gd_place *place = &draft->service_place;
    uint32_t locations =
        locations_of(&kinds[GD_KIND_NAME], &meter->trust) & ~(1u << GUARD_LOCATION_PATH);
    GUARD_TRY(measure_faults(meter, place, &kinds[GD_KIND_FAULT], locations));
    GUARD_TRY(
        gd_group_children(&kinds[GD_KIND_STATUS], &draft->service, GD_KIND_STATUS, draft->arena));
    GUARD_TRY(
        gd_measure_set(meter, place, GUARD_RULE_STATUS, &kinds[GD_KIND_STATUS], is_failure, 1));
    GUARD_TRY(gd_measure_set(meter, place, GUARD_RULE_CLIENT, &kinds[GD_KIND_CLIENT], NULL, 1));
    GUARD_TRY(gd_measure_set(meter, &draft->header_place, GUARD_RULE_NAME, &kinds[GD_KIND_NAME],
                             NULL, 1));
    struct harvest harvest = {.draft = draft, .fields = &draft->service_fields};
    harvest.whole = &place->exposure;
    return add_tree(&harvest, &kinds[GD_KIND_NAME]);
}

enum guard_rc gd_draft_make(struct gd_draft *draft, const struct gd_cell *service)
{
    GUARD_TRY(gd_group_init(&draft->service, service, draft->arena));
    expose(&draft->service_place.exposure, &draft->service);
    draft->service_place.order = ++draft->place_count;
    gd_marks_init(draft->meter.marks, &draft->service_place.exposure);
    gd_marks_init(draft->answers_meter.marks, &draft->service_place.exposure);
    draft->header_place = draft->service_place;
    draft->header_place.order = ++draft->place_count;
    draft->header_place.family = GD_FAMILY_VALUES;
    GUARD_TRY(gd_templates_fold(&draft->templates, service, &draft->meter.trust, draft->arena));
    GUARD_TRY(add_endpoints(draft));
    GUARD_TRY(gd_taint_service(draft));
    for (struct gd_template *node = draft->templates.root; node != NULL; node = node->next) {
        GUARD_TRY(add_node(draft, node));
        for (uint32_t i = 0; i < node->pending.count; i++) {
            if (!is_refused(&node->pending.items[i].sum))
                GUARD_TRY(gd_unknown_measure(draft, &node->pending.items[i], 0, NULL));
        }
    }
    for (struct gd_draft_endpoint *at = draft->endpoints; at != NULL; at = at->next)
        GUARD_TRY(measure_endpoint(draft, at));
    GUARD_TRY(measure_refused(draft));
    GUARD_TRY(measure_service(draft));
    return add_all_answers(draft);
}
