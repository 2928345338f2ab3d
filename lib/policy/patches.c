/* SPDX-License-Identifier: Apache-2.0 */
/* Patches of the Guardian into their sections: conditions in the order of their tree, each before
 * those below it, and the patterns that are a sign of them. */
#include "policy/plan.h"
#include "policy/policy.h"

#include "patch/cover.h"
#include "patch/number.h"

struct use {
    uint64_t id;
    struct gd_patch_text text;
    uint32_t flags;
    uint32_t patch;
};

struct compiling {
    struct gd_plan *plan;
    struct gd_policy_header *header;
    struct gd_vector uses;   /* struct use */
    struct gd_vector always; /* uint32_t */
    uint32_t patch;          /* at work */
    uint32_t places;         /* of it */
    bool by_name;            /* a sign of it is in names */
    bool in_numbers;         /* a pattern of any may be found in a number */
};

static struct gd_patch_text keep(struct compiling *with, struct guard_span text)
{
    struct gd_policy_text kept = gd_plan_text(with->plan, text);
    return (struct gd_patch_text){kept.offset, kept.len};
}

static struct gd_patch_range keep_list(struct compiling *with, const struct guard_span *list,
                                       uint32_t count)
{
    struct gd_vector *section = &with->plan->sections[GD_SECTION_PATCH_TEXTS];
    struct gd_patch_range range = {section->count, count};
    struct gd_patch_text *to = gd_vector_add(section, count);
    for (uint32_t i = 0; to != NULL && i < count; i++)
        to[i] = keep(with, list[i]);
    return range;
}

static struct gd_patch_node node_of(struct compiling *with,
                                    const struct guard_patch_condition *condition, uint32_t part)
{
    bool leaf = condition->op > GUARD_OPERATOR_NOT;
    bool regex = condition->op == GUARD_OPERATOR_REGEX;
    struct gd_patch_node node = {.size = 1,
                                 .types = condition->types,
                                 .likeness = condition->likeness,
                                 .min = condition->min,
                                 .max = condition->max,
                                 .op = (uint8_t)condition->op,
                                 .view = (uint8_t)condition->view};
    node.names = keep_list(with, condition->names, condition->name_count);
    node.texts = keep_list(with, condition->texts, condition->text_count);
    if (!leaf)
        return node;
    node.places = condition->places != 0 ? condition->places
                                         : gd_patch_places_of((enum guard_patch_part)part);
    node.flags = (uint8_t)((condition->on_names ? GD_PATCH_ON_NAMES : 0) |
                           (condition->ignore_case ? GD_PATCH_IGNORE_CASE : 0) |
                           (condition->places == 0 ? GD_PATCH_BODY_UNREAD : 0));
    with->places |= node.places;
    with->header->patch_views |= 1u << condition->view;
    if (condition->places != 0 && (condition->places & GUARD_PLACE_BODY) != 0)
        with->header->patch_bodies |= 1u << part;
    if (regex)
        node.pattern = guard_pattern_id(condition->texts[0], true, condition->ignore_case);
    return node;
}

static void add_condition(struct compiling *with, const struct guard_patch_condition *condition,
                          uint32_t part)
{
    struct gd_vector *section = &with->plan->sections[GD_SECTION_CONDITIONS];
    uint32_t index = section->count;
    struct gd_patch_node *to = gd_vector_add(section, 1);
    if (to == NULL)
        return;
    *to = node_of(with, condition, part);
    for (uint32_t i = 0; i < condition->child_count; i++)
        add_condition(with, &condition->children[i], part);
    to = (struct gd_patch_node *)(void *)section->ptr + index;
    to->size = section->count - index;
}

static void add_use(void *ctx, struct guard_span text, bool regex, bool ignore_case, bool of_name)
{
    struct compiling *with = ctx;
    with->by_name = with->by_name || of_name;
    with->in_numbers = with->in_numbers || (!of_name && gd_pattern_in_numbers(text, regex));
    struct use *use = gd_vector_add(&with->uses, 1);
    if (use == NULL)
        return;
    use->id = guard_pattern_id(text, regex, ignore_case);
    use->text = keep(with, text);
    use->flags = (regex ? GD_PATTERN_REGEX : 0u) | (ignore_case ? GD_PATTERN_IGNORE_CASE : 0u);
    use->patch = with->patch;
}

static void add_patch(struct compiling *with, const struct guard_patch *patch)
{
    struct gd_vector *section = &with->plan->sections[GD_SECTION_PATCHES];
    struct gd_patch_entry entry = {.expires_ms = patch->expires_ms,
                                   .part = (uint8_t)patch->part,
                                   .mode = (uint8_t)patch->mode,
                                   .action = (uint8_t)patch->action,
                                   .flags = patch->mandatory ? GD_PATCH_MANDATORY : 0};
    with->patch = section->count;
    with->places = 0;
    with->by_name = false;
    struct gd_patch_entry *to = gd_vector_add(section, 1);
    if (to == NULL)
        return;
    entry.id = keep(with, patch->id);
    entry.title = keep(with, patch->title);
    entry.fixed_in = keep(with, patch->fixed_in);
    entry.endpoints = keep_list(with, patch->endpoints, patch->endpoint_count);
    entry.methods = keep_list(with, patch->methods, patch->method_count);
    entry.media = keep_list(with, patch->media_types, patch->media_count);
    entry.nodes.first = with->plan->sections[GD_SECTION_CONDITIONS].count;
    add_condition(with, &patch->when, (uint32_t)patch->part);
    entry.nodes.count = with->plan->sections[GD_SECTION_CONDITIONS].count - entry.nodes.first;
    entry.places = with->places;
    if (!gd_cover_of(&patch->when, add_use, with)) {
        uint32_t *always = gd_vector_add(&with->always, 1);
        entry.flags |= GD_PATCH_ALWAYS;
        if (always != NULL)
            *always = with->patch;
    }
    entry.flags |= with->by_name ? GD_PATCH_BY_NAME : 0;
    with->header->patch_places[patch->part] |= with->places;
    *to = entry;
}

static bool comes_before(const struct use *a, const struct use *b)
{
    return a->id != b->id ? a->id < b->id : a->patch < b->patch;
}

static void sift(struct use *uses, size_t at, size_t count)
{
    for (size_t child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
        if (child + 1 < count && comes_before(&uses[child], &uses[child + 1]))
            child++;
        if (!comes_before(&uses[at], &uses[child]))
            return;
        struct use moved = uses[at];
        uses[at] = uses[child];
        uses[child] = moved;
    }
}

static void sort(struct use *uses, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(uses, i, count);
    for (size_t end = count; end > 1;) {
        struct use last = uses[0];
        uses[0] = uses[--end];
        uses[end] = last;
        sift(uses, 0, end);
    }
}

static void emit_use(struct compiling *with, const struct use *use, bool first)
{
    struct gd_vector *patterns = &with->plan->sections[GD_SECTION_PATTERNS];
    struct gd_vector *covers = &with->plan->sections[GD_SECTION_COVERS];
    if (first) {
        struct gd_patch_pattern *pattern = gd_vector_add(patterns, 1);
        if (pattern != NULL)
            *pattern = (struct gd_patch_pattern){.id = use->id,
                                                 .text = use->text,
                                                 .patches = {covers->count, 0},
                                                 .flags = use->flags};
    }
    uint32_t *cover = gd_vector_add(covers, 1);
    if (cover == NULL || patterns->count == 0)
        return;
    *cover = use->patch;
    ((struct gd_patch_pattern *)(void *)patterns->ptr)[patterns->count - 1].patches.count++;
}

static void emit_patterns(struct compiling *with)
{
    struct use *uses = (struct use *)(void *)with->uses.ptr;
    sort(uses, with->uses.count);
    for (uint32_t i = 0; i < with->uses.count; i++) {
        bool first = i == 0 || uses[i].id != uses[i - 1].id;
        if (first || uses[i].patch != uses[i - 1].patch)
            emit_use(with, &uses[i], first);
    }
    struct gd_vector *covers = &with->plan->sections[GD_SECTION_COVERS];
    with->header->patches_always = (struct gd_policy_range){covers->count, with->always.count};
    uint32_t *to = gd_vector_add(covers, with->always.count);
    if (to != NULL && with->always.count > 0)
        memcpy(to, with->always.ptr, with->always.count * sizeof(*to));
}

static enum guard_rc failure(const struct compiling *with)
{
    GUARD_TRY(with->uses.rc);
    GUARD_TRY(with->always.rc);
    for (int i = GD_SECTION_PATCHES; i <= GD_SECTION_COVERS; i++)
        GUARD_TRY(with->plan->sections[i].rc);
    return with->plan->sections[GD_SECTION_STRINGS].rc;
}

static enum guard_rc add_all(struct compiling *with, const struct guard_guardian *guardian)
{
    for (uint32_t i = 0; i < guardian->patch_count; i++) {
        const struct guard_patch *patch = &guardian->patches[i];
        struct guard_err wrong = {""};
        enum guard_rc rc = guard_patch_check(patch, &wrong);
        if (rc != GUARD_OK)
            return guard_fail(with->plan->err, rc, "patch \"%.*s\": %s",
                              (int)gd_span_head(patch->id, GUARD_PATCH_ID_MAX).len,
                              (const char *)patch->id.ptr, wrong.text);
        if (patch->mode != GUARD_PATCH_OFF)
            add_patch(with, patch);
    }
    emit_patterns(with);
    if (!with->in_numbers)
        with->header->flags |= GD_POLICY_NUMBERS_APART;
    return failure(with);
}

enum guard_rc gd_plan_patches(struct gd_plan *plan, struct gd_policy_header *header)
{
    const struct guard_guardian *guardian = plan->guardian;
    if (guardian->patch_count == 0)
        return GUARD_OK;
    if (guardian->patch_count > GUARD_PATCHES_MAX)
        return guard_fail(plan->err, GUARD_E_LIMIT, "a Guardian has at most %d patches",
                          (int)GUARD_PATCHES_MAX);
    const struct guard_alloc *alloc = plan->sections[GD_SECTION_PATCHES].alloc;
    struct compiling with = {.plan = plan, .header = header};
    gd_vector_init(&with.uses, alloc, sizeof(struct use), GD_PATCH_PATTERNS_MAX);
    gd_vector_init(&with.always, alloc, sizeof(uint32_t), GUARD_PATCHES_MAX);
    enum guard_rc rc = add_all(&with, guardian);
    gd_vector_fini(&with.uses);
    gd_vector_fini(&with.always);
    return rc;
}
