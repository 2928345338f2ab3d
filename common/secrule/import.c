/* SPDX-License-Identifier: Apache-2.0 */
/* Goes through a file: joins rules to chains, knows which rules run only when others let them, and
 * makes a patch of each that means the same as one. */
#include "common/secrule/condition.h"
#include "common/secrule/directive.h"
#include "common/secrule/head.h"

#include <string.h>

enum { PHASES = 6, ID_DIGITS_MAX = 20 };

/* A rule and what its chain adds to it. */
struct pending {
    bool open; /* the next rule is a part of it */
    uint32_t at;
    int phase;
    enum secrule_effect effect;
    struct secrule_actions actions; /* of the first */
    struct guard_patch_condition *links;
    uint32_t link_count;
    struct guard_span rule;
    uint64_t number;
};

struct reading {
    struct secrule_builder builder;
    struct secrule_lines lines;
    struct secrule_defaults defaults;
    struct pending pending;
    struct guard_span skipped_to[PHASES]; /* up to this marker rules run only at times */
    uint32_t skip_count[PHASES];          /* so many rules do */
    const char *exempt;                   /* why all rules from here on run only at times */
};

static struct guard_span empty(void)
{
    return (struct guard_span){(const uint8_t *)"", 0};
}

static void begin_rule(struct reading *reading, const struct secrule_directive *directive)
{
    struct secrule_builder *builder = &reading->builder;
    reading->pending = (struct pending){.at = directive->at, .rule = empty()};
    builder->rule = empty();
    builder->refused = false;
    builder->note_count = 0;
    builder->import->rule_count++;
}

/* --- the end of a rule --- */

static void add_patch(struct reading *reading)
{
    struct secrule_builder *builder = &reading->builder;
    struct secrule_import *import = builder->import;
    struct pending *pending = &reading->pending;
    struct guard_err err = {.text = ""};
    if (import->patch_count == GUARD_PATCHES_MAX) {
        secrule_refuse(builder, pending->at, SECRULE_CAUSE_MAXIMUM,
                       "a Guardian has at most %d patches", GUARD_PATCHES_MAX);
        return;
    }
    struct secrule_patch *patch = secrule_get(builder, sizeof(*patch));
    if (patch == NULL)
        return;
    *patch = (struct secrule_patch){
        .rule = pending->rule, .number = pending->number, .file = builder->name};
    secrule_place(builder, pending->at, &patch->line, &patch->column);
    patch->patch.part = pending->phase >= 3 ? GUARD_PATCH_RESPONSE : GUARD_PATCH_REQUEST;
    patch->patch.mode = GUARD_PATCH_SHADOW;
    patch->patch.action =
        pending->effect == SECRULE_EFFECT_BLOCK ? GUARD_PATCH_BLOCK : GUARD_PATCH_ALERT;
    patch->patch.when = secrule_joined(GUARD_OPERATOR_ALL, pending->links, pending->link_count);
    secrule_head(builder, &pending->actions, pending->at, &patch->patch);
    if (!builder_good(builder))
        return;
    if (guard_patch_check(&patch->patch, &err) != GUARD_OK) {
        secrule_refuse(builder, pending->at, SECRULE_CAUSE_MAXIMUM, "no patch may be so: %s",
                       err.text);
        return;
    }
    *import->patches_end = patch;
    import->patches_end = &patch->next;
    import->patch_count++;
}

static void count_skipped(struct reading *reading)
{
    uint32_t *rest = &reading->skip_count[reading->pending.phase];
    *rest -= *rest > 0;
}

/* Rules that run only when others let them hit less than a patch does. */
static void check_order(struct reading *reading)
{
    struct secrule_builder *builder = &reading->builder;
    int phase = reading->pending.phase;
    struct guard_span marker = reading->skipped_to[phase];
    if (marker.len > 0 || reading->skip_count[phase] > 0)
        secrule_wider(builder, reading->pending.at, SECRULE_CAUSE_ORDER,
                      "a rule before it may skip it%s%.*s", marker.len > 0 ? ", up to " : "",
                      (int)(marker.len < 60 ? marker.len : 60), (const char *)marker.ptr);
    if (reading->exempt != NULL)
        secrule_wider(builder, reading->pending.at, SECRULE_CAUSE_ORDER, "%s", reading->exempt);
}

static void note_exemption(struct reading *reading)
{
    struct pending *pending = &reading->pending;
    for (uint32_t i = 0; i < pending->actions.count; i++) {
        struct guard_span name = secrule_span(pending->actions.list[i].name);
        struct guard_span value = secrule_span(pending->actions.list[i].value);
        uint64_t number = 0;
        if (secrule_is(name, "skipAfter") && value.len > 0)
            reading->skipped_to[pending->phase] = value;
        if (secrule_is(name, "skip") && secrule_number(value, SECRULE_DIRECTIVES_MAX, &number))
            reading->skip_count[pending->phase] = (uint32_t)number + 1;
        if (secrule_is(name, "ctl") &&
            (secrule_begins(value, "ruleRemove") || secrule_begins(value, "ruleEngine")))
            reading->exempt = "a rule before it takes rules out for some requests (ctl)";
    }
    if (pending->effect == SECRULE_EFFECT_ALLOW)
        reading->exempt = "a rule before it lets some requests pass (allow)";
}

static void end_rule(struct reading *reading)
{
    struct secrule_builder *builder = &reading->builder;
    reading->pending.open = false;
    check_order(reading);
    if (!builder->refused && builder_good(builder))
        add_patch(reading);
    note_exemption(reading);
    count_skipped(reading);
    if (builder->refused)
        builder->import->refused[builder->refused_for]++;
    builder->rule = empty();
}

/* --- a rule --- */

static void take_id(struct reading *reading, const struct secrule_actions *actions)
{
    struct secrule_builder *builder = &reading->builder;
    const struct secrule_action *id = secrule_action_named(actions, "id");
    if (id == NULL) {
        secrule_note(builder, reading->pending.at, SECRULE_DIFFERS, SECRULE_CAUSE_FORM,
                     "it has no id: the patch is named by its line");
        return;
    }
    if (!secrule_number(secrule_span(id->value), INT64_MAX, &reading->pending.number)) {
        secrule_refuse(builder, id->name.at[0], SECRULE_CAUSE_FORM, "an id is a number");
        return;
    }
    builder->rule = secrule_copy(builder, secrule_span(id->value));
    reading->pending.rule = builder->rule;
}

/* Of the first rule of a chain: it says the phase and what to do. */
static void take_first(struct reading *reading, const struct secrule_actions *actions)
{
    struct secrule_builder *builder = &reading->builder;
    struct pending *pending = &reading->pending;
    pending->actions = *actions;
    pending->phase = secrule_phase_of(actions);
    take_id(reading, actions);
    if (pending->phase == 0 || pending->phase == 5) {
        secrule_refuse(builder, pending->at, SECRULE_CAUSE_PHASE,
                       pending->phase == 5 ? "rules of phase 5 come after everything"
                                           : "there is no such phase");
        pending->phase = pending->phase == 0 ? 2 : 5;
    }
    pending->effect = reading->defaults.effects[pending->phase];
    (void)secrule_effect_of(actions, &pending->effect);
    (void)secrule_check_actions(builder, actions, pending->effect);
    pending->links = secrule_get(builder, SECRULE_CHAIN_MAX * sizeof(*pending->links));
}

static void take_link(struct reading *reading, const struct secrule_directive *directive,
                      const struct secrule_actions *actions)
{
    struct secrule_builder *builder = &reading->builder;
    struct pending *pending = &reading->pending;
    struct secrule_variables variables;
    struct secrule_operator asked;
    struct secrule_transformations transformations;
    struct secrule_looks looks = {NULL, 0};
    bool good = secrule_parse_variables(builder, directive->words[1], &variables);
    good = secrule_parse_operator(builder, directive->words[2], &asked) && good;
    good = secrule_transformations_of(builder, actions, &transformations) && good;
    good =
        good && secrule_looks(builder, &variables, pending->phase, transformations.decoded, &looks);
    if (pending->link_count == SECRULE_CHAIN_MAX) {
        secrule_refuse(builder, directive->at, SECRULE_CAUSE_MAXIMUM,
                       "a chain of more than %d rules", SECRULE_CHAIN_MAX);
        return;
    }
    if (good && builder_good(builder) &&
        secrule_condition(builder, &looks, &asked, &transformations,
                          &pending->links[pending->link_count]))
        pending->link_count++;
}

/* What links of a chain do besides. */
static void check_link_actions(struct reading *reading, const struct secrule_actions *actions)
{
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct secrule_action *action = &actions->list[i];
        struct guard_span name = secrule_span(action->name);
        if (secrule_is_score(action) && !secrule_denies(&reading->pending.actions))
            secrule_refuse(&reading->builder, action->name.at[0], SECRULE_CAUSE_SCORE,
                           "it adds to a score, on which another rule decides");
        else if (secrule_is(name, "setvar"))
            secrule_note(&reading->builder, action->name.at[0], SECRULE_DIFFERS,
                         SECRULE_CAUSE_MEANING, "setvar: a patch does nothing besides");
        if (secrule_is(name, "ctl") && reading->pending.effect != SECRULE_EFFECT_BLOCK)
            secrule_refuse(&reading->builder, action->name.at[0], SECRULE_CAUSE_FLOW,
                           "it changes the engine or other rules");
    }
}

static void take_rule(struct reading *reading, const struct secrule_directive *directive)
{
    struct secrule_builder *builder = &reading->builder;
    bool first = !reading->pending.open;
    struct secrule_actions actions = {NULL, 0};
    if (first)
        begin_rule(reading, directive);
    if (directive->word_count < 3) {
        secrule_fail(builder, directive->at, GUARD_E_SYNTAX,
                     "SecRule is VARIABLES \"OPERATOR\" \"ACTIONS\"");
        return;
    }
    if (directive->word_count > 4)
        secrule_refuse(builder, directive->words[4].at[0], SECRULE_CAUSE_FORM,
                       "more than variables, operator and actions");
    if (directive->word_count > 3)
        (void)secrule_parse_actions(builder, directive->words[3], &actions);
    if (first)
        take_first(reading, &actions);
    else
        check_link_actions(reading, &actions);
    if (!builder_good(builder))
        return;
    take_link(reading, directive, &actions);
    reading->pending.open = secrule_action_named(&actions, "chain") != NULL;
    if (!reading->pending.open)
        end_rule(reading);
}

/* --- other directives --- */

static void take_action(struct reading *reading, const struct secrule_directive *directive)
{
    struct secrule_builder *builder = &reading->builder;
    struct secrule_actions actions = {NULL, 0};
    begin_rule(reading, directive);
    if (directive->word_count > 1)
        (void)secrule_parse_actions(builder, directive->words[1], &actions);
    if (!builder_good(builder))
        return;
    take_first(reading, &actions);
    if (!builder->refused)
        secrule_refuse(builder, directive->at, SECRULE_CAUSE_VARIABLE,
                       "SecAction looks at nothing: it is done for every request");
    end_rule(reading);
}

static void take_defaults(struct reading *reading, const struct secrule_directive *directive)
{
    struct secrule_builder *builder = &reading->builder;
    struct secrule_actions actions = {NULL, 0};
    if (directive->word_count > 1 &&
        secrule_parse_actions(builder, directive->words[1], &actions)) {
        int phase = secrule_phase_of(&actions);
        (void)secrule_effect_of(&actions, &reading->defaults.effects[phase]);
        if (secrule_action_named(&actions, "t") != NULL)
            secrule_note(builder, directive->at, SECRULE_PASSED_OVER, SECRULE_CAUSE_FORM,
                         "transformations of all rules aren't carried over to them");
    }
    secrule_note(builder, directive->at, SECRULE_PASSED_OVER, SECRULE_CAUSE_SETTING,
                 "SecDefaultAction: of it, rules without deny, pass and their like are given what "
                 "it says");
}

static void take_marker(struct reading *reading, const struct secrule_directive *directive)
{
    struct guard_span name =
        directive->word_count > 1 ? secrule_span(directive->words[1]) : empty();
    for (int phase = 0; phase < PHASES; phase++) {
        struct guard_span marker = reading->skipped_to[phase];
        if (marker.len == name.len &&
            (name.len == 0 || memcmp(marker.ptr, name.ptr, name.len) == 0))
            reading->skipped_to[phase] = empty();
    }
    secrule_note(&reading->builder, directive->at, SECRULE_PASSED_OVER, SECRULE_CAUSE_FLOW,
                 "SecMarker: where skipping ends");
}

static void remove_range(struct reading *reading, uint64_t from, uint64_t to)
{
    struct secrule_builder *builder = &reading->builder;
    struct secrule_import *import = builder->import;
    struct secrule_patch **link = &import->patches;
    while (*link != NULL) {
        struct secrule_patch *patch = *link;
        if (patch->number == 0 || patch->number < from || patch->number > to) {
            link = &patch->next;
            continue;
        }
        *link = patch->next;
        import->patch_count--;
        import->refused[SECRULE_CAUSE_REMOVED]++;
    }
    import->patches_end = link;
}

/* "12 20-30 \"40,50\"": rules that were read are taken out. */
static void take_removal(struct reading *reading, const struct secrule_directive *directive)
{
    struct secrule_builder *builder = &reading->builder;
    for (uint32_t i = 1; i < directive->word_count; i++) {
        struct secrule_text text = directive->words[i];
        for (size_t at = 0; at < text.len;) {
            size_t end = at;
            while (end < text.len && text.ptr[end] != ',' && !secrule_is_space(text.ptr[end]))
                end++;
            struct guard_span range = {text.ptr + at, end - at};
            const uint8_t *dash = range.len > 0 ? memchr(range.ptr, '-', range.len) : NULL;
            size_t len = dash != NULL ? (size_t)(dash - range.ptr) : range.len;
            uint64_t from = 0;
            uint64_t to = 0;
            bool good = secrule_number((struct guard_span){range.ptr, len}, INT64_MAX, &from);
            to = from;
            good = good && (dash == NULL ||
                            secrule_number((struct guard_span){dash + 1, range.len - len - 1},
                                           INT64_MAX, &to));
            if (range.len > 0 && good)
                remove_range(reading, from, to);
            else if (range.len > 0)
                secrule_note(builder, text.at[at], SECRULE_PASSED_OVER, SECRULE_CAUSE_FORM,
                             "an id is a number, or two with '-' between");
            at = end + 1;
        }
    }
    secrule_note(builder, directive->at, SECRULE_PASSED_OVER, SECRULE_CAUSE_REMOVED,
                 "SecRuleRemoveById: rules that stand before it are taken out");
}

static void pass_over(struct reading *reading, const struct secrule_directive *directive)
{
    static const char *const changing[] = {"SecRuleRemoveBy", "SecRuleUpdate"};
    static const char *const reading_files[] = {"Include", "IncludeOptional", "SecRuleScript",
                                                "SecRemoteRules"};
    struct secrule_builder *builder = &reading->builder;
    struct guard_span name = secrule_span(directive->words[0]);
    int len = (int)(name.len < 60 ? name.len : 60);
    const char *text = (const char *)name.ptr;
    for (size_t i = 0; i < sizeof(changing) / sizeof(changing[0]); i++) {
        if (!secrule_begins(name, changing[i]))
            continue;
        reading->exempt = "a directive before it changes rules in ways that aren't carried out";
        secrule_note(builder, directive->at, SECRULE_PASSED_OVER, SECRULE_CAUSE_FLOW,
                     "%.*s isn't carried out: rules that it changes stay as they are", len, text);
        return;
    }
    for (size_t i = 0; i < sizeof(reading_files) / sizeof(reading_files[0]); i++) {
        if (secrule_is(name, reading_files[i])) {
            secrule_note(builder, directive->at, SECRULE_PASSED_OVER, SECRULE_CAUSE_FILE,
                         "%.*s: other files aren't read", len, text);
            return;
        }
    }
    if (name.ptr[0] == '<' && !secrule_begins(name, "</") && !secrule_begins(name, "<If"))
        reading->exempt = "a section around it, or before it, says where rules are in force";
    bool known = secrule_begins(name, "Sec") || name.ptr[0] == '<';
    secrule_note(builder, directive->at, SECRULE_PASSED_OVER,
                 known ? SECRULE_CAUSE_SETTING : SECRULE_CAUSE_FORM,
                 known ? "%.*s is a setting of the engine" : "%.*s is no directive that is known",
                 len, text);
}

static void take(struct reading *reading, const struct secrule_directive *directive)
{
    struct secrule_builder *builder = &reading->builder;
    struct guard_span name = secrule_span(directive->words[0]);
    builder->import->directive_count++;
    if (secrule_is(name, "SecRule")) {
        take_rule(reading, directive);
        return;
    }
    if (reading->pending.open) {
        secrule_fail(builder, directive->at, GUARD_E_SYNTAX,
                     "the chain of the rule before it has no end");
        return;
    }
    builder->note_count = 0;
    if (secrule_is(name, "SecAction"))
        take_action(reading, directive);
    else if (secrule_is(name, "SecDefaultAction"))
        take_defaults(reading, directive);
    else if (secrule_is(name, "SecMarker"))
        take_marker(reading, directive);
    else if (secrule_is(name, "SecRuleRemoveById"))
        take_removal(reading, directive);
    else
        pass_over(reading, directive);
}

void secrule_init(struct secrule_import *import, const struct guard_alloc *alloc)
{
    *import = (struct secrule_import){.patches = NULL};
    import->patches_end = &import->patches;
    import->notes_end = &import->notes;
    guard_arena_init(&import->arena, alloc, SECRULE_MEMORY_MAX);
}

void secrule_fini(struct secrule_import *import)
{
    guard_arena_reset(&import->arena);
    import->patches = NULL;
    import->notes = NULL;
}

enum guard_rc secrule_read(struct secrule_import *import, const char *name, struct guard_span bytes,
                           const struct secrule_cfg *cfg, struct guard_err *err)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    struct secrule_directive *directive = NULL;
    struct reading reading = {
        .builder = {.import = import, .cfg = cfg, .name = name, .bytes = bytes, .err = err}};
    struct secrule_builder *builder = &reading.builder;
    builder->rule = empty();
    for (int phase = 0; phase < PHASES; phase++)
        reading.skipped_to[phase] = empty();
    if (bytes.len > SECRULE_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%s: larger than %d bytes", name, SECRULE_BYTES_MAX);
    if (bytes.len >= sizeof(mark) && memcmp(bytes.ptr, mark, sizeof(mark)) == 0)
        builder->bytes = (struct guard_span){bytes.ptr + sizeof(mark), bytes.len - sizeof(mark)};
    directive = secrule_get(builder, sizeof(*directive));
    if (directive == NULL || !secrule_lines_init(&reading.lines, builder))
        return builder->rc;
    while (secrule_next(&reading.lines, directive))
        take(&reading, directive);
    if (reading.pending.open)
        secrule_fail(builder, reading.pending.at, GUARD_E_SYNTAX, "a chain that has no end");
    return builder->rc;
}
