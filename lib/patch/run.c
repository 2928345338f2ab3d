/* SPDX-License-Identifier: Apache-2.0 */
/* See run.h. What the scan leaves out can't hit; what it can't say of, or what nobody saw, is
 * tried. */
#include "patch/run.h"

#include "patch/wild.h"

static bool is_inner(const struct gd_patch_node *node)
{
    return node->op <= GUARD_OPERATOR_NOT;
}

/* A value that stands for what its parser left out says something by what it holds only. */
static bool sees_wild(const struct gd_patch_node *node)
{
    return node->op == GUARD_OPERATOR_CONTAINS || node->op == GUARD_OPERATOR_REGEX ||
           node->op == GUARD_OPERATOR_TRAVERSAL || node->op == GUARD_OPERATOR_LIKENESS;
}

/* Places of which there is a raw form beside the text. */
static uint32_t raw_places(void)
{
    return GUARD_PLACE_METHOD | GUARD_PLACE_PATH | GUARD_PLACE_TARGET | GUARD_PLACE_QUERY |
           GUARD_PLACE_HEADER | GUARD_PLACE_COOKIE | GUARD_PLACE_FORM;
}

static bool name_fits(struct gd_patch_run *run, const struct gd_patch_node *node,
                      struct gd_patch_value *value)
{
    if (node->names.count == 0)
        return true;
    if ((value->flags & GD_CAPTURE_WILD) != 0)
        return (value->places & node->places & ~run->message->cut) != 0 ||
               gd_wild_may_name(run->message, value, run->set, node);
    struct guard_span name = gd_patch_name_of(run->message, value);
    bool header = value->places == GUARD_PLACE_HEADER;
    for (uint32_t i = 0; i < node->names.count; i++) {
        struct guard_span one = gd_patch_span(run->set, run->set->texts[node->names.first + i]);
        if (gd_glob(one, gd_span_head(name, GUARD_PATCH_EXPRESSION_MAX), header))
            return true;
    }
    return false;
}

static bool is_in_place(const struct gd_patch_run *run, const struct gd_patch_node *node,
                        const struct gd_patch_value *value)
{
    uint32_t places = value->places & node->places;
    if ((value->flags & GD_CAPTURE_BODY) != 0 && (node->flags & GD_PATCH_BODY_UNREAD) != 0 &&
        !run->message->body_unread)
        places &= ~(uint32_t)GUARD_PLACE_BODY;
    return places != 0;
}

static bool is_in_scope(struct gd_patch_run *run, const struct gd_patch_node *node,
                        struct gd_patch_value *value)
{
    bool on_names = (node->flags & GD_PATCH_ON_NAMES) != 0;
    bool raw = node->view == GUARD_VIEW_RAW && (value->places & raw_places()) != 0;
    if (!is_in_place(run, node, value))
        return false;
    if ((value->flags & GD_CAPTURE_KEY) != 0 && !on_names)
        return false;
    if ((value->flags & GD_CAPTURE_WILD) != 0 &&
        (value->places & node->places & ~run->message->cut) == 0 && !sees_wild(node))
        return false;
    if (((value->flags & GD_CAPTURE_RAW) != 0) != raw &&
        ((value->flags & GD_CAPTURE_WILD) == 0 || (value->flags & GD_CAPTURE_RAW) != 0))
        return false;
    return name_fits(run, node, value);
}

static enum gd_truth try_text(struct gd_patch_run *run, const struct gd_patch_node *node,
                              struct gd_patch_value *value, struct guard_span text, bool is_name)
{
    uint32_t which;
    size_t cost = 16 + text.len;
    if (run->fuel < cost) {
        run->fuel = 0;
        return GD_UNKNOWN;
    }
    run->fuel -= cost;
    enum gd_truth truth =
        gd_leaf_holds(run->set, node, text, is_name ? 0 : value->types, is_name, run->matcher,
                      &run->message->capture->arena->source, &which);
    if (truth == GD_TRUE && run->seen.value == NULL)
        run->seen = (struct gd_patch_seen){(uint32_t)(node - run->set->nodes), which, value,
                                           gd_patch_name_of(run->message, value), text};
    return truth;
}

static enum gd_truth try_value(struct gd_patch_run *run, const struct gd_patch_node *node,
                               struct gd_patch_value *value)
{
    bool is_name = (node->flags & GD_PATCH_ON_NAMES) != 0;
    /* What came to nobody's names may be one of them. */
    bool wild = (value->flags & GD_CAPTURE_WILD) != 0;
    enum gd_truth truth =
        is_name && !wild ? try_text(run, node, value, gd_patch_name_of(run->message, value), true)
                         : try_text(run, node, value, value->text, false);
    if (node->view != GUARD_VIEW_DECODED || (is_name && !wild))
        return truth;
    for (uint32_t i = 0; i < value->form_count && truth != GD_TRUE; i++) {
        enum gd_truth form =
            try_text(run, node, value, run->message->forms[value->form_first + i], false);
        truth = form > truth ? form : truth;
    }
    return truth;
}

static bool looks_at_ends(struct guard_span expression)
{
    for (size_t i = 0; i < expression.len; i++) {
        uint8_t byte = expression.ptr[i];
        if (byte == '$' || byte == '!' || byte == '\\')
            return true;
    }
    return false;
}

/* What holds of a text holds of it when more comes behind it. */
static bool outlives_more(const struct gd_patch_run *run, const struct gd_patch_node *node)
{
    switch ((int)node->op) {
    case GUARD_OPERATOR_CONTAINS:
    case GUARD_OPERATOR_BEGINS:
    case GUARD_OPERATOR_CHARSET:
        return true;
    case GUARD_OPERATOR_LENGTH:
        return node->max == -1;
    case GUARD_OPERATOR_REGEX:
        return !looks_at_ends(gd_patch_span(run->set, run->set->texts[node->texts.first]));
    default:
        return false;
    }
}

/* Of a body on its way it is said what stays true. */
static bool goes_on(const struct gd_patch_run *run, const struct gd_patch_value *value)
{
    const struct gd_patch_message *message = run->message;
    bool open = message->capture->open && value == &message->values[message->capture->count - 1];
    return message->coming != 0 && (open || (value->flags & GD_CAPTURE_BODY) != 0);
}

static bool is_counted(const struct gd_patch_run *run, const struct gd_patch_node *node,
                       const struct gd_patch_value *value)
{
    (void)run;
    return (value->flags & GD_CAPTURE_KEY) == 0 &&
           ((value->flags & GD_CAPTURE_WILD) == 0 ||
            (value->places & node->places & GUARD_PLACE_BODY) != 0);
}

static enum gd_truth count_holds(const struct gd_patch_node *node, uint32_t count, bool gaps)
{
    int64_t min = node->op == GUARD_OPERATOR_PRESENT && node->min == -1 ? 1 : node->min;
    bool enough = min == -1 || count >= min;
    bool not_many = node->max == -1 || count <= node->max;
    if (enough && not_many)
        return gaps && node->max != -1 ? GD_UNKNOWN : GD_TRUE;
    return gaps && not_many ? GD_UNKNOWN : GD_FALSE;
}

/* Whether what the parser left out may be asked for: not where none of its names is in the text. */
static bool cut_hides(struct gd_patch_run *run, const struct gd_patch_node *node)
{
    const struct gd_patch_message *message = run->message;
    uint32_t left = message->cut & node->places;
    for (uint32_t i = 0; i < message->count && left != 0; i++) {
        const struct gd_patch_value *value = &message->values[i];
        if ((value->flags & GD_CAPTURE_WILD) == 0 || (value->places & left) == 0)
            continue;
        if (node->names.count == 0 || gd_wild_may_name(message, value, run->set, node))
            return true;
        left &= ~value->places;
    }
    return left != 0;
}

static enum gd_truth leaf(struct gd_patch_run *run, const struct gd_patch_node *node)
{
    struct gd_patch_message *message = run->message;
    bool counting = node->op == GUARD_OPERATOR_PRESENT || node->op == GUARD_OPERATOR_COUNT;
    bool gaps = ((message->unseen | message->missed | message->coming) & node->places) != 0 ||
                (!sees_wild(node) && cut_hides(run, node));
    enum gd_truth truth = GD_FALSE;
    uint32_t count = 0;
    for (uint32_t i = 0; i < message->count && truth != GD_TRUE; i++) {
        struct gd_patch_value *value = &message->values[i];
        if (!is_in_scope(run, node, value))
            continue;
        if (counting) {
            count += is_counted(run, node, value);
            continue;
        }
        enum gd_truth one = try_value(run, node, value);
        if (one == GD_TRUE && goes_on(run, value) && !outlives_more(run, node))
            one = GD_UNKNOWN;
        truth = one > truth ? one : truth;
    }
    if (counting)
        return count_holds(node, count, gaps);
    return truth == GD_FALSE && gaps ? GD_UNKNOWN : truth;
}

static enum gd_truth evaluate(struct gd_patch_run *run, uint32_t index);

static enum gd_truth inner(struct gd_patch_run *run, uint32_t index)
{
    const struct gd_patch_node *node = &run->set->nodes[index];
    bool all = node->op == GUARD_OPERATOR_ALL;
    enum gd_truth truth = all ? GD_TRUE : GD_FALSE;
    for (uint32_t at = index + 1; at < index + node->size; at += run->set->nodes[at].size) {
        enum gd_truth one = evaluate(run, at);
        if (node->op == GUARD_OPERATOR_NOT)
            return (enum gd_truth)(GD_TRUE - one);
        if (all ? one < truth : one > truth)
            truth = one;
        if (truth == (all ? GD_FALSE : GD_TRUE))
            break;
    }
    return truth;
}

/* Depth was bounded when the set was checked. */
static enum gd_truth evaluate(struct gd_patch_run *run, uint32_t index)
{
    const struct gd_patch_node *node = &run->set->nodes[index];
    struct gd_patch_seen before = run->seen;
    enum gd_truth truth = is_inner(node) ? inner(run, index) : leaf(run, node);
    /* What held below something that doesn't is no reason. */
    if (truth != GD_TRUE || node->op == GUARD_OPERATOR_NOT)
        run->seen = before;
    return truth;
}

/* --- which ones --- */

static void add_candidate(struct gd_patch_run *run, uint32_t entry)
{
    run->candidates[entry / 64] |= UINT64_C(1) << (entry % 64);
}

static void on_hit(void *ctx, uint64_t id)
{
    struct gd_patch_run *run = ctx;
    uint32_t low = 0;
    uint32_t high = run->set->pattern_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (run->set->patterns[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == run->set->pattern_count || run->set->patterns[low].id != id)
        return;
    struct gd_patch_range patches = run->set->patterns[low].patches;
    for (uint32_t i = 0; i < patches.count; i++)
        add_candidate(run, run->set->covers[patches.first + i]);
}

static bool scan(struct gd_patch_run *run, struct guard_span stream)
{
    return stream.len == 0 || run->matcher->scan(run->matcher->ctx, stream, on_hit, run);
}

static bool scan_decoded(struct gd_patch_run *run)
{
    bool done = true;
    for (uint32_t i = 0; i < run->message->stream_count && done; i++)
        done = scan(run, run->message->streams[i]);
    return done;
}

static bool scan_all(struct gd_patch_run *run)
{
    const struct gd_patch_message *message = run->message;
    const struct gd_capture *capture = message->capture;
    /* What wasn't kept is told of at the end. */
    if (message->unseen != 0 || (message->missed != 0 && message->coming == 0))
        return false;
    if (run->set->pattern_count == 0)
        return true;
    /* Numbers were left out for a policy before. */
    if (run->set->numbers && !capture->numbers && !message->endless)
        return false;
    return run->matcher != NULL && run->matcher->scan != NULL &&
           scan(run, gd_span(capture->text.ptr, capture->text.len)) &&
           (!message->body_used || scan(run, gd_span(capture->body.ptr, capture->body.len))) &&
           scan_decoded(run);
}

/* Whether there may be a value of a name that no stream holds. */
static bool names_may_miss(const struct gd_patch_message *message)
{
    return message->cut != 0 || message->endless;
}

/* Of the candidates, those that the set can have. */
static uint32_t candidate_words(const struct gd_patch_run *run)
{
    return (run->set->entry_count + 63) / 64;
}

static void find_candidates(struct gd_patch_run *run)
{
    const struct gd_patch_set *set = run->set;
    memset(run->candidates, 0, candidate_words(run) * sizeof(run->candidates[0]));
    if (!scan_all(run)) {
        for (uint32_t i = 0; i < set->entry_count; i++)
            add_candidate(run, i);
        return;
    }
    for (uint32_t i = 0; i < set->always.count; i++)
        add_candidate(run, set->covers[set->always.first + i]);
    for (uint32_t i = 0; names_may_miss(run->message) && i < set->entry_count; i++) {
        if ((set->entries[i].flags & GD_PATCH_BY_NAME) != 0)
            add_candidate(run, i);
    }
}

static uint64_t now(const struct gd_patch_run *run)
{
    return run->meter != NULL && run->meter->clock != NULL ? run->meter->clock(run->meter->ctx) : 0;
}

static void tell_cost(const struct gd_patch_run *run, struct guard_patch_cost cost, size_t fuel,
                      uint64_t begun)
{
    if (run->meter == NULL)
        return;
    cost.bytes = fuel - run->fuel;
    cost.time = now(run) - begun;
    run->meter->told(run->meter->ctx, &cost);
}

/* Of another part or endpoint there is nothing to try. */
static void drop_candidates_out_of_scope(struct gd_patch_run *run, uint32_t *places)
{
    *places = 0;
    for (uint32_t i = 0; i < candidate_words(run); i++) {
        for (uint64_t left = run->candidates[i]; left != 0; left &= left - 1) {
            const uint64_t lowest = left & (~left + 1);
            const struct gd_patch_entry *entry =
                &run->set->entries[i * 64 + (uint32_t)__builtin_ctzll(left)];
            if (entry->part == run->part && gd_patch_in_scope(run->set, entry, run->scope))
                *places |= entry->places;
            else
                run->candidates[i] &= ~lowest;
        }
    }
}

static void try_entry(struct gd_patch_run *run, uint32_t index)
{
    const struct gd_patch_entry *entry = &run->set->entries[index];
    run->seen = (struct gd_patch_seen){.value = NULL, .node = entry->nodes.first};
    size_t fuel = run->fuel;
    uint64_t begun = now(run);
    enum gd_truth truth = evaluate(run, entry->nodes.first);
    tell_cost(run, (struct guard_patch_cost){.index = index, .hit = truth == GD_TRUE}, fuel, begun);
    run->told(run->ctx, index, truth, &run->seen);
}

void gd_patch_run(struct gd_patch_run *run)
{
    uint32_t places;
    run->fuel = GD_PATCH_FUEL;
    find_candidates(run);
    drop_candidates_out_of_scope(run, &places);
    if (places != 0 && gd_patch_message_values(run->message, places) != GUARD_OK) {
        /* There is no memory for what would have been looked at. */
        run->message->unseen = GUARD_PLACE_ALL;
        find_candidates(run);
        drop_candidates_out_of_scope(run, &places);
    }
    for (uint32_t i = 0; i < candidate_words(run); i++) {
        for (uint64_t left = run->candidates[i]; left != 0; left &= left - 1)
            try_entry(run, i * 64 + (uint32_t)__builtin_ctzll(left));
    }
}
