/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of an endpoint or of the service: learned ones, those that a person wrote about, and the
 * objects on the way to them. */
#include "policy/plan.h"
#include "policy/policy.h"
#include "profile/profile.h"
#include "profile/transition.h"

enum { ALL_TYPES = (1 << GUARD_TYPE_COUNT) - 1 };
static const uint64_t all_classes = (UINT64_C(1) << GUARD_CLASS_COUNT) - 1;

/* A field of which nothing is known. */
static void draft_open(struct gd_plan_draft *draft, enum guard_location location)
{
    memset(draft, 0, sizeof(*draft));
    draft->field.location = (uint8_t)location;
    draft->field.classes = all_classes;
    draft->field.types = ALL_TYPES;
    draft->field.likeness = UINT16_MAX;
    draft->field.length_max = draft->field.digits_max = UINT32_MAX;
    draft->field.specials_max = draft->field.items_max = UINT32_MAX;
    draft->field.shadow = GD_POLICY_NONE;
    draft->field.flags = GD_FIELD_OPEN;
    memset(draft->rows, 0xff, sizeof(draft->rows));
}

/* A value has the first type that fits: a name is spelled like a hash by chance. Who sent tokens
 * may send those, too; numbers and dates are no accidents and stay deviations. */
static uint32_t with_accidental(uint32_t types)
{
    const uint32_t token = 1u << GUARD_TYPE_TOKEN;
    const uint32_t tokens =
        token | 1u << GUARD_TYPE_WORD | 1u << GUARD_TYPE_HEX | 1u << GUARD_TYPE_BASE64;
    return types & (token | 1u << GUARD_TYPE_TEXT) ? types | tokens : types;
}

static void draft_learned(struct gd_plan_draft *draft, const struct guard_model_field *from)
{
    memset(draft, 0, sizeof(*draft));
    struct gd_policy_field *field = &draft->field;
    field->location = (uint8_t)from->location;
    field->classes = from->classes & all_classes;
    field->pending_classes = from->pending_classes & all_classes & ~from->classes;
    field->types = with_accidental(from->types & ALL_TYPES);
    field->pending_types = from->pending_types & ALL_TYPES & ~field->types;
    field->likeness = (uint16_t)from->likeness;
    field->pending_likeness = (uint16_t)(from->pending_likeness & ~from->likeness);
    field->length_min = from->length_min;
    field->length_max = from->length_max;
    field->digits_max = from->digits_max;
    field->specials_max = from->specials_max;
    field->items_max = from->items_max;
    field->shadow = GD_POLICY_NONE;
    field->values = gd_saturate(from->values);
    field->clients = from->clients;
    memcpy(field->strength, from->strength, sizeof(from->strength));
    if (!from->trusted)
        field->flags |= GD_FIELD_PENDING;
    else if (from->required)
        field->flags |= GD_FIELD_REQUIRED;
    if (from->closed && from->literals != NULL && from->literal_count > 0 &&
        from->literal_count <= GD_POLICY_LITERALS) {
        field->flags |= GD_FIELD_CLOSED;
        field->literals.count = from->literal_count;
        draft->literals = from->literals;
    }
    memcpy(draft->rows, from->transitions, sizeof(draft->rows));
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++)
        draft->pending_rows[i] = from->pending_transitions[i] & ~from->transitions[i];
}

/* A copy of a field that is in its sections already. */
static void draft_copy(struct gd_plan_draft *draft, const struct gd_plan *plan, uint32_t index)
{
    memset(draft, 0, sizeof(*draft));
    draft->field = *gd_plan_field(plan, index);
    const uint64_t *rows = (const uint64_t *)(const void *)plan->sections[GD_SECTION_ROWS].ptr +
                           draft->field.row_first;
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++) {
        draft->rows[i] = rows[draft->field.rank[i]];
        if (draft->field.flags & GD_FIELD_PENDING_ROWS)
            draft->pending_rows[i] = rows[draft->field.row_count + draft->field.rank[i]];
    }
    draft->field.shadow = index;
    draft->field.row_count = 0;
    draft->field.flags &= (uint16_t) ~(GD_FIELD_PENDING_ROWS | GD_FIELD_PAIRS | GD_FIELD_COUNTS);
    memset(draft->field.rank, 0, sizeof(draft->field.rank));
}

static enum guard_rc emit_literals(struct gd_plan *plan, struct gd_plan_draft *draft,
                                   uint32_t copied_from)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_LITERALS];
    struct gd_policy_range *range = &draft->field.literals;
    if (draft->literals == NULL && copied_from == GD_POLICY_NONE) {
        if (range->count == 0)
            range->first = section->count;
        return GUARD_OK;
    }
    range->first = section->count;
    uint64_t *to = gd_vector_add(section, range->count);
    if (to == NULL)
        return section->rc;
    const uint64_t *from = draft->literals;
    if (from == NULL)
        from = (const uint64_t *)(const void *)section->ptr + copied_from;
    for (uint32_t i = 0; i < range->count; i++) {
        if (i > 0 && from[i] <= from[i - 1])
            return guard_fail(plan->err, GUARD_E_RANGE, "the model's literals are out of order");
        to[i] = from[i];
    }
    return GUARD_OK;
}

/* A rule that isn't armed tests nothing. */
static void disarm(struct gd_plan_draft *draft)
{
    struct gd_policy_field *field = &draft->field;
    const uint16_t *strength = field->strength;
    if ((strength[GUARD_RULE_CHARACTER] | strength[GUARD_RULE_ALPHABET]) == 0)
        field->classes = all_classes;
    if ((strength[GUARD_RULE_TRANSITION] | strength[GUARD_RULE_TRANSITIONS]) == 0) {
        memset(draft->rows, 0xff, sizeof(draft->rows));
        memset(draft->pending_rows, 0, sizeof(draft->pending_rows));
    }
    if (strength[GUARD_RULE_TYPE] == 0)
        field->types = ALL_TYPES;
    if ((strength[GUARD_RULE_LENGTH] | strength[GUARD_RULE_LENGTH_FAR]) == 0)
        field->length_max = UINT32_MAX;
    if (strength[GUARD_RULE_SHORT] == 0)
        field->length_min = 0;
    if (strength[GUARD_RULE_DIGITS] == 0)
        field->digits_max = UINT32_MAX;
    if (strength[GUARD_RULE_SPECIALS] == 0)
        field->specials_max = UINT32_MAX;
    if (strength[GUARD_RULE_ITEMS] == 0)
        field->items_max = UINT32_MAX;
    if (strength[GUARD_RULE_LIKENESS] == 0) {
        field->likeness = UINT16_MAX;
        field->pending_likeness = 0;
    }
    if (strength[GUARD_RULE_MISSING] == 0)
        field->flags &= (uint16_t)~GD_FIELD_REQUIRED;
    if (strength[GUARD_RULE_LITERAL] == 0)
        field->flags &= (uint16_t)~GD_FIELD_CLOSED;
}

/* Runs of letters or digits are no neighbourhoods. */
static bool any_order(const struct gd_plan_draft *draft)
{
    uint64_t classes = draft->field.classes;
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++) {
        uint64_t followers = draft->rows[i] | (i <= GUARD_CLASS_DIGIT ? UINT64_C(1) << i : 0);
        if ((classes >> i & 1) && (classes & ~followers) != 0)
            return false;
    }
    return true;
}

/* Classes with equal rows share one. */
static uint8_t rank_of(const struct gd_plan_draft *draft, uint32_t class, uint32_t *count)
{
    if ((draft->rows[class] | draft->pending_rows[class]) == 0)
        return 0;
    for (uint32_t i = 0; i < class; i++) {
        if (draft->rows[i] == draft->rows[class] &&
            draft->pending_rows[i] == draft->pending_rows[class])
            return draft->field.rank[i];
    }
    return (uint8_t)(*count)++;
}

static uint64_t frequent_of(const struct gd_plan_draft *draft)
{
    uint64_t known = 0;
    for (uint64_t left = GD_FREQUENT_ALL; left != 0; left &= left - 1) {
        uint32_t transition = gd_frequent_transition((uint32_t)__builtin_ctzll(left));
        if (draft->rows[transition >> 6] >> (transition & 63) & 1)
            known |= left & -left;
    }
    return known;
}

static enum guard_rc emit_rows(struct gd_plan *plan, struct gd_plan_draft *draft)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_ROWS];
    uint32_t count = 1;
    bool pending = false;
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++) {
        draft->field.rank[i] = rank_of(draft, i, &count);
        pending |= draft->pending_rows[i] != 0;
    }
    draft->field.row_first = section->count;
    draft->field.row_count = (uint8_t)count;
    uint64_t *rows = gd_vector_add(section, pending ? 2 * count : count);
    if (rows == NULL)
        return section->rc;
    if (pending)
        draft->field.flags |= GD_FIELD_PENDING_ROWS;
    draft->field.frequent = frequent_of(draft);
    if (any_order(draft)) {
        draft->field.flags |= GD_FIELD_PAIRS;
        draft->field.frequent = GD_FREQUENT_ALL;
    }
    for (uint32_t i = 0; i < GUARD_CLASS_COUNT; i++) {
        if (draft->field.rank[i] == 0)
            continue;
        rows[draft->field.rank[i]] = draft->rows[i];
        if (pending)
            rows[count + draft->field.rank[i]] = draft->pending_rows[i];
    }
    return GUARD_OK;
}

const struct guard_criterion gd_content_type_said = {.location = GUARD_LOCATION_HEADER,
                                                     .name = GUARD_SPAN_LITERAL("content-type")};

/* Forgets what was learned of the values, not where the field belongs. */
static void draft_reopen(struct gd_plan_draft *draft)
{
    const struct gd_policy_field from = draft->field;
    draft_open(draft, (enum guard_location)from.location);
    draft->field.owner = from.owner;
    draft->field.shadow = from.shadow;
    draft->field.name = from.name;
    draft->field.path = from.path;
}

/* Lays the criterion over the draft and puts it into the sections. Returns its index through *out.
 */
static enum guard_rc draft_emit(struct gd_plan *plan, struct gd_plan_draft *draft,
                                const struct guard_criterion *criterion, uint32_t *out)
{
    uint32_t copied_from = GD_POLICY_NONE;
    GUARD_TRY(plan->sections[GD_SECTION_STRINGS].rc); /* its names were put there */
    if (draft->field.shadow != GD_POLICY_NONE && draft->field.literals.count > 0 &&
        (criterion == NULL || criterion->value_count == 0))
        copied_from = draft->field.literals.first;
    if (criterion == &gd_content_type_said)
        draft_reopen(draft);
    else if (criterion != NULL)
        GUARD_TRY(gd_criterion_apply(plan, draft, criterion));
    disarm(draft);
    GUARD_TRY(emit_literals(plan, draft, copied_from));
    GUARD_TRY(emit_rows(plan, draft));
    *out = plan->sections[GD_SECTION_FIELDS].count;
    struct gd_policy_field *field = gd_vector_add(&plan->sections[GD_SECTION_FIELDS], 1);
    if (field == NULL)
        return plan->sections[GD_SECTION_FIELDS].rc;
    *field = draft->field;
    return GUARD_OK;
}

/* The criterion for a field, marked as used; NULL when there is none. */
static const struct guard_criterion *
overlay_take(struct gd_plan *plan, enum guard_location location, struct guard_span path)
{
    struct gd_plan_overlay *overlay = (void *)plan->overlay.ptr;
    for (uint32_t i = 0; i < plan->overlay.count; i++) {
        const struct guard_criterion *criterion = overlay[i].criterion;
        if (criterion->location != location)
            continue;
        if (location == GUARD_LOCATION_HEADER ? gd_span_equal_nocase(criterion->name, path)
                                              : gd_span_equal(criterion->name, path)) {
            overlay[i].used = true;
            return criterion;
        }
    }
    return NULL;
}

/* "seg3" names the third node below the root. */
static bool at_wildcard(const struct gd_plan *plan, uint32_t node, struct guard_span name)
{
    uint32_t index = 0;
    if (name.len < 4 || name.len > 6 || memcmp(name.ptr, "seg", 3) != 0)
        return false;
    for (size_t i = 3; i < name.len; i++)
        index = index * 10 + (uint32_t)(name.ptr[i] - '0');
    if (node == GD_POLICY_NONE || index >= gd_plan_node(plan, node)->depth)
        return false;
    while (gd_plan_node(plan, node)->depth > index + 1)
        node = gd_plan_node(plan, node)->parent;
    return gd_plan_node(plan, node)->segment.kind != GD_SEGMENT_LITERAL;
}

static enum guard_rc emit_learned(struct gd_plan *plan, uint32_t owner, uint32_t first,
                                  uint32_t index)
{
    const struct guard_model_field *from = &plan->model->fields[first + index];
    uint32_t *emitted = (uint32_t *)(void *)plan->emitted.ptr;
    struct gd_plan_draft draft;
    draft_learned(&draft, from);
    if (!plan->likeness)
        draft.field.strength[GUARD_RULE_LIKENESS] = 0;
    draft.field.owner = owner;
    if (from->parent != GUARD_NO_INDEX) {
        if (from->parent < first || from->parent - first >= index ||
            !gd_location_in(GD_LOCATION_TREES, from->location) ||
            plan->model->fields[from->parent].location != from->location)
            return guard_fail(plan->err, GUARD_E_RANGE, "the model's fields are out of order");
        draft.field.owner = emitted[from->parent - first];
        draft.field.flags |= GD_FIELD_MEMBER;
    }
    if (from->name.len > GD_POLICY_NAME_MAX || from->location >= GUARD_LOCATION_COUNT)
        return guard_fail(plan->err, GUARD_E_RANGE, "a field of the model has a bad name");
    draft.field.name = gd_plan_text(plan, from->name);
    draft.field.path = draft.field.name;
    if (!gd_span_equal(from->path, from->name))
        draft.field.path = gd_plan_text(plan, from->path);
    return draft_emit(plan, &draft, overlay_take(plan, from->location, from->path),
                      &emitted[index]);
}

static struct guard_span field_name(const struct gd_plan *plan, uint32_t index)
{
    struct gd_policy_text name = gd_plan_field(plan, index)->name;
    return gd_span(plan->sections[GD_SECTION_STRINGS].ptr + name.offset, name.len);
}

/* The member of a field or document that forms a tree, among those emitted since `since`. */
static uint32_t find_member(const struct gd_plan *plan, uint32_t since, uint32_t owner, bool member,
                            enum guard_location location, struct guard_span name)
{
    for (uint32_t i = since; i < plan->sections[GD_SECTION_FIELDS].count; i++) {
        const struct gd_policy_field *field = gd_plan_field(plan, i);
        if (field->location == (uint8_t)location && field->owner == owner &&
            ((field->flags & GD_FIELD_MEMBER) != 0) == member &&
            gd_span_equal(field_name(plan, i), name))
            return i;
    }
    return GD_POLICY_NONE;
}

/* The next part of "a.b[].c", of "query.user(id)" in GraphQL; moves *at behind it. */
static struct guard_span next_part(enum guard_location location, struct guard_span path, size_t *at)
{
    size_t begin = *at;
    bool graphql = location == GUARD_LOCATION_GRAPHQL;
    if (path.len - begin >= 2 && memcmp(path.ptr + begin, "[]", 2) == 0) {
        *at = begin + 2;
    } else {
        size_t end = begin;
        if (graphql && path.len - end >= 3 && memcmp(path.ptr + end, "...", 3) == 0)
            end += 3; /* a spread's name begins with them */
        while (end < path.len && path.ptr[end] != '.' &&
               !(graphql && end > begin && path.ptr[end] == '(') &&
               !(path.len - end >= 2 && memcmp(path.ptr + end, "[]", 2) == 0))
            end++;
        *at = end;
    }
    struct guard_span part = gd_span(path.ptr + begin, *at - begin);
    if (*at < path.len && path.ptr[*at] == '.')
        (*at)++;
    return part;
}

static enum guard_rc emit_tree(struct gd_plan *plan, uint32_t owner, uint32_t since,
                               const struct guard_criterion *criterion)
{
    bool member = false;
    for (size_t at = 0; at < criterion->name.len || criterion->name.len == 0;) {
        struct guard_span part = next_part(criterion->location, criterion->name, &at);
        bool last = at >= criterion->name.len;
        uint32_t index = last ? GD_POLICY_NONE
                              : find_member(plan, since, owner, member, criterion->location, part);
        if (part.len > GD_POLICY_NAME_MAX)
            return guard_fail(plan->err, GUARD_E_LIMIT, "a name has at most %d bytes",
                              (int)GD_POLICY_NAME_MAX);
        if (index == GD_POLICY_NONE) {
            struct gd_plan_draft draft;
            draft_open(&draft, criterion->location);
            draft.field.owner = owner;
            if (member)
                draft.field.flags |= GD_FIELD_MEMBER;
            draft.field.name = gd_plan_text(plan, part);
            draft.field.path = gd_plan_text(plan, gd_span_head(criterion->name, at));
            if (!last && draft.field.path.len > 0 && criterion->name.ptr[at - 1] == '.')
                draft.field.path.len--;
            GUARD_TRY(draft_emit(plan, &draft, last ? criterion : NULL, &index));
        }
        owner = index;
        member = true;
        if (last)
            break;
    }
    return GUARD_OK;
}

/* The service's header or cookie of that name. */
static uint32_t find_shared(const struct gd_plan *plan, const struct guard_criterion *criterion)
{
    for (uint32_t i = plan->shared.first; i < plan->shared.first + plan->shared.count; i++) {
        if (gd_plan_field(plan, i)->location != (uint8_t)criterion->location)
            continue;
        if (criterion->location == GUARD_LOCATION_HEADER
                ? gd_span_equal_nocase(field_name(plan, i), criterion->name)
                : gd_span_equal(field_name(plan, i), criterion->name))
            return i;
    }
    return GD_POLICY_NONE;
}

static enum guard_rc emit_said(struct gd_plan *plan, uint32_t owner,
                               const struct guard_criterion *criterion)
{
    struct gd_plan_draft draft;
    uint32_t index = GD_POLICY_NONE;
    bool shared = criterion->location == GUARD_LOCATION_HEADER ||
                  criterion->location == GUARD_LOCATION_COOKIE;
    if (shared && owner != GD_POLICY_NONE)
        index = find_shared(plan, criterion);
    if (index != GD_POLICY_NONE) {
        draft_copy(&draft, plan, index);
    } else {
        draft_open(&draft, criterion->location);
        draft.field.name = gd_plan_text(plan, criterion->name);
        struct gd_vector *strings = &plan->sections[GD_SECTION_STRINGS];
        for (uint32_t i = 0; criterion->location == GUARD_LOCATION_HEADER &&
                             strings->rc == GUARD_OK && i < draft.field.name.len;
             i++) {
            uint8_t *byte = &strings->ptr[draft.field.name.offset + i];
            *byte = *byte >= 'A' && *byte <= 'Z' ? (uint8_t)(*byte + ('a' - 'A')) : *byte;
        }
        draft.field.path = draft.field.name;
    }
    draft.field.owner = owner;
    return draft_emit(plan, &draft, criterion, &index);
}

/* A document of which a member is said is itself no unknown name, also where it was never seen. */
static enum guard_rc emit_document(struct gd_plan *plan, uint32_t owner, uint32_t since,
                                   enum guard_location location)
{
    struct gd_plan_draft draft;
    uint32_t index;
    if (find_member(plan, since, owner, false, location, gd_span(NULL, 0)) != GD_POLICY_NONE)
        return GUARD_OK;
    draft_open(&draft, location);
    draft.field.owner = owner;
    draft.field.name = draft.field.path = gd_plan_text(plan, gd_span(NULL, 0));
    return draft_emit(plan, &draft, NULL, &index);
}

static bool is_taken(const struct gd_plan *plan, uint32_t node, uint32_t index)
{
    const struct guard_model_field *from = &plan->model->fields[index];
    if (from->location == GUARD_LOCATION_PATH)
        return at_wildcard(plan, node, from->name);
    return !plan->skip_shared || (GD_LOCATIONS_SHARED >> (unsigned)from->location & 1) == 0;
}

enum guard_rc gd_plan_fields(struct gd_plan *plan, uint32_t owner, uint32_t node, uint32_t first,
                             uint32_t count)
{
    uint32_t since = plan->sections[GD_SECTION_FIELDS].count;
    plan->emitted.count = 0;
    uint32_t *emitted = gd_vector_add(&plan->emitted, count);
    if (count > 0 && emitted == NULL)
        return plan->emitted.rc;
    for (uint32_t i = 0; i < count; i++) {
        if (is_taken(plan, node, first + i))
            GUARD_TRY(emit_learned(plan, owner, first, i));
    }
    for (uint32_t i = 0; i < plan->overlay.count; i++) {
        const struct gd_plan_overlay *overlay =
            (const struct gd_plan_overlay *)(const void *)plan->overlay.ptr + i;
        const struct guard_criterion *criterion = overlay->criterion;
        if (overlay->used)
            continue;
        if (criterion->location == GUARD_LOCATION_NONE ||
            criterion->location == GUARD_LOCATION_CLIENT ||
            criterion->location >= GUARD_LOCATION_COUNT)
            return guard_fail(plan->err, GUARD_E_RANGE, "a criterion has no place");
        if (gd_location_in(GD_LOCATION_TREES, criterion->location)) {
            if (criterion->location == GUARD_LOCATION_JSON && criterion->name.len > 0)
                GUARD_TRY(emit_document(plan, owner, since, criterion->location));
            GUARD_TRY(emit_tree(plan, owner, since, criterion));
            continue;
        }
        if (criterion->name.len > GD_POLICY_NAME_MAX)
            return guard_fail(plan->err, GUARD_E_LIMIT, "a name has at most %d bytes",
                              (int)GD_POLICY_NAME_MAX);
        GUARD_TRY(emit_said(plan, owner, criterion));
    }
    return GUARD_OK;
}
