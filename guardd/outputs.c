/* SPDX-License-Identifier: Apache-2.0 */
/* Order per batch: read lines, send, wait for the answer, only then move the cursor. A batch that
 * failed is sent again as it was, so that the other side can tell by its name. */
#include "outputs.h"

#include "output_cursor.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/log.h"
#include "common/outputs/form.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TAIL_ROOM = 256,      /* behind the alerts of a batch */
    OWN_ROOM = 16 * 1024, /* for an alert of guardd's own, in any form */
};

static const struct guard_span no_service = {NULL, 0};

static bool by_http(const struct output *output)
{
    return output->cfg.kind == OUTPUT_WEBHOOK || output->cfg.kind == OUTPUT_ALERTMANAGER;
}

static struct output_place place_of(const struct outputs *outputs, uint64_t now_ms)
{
    static char host[256];
    if (host[0] == '\0' && (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0'))
        snprintf(host, sizeof(host), "-");
    return (struct output_place){
        .host = host, .pid = getpid(), .now_ms = now_ms, .fold_ms = outputs->alerts->window_ms};
}

uint64_t output_lag(const struct outputs *outputs, const struct output *output)
{
    uint64_t newest = outputs->alerts->sequence;
    return newest > output->cursor.sequence ? newest - output->cursor.sequence : 0;
}

/* --- failures --- */

static void works(struct output *output, uint64_t now_ms)
{
    if (output->failing_ms != 0)
        log_event("info", "output-works-again", no_service, "output %s after %" PRIu64 " s",
                  output->cfg.name, (now_ms - output->failing_ms) / 1000);
    output->failing_ms = 0;
    output->wait_ms = 0;
    output->retry_ms = 0;
}

/* Half of the time at least, all of it at most: many guardds don't come back at once. */
static uint64_t jittered(uint64_t ms)
{
    uint32_t chance = 0;
    (void)!random_bytes(&chance, sizeof(chance));
    return ms / 2 + chance % (ms / 2 + 1);
}

static void fails(struct output *output, const char *why, uint32_t retry_after_s, uint64_t now_ms)
{
    output->cursor.failures++;
    output->dirty = true;
    output->wait_ms = output->wait_ms == 0 ? OUTPUT_WAIT_MS : 2 * output->wait_ms;
    if (output->wait_ms > OUTPUT_WAIT_MAX_MS)
        output->wait_ms = OUTPUT_WAIT_MAX_MS;
    uint64_t pause = jittered(output->wait_ms);
    uint64_t asked = (uint64_t)(retry_after_s < 3600 ? retry_after_s : 3600) * 1000;
    output->retry_ms = clock_monotonic_ms() + (asked > pause ? asked : pause);
    snprintf(output->failure, sizeof(output->failure), "%s", why);
    if (output->failing_ms != 0)
        return;
    output->failing_ms = now_ms;
    log_event("alarm", "output-failing", no_service, "output %s: %s; tried again", output->cfg.name,
              why);
}

/* --- batches --- */

static void drop_body(struct output *output)
{
    free(output->body);
    output->body = NULL;
    output->len = 0;
    output->count = 0;
    output->under_way = false;
    output->testing = false;
}

static void append(struct output *output, const char *text)
{
    size_t len = strlen(text);
    memcpy(output->body + output->len, text, len);
    output->len += len;
}

/* Room for one alert in any form, and for what stands behind all. */
static bool has_room(const struct output *output)
{
    return output->len + OUTPUT_ALERT_MAX + OWN_ROOM + TAIL_ROOM <= OUTPUT_BODY_MAX;
}

static bool open_body(struct output *output)
{
    output->body = malloc(OUTPUT_BODY_MAX);
    output->len = 0;
    output->count = 0;
    output->after = output->cursor;
    if (output->body == NULL)
        return false;
    if (output->cfg.kind == OUTPUT_ALERTMANAGER)
        append(output, "[");
    if (output->cfg.kind == OUTPUT_WEBHOOK)
        append(output, "{\"alerts\":[");
    return true;
}

/* False: no form of it fits, which can't be. */
static bool add_alert(struct output *output, const struct output_place *place,
                      const struct document_node *alert, struct guard_span line)
{
    size_t comma = by_http(output) && output->count > 0;
    char *at = output->body + output->len + comma;
    size_t len = output_write(at, OUTPUT_ALERT_MAX - 1, &output->cfg, place, alert, line);
    if (len == 0)
        return false;
    if (comma > 0)
        at[-1] = ',';
    output->len += comma + len;
    output->count++;
    return true;
}

static void close_body(struct output *output)
{
    char tail[TAIL_ROOM];
    uint64_t skipped = output->after.skipped - output->cursor.skipped;
    snprintf(output->delivery, sizeof(output->delivery), "%s-%" PRIu64 "-%" PRIu64,
             output->cfg.name, output->cursor.sequence + 1, output->after.sequence);
    snprintf(tail, sizeof(tail),
             "],\"output\":\"%s\",\"skipped\":%" PRIu64 ",\"last_seq\":%" PRIu64 "}",
             output->cfg.name, skipped, output->after.sequence);
    if (output->cfg.kind == OUTPUT_WEBHOOK)
        append(output, tail);
    if (output->cfg.kind == OUTPUT_ALERTMANAGER)
        append(output, "]");
    output->after.delivered += output->count;
}

/* Lines that are no document, or not wanted, are passed over. False: no form of it fits. */
static bool with_line(struct output *output, const struct output_place *place,
                      struct guard_span line, bool all)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    bool good = true;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    if (document_parse(&document, "alerts.jsonl", line, &arena, NULL) == GUARD_OK &&
        (all || output_wants(&output->cfg, document.root)))
        good = add_alert(output, place, document.root, line);
    guard_arena_reset(&arena);
    return good;
}

static void add_own(struct output *output, const struct output_place *place, const char *text,
                    uint64_t skipped)
{
    char line[1024];
    size_t len = output_own_line(line, sizeof(line), place, text, skipped);
    (void)with_line(output, place, (struct guard_span){(const uint8_t *)line, len}, true);
}

struct filling {
    struct output *output;
    struct output_place place;
    uint32_t looked;
};

/* What the rotation took is told before what comes behind it. */
static void tell_gap(struct filling *filling, uint64_t missing)
{
    struct output *output = filling->output;
    char text[160];
    snprintf(text, sizeof(text),
             "%" PRIu64 " lines of alerts were lost to output %s: the log was rotated before they "
             "could be sent",
             missing, output->cfg.name);
    output->after.skipped += missing;
    add_own(output, &filling->place, text, missing);
    log_event("alarm", "alerts-skipped", no_service, "%s", text);
}

static bool take(void *ctx, struct guard_span line)
{
    struct filling *filling = ctx;
    struct output *output = filling->output;
    uint64_t sequence = log_number(line, "\"seq\":");
    uint64_t before = output->after.sequence;
    if (filling->looked == OUTPUT_LOOK_MAX || output->count >= output->limit || !has_room(output))
        return false;
    if (sequence > 0 && sequence <= before) { /* the log was written anew, without old lines */
        filling->looked++;
        return true;
    }
    if (before > 0 && sequence > before + 1)
        tell_gap(filling, sequence - before - 1);
    filling->looked++;
    if (!with_line(output, &filling->place, line, false)) {
        output->after.refused++;
        log_event("alarm", "alert-too-long", no_service, "output %s", output->cfg.name);
    }
    if (sequence > 0)
        output->after.sequence = sequence;
    return true;
}

/* True: there is a batch to send. */
static bool fill(struct outputs *outputs, struct output *output, uint64_t now_ms)
{
    static const struct log_filter everything;
    struct filling filling = {.output = output, .place = place_of(outputs, now_ms)};
    bool gap = false; /* told by the numbers of lines */
    if (!open_body(output))
        return false;
    if (log_scan_on(&output->after.at, &everything, outputs->state, "alerts.jsonl", take, &filling,
                    &gap) == LOG_NOMEM ||
        output->count == 0) {
        output->dirty = output->dirty || output->after.sequence != output->cursor.sequence;
        output->cursor = output->after;
        drop_body(output);
        return false;
    }
    close_body(output);
    return true;
}

static bool fill_test(struct outputs *outputs, struct output *output, uint64_t now_ms)
{
    const struct output_place place = place_of(outputs, now_ms);
    char text[96];
    if (!open_body(output))
        return false;
    output->testing = true;
    snprintf(text, sizeof(text), "a test of the output %s; nothing happened", output->cfg.name);
    add_own(output, &place, text, 0);
    close_body(output);
    output->after.delivered = output->cursor.delivered;
    snprintf(output->delivery, sizeof(output->delivery), "%s-test-%" PRIu64, output->cfg.name,
             now_ms);
    return true;
}

/* --- the end of a batch --- */

static void test_ended(struct output *output, const char *error, uint64_t now_ms)
{
    output->cursor.test_ms = now_ms;
    snprintf(output->cursor.test_error, sizeof(output->cursor.test_error), "%s", error);
    output->dirty = true;
    output->saved_ms = 0;
    drop_body(output);
}

static void arrived(struct output *output, uint64_t now_ms)
{
    if (output->testing) {
        test_ended(output, "", now_ms);
        return;
    }
    output->after.failures = output->cursor.failures;
    output->cursor = output->after;
    output->cursor.sent_ms = now_ms;
    output->dirty = true;
    output->limit = 2 * output->limit < output->cfg.batch ? 2 * output->limit : output->cfg.batch;
    drop_body(output);
    works(output, now_ms);
}

/* What the other side will never take stands in nobody's way for ever. */
static void refused(struct output *output, const struct sender_end *end)
{
    if (output->limit > 1) {
        output->limit /= 2;
        drop_body(output);
        return;
    }
    log_event("alarm", "alert-refused-by-output", no_service, "output %s: %s: %s", output->cfg.name,
              output->delivery, end->err.text);
    output->after.failures = output->cursor.failures;
    output->after.delivered = output->cursor.delivered;
    output->after.refused += output->count;
    output->cursor = output->after;
    output->dirty = true;
    drop_body(output);
}

static void ended(struct output *output, const struct sender_end *end, uint64_t now_ms)
{
    bool unreadable = end->status == 400 || end->status == 413 || end->status == 422;
    output->under_way = false;
    if (output->testing) {
        test_ended(output, end->err.text, now_ms);
    } else if (unreadable) {
        output->cursor.failures++;
        refused(output, end);
    } else {
        fails(output, end->err.text, end->retry_after_s, now_ms);
    }
}

static void begin(struct output *output, uint64_t now_ms)
{
    const struct guard_span body = {(const uint8_t *)output->body, output->len};
    struct sender_end end = {0};
    if (output_sender_begin(output->sender, body, output->delivery, now_ms, &end.err) == GUARD_OK)
        output->under_way = true;
    else
        ended(output, &end, now_ms);
}

static void run(struct output *output, uint64_t now_ms)
{
    struct sender_end end;
    enum sender_state state = output_sender_run(output->sender, &end);
    if (state == SENDER_SENT)
        arrived(output, now_ms);
    else if (state == SENDER_FAILED)
        ended(output, &end, now_ms);
}

static void save(struct outputs *outputs, struct output *output, uint64_t now_ms)
{
    struct guard_err err;
    bool due = now_ms < output->saved_ms || now_ms - output->saved_ms >= OUTPUT_SAVE_MS;
    if (!output->dirty || !due)
        return;
    output->saved_ms = now_ms;
    if (output_cursor_save(output, outputs->state, output_lag(outputs, output), &err) == GUARD_OK)
        output->dirty = false; /* else: tried again; after a kill something is sent twice */
}

static void turn(struct outputs *outputs, struct output *output, uint64_t now_ms, bool look)
{
    if (output->under_way)
        run(output, now_ms);
    if (look && !output->under_way && output->body == NULL &&
        output_test_asked(outputs->state, output->cfg.name))
        (void)fill_test(outputs, output, now_ms);
    bool waits = clock_monotonic_ms() < output->retry_ms;
    if (!output->under_way && output->body == NULL && !waits && output_lag(outputs, output) > 0)
        (void)fill(outputs, output, now_ms);
    if (!output->under_way && output->body != NULL && (!waits || output->testing)) {
        begin(output, now_ms);
        if (output->under_way)
            run(output, now_ms);
    }
    save(outputs, output, now_ms);
}

/* --- the document --- */

static void output_free(struct output *output)
{
    if (output == NULL)
        return;
    output_sender_free(output->sender);
    free(output->body);
    free(output);
}

/* Where an output begins that there wasn't before: with what comes from now on. */
static void begin_cursor(struct outputs *outputs, struct output *output)
{
    bool broken;
    if (output_cursor_load(&output->cursor, outputs->state, output->cfg.name, &broken)) {
        if (output->cursor.sequence > outputs->alerts->sequence)
            output->cursor.sequence = 0; /* all lines were dropped, and numbers began anew */
        return;
    }
    if (broken)
        log_event("alarm", "output-cursor-lost", no_service,
                  "output %s begins with what comes from now on", output->cfg.name);
    log_newest(outputs->state, "alerts.jsonl", &output->cursor.at);
    output->cursor.sequence = outputs->alerts->sequence;
    output->dirty = true;
}

static struct output *output_new(struct outputs *outputs, const struct output_cfg *cfg)
{
    struct guard_err err = {.text = "no memory"};
    struct output *output = calloc(1, sizeof(*output));
    if (output != NULL) {
        output->cfg = *cfg;
        output->limit = cfg->batch;
        if (output_sender_new(&output->sender, &output->cfg, &err) == GUARD_OK) {
            begin_cursor(outputs, output);
            return output;
        }
    }
    log_event("alarm", "output-not-begun", no_service, "output %s: %s", cfg->name, err.text);
    output_free(output);
    return NULL;
}

/* What stays as it was goes on with what it is about. */
static void apply(struct outputs *outputs, const struct outputs_document *document)
{
    struct output *before[OUTPUTS_MAX];
    uint32_t count = outputs->count;
    memcpy(before, outputs->list, sizeof(before));
    outputs->count = 0;
    outputs->alerts->window_ms = (uint64_t)document->fold_s * 1000;
    for (uint32_t k = 0; k < count; k++) { /* so that a changed one reads its cursor */
        before[k]->saved_ms = 0;
        save(outputs, before[k], clock_unix_ms());
    }
    for (uint32_t i = 0; i < document->count; i++) {
        struct output *output = NULL;
        for (uint32_t k = 0; k < count && output == NULL; k++) {
            if (before[k] == NULL ||
                memcmp(&before[k]->cfg, &document->list[i], sizeof(before[k]->cfg)) != 0)
                continue;
            output = before[k];
            before[k] = NULL;
        }
        if (output == NULL)
            output = output_new(outputs, &document->list[i]);
        if (output != NULL)
            outputs->list[outputs->count++] = output;
    }
    for (uint32_t k = 0; k < count; k++)
        output_free(before[k]);
}

static bool changed(struct outputs *outputs)
{
    struct stat info;
    uint64_t seen[4] = {0};
    if (stat(outputs->path, &info) == 0) {
        seen[0] = info.st_ino;
        seen[1] = (uint64_t)info.st_size;
        seen[2] = (uint64_t)info.st_mtim.tv_sec;
        seen[3] = (uint64_t)info.st_mtim.tv_nsec + 1;
    }
    if (memcmp(seen, outputs->seen, sizeof(seen)) == 0)
        return false;
    memcpy(outputs->seen, seen, sizeof(seen));
    return true;
}

static void watch(struct outputs *outputs)
{
    if (!changed(outputs))
        return;
    struct outputs_document *document = malloc(sizeof(*document));
    struct guard_err err = {.text = "no memory"};
    if (document == NULL || outputs_load(document, outputs->path, &err) != GUARD_OK) {
        outputs->err = err;
        log_event("alarm", "outputs-refused", no_service, "%s; the last good ones stay in force",
                  err.text);
    } else {
        outputs->err.text[0] = '\0';
        apply(outputs, document);
        log_event("info", "outputs", no_service, "%u in force", outputs->count);
    }
    free(document);
}

/* --- life --- */

void outputs_open(struct outputs *outputs, const char *state, struct alerts *alerts)
{
    struct stat info;
    *outputs = (struct outputs){.state = state, .alerts = alerts};
    if (state_path(outputs->path, state, "", no_service, "outputs.yaml") != GUARD_OK)
        return;
    if (stat(outputs->path, &info) == 0)
        watch(outputs);
}

void outputs_tick(struct outputs *outputs, uint64_t now_ms)
{
    bool look = now_ms < outputs->watched_ms || now_ms - outputs->watched_ms >= OUTPUT_WATCH_MS;
    if (look) {
        outputs->watched_ms = now_ms;
        watch(outputs);
    }
    for (uint32_t i = 0; i < outputs->count; i++)
        turn(outputs, outputs->list[i], now_ms, look);
}

static bool has_more(const struct outputs *outputs)
{
    for (uint32_t i = 0; i < outputs->count; i++) {
        const struct output *output = outputs->list[i];
        if (output->failing_ms == 0 && (output->body != NULL || output_lag(outputs, output) > 0))
            return true;
    }
    return false;
}

void outputs_close(struct outputs *outputs)
{
    uint64_t begin_ms = clock_unix_ms();
    while (has_more(outputs) && clock_unix_ms() - begin_ms < OUTPUT_DRAIN_MS) {
        const struct timespec pause = {.tv_nsec = 5000000L};
        for (uint32_t i = 0; i < outputs->count; i++)
            turn(outputs, outputs->list[i], clock_unix_ms(), false);
        nanosleep(&pause, NULL);
    }
    for (uint32_t i = 0; i < outputs->count; i++) {
        outputs->list[i]->saved_ms = 0;
        save(outputs, outputs->list[i], clock_unix_ms());
        output_free(outputs->list[i]);
    }
    outputs->count = 0;
}
