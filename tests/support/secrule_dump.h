/* SPDX-License-Identifier: Apache-2.0 */
/* An import as text that tests compare: each patch with its conditions, each note with its place.
 */
#ifndef GUARD_TEST_SECRULE_DUMP_H
#define GUARD_TEST_SECRULE_DUMP_H

#include "common/secrule/secrule.h"

#include <stdio.h>
#include <string.h>

enum { DUMP_CAP = 1 << 17 };

struct dump {
    char text[DUMP_CAP];
    size_t len;
};

static inline void dump_bytes(struct dump *dump, const void *bytes, size_t len)
{
    size_t room = DUMP_CAP - 1 - dump->len;
    len = len < room ? len : room;
    if (len > 0)
        memcpy(dump->text + dump->len, bytes, len);
    dump->len += len;
    dump->text[dump->len] = '\0';
}

static inline void dump_text(struct dump *dump, const char *text)
{
    dump_bytes(dump, text, strlen(text));
}

static inline void dump_span(struct dump *dump, const char *before, struct guard_span span,
                             const char *behind)
{
    dump_text(dump, before);
    dump_bytes(dump, span.ptr, span.len);
    dump_text(dump, behind);
}

static inline void dump_leaf(struct dump *dump, const struct guard_patch_condition *condition)
{
    static const char *const operators[] = {"present", "contains",  "equals",  "begins", "ends",
                                            "regex",   "type",      "length",  "count",  "range",
                                            "charset", "traversal", "likeness"};
    static const char *const places[] = {"method", "path",    "target", "query",     "header",
                                         "cookie", "form",    "json",   "multipart", "file",
                                         "body",   "graphql", "status"};
    static const char *const views[] = {"decoded", "text", "raw"};
    char bounds[64];
    const char *separator = "";
    for (int i = 0; i < 13; i++) {
        if ((condition->places >> i & 1) == 0)
            continue;
        dump_text(dump, separator);
        dump_text(dump, places[i]);
        separator = "|";
    }
    for (uint32_t i = 0; i < condition->name_count; i++)
        dump_span(dump, i == 0 ? ":" : ",", condition->names[i], "");
    dump_text(dump, condition->on_names ? " names " : " ");
    dump_text(dump, views[condition->view]);
    dump_text(dump, " ");
    dump_text(dump, operators[condition->op - GUARD_OPERATOR_PRESENT]);
    dump_text(dump, condition->ignore_case ? " i" : "");
    for (uint32_t i = 0; i < condition->text_count; i++)
        dump_span(dump, " <", condition->texts[i], ">");
    if (condition->min != -1 || condition->max != -1) {
        snprintf(bounds, sizeof(bounds), " %lld..%lld", (long long)condition->min,
                 (long long)condition->max);
        dump_text(dump, bounds);
    }
}

static inline void dump_condition(struct dump *dump, const struct guard_patch_condition *condition)
{
    static const char *const inner[] = {"all(", "any(", "not("};
    if (condition->op >= GUARD_OPERATOR_PRESENT) {
        dump_leaf(dump, condition);
        return;
    }
    dump_text(dump, inner[condition->op]);
    for (uint32_t i = 0; i < condition->child_count; i++) {
        dump_text(dump, i > 0 ? "; " : "");
        dump_condition(dump, &condition->children[i]);
    }
    dump_text(dump, ")");
}

static inline void dump_patch(struct dump *dump, const struct secrule_patch *patch)
{
    char text[64];
    dump_span(dump, "", patch->patch.id, "");
    snprintf(text, sizeof(text), " at %u:%u, %s of a %s: ", patch->line, patch->column,
             patch->patch.action == GUARD_PATCH_BLOCK ? "block" : "alert",
             patch->patch.part == GUARD_PATCH_REQUEST ? "request" : "response");
    dump_text(dump, text);
    dump_span(dump, "", patch->patch.title, "\n  ");
    for (uint32_t i = 0; i < patch->patch.reference_count; i++)
        dump_span(dump, "", patch->patch.references[i], "\n  ");
    dump_condition(dump, &patch->patch.when);
    dump_text(dump, "\n");
}

static inline void dump_note(struct dump *dump, const struct secrule_note *note)
{
    char text[64];
    snprintf(text, sizeof(text), ":%u:%u: %s (%s) ", note->line, note->column,
             secrule_kind_name(note->kind), secrule_cause_name(note->cause));
    dump_text(dump, note->file);
    dump_text(dump, text);
    dump_span(dump, "", note->rule, note->rule.len > 0 ? ": " : "");
    dump_span(dump, "", note->text, "\n");
}

static inline void dump_import(struct dump *dump, const struct secrule_import *import)
{
    char text[96];
    for (const struct secrule_patch *patch = import->patches; patch != NULL; patch = patch->next)
        dump_patch(dump, patch);
    for (const struct secrule_note *note = import->notes; note != NULL; note = note->next)
        dump_note(dump, note);
    snprintf(text, sizeof(text), "%u directives, %u rules, %u imported\n", import->directive_count,
             import->rule_count, import->patch_count);
    dump_text(dump, text);
}

#endif
