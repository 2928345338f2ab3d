/* SPDX-License-Identifier: Apache-2.0 */
/* The review: what the learner holds back, what people decided of it, and deciding. Of what clients
 * sent only shapes and names are shown, as by the command line. */
#include "handlers.h"

#include "body.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/review_edit.h"
#include "common/review_text.h"
#include "problem.h"

#include <guard/likeness.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IDS_MAX = 256, ARENA_MAX = 32 << 20, ITEM_ROOM = 32 * 1024 };

/* --- showing --- */

static void write_pending(const struct service *service, const struct guard_review_pending *pending,
                          struct json_writer *json)
{
    char missing[REVIEW_LACKS_MAX];
    json_open(json, NULL, '{');
    json_text(json, "state", guard_review_decision_name(pending->decision));
    review_json_element(json, service->name, &pending->element);
    json_integer(json, "records", (int64_t)pending->records);
    json_integer(json, "clients", pending->clients);
    json_integer(json, "epochs", pending->epochs);
    json_integer(json, "first_ms", (int64_t)pending->first_s * 1000);
    json_text(json, "lacks", review_lacks(missing, service->guardian.support, pending));
    json_open(json, "likeness", '[');
    for (int i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        if ((pending->likeness >> i & 1) != 0)
            json_text(json, NULL, guard_likeness_name((enum guard_likeness)i));
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void write_decided(const struct service *service, uint32_t at, struct json_writer *json)
{
    const struct guard_review_entry *entry = &service->review.entries[at];
    const struct review_note *note = &service->review.notes[at];
    json_open(json, NULL, '{');
    json_text(json, "state", guard_review_decision_name(entry->decision));
    review_json_element(json, service->name, &entry->element);
    json_string(json, "by", note->by);
    json_string(json, "why", note->why);
    json_integer(json, "time_ms", (int64_t)note->time_ms);
    json_close(json, '}');
}

/* What waits, then what was decided; a cursor is how many of them were shown. False: no room. */
static bool write_item(const struct service *service, uint64_t at, struct json_writer *json)
{
    uint64_t pending = service->model != NULL ? service->model->pending_count : 0;
    if (api_json_room(json) < ITEM_ROOM)
        return false;
    if (at >= pending)
        write_decided(service, (uint32_t)(at - pending), json);
    else if (service->model->pending[at].decision == GUARD_REVIEW_WAITING)
        write_pending(service, &service->model->pending[at], json);
    return true;
}

enum api_step api_review_get(struct api *api, struct api_request *request,
                             struct api_response *response)
{
    struct json_writer json;
    uint64_t limit;
    uint64_t at;
    char next[24];
    struct service *service = api_service(api, request, response);
    if (service == NULL ||
        !api_param_number(request, response, "limit", API_PAGE, API_PAGE_MAX, &limit) ||
        !api_param_number(request, response, "cursor", 0, UINT32_MAX, &at) ||
        !api_json_begin(&json, response))
        return API_DONE;
    replica_look(api->view.services, service);
    uint64_t pending = service->model != NULL ? service->model->pending_count : 0;
    uint64_t end = pending + service->review.count;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_integer(&json, "total", (int64_t)end);
    json_integer(&json, "left_out",
                 service->model != NULL ? (int64_t)(service->model->pending_total - pending) : 0);
    json_open(&json, "items", '[');
    for (; limit > 0 && at < end && write_item(service, at, &json); limit--)
        at++;
    json_close(&json, ']');
    snprintf(next, sizeof(next), "%" PRIu64, at);
    if (at < end)
        json_text(&json, "next", next);
    else
        json_null(&json, "next");
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

/* All of it at once, as the document that `guard export guardian --reviews` writes. */
enum api_step api_decisions(struct api *api, struct api_request *request,
                            struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_span text;
    struct guard_err err;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    struct review_document document = service->review;
    document.service = service->name;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    enum guard_rc rc = review_write(&document, &arena, &text, &err);
    if (rc == GUARD_OK && (response->bytes = malloc(text.len + 1)) == NULL)
        rc = guard_fail(&err, GUARD_E_NOMEM, "no memory");
    if (rc == GUARD_OK) {
        memcpy(response->bytes, text.ptr, text.len);
        response->len = text.len;
        response->status = 200;
        response->content_type = "application/json";
    } else {
        problem_change(response, rc, &err);
    }
    guard_arena_reset(&arena);
    return API_DONE;
}

/* --- deciding --- */

struct deciding {
    struct service *service;
    struct change change;
    enum guard_review_decision decision; /* WAITING: it is taken back */
    struct review_document document;     /* as it is in its file */
    struct guard_arena arena;
    struct guard_review_element found[IDS_MAX];
    uint32_t count;
    bool dry; /* only says of how many things it would be */
};

static bool read_decision(const char *word, enum guard_review_decision *out)
{
    static const char *const words[] = {"reset", "accept", "refuse"};
    for (int i = GUARD_REVIEW_WAITING; i <= GUARD_REVIEW_REFUSED; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = (enum guard_review_decision)i;
            return true;
        }
    }
    return false;
}

static bool has_id(const struct service *service, const struct guard_review_element *element,
                   const char *id)
{
    char own[GUARD_REVIEW_ID_CHARS + 1];
    guard_review_id(own, service->name, element);
    return strcmp(own, id) == 0;
}

/* Things that were decided about are found also when nothing is learned of them any more. */
static const struct guard_review_element *find(const struct deciding *deciding, const char *id)
{
    const struct service *service = deciding->service;
    for (uint32_t i = 0; service->model != NULL && i < service->model->pending_count; i++) {
        if (has_id(service, &service->model->pending[i].element, id))
            return &service->model->pending[i].element;
    }
    for (uint32_t i = 0; i < deciding->document.count; i++) {
        if (has_id(service, &deciding->document.entries[i].element, id))
            return &deciding->document.entries[i].element;
    }
    return NULL;
}

static bool find_all(struct deciding *deciding, const struct api_body *body,
                     struct api_response *response)
{
    const struct document_node *ids = member_of(body->document.root, "ids");
    char field[32] = "ids";
    if (ids == NULL || ids->kind != DOCUMENT_SEQUENCE || ids->count == 0 || ids->count > IDS_MAX) {
        problem(response, 422, "bad-document", field, "must be a list of 1 to %d ids",
                (int)IDS_MAX);
        return false;
    }
    for (const struct document_node *node = ids->first; node != NULL; node = node->next) {
        const struct guard_review_element *element =
            node->kind == DOCUMENT_SCALAR ? find(deciding, (const char *)node->text.ptr) : NULL;
        if (element == NULL) {
            snprintf(field, sizeof(field), "ids[%" PRIu32 "]", deciding->count);
            problem(response, 422, "no-such-thing", field, "nothing of the service has this id");
            return false;
        }
        deciding->found[deciding->count++] = *element;
    }
    return true;
}

static enum guard_rc load(struct deciding *deciding, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    char path[STATE_PATH_MAX];
    guard_arena_init(&deciding->arena, &heap, ARENA_MAX);
    deciding->document = (struct review_document){0};
    GUARD_TRY(state_path(path, deciding->change.dir, "reviews", deciding->service->name, ".json"));
    if (access(path, F_OK) == 0)
        GUARD_TRY(review_load(&deciding->document, path, &deciding->arena, err));
    deciding->document.service = deciding->service->name;
    return review_make_room(&deciding->document, &deciding->arena, err);
}

static enum guard_rc audit(const struct deciding *deciding,
                           const struct guard_review_element *element, struct guard_err *err)
{
    static const char *const words[] = {"reset", "accept", "refuse"};
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char title[REVIEW_LINE_MAX];
    char after[1024];
    int at = review_decided_at(&deciding->document, element);
    enum guard_review_decision before =
        at >= 0 ? deciding->document.entries[at].decision : GUARD_REVIEW_WAITING;
    guard_review_id(id, deciding->service->name, element);
    snprintf(after, sizeof(after), "%s %s %.900s", words[deciding->decision], id,
             review_title(title, element));
    return audit_append(deciding->change.dir, &deciding->change.who, deciding->service->name,
                        "review", guard_review_decision_name(before), after,
                        deciding->change.reason, err);
}

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static enum guard_rc decide_all(struct deciding *deciding, struct guard_err *err)
{
    const struct review_note note = {span_of(deciding->change.who.by),
                                     span_of(deciding->change.reason), clock_unix_ms()};
    for (uint32_t i = 0; i < deciding->count; i++) {
        const struct guard_review_element *element = &deciding->found[i];
        GUARD_TRY(audit(deciding, element, err));
        GUARD_TRY(review_decide(&deciding->document, element, deciding->decision, &note, err));
    }
    return review_save(&deciding->document, deciding->change.dir, &deciding->arena, err);
}

static void answer_decided(const struct deciding *deciding, struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_string(&json, "service", deciding->service->name);
    json_integer(&json, "decided", deciding->count);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

static void decide(struct deciding *deciding, const struct api_body *body,
                   struct api_response *response)
{
    struct guard_err err;
    int lock = -1;
    enum guard_rc rc = change_lock(&lock, deciding->change.dir, "reviews", false, &err);
    if (rc != GUARD_OK) {
        problem_change(response, rc, &err);
        return;
    }
    rc = load(deciding, &err);
    if (rc == GUARD_OK && find_all(deciding, body, response)) {
        rc = deciding->dry ? GUARD_OK : decide_all(deciding, &err);
        if (rc == GUARD_OK)
            answer_decided(deciding, response);
    }
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    guard_arena_reset(&deciding->arena);
    close(lock);
}

enum api_step api_review_post(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    static const char *const members[] = {"decision", "ids", "why", NULL};
    struct api_body body;
    struct deciding deciding;
    const char *word;
    const char *why;
    memset(&deciding, 0, sizeof(deciding));
    deciding.service = api_service(api, request, response);
    if (deciding.service == NULL || !api_param_bool(request, response, "dryRun", &deciding.dry))
        return API_DONE;
    response->quiet = deciding.dry;
    if (api_body_open(&body, request, response, members) &&
        api_body_text(&body, response, "decision", true, 16, &word)) {
        if (!read_decision(word, &deciding.decision))
            problem(response, 422, "bad-document", "decision", "must be accept, refuse or reset");
        else if (api_body_text(&body, response, "why",
                               deciding.decision != GUARD_REVIEW_WAITING && !deciding.dry,
                               REVIEW_NOTE_MAX, &why)) {
            deciding.change = api_change(api, request, why);
            replica_look(api->view.services, deciding.service);
            decide(&deciding, &body, response);
        }
    }
    api_body_close(&body);
    return API_DONE;
}

/* --- taking decisions over from elsewhere --- */

/* Those that aren't there alike. Who decided and when is what the document says; who brought it is
 * audited. */
static enum guard_rc merge(struct deciding *deciding, const struct review_document *from,
                           struct guard_err *err)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct guard_review_entry *entry = &from->entries[i];
        int at = review_decided_at(&deciding->document, &entry->element);
        if (at >= 0 && deciding->document.entries[at].decision == entry->decision)
            continue;
        deciding->decision = entry->decision;
        GUARD_TRY(audit(deciding, &entry->element, err));
        GUARD_TRY(review_decide(&deciding->document, &entry->element, entry->decision,
                                &from->notes[i], err));
        deciding->count++;
    }
    return deciding->count > 0
               ? review_save(&deciding->document, deciding->change.dir, &deciding->arena, err)
               : GUARD_OK;
}

static void take_over(struct deciding *deciding, const struct review_document *from,
                      struct api_response *response)
{
    struct guard_err err;
    int lock = -1;
    enum guard_rc rc = change_lock(&lock, deciding->change.dir, "reviews", false, &err);
    if (rc != GUARD_OK) {
        problem_change(response, rc, &err);
        return;
    }
    rc = load(deciding, &err);
    if (rc == GUARD_OK)
        rc = merge(deciding, from, &err);
    if (rc == GUARD_OK)
        answer_decided(deciding, response);
    else
        problem_change(response, rc, &err);
    guard_arena_reset(&deciding->arena);
    close(lock);
}

/* The document must be of the service, lest decisions of another one are taken for its own. */
static bool read_document(const struct api_request *request, const struct service *service,
                          struct review_document *out, struct guard_arena *arena,
                          struct api_response *response)
{
    struct guard_err err;
    enum guard_rc rc = review_parse(out, "body", request->body, arena, &err);
    if (rc != GUARD_OK) {
        problem_document(response, 422, &err);
        return false;
    }
    if (out->service.len == service->name.len &&
        memcmp(out->service.ptr, service->name.ptr, service->name.len) == 0)
        return true;
    problem(response, 422, "bad-document", "service", "the document is of another service");
    return false;
}

enum api_step api_decisions_post(struct api *api, struct api_request *request,
                                 struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct review_document from;
    struct deciding deciding;
    const char *reason = api_param(request, "reason");
    memset(&deciding, 0, sizeof(deciding));
    deciding.service = api_service(api, request, response);
    if (deciding.service == NULL)
        return API_DONE;
    if (request->content_type == NULL ||
        strncmp(request->content_type, "application/json", sizeof("application/json") - 1) != 0) {
        problem(response, 415, "bad-type", "Content-Type", "must be application/json");
        return API_DONE;
    }
    guard_arena_init(&arena, &heap, ARENA_MAX);
    if (read_document(request, deciding.service, &from, &arena, response)) {
        deciding.change = api_change(api, request, reason != NULL ? reason : "");
        replica_look(api->view.services, deciding.service);
        take_over(&deciding, &from, response);
    }
    guard_arena_reset(&arena);
    return API_DONE;
}
