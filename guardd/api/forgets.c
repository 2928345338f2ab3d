/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to forget, as `guard forget` leaves them as files: guardd carries them out in its ticks,
 * and its report is asked for by the request's id. */
#include "handlers.h"

#include "body.h"
#include "common/client_name.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/json_document.h"
#include "guardd/forget.h"
#include "problem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct forget_order {
    const char *client;  /* "": all of the service */
    const char *service; /* "": of all services */
    const char *reason;
    bool generations;
    bool dry;
    char id[FORGET_ID_CHARS + 1];
};

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* Absent: false. */
static bool read_bool(const struct api_body *body, struct api_response *response, const char *name,
                      bool *out)
{
    const char *word;
    if (!api_body_text(body, response, name, false, 8, &word))
        return false;
    *out = strcmp(word, "true") == 0;
    if (*out || word[0] == '\0' || strcmp(word, "false") == 0)
        return true;
    problem(response, 422, "bad-document", name, "must be true or false");
    return false;
}

/* Of a service that isn't theirs nothing is known; of no service: all must be. */
static bool theirs(struct api *api, const struct api_request *request,
                   const struct forget_order *order, struct api_response *response)
{
    struct guard_span service = span_of(order->service);
    if (service.len > 0 && (!api_access_covers(&request->access, service) ||
                            services_find(api->view.services, service) == NULL)) {
        problem(response, 422, "no-such-service", "service",
                "guardd knows no service of this name");
        return false;
    }
    if (service.len > 0 || api_access_covers(&request->access, service))
        return true;
    problem(response, 403, "forbidden", "service",
            "of all services only who administers all of them may forget");
    return false;
}

static bool read_order(struct api *api, const struct api_request *request,
                       const struct api_body *body, struct forget_order *out,
                       struct api_response *response)
{
    char prefix[CLIENT_NAME_MAX];
    if (!api_body_text(body, response, "client", false, 256, &out->client) ||
        !api_body_text(body, response, "service", false, SERVICE_NAME_CAP - 1, &out->service) ||
        !read_bool(body, response, "generations", &out->generations) ||
        !read_bool(body, response, "dryRun", &out->dry) ||
        !api_body_text(body, response, "reason", !out->dry, CHANGE_REASON_MAX, &out->reason) ||
        !theirs(api, request, out, response))
        return false;
    bool good = out->client[0] == '\0' ? out->service[0] != '\0' : client_name(out->client, prefix);
    if (!good)
        problem(response, 422, "bad-document", "client",
                "must be an address, a prefix or \"subject NAME\"; or a service is named");
    return good;
}

/* Whom it is about isn't written into what is kept. */
static enum guard_rc audit(struct api *api, struct api_request *request,
                           const struct forget_order *order, struct guard_err *err)
{
    char what[64];
    const struct change change = api_change(api, request, order->reason);
    snprintf(what, sizeof(what), "%s, request %s", order->client[0] != '\0' ? "a client" : "all",
             order->id);
    return audit_append(change.dir, &change.who, span_of(order->service), "forget", "", what,
                        change.reason, err);
}

static enum guard_rc leave(struct api *api, struct api_request *request, struct forget_order *order,
                           struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    char text[1024];
    struct json_writer json;
    uint64_t number = 0;
    GUARD_TRY(state_prepare(api->view.state, err));
    if (random_bytes(&number, sizeof(number)) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness");
    snprintf(order->id, sizeof(order->id), "%016" PRIx64, number);
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_text(&json, "client", order->client);
    json_text(&json, "service", order->service);
    json_bool(&json, "generations", order->generations);
    json_bool(&json, "dry_run", order->dry);
    json_close(&json, '}');
    if (json.overflow ||
        state_path(path, api->view.state, "forget", span_of(order->id), ".json") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "the path is too long");
    if (!order->dry)
        GUARD_TRY(audit(api, request, order, err));
    return file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640, true,
                        err);
}

static void answer(const char *id, const char *state, const struct document_node *report,
                   unsigned status, struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "id", id);
    json_text(&json, "state", state);
    if (report != NULL)
        json_document(&json, "report", report);
    json_close(&json, '}');
    api_json_end(&json, response, status);
}

enum api_step api_forget(struct api *api, struct api_request *request,
                         struct api_response *response)
{
    static const char *const members[] = {"client", "service", "generations",
                                          "dryRun", "reason",  NULL};
    struct api_body body;
    struct guard_err err;
    struct forget_order order = {.client = ""};
    if (api_body_open(&body, request, response, members) &&
        read_order(api, request, &body, &order, response)) {
        enum guard_rc rc = leave(api, request, &order, &err);
        if (rc == GUARD_OK)
            answer(order.id, "waiting", NULL, 202, response);
        else
            problem_change(response, rc, &err);
    }
    api_body_close(&body);
    return API_DONE;
}

static bool id_good(const char *id)
{
    return strlen(id) == FORGET_ID_CHARS && strspn(id, "0123456789abcdef") == FORGET_ID_CHARS;
}

enum api_step api_forget_report(struct api *api, struct api_request *request,
                                struct api_response *response)
{
    char paths[2][STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    if (!id_good(request->id) ||
        state_path(paths[0], api->view.state, "forget", span_of(request->id), ".done") !=
            GUARD_OK ||
        state_path(paths[1], api->view.state, "forget", span_of(request->id), ".json") !=
            GUARD_OK ||
        (access(paths[0], F_OK) != 0 && access(paths[1], F_OK) != 0)) {
        problem(response, 404, "no-such-thing", "id", "there is no such request, or not any more");
        return API_DONE;
    }
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (document_load(&document, paths[0], &arena, NULL) == GUARD_OK)
        answer(request->id, "done", document.root, 200, response);
    else
        answer(request->id, "waiting", NULL, 200, response);
    guard_arena_reset(&arena);
    return API_DONE;
}
