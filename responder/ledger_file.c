/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's file: one line of JSON, and one with its checksum. */
#include "ledger.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"

#include <guard/crypto.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEDGER_BYTES = 768 * 1024, ARENA_MAX = 32 << 20, CHECK_LEN = 17, VERSION = 1 };

/* --- writing --- */

static void put_number(struct json_writer *json, const char *name, uint64_t number)
{
    json_integer(json, name, (int64_t)number);
}

/* What needs all 64 bits: readers take numbers for doubles. */
static void put_bits(struct json_writer *json, const char *name, uint64_t bits)
{
    char text[24];
    snprintf(text, sizeof(text), "x%016" PRIx64, bits);
    json_text(json, name, text);
}

static void put_budget(struct json_writer *json, const struct workload_budget *of)
{
    const struct guard_pod_budget *budget = &of->budget;
    json_open(json, NULL, '{');
    json_text(json, "namespace", of->name_space);
    json_text(json, "workload", of->workload);
    put_number(json, "begun", budget->begun);
    put_number(json, "streak", budget->streak);
    put_number(json, "lastMs", budget->last_ms);
    json_bool(json, "inFlight", budget->in_flight);
    json_bool(json, "stopped", budget->stopped);
    put_number(json, "stop", of->stop);
    put_number(json, "stoppedMs", of->stopped_ms);
    json_open(json, "history", '[');
    for (int i = 0; i < GUARD_POD_BUDGET_HISTORY; i++)
        put_number(json, NULL, budget->begun_ms[i]);
    json_close(json, ']');
    json_close(json, '}');
}

static void put_response(struct json_writer *json, const struct response *response)
{
    const struct guard_pod_response *machine = &response->machine;
    json_open(json, NULL, '{');
    json_text(json, "id", response->order.id);
    put_number(json, "step", machine->step);
    put_number(json, "end", machine->end);
    put_number(json, "done", machine->done);
    put_number(json, "failed", machine->failed);
    put_number(json, "tries", machine->tries);
    put_number(json, "sinceMs", machine->since_ms);
    put_number(json, "nextMs", machine->next_ms);
    json_bool(json, "dryRun", response->dry_run);
    json_bool(json, "acting", response->acting);
    put_number(json, "actingMs", response->acting_ms);
    json_bool(json, "others", response->others);
    json_bool(json, "givenUp", response->given_up);
    json_bool(json, "contained", response->contained);
    json_bool(json, "frozen", response->frozen);
    json_bool(json, "ended", response->ended);
    put_number(json, "heldMs", response->held_ms);
    put_bits(json, "group", response->group_number);
    json_bool(json, "telling", response->telling);
    if (response->telling) {
        json_bool(json, "lineEnded", response->line.ended);
        put_number(json, "lineMs", response->line.at_ms);
        put_number(json, "lineStep", response->line.step);
        put_number(json, "lineOutcome", response->line.outcome);
        put_number(json, "lineEnd", response->line.end);
        json_text(json, "lineDetail", response->line.detail);
    }
    json_close(json, '}');
}

static void put_lists(struct json_writer *json, const struct ledger *ledger)
{
    json_open(json, "begunMs", '[');
    for (uint32_t i = 0; i < ledger->begun_count; i++)
        put_number(json, NULL, ledger->begun_ms[i]);
    json_close(json, ']');
    json_open(json, "handled", '[');
    for (uint32_t i = 0; i < ledger->handled_count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "id", ledger->handled[i].id);
        json_text(json, "uid", ledger->handled[i].uid);
        put_number(json, "atMs", ledger->handled[i].at_ms);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_open(json, "traces", '[');
    for (uint32_t i = 0; i < ledger->trace_count; i++) {
        json_open(json, NULL, '{');
        put_bits(json, "key", ledger->traces[i].key);
        put_bits(json, "pod", ledger->traces[i].pod);
        put_number(json, "atMs", ledger->traces[i].at_ms);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_ledger(struct json_writer *json, const struct ledger *ledger)
{
    json_open(json, NULL, '{');
    put_number(json, "version", VERSION);
    json_open(json, "workloads", '[');
    for (uint32_t i = 0; i < ledger->workload_count; i++)
        put_budget(json, &ledger->workloads[i]);
    json_close(json, ']');
    put_lists(json, ledger);
    json_open(json, "responses", '[');
    for (size_t i = 0; i < RESPONSES_MAX; i++) {
        if (ledger->responses[i].used)
            put_response(json, &ledger->responses[i]);
    }
    json_close(json, ']');
    json_close(json, '}');
}

static uint64_t check_of(const char *text, size_t len)
{
    return guard_checksum(VERSION, (struct guard_span){(const uint8_t *)text, len});
}

enum guard_rc ledger_write(const struct ledger *ledger, const char *dir, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct json_writer json;
    char *text = malloc(LEDGER_BYTES);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the ledger");
    json_writer_init(&json, text, LEDGER_BYTES - CHECK_LEN - 1);
    put_ledger(&json, ledger);
    enum guard_rc rc = GUARD_OK;
    int len = snprintf(path, sizeof(path), "%s/ledger", dir);
    if (json.overflow || len < 0 || len >= STATE_PATH_MAX) {
        rc = guard_fail(err, GUARD_E_LIMIT, "%.200s/ledger: too much for it", dir);
    } else {
        snprintf(text + json.len, CHECK_LEN + 1, "\n%016" PRIx64, check_of(text, json.len));
        rc = file_replace(path, (struct guard_span){(uint8_t *)text, json.len + CHECK_LEN}, 0600,
                          true, err);
    }
    free(text);
    return rc;
}

/* --- reading --- */

static uint64_t number(const struct document_node *mapping, const char *name)
{
    int64_t value = whole_of(mapping, name);
    return value > 0 ? (uint64_t)value : 0;
}

/* Items of a list, at most max of them. False: one is no number, or there are more. */
static bool read_times(const struct document_node *first, uint64_t *out, uint32_t max,
                       uint32_t *count)
{
    *count = 0;
    for (const struct document_node *one = first; one != NULL; one = one->next) {
        if (one->kind != DOCUMENT_SCALAR || *count == max)
            return false;
        out[(*count)++] = strtoull((const char *)one->text.ptr, NULL, 10);
    }
    return true;
}

static bool truth(const struct document_node *mapping, const char *name)
{
    return strcmp(text_of(mapping, name), "true") == 0;
}

static uint64_t bits(const struct document_node *mapping, const char *name)
{
    const char *text = text_of(mapping, name);
    return text[0] == 'x' ? strtoull(text + 1, NULL, 16) : 0;
}

static bool copy(char *out, size_t size, const struct document_node *mapping, const char *name)
{
    const char *text = text_of(mapping, name);
    return text[0] != '\0' && (size_t)snprintf(out, size, "%s", text) < size;
}

static const struct document_node *list_of(const struct document_node *root, const char *name)
{
    const struct document_node *list = member_of(root, name);
    return list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
}

static bool read_budget(struct ledger *ledger, const struct document_node *node)
{
    struct workload_budget *of = &ledger->workloads[ledger->workload_count];
    uint32_t count;
    if (ledger->workload_count == CONFIG_WORKLOADS_MAX ||
        !copy(of->name_space, sizeof(of->name_space), node, "namespace") ||
        !copy(of->workload, sizeof(of->workload), node, "workload"))
        return false;
    of->budget = (struct guard_pod_budget){.begun = (uint32_t)number(node, "begun"),
                                           .streak = (uint32_t)number(node, "streak"),
                                           .last_ms = number(node, "lastMs"),
                                           .in_flight = truth(node, "inFlight"),
                                           .stopped = truth(node, "stopped")};
    uint64_t stop = number(node, "stop"); /* 0: a ledger from before it was noted */
    of->stop = stop < POD_STOPS ? (enum pod_stop)stop : POD_STOP_UNKNOWN;
    of->stopped_ms = number(node, "stoppedMs");
    ledger->workload_count++;
    return read_times(list_of(node, "history"), of->budget.begun_ms, GUARD_POD_BUDGET_HISTORY,
                      &count) &&
           count == GUARD_POD_BUDGET_HISTORY;
}

static enum guard_rc load_order(struct response *response, const char *dir, const char *id,
                                struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (snprintf(path, sizeof(path), "%s/orders/%s.json", dir, id) >= STATE_PATH_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%.200s: the path is too long", dir);
    GUARD_TRY(file_read(path, POD_ORDER_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc = pod_order_read(&response->order, (struct guard_span){bytes, len}, err);
    free(bytes);
    return rc;
}

static bool read_line(struct response *response, const struct document_node *node)
{
    struct pod_report_line *line = &response->line;
    response->telling = truth(node, "telling");
    if (!response->telling)
        return true;
    *line = (struct pod_report_line){.ended = truth(node, "lineEnded"),
                                     .at_ms = number(node, "lineMs"),
                                     .step = (enum guard_pod_step)number(node, "lineStep"),
                                     .outcome = (uint32_t)number(node, "lineOutcome"),
                                     .end = (enum guard_pod_end)number(node, "lineEnd")};
    snprintf(line->id, sizeof(line->id), "%s", response->order.id);
    return copy(line->detail, sizeof(line->detail), node, "lineDetail") &&
           (uint32_t)line->step < GUARD_POD_STEPS && line->outcome < POD_REPORT_OUTCOMES &&
           (uint32_t)line->end <= GUARD_POD_USELESS;
}

static enum guard_rc read_response(struct response *response, const char *dir,
                                   const struct document_node *node, struct guard_err *err)
{
    char id[POD_ORDER_ID_MAX + 1];
    if (!copy(id, sizeof(id), node, "id") ||
        !pod_order_id_valid((struct guard_span){(const uint8_t *)id, strlen(id)}))
        return guard_fail(err, GUARD_E_RANGE, "a response without an order's id");
    GUARD_TRY(load_order(response, dir, id, err));
    response->machine =
        (struct guard_pod_response){.step = (enum guard_pod_step)number(node, "step"),
                                    .end = (enum guard_pod_end)number(node, "end"),
                                    .done = (uint32_t)number(node, "done"),
                                    .failed = (uint32_t)number(node, "failed"),
                                    .tries = (uint32_t)number(node, "tries"),
                                    .since_ms = number(node, "sinceMs"),
                                    .next_ms = number(node, "nextMs")};
    response->dry_run = truth(node, "dryRun");
    response->acting = truth(node, "acting");
    response->acting_ms = number(node, "actingMs");
    response->others = truth(node, "others");
    response->given_up = truth(node, "givenUp");
    response->contained = truth(node, "contained");
    response->frozen = truth(node, "frozen");
    response->ended = truth(node, "ended");
    response->held_ms = number(node, "heldMs");
    response->group_number = bits(node, "group");
    response->group.fd = -1;
    response->used = true;
    if (!read_line(response, node) || (uint32_t)response->machine.step > GUARD_POD_STEPS ||
        (uint32_t)response->machine.end > GUARD_POD_USELESS || strcmp(response->order.id, id) != 0)
        return guard_fail(err, GUARD_E_RANGE, "the response to %s can't be so", id);
    return GUARD_OK;
}

static bool read_lists(struct ledger *out, const struct document_node *root)
{
    if (!read_times(list_of(root, "begunMs"), out->begun_ms, BEGUN_MAX, &out->begun_count))
        return false;
    for (const struct document_node *one = list_of(root, "handled"); one != NULL; one = one->next) {
        struct handled *handled = &out->handled[out->handled_count];
        if (out->handled_count == HANDLED_MAX || !copy(handled->id, sizeof(handled->id), one, "id"))
            return false;
        (void)copy(handled->uid, sizeof(handled->uid), one, "uid");
        handled->at_ms = number(one, "atMs");
        out->handled_count++;
    }
    for (const struct document_node *one = list_of(root, "traces"); one != NULL; one = one->next) {
        if (out->trace_count == TRACES_MAX)
            return false;
        out->traces[out->trace_count++] =
            (struct trace){bits(one, "key"), bits(one, "pod"), number(one, "atMs")};
    }
    return true;
}

static enum guard_rc read_root(struct ledger *out, const char *dir,
                               const struct document_node *root, struct guard_err *err)
{
    size_t count = 0;
    if (number(root, "version") != VERSION)
        return guard_fail(err, GUARD_E_VERSION, "of another version");
    for (const struct document_node *one = list_of(root, "workloads"); one != NULL;
         one = one->next) {
        if (!read_budget(out, one))
            return guard_fail(err, GUARD_E_RANGE, "a budget can't be so");
    }
    if (!read_lists(out, root))
        return guard_fail(err, GUARD_E_RANGE, "a list can't be so");
    for (const struct document_node *one = list_of(root, "responses"); one != NULL;
         one = one->next) {
        if (count == RESPONSES_MAX)
            return guard_fail(err, GUARD_E_LIMIT, "too many responses");
        GUARD_TRY(read_response(&out->responses[count++], dir, one, err));
    }
    return GUARD_OK;
}

enum guard_rc ledger_parse(struct ledger *out, const char *dir, struct guard_span line,
                           struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    memset(out, 0, sizeof(*out));
    guard_arena_init(&arena, &heap, ARENA_MAX);
    enum guard_rc rc = document_parse(&document, "ledger", line, &arena, err);
    if (rc == GUARD_OK)
        rc = read_root(out, dir, document.root, err);
    guard_arena_reset(&arena);
    return rc;
}

static enum guard_rc check(struct ledger *out, const char *dir, struct guard_span bytes,
                           struct guard_err *err)
{
    char wanted[CHECK_LEN + 1] = "";
    size_t len = bytes.len > CHECK_LEN ? bytes.len - CHECK_LEN : 0;
    snprintf(wanted, sizeof(wanted), "\n%016" PRIx64, check_of((const char *)bytes.ptr, len));
    if (len == 0 || memcmp(bytes.ptr + len, wanted, CHECK_LEN) != 0)
        return guard_fail(err, GUARD_E_CHECKSUM, "its checksum isn't that of what stands there");
    return ledger_parse(out, dir, (struct guard_span){bytes.ptr, len}, err);
}

enum guard_rc ledger_read(struct ledger *out, const char *dir, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct guard_err why;
    uint8_t *bytes = NULL;
    size_t len = 0;
    memset(out, 0, sizeof(*out));
    if (snprintf(path, sizeof(path), "%s/ledger", dir) >= STATE_PATH_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%.200s: the path is too long", dir);
    errno = 0;
    enum guard_rc rc = file_read(path, LEDGER_BYTES, &bytes, &len, err);
    if (rc == GUARD_E_IO && errno == ENOENT)
        return GUARD_OK;
    GUARD_TRY(rc);
    rc = check(out, dir, (struct guard_span){bytes, len}, &why);
    free(bytes);
    if (rc == GUARD_OK)
        return GUARD_OK;
    memset(out, 0, sizeof(*out));
    return guard_fail(err, rc, "%.100s: is damaged: %.140s", path, why.text);
}

enum guard_rc ledger_keep_order(const char *dir, const struct pod_order *order,
                                struct guard_err *err)
{
    char path[STATE_PATH_MAX], text[POD_ORDER_BYTES_MAX];
    size_t len = 0;
    if (snprintf(path, sizeof(path), "%s/orders/%s.json", dir, order->id) >= STATE_PATH_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%.200s: the path is too long", dir);
    GUARD_TRY(pod_order_write(order, text, sizeof(text), &len, err));
    return file_replace(path, (struct guard_span){(uint8_t *)text, len}, 0600, true, err);
}

void ledger_drop_order(const char *dir, const char *id)
{
    char path[STATE_PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/orders/%s.json", dir, id) < STATE_PATH_MAX)
        (void)unlink(path);
}
