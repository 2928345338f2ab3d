/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use the API, as `guard token` says it on files. Only for those to whom all services are:
 * who administers some of them can't give away more. */
#include "handlers.h"

#include "body.h"
#include "common/access_edit.h"
#include "common/document_members.h"
#include "common/file.h"
#include "problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TOKENS_REST = 4 }; /* so many times as long as making one took before the next */

/* What is of no service is of those to whom all are. */
static bool covers_all(const struct api_request *request, struct api_response *response)
{
    if (api_access_covers(&request->access, (struct guard_span){NULL, 0}))
        return true;
    problem(response, 403, "forbidden", NULL, "this needs the right to administer all services");
    return false;
}

static void write_entry(struct json_writer *json, const struct access_entry *entry)
{
    json_open(json, NULL, '{');
    json_text(json, "name", entry->name);
    json_text(json, "role", access_role_name(entry->role));
    json_open(json, "services", '[');
    for (uint32_t i = 0; i < entry->service_count; i++)
        json_text(json, NULL, entry->services[i]);
    json_close(json, ']');
    json_text(json, "id", entry->id);
    json_text(json, "subject", entry->subject);
    json_integer(json, "created_ms", (int64_t)entry->created_ms);
    json_integer(json, "expires_ms", (int64_t)entry->expires_ms);
    json_close(json, '}');
}

static void write_page(const struct access_list *list, uint64_t first, uint64_t limit,
                       struct api_response *response)
{
    struct json_writer json;
    char next[24];
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_open(&json, "tokens", '[');
    uint64_t i = first;
    for (; i < list->count && i - first < limit; i++)
        write_entry(&json, &list->entries[i]);
    json_close(&json, ']');
    snprintf(next, sizeof(next), "%" PRIu64, i);
    if (i < list->count && limit > 0)
        json_text(&json, "next", next);
    else
        json_null(&json, "next");
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

enum api_step api_tokens(struct api *api, struct api_request *request,
                         struct api_response *response)
{
    struct access_list list;
    struct guard_err err;
    uint64_t limit, first;
    if (!covers_all(request, response) ||
        !api_param_number(request, response, "limit", API_PAGE, API_PAGE_MAX, &limit) ||
        !api_param_number(request, response, "cursor", 0, ACCESS_ENTRIES_MAX, &first))
        return API_DONE;
    enum guard_rc rc = access_list_load(&list, api->view.state, &err);
    if (rc == GUARD_OK)
        write_page(&list, first, limit, response);
    else
        problem_change(response, rc, &err);
    access_list_free(&list);
    return API_DONE;
}

/* --- changes --- */

struct adding {
    struct access_entry entry;
    struct access_secret secret;
    const char *reason;
};

static bool read_services(const struct api_body *body, struct access_entry *entry,
                          struct api_response *response)
{
    const struct document_node *list = member_of(body->document.root, "services");
    if (list == NULL)
        return true;
    if (list->kind != DOCUMENT_SEQUENCE || list->count > ACCESS_SERVICES_MAX) {
        problem(response, 422, "bad-document", "services", "must be a list of at most %d patterns",
                (int)ACCESS_SERVICES_MAX);
        return false;
    }
    for (const struct document_node *node = list->first; node != NULL; node = node->next) {
        char field[32];
        snprintf(field, sizeof(field), "services[%" PRIu32 "]", entry->service_count);
        if (node->kind != DOCUMENT_SCALAR || !access_pattern_valid(node->text)) {
            problem(response, 422, "bad-document", field,
                    "must be a service's name, or a pattern with '*'");
            return false;
        }
        entry->services[entry->service_count++] = (const char *)node->text.ptr;
    }
    return true;
}

static bool read_adding(const struct api_body *body, struct adding *out,
                        struct api_response *response)
{
    const char *role;
    uint64_t seconds;
    if (!api_body_text(body, response, "name", true, ACCESS_NAME_MAX, &out->entry.name) ||
        !api_body_text(body, response, "role", true, 16, &role) ||
        !api_body_text(body, response, "subject", false, ACCESS_SUBJECT_MAX, &out->entry.subject) ||
        !api_body_number(body, response, "seconds", false, ACCESS_EXPIRES_MAX, &seconds) ||
        !api_body_text(body, response, "reason", false, CHANGE_REASON_MAX, &out->reason) ||
        !read_services(body, &out->entry, response))
        return false;
    out->entry.role = access_role(role);
    out->entry.created_ms = clock_unix_ms();
    out->entry.expires_ms = seconds > 0 ? out->entry.created_ms + seconds * 1000 : 0;
    if (out->entry.role == API_ROLE_NONE) {
        problem(response, 422, "bad-document", "role",
                "must be viewer, operator, admin, reporter or front");
        return false;
    }
    const char *fault = access_draft_fault(&out->entry);
    if (fault != NULL)
        problem(response, 422, "bad-document", "name", "%s", fault);
    return fault == NULL;
}

/* add NULL: the entry of this name is removed. */
static enum guard_rc change_list(struct api *api, struct api_request *request,
                                 const struct access_entry *add, const char *name,
                                 const char *reason, struct guard_err *err)
{
    struct access_list list;
    int lock = -1;
    const struct change by = api_change(api, request, reason);
    const struct access_change change = {api->view.state, by.who, by.reason};
    GUARD_TRY(change_lock(&lock, change.dir, "", false, err));
    enum guard_rc rc = access_list_load(&list, change.dir, err);
    if (rc == GUARD_OK)
        rc = add != NULL ? access_add(&list, add, &change, err)
                         : access_remove(&list, name, &change, err);
    access_list_free(&list);
    close(lock);
    return rc;
}

/* What can't be added is refused for what it is, not put off as costly. */
static bool can_be_added(const struct api *api, const struct access_entry *entry,
                         struct api_response *response)
{
    struct access_list list;
    struct guard_err err;
    enum guard_rc rc = access_list_load(&list, api->view.state, &err);
    if (rc == GUARD_OK)
        rc = access_addable(&list, entry, &err);
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    access_list_free(&list);
    return rc == GUARD_OK;
}

/* A hash costs milliseconds: whoever asks for many waits. */
static bool may_make(struct api *api, struct api_response *response)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms >= api->tokens_free_ms)
        return true;
    problem(response, 503, "busy", NULL, "making tokens is costly: try again later");
    response->retry_after_s = (unsigned)((api->tokens_free_ms - now_ms) / 1000 + 1);
    return false;
}

static void answer_added(const struct adding *adding, struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "name", adding->entry.name);
    json_text(&json, "id", adding->entry.id);
    json_text(&json, "token", adding->secret.token);
    json_close(&json, '}');
    api_json_end(&json, response, 201);
}

static void add(struct api *api, struct api_request *request, struct adding *adding,
                struct api_response *response)
{
    struct guard_err err;
    uint64_t begin_ms = clock_monotonic_ms();
    enum guard_rc rc = access_secret_make(&adding->secret, &adding->entry, &err);
    uint64_t end_ms = clock_monotonic_ms();
    if (adding->secret.token[0] != '\0')
        api->tokens_free_ms = end_ms + (end_ms - begin_ms) * TOKENS_REST;
    if (rc == GUARD_OK)
        rc = change_list(api, request, &adding->entry, NULL, adding->reason, &err);
    if (rc == GUARD_OK)
        answer_added(adding, response);
    else
        problem_change(response, rc, &err);
}

enum api_step api_token_add(struct api *api, struct api_request *request,
                            struct api_response *response)
{
    static const char *const members[] = {"name",    "role",   "services", "subject",
                                          "seconds", "reason", NULL};
    struct api_body body;
    struct adding adding = {.reason = ""};
    if (!covers_all(request, response))
        return API_DONE;
    if (api_body_open(&body, request, response, members) && read_adding(&body, &adding, response) &&
        can_be_added(api, &adding.entry, response) &&
        (adding.entry.subject[0] != '\0' || may_make(api, response)))
        add(api, request, &adding, response);
    api_body_close(&body);
    return API_DONE;
}

enum api_step api_token_remove(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct guard_err err;
    struct json_writer json;
    const char *reason = api_param(request, "reason");
    if (!covers_all(request, response))
        return API_DONE;
    enum guard_rc rc =
        change_list(api, request, NULL, request->id, reason != NULL ? reason : "", &err);
    if (rc == GUARD_E_RANGE) {
        problem(response, 404, "no-such-thing", "id", "%s", err.text);
    } else if (rc != GUARD_OK) {
        problem_change(response, rc, &err);
    } else if (api_json_begin(&json, response)) {
        json_open(&json, NULL, '{');
        json_text(&json, "name", request->id);
        json_bool(&json, "removed", true);
        json_close(&json, '}');
        api_json_end(&json, response, 200);
    }
    return API_DONE;
}
