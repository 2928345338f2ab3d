/* SPDX-License-Identifier: Apache-2.0 */
/* See builder.h. */
#include "common/secrule/builder.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NOTE_CAP = 320 };

static const char *const cause_names[SECRULE_CAUSES] = {
    [SECRULE_CAUSE_MEANING] = "meaning",
    [SECRULE_CAUSE_SETTING] = "setting of an engine",
    [SECRULE_CAUSE_SCORE] = "only scores or sets variables",
    [SECRULE_CAUSE_FLOW] = "skips, allows, or changes other rules",
    [SECRULE_CAUSE_ORDER] = "depends on rules before it",
    [SECRULE_CAUSE_STATE] = "variables that rules keep",
    [SECRULE_CAUSE_MATCHED] = "what a rule before it matched",
    [SECRULE_CAUSE_VARIABLE] = "no place of patches",
    [SECRULE_CAUSE_EXCLUSION] = "all values but some",
    [SECRULE_CAUSE_NEGATION] = "negation",
    [SECRULE_CAUSE_OPERATOR] = "operator",
    [SECRULE_CAUSE_FILE] = "another file",
    [SECRULE_CAUSE_MACRO] = "filled in at run time",
    [SECRULE_CAUSE_TRANSFORM] = "transformation",
    [SECRULE_CAUSE_EXPRESSION] = "regular expression",
    [SECRULE_CAUSE_PHASE] = "phase",
    [SECRULE_CAUSE_NEVER] = "never matches",
    [SECRULE_CAUSE_REMOVED] = "removed",
    [SECRULE_CAUSE_FORM] = "unexpected form",
    [SECRULE_CAUSE_MAXIMUM] = "maximum reached",
};

const char *secrule_cause_name(enum secrule_cause cause)
{
    return (unsigned)cause < SECRULE_CAUSES ? cause_names[cause] : "";
}

const char *secrule_kind_name(enum secrule_kind kind)
{
    static const char *const names[] = {"passed over", "differs", "narrower", "wider", "refused"};
    return (unsigned)kind <= SECRULE_REFUSED ? names[kind] : "";
}

void secrule_place(const struct secrule_builder *builder, uint32_t at, uint32_t *line,
                   uint32_t *column)
{
    uint32_t low = 0;
    uint32_t high = builder->line_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (builder->lines[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    *line = low + 1;
    *column = builder->line_count > 0 ? at - builder->lines[low] + 1 : 1;
}

bool secrule_fail(struct secrule_builder *builder, uint32_t at, enum guard_rc rc,
                  const char *format, ...)
{
    char text[200];
    uint32_t line = 0;
    uint32_t column = 0;
    if (builder->rc != GUARD_OK)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    secrule_place(builder, at, &line, &column);
    builder->rc = guard_fail(builder->err, rc, "%s:%u:%u: %s", builder->name, line, column, text);
    return false;
}

void *secrule_get(struct secrule_builder *builder, size_t size)
{
    struct guard_arena *arena = &builder->import->arena;
    void *memory = builder->rc == GUARD_OK ? guard_arena_get(arena, size) : NULL;
    if (memory != NULL || builder->rc != GUARD_OK)
        return memory;
    if (arena->limit - arena->used < size + GUARD_ARENA_CHUNK)
        builder->rc = guard_fail(builder->err, GUARD_E_LIMIT, "%s: comes to more than %d bytes",
                                 builder->name, SECRULE_MEMORY_MAX);
    else
        builder->rc = guard_fail(builder->err, GUARD_E_NOMEM, "%s: no memory", builder->name);
    return NULL;
}

struct guard_span secrule_copy(struct secrule_builder *builder, struct guard_span text)
{
    uint8_t *copy = text.len > 0 ? secrule_get(builder, text.len) : NULL;
    if (copy == NULL)
        return (struct guard_span){(const uint8_t *)"", 0};
    memcpy(copy, text.ptr, text.len);
    return (struct guard_span){copy, text.len};
}

struct guard_span secrule_format(struct secrule_builder *builder, const char *format, ...)
{
    char text[NOTE_CAP];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t used = len < 0 ? 0 : (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    return secrule_copy(builder, (struct guard_span){(const uint8_t *)text, used});
}

static void add_note(struct secrule_builder *builder, uint32_t at, enum secrule_kind kind,
                     enum secrule_cause cause, const char *text)
{
    struct secrule_note *note = secrule_get(builder, sizeof(*note));
    if (note == NULL)
        return;
    *note = (struct secrule_note){
        .file = builder->name, .kind = kind, .cause = cause, .rule = builder->rule};
    secrule_place(builder, at, &note->line, &note->column);
    note->text = secrule_copy(builder, (struct guard_span){(const uint8_t *)text, strlen(text)});
    *builder->import->notes_end = note;
    builder->import->notes_end = &note->next;
}

/* The last note of a rule that has too many says so: nothing is left out in silence. */
static void add_counted(struct secrule_builder *builder, uint32_t at, enum secrule_kind kind,
                        enum secrule_cause cause, const char *text)
{
    builder->note_count++;
    if (builder->note_count < SECRULE_NOTES_EACH)
        add_note(builder, at, kind, cause, text);
    else if (builder->note_count == SECRULE_NOTES_EACH)
        add_note(builder, at, kind, cause, "there is more of this kind from here on");
}

__attribute__((format(printf, 2, 0))) static void
format_note(char text[NOTE_CAP], const char *format, va_list args, const char *tail)
{
    int len = vsnprintf(text, NOTE_CAP, format, args);
    size_t used = len < 0 ? 0 : (size_t)len < NOTE_CAP ? (size_t)len : NOTE_CAP - 1;
    snprintf(text + used, NOTE_CAP - used, "%s", tail);
}

void secrule_note(struct secrule_builder *builder, uint32_t at, enum secrule_kind kind,
                  enum secrule_cause cause, const char *format, ...)
{
    char text[NOTE_CAP];
    va_list args;
    va_start(args, format);
    format_note(text, format, args, "");
    va_end(args);
    add_counted(builder, at, kind, cause, text);
}

static bool mark_refused(struct secrule_builder *builder, enum secrule_cause cause)
{
    if (!builder->refused)
        builder->refused_for = cause;
    builder->refused = true;
    return false;
}

bool secrule_refuse(struct secrule_builder *builder, uint32_t at, enum secrule_cause cause,
                    const char *format, ...)
{
    char text[NOTE_CAP];
    va_list args;
    va_start(args, format);
    format_note(text, format, args, "");
    va_end(args);
    add_counted(builder, at, SECRULE_REFUSED, cause, text);
    return mark_refused(builder, cause);
}

bool secrule_wider(struct secrule_builder *builder, uint32_t at, enum secrule_cause cause,
                   const char *format, ...)
{
    char text[NOTE_CAP];
    bool wanted = builder->cfg->wider;
    va_list args;
    va_start(args, format);
    format_note(text, format, args, wanted ? "" : "; wider, so only with --wider");
    va_end(args);
    add_counted(builder, at, wanted ? SECRULE_WIDER : SECRULE_REFUSED, cause, text);
    return wanted || mark_refused(builder, cause);
}

struct secrule_text secrule_trimmed(struct secrule_text text)
{
    while (text.len > 0 && secrule_is_space(text.ptr[0]))
        text = secrule_part(text, 1, text.len - 1);
    while (text.len > 0 && secrule_is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

bool secrule_is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && secrule_begins(text, word);
}

bool secrule_begins(struct guard_span text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && (len == 0 || strncasecmp((const char *)text.ptr, word, len) == 0);
}

bool secrule_number(struct guard_span text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > 19)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!secrule_is_digit(text.ptr[i]))
            return false;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *out = value;
    return value <= max;
}
