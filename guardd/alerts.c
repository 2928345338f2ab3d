/* SPDX-License-Identifier: Apache-2.0 */
/* Alert texts are parsed and written anew from known members only: what a gate (or whoever wrote
 * its ring) sends never reaches the file as it is. */
#include "alerts.h"

#include "log_scan.h"

#include "common/document.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/log.h"

#include <guard/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FINDINGS_MAX = 16,
    TEXT_MAX = 2048,
    ALERT_TAIL_MAX = 512 + ALERT_IDS_MAX * (ALERT_ID_CHARS * 6 + 3), /* escaped */
};

static const struct guard_span no_service = {NULL, 0};

static const char *const top_texts[] = {"id",     "service",  "verdict", "action",
                                        "method", "template", "client",  "explanation"};
/* Of the exception that kept it from being blocked. */
static const char exception_text[] = "exception";
static const char *const top_numbers[] = {"time_ms", "generation", "status", "score"};
static const char *const finding_texts[] = {"part", "location", "name",
                                            "rule", "observed", "expected"};

static bool take_sequence(void *ctx, struct guard_span line)
{
    *(uint64_t *)ctx = log_number(line, "\"seq\":");
    return false;
}

/* Numbers go on where the last line's ended. */
static uint64_t last_sequence(const char *state)
{
    struct log_scan scan = {.begun = true};
    uint64_t sequence = 0;
    log_newest(state, "alerts.jsonl", &scan.at);
    while (log_scan_back(&scan, state, "alerts.jsonl", take_sequence, &sequence) == LOG_MORE)
        continue;
    return sequence;
}

enum guard_rc alerts_open(struct alerts *alerts, const char *state, struct guard_err *err)
{
    alerts->window_ms = ALERT_WINDOW_MS;
    alerts->sequence = last_sequence(state);
    if (state_path(alerts->path, state, "", (struct guard_span){NULL, 0}, "alerts.jsonl") !=
        GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", state);
    return GUARD_OK;
}

static const struct document_node *member(const struct document_node *mapping, const char *name)
{
    for (const struct document_node *node = mapping->first; node != NULL; node = node->next) {
        if (strcmp((const char *)node->key->text.ptr, name) == 0)
            return node->kind == DOCUMENT_SCALAR || node->kind == DOCUMENT_SEQUENCE ? node : NULL;
    }
    return NULL;
}

static struct guard_span text_member(const struct document_node *mapping, const char *name)
{
    const struct document_node *node = member(mapping, name);
    if (node == NULL || node->kind != DOCUMENT_SCALAR)
        return (struct guard_span){NULL, 0};
    return (struct guard_span){node->text.ptr,
                               node->text.len < TEXT_MAX ? node->text.len : TEXT_MAX};
}

static void write_texts(struct json_writer *json, const struct document_node *mapping,
                        const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_string(json, names[i], text_member(mapping, names[i]));
}

static void write_number(struct json_writer *json, const struct document_node *mapping,
                         const char *name)
{
    const struct document_node *node = member(mapping, name);
    double value = node != NULL && node->kind == DOCUMENT_SCALAR
                       ? strtod((const char *)node->text.ptr, NULL)
                       : 0;
    if (value >= 0 && value < 9e15 && value == (double)(int64_t)value)
        json_integer(json, name, (int64_t)value);
    else
        json_number(json, name, value);
}

static bool is_text(const struct document_node *mapping, const char *name, const char *text)
{
    struct guard_span span = text_member(mapping, name);
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static void write_exception(struct json_writer *json, const struct document_node *node)
{
    struct guard_span exception = text_member(node, exception_text);
    if (exception.len > 0)
        json_string(json, exception_text, exception);
}

/* Which one was hit, and whether it was only watched. */
static void write_patch(struct json_writer *json, const struct document_node *finding)
{
    struct guard_span patch = text_member(finding, "patch");
    if (patch.len == 0)
        return;
    json_string(json, "patch", patch);
    json_bool(json, "shadow", is_text(finding, "shadow", "true"));
}

static void write_findings(struct json_writer *json, const struct document_node *list)
{
    uint32_t written = 0;
    json_open(json, "findings", '[');
    const struct document_node *node =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    for (; node != NULL && written < FINDINGS_MAX; node = node->next) {
        if (node->kind != DOCUMENT_MAPPING)
            continue;
        json_open(json, NULL, '{');
        write_texts(json, node, finding_texts, sizeof(finding_texts) / sizeof(finding_texts[0]));
        write_number(json, node, "p");
        write_patch(json, node);
        write_exception(json, node);
        if (is_text(node, "configured", "true"))
            json_bool(json, "configured", true);
        json_close(json, '}');
        written++;
    }
    json_close(json, ']');
}

/* What makes two alerts the same: service, endpoint, verdict and the first finding's rule, place
 * and patch. */
uint64_t alerts_key(const struct document_node *alert)
{
    static const char *const parts[] = {"service", "verdict", "action", "method", "template"};
    const struct document_node *list = member(alert, "findings");
    const struct document_node *first =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    struct guard_digest_state state;
    uint8_t digest[GUARD_DIGEST_BYTES];
    uint64_t key;
    guard_digest_begin(&state);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        guard_digest_update(&state, text_member(alert, parts[i]));
        guard_digest_update(&state, GUARD_SPAN_LITERAL("\n"));
    }
    for (size_t i = 1; first != NULL && first->kind == DOCUMENT_MAPPING && i <= 3; i++) {
        guard_digest_update(&state, text_member(first, finding_texts[i]));
        guard_digest_update(&state, GUARD_SPAN_LITERAL("\n"));
    }
    if (first != NULL && first->kind == DOCUMENT_MAPPING && text_member(first, "patch").len > 0)
        guard_digest_update(&state, text_member(first, "patch"));
    if (text_member(alert, exception_text).len > 0)
        guard_digest_update(&state, text_member(alert, exception_text));
    guard_digest_end(&state, digest);
    memcpy(&key, digest, sizeof(key));
    return key == 0 ? 1 : key;
}

/* The other alerts of the line, whose ids clients may quote. */
static void write_ids(struct json_writer *json, const struct alert_fold *fold)
{
    if (fold->id_count < 2)
        return;
    json_open(json, "ids", '[');
    for (uint32_t i = 0; i < fold->id_count; i++)
        json_text(json, NULL, fold->ids[i]);
    json_close(json, ']');
}

/* What tells one line of a series from another. */
static void write_series(struct json_writer *json, const struct alerts *alerts,
                         const struct alert_fold *fold, const char *series)
{
    char name[40];
    snprintf(name, sizeof(name), "%" PRIx64 "-%" PRIx64, fold->since_ms, fold->number);
    json_integer(json, "seq", (int64_t)(alerts->sequence + 1));
    json_text(json, "series", name);
    json_text(json, "state", series);
    json_integer(json, "since_ms", (int64_t)fold->since_ms);
    json_integer(json, "total", (int64_t)fold->total);
}

static bool append(struct alerts *alerts, const struct json_writer *json)
{
    struct guard_err err;
    file_rotate(alerts->path, ALERT_FILE_MAX, ALERT_FILES_OLDER);
    if (file_append_line(alerts->path, (struct guard_span){(const uint8_t *)json->ptr, json->len},
                         &err) != GUARD_OK) {
        if (!alerts->failing)
            log_event("alarm", "alerts-not-written", no_service, "%s; tried again", err.text);
        alerts->failing = true;
        return false;
    }
    if (alerts->failing)
        log_event("info", "alerts-written-again", no_service, "%s", "");
    alerts->failing = false;
    alerts->sequence++;
    alerts->written++;
    return true;
}

/* Writes what the fold counted since its last line. False: there was no room, it still holds it. */
static bool write_fold(struct alerts *alerts, struct alert_fold *fold, const char *series)
{
    char line[ALERT_BYTES_MAX + ALERT_TAIL_MAX];
    struct json_writer json;
    json_writer_init(&json, line, sizeof(line));
    memcpy(line, fold->line, fold->len);
    json.len = fold->len;
    json.comma = true;
    json_integer(&json, "suppressed", (int64_t)fold->suppressed);
    json_integer(&json, "count", (int64_t)fold->count);
    json_integer(&json, "first_ms", (int64_t)fold->first_ms);
    json_integer(&json, "last_ms", (int64_t)fold->last_ms);
    write_series(&json, alerts, fold, series);
    write_ids(&json, fold);
    json_close(&json, '}');
    if (json.overflow)
        alerts->failed++;
    else if (!append(alerts, &json))
        return false;
    alerts->changed = true;
    fold->told_ms = clock_unix_ms();
    fold->count = 0;
    fold->suppressed = 0;
    fold->id_count = 0;
    return true;
}

/* Of what came once there is nothing more to say. */
static bool has_end(const struct alert_fold *fold)
{
    return fold->total > 1 || fold->count > 0;
}

/* What comes again is known by the kind, and by nothing of whoever it was. */
static void fold_free(struct alerts *alerts, struct alert_fold *fold)
{
    const struct alert_fold rest = {.key = fold->key,
                                    .again = fold->again,
                                    .again_suppressed = fold->again_suppressed,
                                    .ended = true};
    free(fold->line);
    memset(fold, 0, sizeof(*fold));
    if (rest.again > 0 || rest.again_suppressed > 0)
        *fold = rest;
    alerts->changed = true;
}

static void fold_end(struct alerts *alerts, struct alert_fold *fold)
{
    if (!fold->ended && has_end(fold) && !write_fold(alerts, fold, "end"))
        alerts->failed++;
    fold_free(alerts, fold);
}

struct alert_fold *alerts_fold(struct alerts *alerts, uint64_t key)
{
    for (uint32_t i = 0; key != 0 && i < alerts->fold_count; i++) {
        if (alerts->folds[i].key == key)
            return &alerts->folds[i];
    }
    return NULL;
}

struct alert_fold *alerts_free_fold(struct alerts *alerts)
{
    for (uint32_t i = 0; i < alerts->fold_count; i++) {
        if (alerts->folds[i].key == 0)
            return &alerts->folds[i];
    }
    return alerts->fold_count < ALERT_FOLDS_MAX ? &alerts->folds[alerts->fold_count++] : NULL;
}

/* The one that was told of longest ago, ended. */
static struct alert_fold *take_over(struct alerts *alerts)
{
    struct alert_fold *oldest = &alerts->folds[0];
    for (uint32_t i = 1; i < alerts->fold_count; i++) {
        if (alerts->folds[i].told_ms < oldest->told_ms)
            oldest = &alerts->folds[i];
    }
    fold_end(alerts, oldest);
    return oldest;
}

static struct alert_fold *fold_of(struct alerts *alerts, uint64_t key)
{
    struct alert_fold *fold = alerts_fold(alerts, key);
    if (fold != NULL)
        return fold;
    fold = alerts_free_fold(alerts);
    if (fold == NULL)
        fold = take_over(alerts);
    memset(fold, 0, sizeof(*fold));
    return fold;
}

static void add_id(struct alert_fold *fold, struct guard_span id)
{
    if (id.len == 0 || id.len > ALERT_ID_CHARS || fold->id_count == ALERT_IDS_MAX)
        return;
    memcpy(fold->ids[fold->id_count], id.ptr, id.len);
    fold->ids[fold->id_count++][id.len] = '\0';
}

/* "suppressed": how many alerts the gate held back of a client since it told one. "count": of how
 * many a line tells. */
static uint64_t count_of(const struct document_node *alert, const char *name)
{
    const struct document_node *node = member(alert, name);
    double value = node != NULL && node->kind == DOCUMENT_SCALAR
                       ? strtod((const char *)node->text.ptr, NULL)
                       : 0;
    return value >= 1 && value < 4e9 ? (uint64_t)value : 0;
}

/* Leaves out what was told before the kill. */
static uint64_t not_again(uint64_t *again, uint64_t count)
{
    uint64_t left_out = *again < count ? *again : count;
    *again -= left_out;
    return count - left_out;
}

static void fold_add(struct alerts *alerts, uint64_t key, const char *line, size_t len,
                     const struct document_node *alert, uint64_t count)
{
    const struct document_node *ids = member(alert, "ids");
    uint64_t now = clock_unix_ms();
    struct alert_fold *fold = fold_of(alerts, key);
    uint64_t suppressed = not_again(&fold->again_suppressed, count_of(alert, "suppressed"));
    alerts->changed = true;
    count = not_again(&fold->again, count);
    char *copy = count > 0 ? malloc(len) : NULL;
    if (count > 0 && copy == NULL) {
        alerts->failed++;
        return;
    }
    fold->suppressed += suppressed;
    if (count == 0) {
        alerts->folded++;
        return;
    }
    bool first = fold->key == 0 || fold->ended;
    if (first) {
        fold->ended = false;
        fold->total = 0;
        fold->since_ms = now;
        fold->number = alerts->series++;
    }
    fold->total += count;
    memcpy(copy, line, len);
    free(fold->line);
    fold->line = copy;
    fold->len = len;
    fold->key = key;
    fold->last_ms = now;
    if (fold->count == 0)
        fold->first_ms = now;
    fold->count += count;
    add_id(fold, text_member(alert, "id"));
    for (const struct document_node *id = ids != NULL && ids->kind == DOCUMENT_SEQUENCE ? ids->first
                                                                                        : NULL;
         id != NULL; id = id->next) {
        if (id->kind == DOCUMENT_SCALAR && id != ids->first)
            add_id(fold, id->text);
    }
    if (first)
        (void)write_fold(alerts, fold, "first");
    else
        alerts->folded++;
}

/* Who told it, and who told them. */
static void write_agent(struct json_writer *json, const char *agent, struct guard_span below)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s%.*s", agent, below.len > 0 ? "/" : "",
             below.len < 128 ? (int)below.len : 128, (const char *)below.ptr);
    json_text(json, "agent", path);
}

const char *const alert_action_names[ALERT_ACTIONS] = {"pass", "alert", "block"};
/* What took too long has a part of its own here: it is a response's finding. */
const char *const alert_part_names[ALERT_PARTS] = {"time",   "request",  "response",
                                                   "client", "outbound", "other"};

static void count_patches(struct alerts *alerts, const struct document_node *alert, uint64_t count)
{
    const struct document_node *list = member(alert, "findings");
    const struct document_node *node =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    for (uint32_t i = 0; node != NULL && i < FINDINGS_MAX; node = node->next, i++) {
        if (node->kind == DOCUMENT_MAPPING && is_text(node, "rule", "patch"))
            patch_hits_add(&alerts->patches, text_member(alert, "service"),
                           text_member(node, "patch"), is_text(node, "shadow", "true"), count);
    }
}

static void count_alert(struct alerts *alerts, const struct document_node *alert, uint64_t count)
{
    const struct document_node *list = member(alert, "findings");
    const struct document_node *first =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    int action = ALERT_ACTIONS - 1;
    int part = 0;
    while (action > 0 && !is_text(alert, "action", alert_action_names[action]))
        action--;
    if (first == NULL || first->kind != DOCUMENT_MAPPING)
        part = ALERT_PARTS - 1;
    else if (!is_text(first, "rule", "latency"))
        part = 1;
    while (part > 0 && part < ALERT_PARTS - 1 && !is_text(first, "part", alert_part_names[part]))
        part++;
    alerts->counts[action][part] += count;
    count_patches(alerts, alert, count);
    if (text_member(alert, exception_text).len > 0)
        patch_hits_add(&alerts->exceptions, text_member(alert, "service"),
                       text_member(alert, exception_text), false, count);
    alerts->suppressed += count_of(alert, "suppressed");
}

/* agent: NULL of a gate beside us. */
static void take_document(struct alerts *alerts, const struct document_node *alert,
                          const char *agent)
{
    char line[ALERT_BYTES_MAX];
    struct json_writer json;
    json_writer_init(&json, line, sizeof(line));
    json_open(&json, NULL, '{');
    for (size_t i = 0; i < sizeof(top_numbers) / sizeof(top_numbers[0]); i++)
        write_number(&json, alert, top_numbers[i]);
    write_texts(&json, alert, top_texts, sizeof(top_texts) / sizeof(top_texts[0]));
    write_exception(&json, alert);
    if (text_member(alert, "caused_by").len > 0)
        json_string(&json, "caused_by", text_member(alert, "caused_by"));
    if (agent != NULL)
        write_agent(&json, agent, text_member(alert, "agent"));
    write_findings(&json, member(alert, "findings"));
    if (json.overflow || !state_service_valid(text_member(alert, "service"))) {
        alerts->hostile++;
        return;
    }
    uint64_t count = agent != NULL ? count_of(alert, "count") : 1;
    if (agent != NULL && count == 0 && is_text(alert, "state", "end"))
        return; /* it tells of nothing new; the series here ends by itself */
    count_alert(alerts, alert, count > 0 ? count : 1);
    if (alerts->heard != NULL)
        alerts->heard(alerts->heard_ctx, text_member(alert, "service"),
                      is_text(alert, "action", "block"), count > 0 ? count : 1);
    if (alerts->found != NULL && agent == NULL)
        alerts->found(alerts->found_ctx, alert);
    fold_add(alerts, alerts_key(alert), line, json.len, alert, count > 0 ? count : 1);
}

void alerts_relay(struct alerts *alerts, const char *agent, struct guard_span service,
                  const struct document_node *alert)
{
    struct guard_span of = {NULL, 0};
    if (alert->kind == DOCUMENT_MAPPING)
        of = text_member(alert, "service");
    if (of.len == service.len && of.len > 0 && memcmp(of.ptr, service.ptr, of.len) == 0)
        take_document(alerts, alert, agent);
    else
        alerts->hostile++;
}

void alerts_take(struct alerts *alerts, struct guard_span text)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    if (text.len <= ALERT_BYTES_MAX &&
        document_parse(&document, "alert", text, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING)
        take_document(alerts, document.root, NULL);
    else
        alerts->hostile++;
    guard_arena_reset(&arena);
}

/* False: there is no room, for the others neither. */
static bool flush_fold(struct alerts *alerts, struct alert_fold *fold, uint64_t now_ms)
{
    if (fold->ended)
        return true;
    bool over = now_ms < fold->told_ms || now_ms - fold->told_ms >= alerts->window_ms;
    if (fold->count > 0 && (over || alerts->failing))
        return write_fold(alerts, fold, fold->told_ms == 0 ? "first" : "more");
    if (fold->count > 0 || !over)
        return true;
    if (has_end(fold) && !write_fold(alerts, fold, "end"))
        return false;
    fold_free(alerts, fold);
    return true;
}

void alerts_flush(struct alerts *alerts, uint64_t now_ms)
{
    for (uint32_t i = 0; i < alerts->fold_count; i++) {
        struct alert_fold *fold = &alerts->folds[i];
        if (fold->key == 0)
            continue;
        if (now_ms == UINT64_MAX)
            fold_end(alerts, fold);
        else if (!flush_fold(alerts, fold, now_ms))
            return;
    }
}

void alerts_caught_up(struct alerts *alerts)
{
    for (uint32_t i = 0; i < alerts->fold_count; i++) {
        struct alert_fold *fold = &alerts->folds[i];
        if (fold->again == 0 && fold->again_suppressed == 0)
            continue;
        fold->again = 0;
        fold->again_suppressed = 0;
        if (fold->ended)
            fold_free(alerts, fold);
    }
}

void alerts_close(struct alerts *alerts)
{
    alerts_flush(alerts, UINT64_MAX);
}
