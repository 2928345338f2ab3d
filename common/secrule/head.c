/* SPDX-License-Identifier: Apache-2.0 */
/* See head.h. */
#include "common/secrule/head.h"

#include <string.h>

enum { CVE_MAX = 24, SHOWN = 60 };

int secrule_phase_of(const struct secrule_actions *actions)
{
    static const char *const names[] = {"request", "response", "logging"};
    static const int phases[] = {2, 4, 5};
    const struct secrule_action *phase = secrule_action_named(actions, "phase");
    uint64_t number = 0;
    if (phase == NULL)
        return 2;
    struct guard_span value = secrule_span(phase->value);
    for (size_t i = 0; i < 3; i++) {
        if (secrule_is(value, names[i]))
            return phases[i];
    }
    return secrule_number(value, 5, &number) && number > 0 ? (int)number : 0;
}

bool secrule_effect_of(const struct secrule_actions *actions, enum secrule_effect *out)
{
    static const struct {
        const char *name;
        enum secrule_effect effect;
    } known[] = {
        {"deny", SECRULE_EFFECT_BLOCK},     {"drop", SECRULE_EFFECT_BLOCK},
        {"redirect", SECRULE_EFFECT_BLOCK}, {"proxy", SECRULE_EFFECT_BLOCK},
        {"block", SECRULE_EFFECT_BLOCK},    {"pause", SECRULE_EFFECT_PASS},
        {"pass", SECRULE_EFFECT_PASS},      {"allow", SECRULE_EFFECT_ALLOW},
    };
    bool said = false;
    for (uint32_t i = 0; i < actions->count; i++) { /* the last one counts */
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
            if (secrule_is(secrule_span(actions->list[i].name), known[k].name)) {
                *out = known[k].effect;
                said = true;
            }
        }
    }
    return said;
}

bool secrule_denies(const struct secrule_actions *actions)
{
    return secrule_action_named(actions, "deny") != NULL ||
           secrule_action_named(actions, "drop") != NULL ||
           secrule_action_named(actions, "redirect") != NULL;
}

bool secrule_is_score(const struct secrule_action *action)
{
    struct guard_span value = secrule_span(action->value);
    return secrule_is(secrule_span(action->name), "setvar") && value.len > 0 &&
           (memmem(value.ptr, value.len, "score", 5) != NULL ||
            memmem(value.ptr, value.len, "SCORE", 5) != NULL) &&
           memmem(value.ptr, value.len, "=+", 2) != NULL;
}

/* Says what else the rule would do; false when that makes it none of ours. */
static bool check_action(struct secrule_builder *builder, const struct secrule_action *action,
                         enum secrule_effect effect)
{
    static const char *const lost[] = {
        "setvar",  "setenv", "setuid",  "setsid", "setrsc",      "expirevar",       "deprecatevar",
        "initcol", "exec",   "prepend", "append", "sanitiseArg", "sanitiseMatched", "ctl"};
    struct guard_span name = secrule_span(action->name);
    struct guard_span value = secrule_span(action->value);
    uint32_t at = action->name.at[0];
    if (secrule_is(name, "skip") || secrule_is(name, "skipAfter"))
        return secrule_refuse(builder, at, SECRULE_CAUSE_FLOW, "it skips other rules");
    if (secrule_is(name, "ctl") && effect != SECRULE_EFFECT_BLOCK)
        return secrule_refuse(
            builder, at, SECRULE_CAUSE_FLOW, "it changes the engine or other rules (%.*s)",
            (int)(value.len < SHOWN ? value.len : SHOWN), (const char *)value.ptr);
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        if (secrule_is(name, lost[i]))
            secrule_note(builder, at, SECRULE_DIFFERS, SECRULE_CAUSE_MEANING,
                         "%s: a patch does nothing besides", lost[i]);
    }
    return true;
}

static bool only_sets(const struct secrule_actions *actions)
{
    return secrule_action_named(actions, "setvar") != NULL ||
           secrule_action_named(actions, "initcol") != NULL ||
           secrule_action_named(actions, "setenv") != NULL ||
           secrule_action_named(actions, "setsid") != NULL ||
           secrule_action_named(actions, "setuid") != NULL;
}

bool secrule_check_actions(struct secrule_builder *builder, const struct secrule_actions *actions,
                           enum secrule_effect effect)
{
    bool good = true;
    bool denies = secrule_denies(actions);
    if (effect == SECRULE_EFFECT_ALLOW) {
        const struct secrule_action *allow = secrule_action_named(actions, "allow");
        return secrule_refuse(builder, allow != NULL ? allow->name.at[0] : 0, SECRULE_CAUSE_FLOW,
                              "it lets requests pass that other rules would stop");
    }
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct secrule_action *action = &actions->list[i];
        if (!denies && secrule_is_score(action))
            return secrule_refuse(builder, action->name.at[0], SECRULE_CAUSE_SCORE,
                                  "it adds to a score, on which another rule decides");
        good = check_action(builder, action, effect) && good;
    }
    if (good && effect == SECRULE_EFFECT_PASS && only_sets(actions))
        return secrule_refuse(builder, actions->list[0].name.at[0], SECRULE_CAUSE_SCORE,
                              "it only sets variables");
    if (good && effect == SECRULE_EFFECT_PASS && secrule_action_named(actions, "nolog") != NULL)
        return secrule_refuse(builder, actions->list[0].name.at[0], SECRULE_CAUSE_NEVER,
                              "it neither blocks nor logs");
    return good;
}

/* --- the head --- */

static bool find_cve(struct guard_span text, struct guard_span *out)
{
    for (size_t i = 0; i + 9 < text.len; i++) {
        if (!secrule_begins((struct guard_span){text.ptr + i, text.len - i}, "cve-"))
            continue;
        size_t at = i + 4;
        while (at < text.len && at < i + 8 && secrule_is_digit(text.ptr[at]))
            at++;
        if (at != i + 8 || at >= text.len || text.ptr[at] != '-')
            continue;
        size_t digits = ++at;
        while (at < text.len && at < digits + 7 && secrule_is_digit(text.ptr[at]))
            at++;
        *out = (struct guard_span){text.ptr + i, at - i};
        return at - digits >= 4;
    }
    return false;
}

/* Tags first: they say what the rule is about, a message may name others. */
static bool cve_of(const struct secrule_actions *actions, struct guard_span *out)
{
    static const char *const names[] = {"tag", "msg", "ref", "logdata"};
    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        for (uint32_t i = 0; i < actions->count; i++) {
            if (secrule_is(secrule_span(actions->list[i].name), names[k]) &&
                find_cve(secrule_span(actions->list[i].value), out))
                return true;
        }
    }
    return false;
}

static bool taken(const struct secrule_import *import, struct guard_span id)
{
    for (const struct secrule_patch *patch = import->patches; patch != NULL; patch = patch->next) {
        if (patch->patch.id.len == id.len && memcmp(patch->patch.id.ptr, id.ptr, id.len) == 0)
            return true;
    }
    return false;
}

static struct guard_span free_id(struct secrule_builder *builder, struct guard_span id,
                                 uint32_t line)
{
    struct guard_span tried = id;
    if (taken(builder->import, tried))
        id = tried =
            secrule_format(builder, "%.*s-line-%u", (int)id.len, (const char *)id.ptr, line);
    for (unsigned i = 2; taken(builder->import, tried) && builder_good(builder); i++)
        tried = secrule_format(builder, "%.*s-%u", (int)id.len, (const char *)id.ptr, i);
    return tried;
}

static struct guard_span id_of(struct secrule_builder *builder,
                               const struct secrule_actions *actions, uint32_t line)
{
    struct guard_span cve;
    char text[CVE_MAX];
    bool has_cve = cve_of(actions, &cve);
    for (size_t i = 0; has_cve && i < cve.len && i < sizeof(text); i++)
        text[i] = (char)(i < 3 ? cve.ptr[i] & ~0x20 : cve.ptr[i]);
    struct guard_span id;
    if (has_cve)
        id = secrule_format(builder, "%.*s", (int)cve.len, text);
    else if (builder->rule.len > 0)
        id = secrule_format(builder, "secrule-%.*s", (int)builder->rule.len,
                            (const char *)builder->rule.ptr);
    else
        id = secrule_format(builder, "secrule-line-%u", line);
    if (has_cve && builder->rule.len > 0 && taken(builder->import, id))
        id = secrule_format(builder, "%.*s-secrule-%.*s", (int)id.len, (const char *)id.ptr,
                            (int)builder->rule.len, (const char *)builder->rule.ptr);
    return free_id(builder, id, line);
}

/* One line without escapes; what can't stand in a line becomes a blank. */
static struct guard_span line_of(struct secrule_builder *builder, struct guard_span text)
{
    size_t most = text.len < GUARD_PATCH_TEXT_MAX ? text.len : GUARD_PATCH_TEXT_MAX;
    uint8_t *copy = secrule_get(builder, most + 1);
    size_t len = 0;
    if (copy == NULL)
        return (struct guard_span){(const uint8_t *)"", 0};
    for (size_t i = 0; i < most; i++) {
        if (text.ptr[i] == '\\' && i + 1 < most &&
            (text.ptr[i + 1] == '\'' || text.ptr[i + 1] == '"'))
            i++;
        copy[len++] = text.ptr[i] < 0x20 || text.ptr[i] >= 0x7f ? ' ' : text.ptr[i];
    }
    return (struct guard_span){copy, len};
}

static void add_reference(struct secrule_builder *builder, struct guard_span text,
                          struct guard_span *list, struct guard_patch *patch)
{
    if (patch->reference_count < GUARD_PATCH_LIST_MAX && text.len > 0)
        list[patch->reference_count++] = line_of(builder, text);
}

static void add_references(struct secrule_builder *builder, const struct secrule_actions *actions,
                           struct guard_patch *patch)
{
    struct guard_span cve;
    struct guard_span *list = secrule_get(builder, GUARD_PATCH_LIST_MAX * sizeof(*list));
    if (list == NULL)
        return;
    if (cve_of(actions, &cve))
        add_reference(builder,
                      secrule_format(builder, "https://nvd.nist.gov/vuln/detail/CVE%.*s",
                                     (int)cve.len - 3, (const char *)cve.ptr + 3),
                      list, patch);
    for (uint32_t i = 0; i < actions->count; i++) {
        struct guard_span value = secrule_span(actions->list[i].value);
        const uint8_t *url = value.len > 0 ? memmem(value.ptr, value.len, "http", 4) : NULL;
        struct guard_span rest = {url, url != NULL ? value.len - (size_t)(url - value.ptr) : 0};
        if (secrule_begins(rest, "https://") || secrule_begins(rest, "http://")) {
            for (size_t k = 0; k < rest.len; k++) {
                if (secrule_is_space(rest.ptr[k]))
                    rest.len = k;
            }
            add_reference(builder, rest, list, patch);
        }
    }
    patch->references = list;
}

void secrule_head(struct secrule_builder *builder, const struct secrule_actions *actions,
                  uint32_t at, struct guard_patch *patch)
{
    const struct secrule_action *message = secrule_action_named(actions, "msg");
    uint32_t line = 0;
    uint32_t column = 0;
    secrule_place(builder, at, &line, &column);
    patch->id = id_of(builder, actions, line);
    if (message != NULL)
        patch->title = line_of(builder, secrule_span(message->value));
    else
        patch->title = patch->id;
    add_references(builder, actions, patch);
    /* The same words wherever the file lies. */
    const char *slash = strrchr(builder->name, '/');
    patch->reason =
        line_of(builder, secrule_format(builder, "imported from %.200s, line %u",
                                        slash != NULL ? slash + 1 : builder->name, line));
    patch->author = GUARD_SPAN_LITERAL("");
    patch->fixed_in = GUARD_SPAN_LITERAL("");
}
