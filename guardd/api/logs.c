/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts, what people said of them, and the audit: pages from the newest line back. Lines are read
 * as documents and written anew, so that a damaged file can't spoil an answer. */
#include "logs.h"

#include "body.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/json_document.h"
#include "handlers.h"
#include "looks.h"
#include "problem.h"

#include <stdlib.h>
#include <string.h>

static bool parse_line(struct document *out, struct guard_span line, struct guard_arena *arena)
{
    struct guard_alloc heap = heap_alloc();
    guard_arena_init(arena, &heap, (size_t)4 << 20);
    return document_parse(out, "line", line, arena, NULL) == GUARD_OK &&
           out->root->kind == DOCUMENT_MAPPING;
}

/* Whether the id is one of the line: its own, one folded into it, or of what caused it. */
static bool names(const struct document_node *alert, const char *id)
{
    const struct document_node *ids = member_of(alert, "ids");
    if (strcmp(id, text_of(alert, "id")) == 0 || strcmp(id, text_of(alert, "caused_by")) == 0)
        return true;
    if (ids == NULL || ids->kind != DOCUMENT_SEQUENCE)
        return false;
    for (const struct document_node *node = ids->first; node != NULL; node = node->next) {
        if (node->kind == DOCUMENT_SCALAR && strcmp(id, (const char *)node->text.ptr) == 0)
            return true;
    }
    return false;
}

/* Whether the service that the text names may be theirs. Quotes within texts are escaped, so that
 * only a member reads like one. */
static bool may_be_theirs(const struct api_access *access, struct guard_span line)
{
    static const char member[] = "\"service\":\"";
    struct guard_span service = {NULL, 0};
    if (api_access_unbound(access))
        return true;
    const uint8_t *at = memmem(line.ptr, line.len, member, sizeof(member) - 1);
    if (at != NULL) {
        service.ptr = at + sizeof(member) - 1;
        const uint8_t *end = memchr(service.ptr, '"', (size_t)(line.ptr + line.len - service.ptr));
        service.len = end != NULL ? (size_t)(end - service.ptr) : 0;
    }
    return api_access_covers(access, service);
}

bool logs_line(const struct api_request *request, struct guard_span line, struct document *out,
               struct guard_arena *arena)
{
    struct guard_alloc heap = heap_alloc();
    guard_arena_init(arena, &heap, 0); /* to be reset, also when nothing is read */
    return may_be_theirs(&request->access, line) && parse_line(out, line, arena) &&
           api_access_covers_line(&request->access, out->root) &&
           (request->id[0] == '\0' || names(out->root, request->id));
}

bool logs_line_text(const struct api_request *request, struct guard_span line)
{
    struct guard_arena arena;
    struct document document;
    if (request->id[0] == '\0')
        return line.ptr[0] == '{' && line.ptr[line.len - 1] == '}' &&
               may_be_theirs(&request->access, line);
    bool theirs = logs_line(request, line, &document, &arena);
    guard_arena_reset(&arena);
    return theirs;
}

/* --- pages --- */

static bool take_line(void *ctx, struct guard_span line)
{
    struct api_request *request = ctx;
    struct log_scan *scan = &request->scan;
    struct guard_arena arena;
    struct document document;
    /* A line of others doesn't even tell that there is another page. */
    bool theirs = logs_line(request, line, &document, &arena);
    bool room = scan->count < scan->limit && api_json_room(&scan->json) >= LOG_LINE_ROOM;
    if (theirs && room) {
        struct json_writer before = scan->json;
        json_document(&scan->json, NULL, document.root);
        if (scan->json.overflow)
            scan->json = before;
        else
            scan->count++;
    }
    guard_arena_reset(&arena);
    return room || !theirs;
}

static bool add_filters(struct api_request *request, struct api_response *response,
                        const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *value = api_param(request, *names);
        if (value == NULL || log_filter_add(&request->scan.filter, *names, value))
            continue;
        problem(response, 400, "bad-parameter", *names, "is too long");
        return false;
    }
    return true;
}

/* Lines that name an id are found by its text first. */
static bool add_id(struct api_request *request, struct api_response *response)
{
    const char *id = api_param(request, "id");
    if (id == NULL)
        return true;
    if (id[0] == '\0' || strlen(id) >= sizeof(request->id) ||
        !log_filter_add(&request->scan.filter, NULL, id)) {
        problem(response, 400, "bad-parameter", "id", "is none that an alert can have");
        return false;
    }
    memcpy(request->id, id, strlen(id) + 1);
    return true;
}

bool logs_begin(const struct api *api, struct api_request *request, struct api_response *response,
                const char *file, char newest[LOG_POSITION_CAP])
{
    static const char *const filters[] = {"service", "action", "client", NULL};
    struct log_scan *scan = &request->scan;
    const char *cursor = api_param(request, "cursor");
    if (!api_param_number(request, response, "since", 0, INT64_MAX, &scan->filter.since_ms) ||
        !api_param_number(request, response, "until", 0, INT64_MAX, &scan->filter.until_ms) ||
        !add_filters(request, response, filters) || !add_id(request, response))
        return false;
    log_newest(api->view.state, file, &scan->at);
    log_position_write(&scan->at, newest);
    if (cursor != NULL && !log_position_read(cursor, &scan->at)) {
        problem(response, 400, "bad-parameter", "cursor", "is none that this API gave");
        return false;
    }
    return true;
}

static bool begin_page(struct api *api, struct api_request *request, struct api_response *response,
                       const char *file, const char *list)
{
    struct log_scan *scan = &request->scan;
    char newest[LOG_POSITION_CAP];
    uint64_t limit;
    if (!api_param_number(request, response, "limit", API_PAGE, API_PAGE_MAX, &limit) ||
        !logs_begin(api, request, response, file, newest) || !api_json_begin(&scan->json, response))
        return false;
    scan->limit = (uint32_t)limit;
    json_open(&scan->json, NULL, '{');
    json_text(&scan->json, "newest", newest);
    json_open(&scan->json, list, '[');
    scan->begun = true;
    return true;
}

static enum api_step page(struct api *api, struct api_request *request,
                          struct api_response *response, const char *file, const char *list)
{
    struct log_scan *scan = &request->scan;
    char cursor[LOG_POSITION_CAP];
    if (!scan->begun && !begin_page(api, request, response, file, list))
        return API_DONE;
    enum log_step step = log_scan_back(scan, api->view.state, file, take_line, request);
    if (step == LOG_MORE)
        return API_AGAIN;
    if (step == LOG_NOMEM) {
        problem(response, 500, "failed", NULL, "no memory");
        return API_DONE;
    }
    json_close(&scan->json, ']');
    log_position_write(&scan->at, cursor);
    if (step == LOG_FULL)
        json_text(&scan->json, "next", cursor);
    else
        json_null(&scan->json, "next");
    json_close(&scan->json, '}');
    api_json_end(&scan->json, response, 200);
    return API_DONE;
}

enum api_step api_alerts(struct api *api, struct api_request *request,
                         struct api_response *response)
{
    return page(api, request, response, "alerts.jsonl", "alerts");
}

enum api_step api_triage_all(struct api *api, struct api_request *request,
                             struct api_response *response)
{
    return page(api, request, response, "triage.jsonl", "triage");
}

enum api_step api_audit(struct api *api, struct api_request *request, struct api_response *response)
{
    return page(api, request, response, "audit.jsonl", "changes");
}

/* The same of one service, for who looks after it. */
enum api_step api_changes(struct api *api, struct api_request *request,
                          struct api_response *response)
{
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    if (!request->scan.begun &&
        !log_filter_add(&request->scan.filter, "service", request->service)) {
        problem(response, 404, "no-such-service", "service", "nobody can have changed it");
        return API_DONE;
    }
    return page(api, request, response, "audit.jsonl", "changes");
}

enum api_step api_looks(struct api *api, struct api_request *request, struct api_response *response)
{
    return page(api, request, response, LOOKS_FILE, "looks");
}

enum api_step api_alerts_stream(struct api *api, struct api_request *request,
                                struct api_response *response)
{
    static const char *const filters[] = {"service", "action", "client", NULL};
    if (!add_filters(request, response, filters))
        return API_DONE;
    log_newest(api->view.state, "alerts.jsonl", &request->scan.at);
    if (request->last_event_id != NULL &&
        !log_position_read(request->last_event_id, &request->scan.at)) {
        problem(response, 400, "bad-header", "Last-Event-ID", "is none that this API gave");
        return API_DONE;
    }
    response->status = 200;
    response->content_type = "text/event-stream";
    response->stream = true;
    return API_DONE;
}

/* --- one alert --- */

/* Alerts of pods name the exchange that opened the door. */
static bool is_of_pod(const struct document_node *alert)
{
    const struct document_node *findings = member_of(alert, "findings");
    return findings != NULL && findings->kind == DOCUMENT_SEQUENCE && findings->first != NULL &&
           findings->first->kind == DOCUMENT_MAPPING &&
           strcmp(text_of(findings->first, "part"), "pod") == 0;
}

/* An exchange's own alert is before those of pods that name it. */
static bool pass_over(struct log_scan *scan, const struct document_node *alert)
{
    bool passes = !scan->again && is_of_pod(alert);
    scan->passed = scan->passed || passes;
    return passes;
}

/* The newest line that names the id goes into the answer; its service is remembered. */
static bool take_named(void *ctx, struct guard_span line)
{
    struct api_request *request = ctx;
    struct log_scan *scan = &request->scan;
    struct guard_arena arena;
    struct document document;
    if (scan->count > 0)
        return false;
    if (parse_line(&document, line, &arena) && names(document.root, request->id) &&
        api_access_covers_line(&request->access, document.root) &&
        !pass_over(scan, document.root)) {
        const char *service = text_of(document.root, "service");
        json_document(&scan->json, NULL, document.root);
        scan->count = 1;
        if (strlen(service) < sizeof(request->service))
            memcpy(request->service, service, strlen(service) + 1);
    }
    guard_arena_reset(&arena);
    return scan->count == 0;
}

/* AGAIN; or DONE with scan->count, 0 after a problem. */
static enum api_step look_up(struct api *api, struct api_request *request,
                             struct api_response *response, const char *file)
{
    struct log_scan *scan = &request->scan;
    if (!scan->begun) {
        if (!log_filter_add(&scan->filter, NULL, request->id)) {
            problem(response, 404, "no-such-alert", "id", "no alert has this id");
            return API_DONE;
        }
        log_newest(api->view.state, file, &scan->at);
        if (!api_json_begin(&scan->json, response))
            return API_DONE;
        scan->begun = true;
    }
    enum log_step step = log_scan_back(scan, api->view.state, file, take_named, request);
    if (step == LOG_MORE)
        return API_AGAIN;
    if (scan->count == 0 && scan->passed && !scan->again) {
        scan->again = true;
        log_newest(api->view.state, file, &scan->at);
        return API_AGAIN;
    }
    if (scan->count == 0)
        problem(response, 404, "no-such-alert", "id",
                strcmp(file, "triage.jsonl") == 0 ? "nobody said anything of this alert"
                                                  : "no alert that is kept has this id");
    return API_DONE;
}

enum api_step api_alert(struct api *api, struct api_request *request, struct api_response *response)
{
    if (look_up(api, request, response, "alerts.jsonl") == API_AGAIN)
        return API_AGAIN;
    if (request->scan.count > 0)
        api_json_end(&request->scan.json, response, 200);
    return API_DONE;
}

enum api_step api_triage_get(struct api *api, struct api_request *request,
                             struct api_response *response)
{
    if (look_up(api, request, response, "triage.jsonl") == API_AGAIN)
        return API_AGAIN;
    if (request->scan.count > 0)
        api_json_end(&request->scan.json, response, 200);
    return API_DONE;
}

static void answer_triage(struct api_response *response, const struct api_request *request,
                          const char *state)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "id", request->id);
    json_text(&json, "service", request->service);
    json_text(&json, "state", state);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

static void write_triage(struct api *api, struct api_request *request,
                         struct api_response *response, const struct api_body *body)
{
    const char *state;
    const char *reason;
    struct guard_err err;
    if (!api_body_text(body, response, "state", true, 8, &state) ||
        !api_body_text(body, response, "reason", false, TRIAGE_TEXT_MAX - 1, &reason))
        return;
    if (triage_state(state) == NULL) {
        problem(response, 422, "bad-document", "state", "must be true, false or rare");
        return;
    }
    const struct change change = api_change(api, request, reason);
    enum guard_rc rc = change_triage(&change, request->id, state, &err);
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    else
        answer_triage(response, request, state);
}

enum api_step api_triage_put(struct api *api, struct api_request *request,
                             struct api_response *response)
{
    static const char *const members[] = {"state", "reason", NULL};
    struct api_body body;
    if (look_up(api, request, response, "alerts.jsonl") == API_AGAIN)
        return API_AGAIN;
    if (request->scan.count == 0)
        return API_DONE;
    free(response->bytes);
    response->bytes = NULL;
    if (api_body_open(&body, request, response, members))
        write_triage(api, request, response, &body);
    api_body_close(&body);
    return API_DONE;
}
