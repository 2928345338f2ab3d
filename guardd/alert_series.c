/* SPDX-License-Identifier: Apache-2.0 */
/* The file has a line for each ring and each series. Between it and the log a kill may lie: lines
 * of the log that it doesn't know tell how many alerts, of those that the rings tell again, were
 * told already. */
#include "alert_series.h"

#include "log_scan.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MAX = 32 << 20,
    LINE_ROOM = 6 * ALERT_BYTES_MAX + 8192, /* a series, escaped */
    ARENA_MAX = 8 << 20,
};

static const struct guard_span no_service = {NULL, 0};

/* --- positions --- */

static struct alert_position *find(const struct alerts *alerts, const char *ring)
{
    for (uint32_t i = 0; i < alerts->position_count; i++) {
        if (strcmp(alerts->positions[i].ring, ring) == 0)
            return &alerts->positions[i];
    }
    return NULL;
}

void alerts_note_position(struct alerts *alerts, const char *ring, uint64_t incarnation,
                          uint64_t sequence)
{
    struct alert_position *known = find(alerts, ring);
    if (known == NULL && alerts->position_count >= ALERT_POSITIONS_MAX)
        return;
    if (known == NULL && alerts->position_count % 16 == 0) {
        size_t room = (alerts->position_count + 16) * sizeof(alerts->positions[0]);
        struct alert_position *more = realloc(alerts->positions, room);
        if (more == NULL)
            return;
        alerts->positions = more;
    }
    if (known == NULL) {
        known = &alerts->positions[alerts->position_count++];
        *known = (struct alert_position){.incarnation = 0};
        snprintf(known->ring, sizeof(known->ring), "%s", ring);
    }
    alerts->changed =
        alerts->changed || known->incarnation != incarnation || known->sequence != sequence;
    known->incarnation = incarnation;
    known->sequence = sequence;
}

bool alerts_position(const struct alerts *alerts, const char *ring, uint64_t *incarnation,
                     uint64_t *sequence)
{
    const struct alert_position *known = find(alerts, ring);
    if (known == NULL)
        return false;
    *incarnation = known->incarnation;
    *sequence = known->sequence;
    return true;
}

void alerts_forget_position(struct alerts *alerts, const char *ring)
{
    struct alert_position *known = find(alerts, ring);
    if (known == NULL)
        return;
    *known = alerts->positions[--alerts->position_count];
    alerts->changed = true;
}

void alerts_forget_positions(struct alerts *alerts)
{
    free(alerts->positions);
    alerts->positions = NULL;
    alerts->position_count = 0;
}

/* --- writing --- */

struct text {
    char *ptr;
    size_t len;
    size_t cap;
};

static bool make_room(struct text *text)
{
    if (text->cap - text->len >= LINE_ROOM)
        return true;
    size_t cap = 2 * text->cap + LINE_ROOM;
    char *more = cap <= FILE_MAX ? realloc(text->ptr, cap) : NULL;
    if (more == NULL)
        return false;
    text->ptr = more;
    text->cap = cap;
    return true;
}

static bool begin_line(struct text *text, struct json_writer *json)
{
    if (!make_room(text))
        return false;
    json_writer_init(json, text->ptr + text->len, LINE_ROOM - 1);
    json_open(json, NULL, '{');
    return true;
}

static bool end_line(struct text *text, struct json_writer *json)
{
    json_close(json, '}');
    if (json->overflow)
        return false;
    text->len += json->len;
    text->ptr[text->len++] = '\n';
    return true;
}

/* Of 64 bits: as a number it would be rounded. */
static void write_big(struct json_writer *json, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%016" PRIx64, value);
    json_text(json, name, text);
}

static bool write_position(struct text *text, const struct alert_position *position)
{
    struct json_writer json;
    if (!begin_line(text, &json))
        return false;
    json_text(&json, "ring", position->ring);
    write_big(&json, "incarnation", position->incarnation);
    write_big(&json, "sequence", position->sequence);
    return end_line(text, &json);
}

static bool write_open(struct text *text, const struct alert_fold *fold)
{
    struct json_writer json;
    if (!begin_line(text, &json))
        return false;
    write_big(&json, "key", fold->key);
    write_big(&json, "since_ms", fold->since_ms);
    write_big(&json, "told_ms", fold->told_ms);
    write_big(&json, "total", fold->total);
    write_big(&json, "number", fold->number);
    write_big(&json, "first_ms", fold->first_ms);
    write_big(&json, "last_ms", fold->last_ms);
    write_big(&json, "count", fold->count);
    write_big(&json, "suppressed", fold->suppressed);
    write_big(&json, "again", fold->again);
    write_big(&json, "again_suppressed", fold->again_suppressed);
    json_bool(&json, "ended", fold->ended);
    json_open(&json, "ids", '[');
    for (uint32_t i = 0; i < fold->id_count; i++)
        json_text(&json, NULL, fold->ids[i]);
    json_close(&json, ']');
    json_string(&json, "line", (struct guard_span){(const uint8_t *)fold->line, fold->len});
    return end_line(text, &json);
}

static bool write_all(const struct alerts *alerts, struct text *text)
{
    struct json_writer json;
    if (!begin_line(text, &json))
        return false;
    write_big(&json, "seq", alerts->sequence);
    write_big(&json, "series", alerts->series);
    bool good = end_line(text, &json);
    for (uint32_t i = 0; good && i < alerts->position_count; i++)
        good = write_position(text, &alerts->positions[i]);
    for (uint32_t i = 0; good && i < alerts->fold_count; i++)
        good = alerts->folds[i].key == 0 || write_open(text, &alerts->folds[i]);
    if (!good || !begin_line(text, &json))
        return false;
    json_bool(&json, "end", true);
    return end_line(text, &json);
}

void alerts_save(struct alerts *alerts, const char *state)
{
    char path[STATE_PATH_MAX];
    struct text text = {NULL, 0, 0};
    struct guard_err err = {.text = "no memory"};
    if (!alerts->changed)
        return;
    bool good = write_all(alerts, &text) &&
                state_path(path, state, "", no_service, "alerts.open") == GUARD_OK &&
                file_replace(path, (struct guard_span){(const uint8_t *)text.ptr, text.len}, 0640,
                             false, &err) == GUARD_OK;
    free(text.ptr);
    if (!good && !alerts->unsaved)
        log_event("alarm", "series-not-saved", no_service, "%s; tried again", err.text);
    alerts->unsaved = !good;
    alerts->changed = !good;
}

/* --- reading --- */

static uint64_t big_of(const struct document_node *node, const char *name)
{
    return strtoull(text_of(node, name), NULL, 16);
}

static bool take_line(struct alert_fold *fold, struct guard_span line)
{
    char *copy = malloc(line.len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, line.ptr, line.len);
    free(fold->line);
    fold->line = copy;
    fold->len = line.len;
    return true;
}

static void read_open(struct alerts *alerts, const struct document_node *root)
{
    struct alert_fold *fold = alerts_free_fold(alerts);
    const struct document_node *line = member_of(root, "line");
    const struct document_node *ids = member_of(root, "ids");
    uint64_t key = big_of(root, "key");
    if (fold == NULL || key == 0 || line == NULL || line->kind != DOCUMENT_SCALAR ||
        line->text.len >= ALERT_BYTES_MAX || !take_line(fold, line->text))
        return;
    fold->key = key;
    fold->since_ms = big_of(root, "since_ms");
    fold->told_ms = big_of(root, "told_ms");
    fold->total = big_of(root, "total");
    fold->number = big_of(root, "number");
    fold->first_ms = big_of(root, "first_ms");
    fold->last_ms = big_of(root, "last_ms");
    fold->count = big_of(root, "count");
    fold->suppressed = big_of(root, "suppressed");
    fold->again = big_of(root, "again");
    fold->again_suppressed = big_of(root, "again_suppressed");
    fold->ended = strcmp(text_of(root, "ended"), "true") == 0;
    for (const struct document_node *id = ids != NULL && ids->kind == DOCUMENT_SEQUENCE ? ids->first
                                                                                        : NULL;
         id != NULL && fold->id_count < ALERT_IDS_MAX; id = id->next) {
        if (id->kind == DOCUMENT_SCALAR && id->text.len <= ALERT_ID_CHARS)
            snprintf(fold->ids[fold->id_count++], ALERT_ID_CHARS + 1, "%s",
                     (const char *)id->text.ptr);
    }
}

struct saved {
    struct alerts *alerts;
    uint64_t sequence;
    bool whole;
};

static void read_member(struct saved *saved, const struct document_node *root)
{
    struct alerts *alerts = saved->alerts;
    if (member_of(root, "seq") != NULL) {
        saved->sequence = big_of(root, "seq");
        alerts->series = big_of(root, "series");
    } else if (member_of(root, "ring") != NULL) {
        alerts_note_position(alerts, text_of(root, "ring"), big_of(root, "incarnation"),
                             big_of(root, "sequence"));
    } else if (member_of(root, "key") != NULL) {
        read_open(alerts, root);
    } else {
        saved->whole = saved->whole || strcmp(text_of(root, "end"), "true") == 0;
    }
}

static void read_all(struct saved *saved, const char *text)
{
    struct guard_alloc heap = heap_alloc();
    while (*text != '\0' && !saved->whole) {
        struct guard_arena arena;
        struct document document;
        struct guard_span line = {(const uint8_t *)text, strcspn(text, "\n")};
        guard_arena_init(&arena, &heap, ARENA_MAX);
        if (document_parse(&document, "alerts.open", line, &arena, NULL) == GUARD_OK &&
            document.root->kind == DOCUMENT_MAPPING)
            read_member(saved, document.root);
        guard_arena_reset(&arena);
        text += line.len;
        text += *text == '\n';
    }
}

/* --- what the log has of later --- */

/* As if the line had just been written: the series is as it is there, and what it tells of is told
 * again by the rings. */
static void take_newest(struct alerts *alerts, struct alert_fold *fold,
                        const struct document_node *root, struct guard_span line)
{
    static const char behind[] = ",\"suppressed\":";
    const char *series = text_of(root, "series");
    const char *end = NULL;
    char *rest = NULL;
    for (const uint8_t *at = line.ptr;
         (at = memmem(at, line.len - (size_t)(at - line.ptr), behind, sizeof(behind) - 1)) != NULL;
         at++)
        end = (const char *)at;
    fold->since_ms = strtoull(series, &rest, 16);
    fold->number = *rest == '-' ? strtoull(rest + 1, NULL, 16) : 0;
    fold->told_ms = (uint64_t)whole_of(root, "last_ms");
    fold->last_ms = fold->told_ms;
    fold->total = (uint64_t)whole_of(root, "total");
    fold->ended = strcmp(text_of(root, "state"), "end") == 0;
    fold->id_count = 0;
    if (end != NULL && (const uint8_t *)end - line.ptr < ALERT_BYTES_MAX)
        (void)take_line(fold,
                        (struct guard_span){line.ptr, (size_t)((const uint8_t *)end - line.ptr)});
    if (fold->number >= alerts->series)
        alerts->series = fold->number + 1;
}

/* Lines come the newest first. What a series had folded is told first by them. */
static void account(struct alerts *alerts, const struct document_node *root, struct guard_span line)
{
    uint64_t key = alerts_key(root);
    uint64_t count = (uint64_t)whole_of(root, "count");
    uint64_t suppressed = (uint64_t)whole_of(root, "suppressed");
    struct alert_fold *fold = alerts_fold(alerts, key);
    if (fold == NULL)
        fold = alerts_free_fold(alerts);
    if (fold == NULL || key == 0)
        return;
    if (!fold->later)
        take_newest(alerts, fold, root, line);
    if (fold->line == NULL) { /* no line of ours: there would be nothing to tell */
        memset(fold, 0, sizeof(*fold));
        return;
    }
    fold->key = key;
    fold->later = true;
    uint64_t told = fold->count < count ? fold->count : count;
    fold->count -= told;
    fold->again += count - told;
    told = fold->suppressed < suppressed ? fold->suppressed : suppressed;
    fold->suppressed -= told;
    fold->again_suppressed += suppressed - told;
}

static bool take_later(void *ctx, struct guard_span line)
{
    struct saved *saved = ctx;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    if (log_number(line, "\"seq\":") <= saved->sequence)
        return false;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    if (document_parse(&document, "alert", line, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING)
        account(saved->alerts, document.root, line);
    guard_arena_reset(&arena);
    return true;
}

static void read_later(struct saved *saved, const char *state)
{
    struct log_scan scan = {.begun = true};
    log_newest(state, "alerts.jsonl", &scan.at);
    while (log_scan_back(&scan, state, "alerts.jsonl", take_later, saved) == LOG_MORE)
        continue;
    for (uint32_t i = 0; i < saved->alerts->fold_count; i++)
        saved->alerts->folds[i].later = false;
}

void alerts_restore(struct alerts *alerts, const char *state)
{
    char path[STATE_PATH_MAX];
    struct saved saved = {.alerts = alerts};
    uint8_t *text = NULL;
    size_t len = 0;
    if (state_path(path, state, "", no_service, "alerts.open") == GUARD_OK &&
        file_read(path, FILE_MAX, &text, &len, NULL) == GUARD_OK) {
        read_all(&saved, (const char *)text);
        if (saved.whole)
            read_later(&saved, state);
        else
            log_event("warn", "series-not-read", no_service, "%s",
                      "alerts.open isn't whole: what was folded is lost, or told again");
    }
    free(text);
    alerts->changed = true; /* from here on there is one */
    alerts_save(alerts, state);
}
