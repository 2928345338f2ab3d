/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions of a service's Guardian: listed, added and removed, each change as the command line
 * makes it. */
#include "handlers.h"

#include "body.h"
#include "common/exception_changes.h"
#include "common/exception_json.h"
#include "common/file.h"
#include "problem.h"

#include <string.h>
#include <unistd.h>

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void write_list(const struct guard_guardian *guardian, struct json_writer *json)
{
    const uint64_t now_ms = clock_unix_ms();
    json_open(json, "exceptions", '[');
    for (uint32_t i = 0; i < guardian->exception_count; i++) {
        json_open(json, NULL, '{');
        exception_json(json, &guardian->exceptions[i], now_ms);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* What is in place, not what guardd has of it: somebody may just have changed it. */
enum api_step api_exceptions_get(struct api *api, struct api_request *request,
                                 struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_guardian guardian;
    struct guard_err err;
    struct json_writer json;
    if (api_service(api, request, response) == NULL)
        return API_DONE;
    guard_arena_init(&arena, &heap, EXCEPTION_CHANGE_ARENA);
    enum guard_rc rc =
        change_guardian_of(api->view.state, span_of(request->service), &arena, &guardian, &err);
    if (rc != GUARD_OK) {
        problem_change(response, rc, &err);
    } else if (api_json_begin(&json, response)) {
        json_open(&json, NULL, '{');
        json_text(&json, "service", request->service);
        write_list(&guardian, &json);
        json_close(&json, '}');
        api_json_end(&json, response, 200);
    }
    guard_arena_reset(&arena);
    return API_DONE;
}

static void answer_change(const struct api_request *request,
                          const struct exception_outcome *outcome, bool dry,
                          struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "service", request->service);
    json_bool(&json, "applied", !dry);
    json_text(&json, "before", outcome->before);
    json_text(&json, "after", outcome->after);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

static void apply(struct api *api, const struct change *change, struct api_request *request,
                  struct api_response *response, const struct exception_change *what,
                  struct guard_arena *arena)
{
    struct exception_outcome outcome;
    struct guard_err err;
    bool dry;
    int lock = -1;
    if (!api_param_bool(request, response, "dryRun", &dry))
        return;
    enum guard_rc rc = change_lock(&lock, api->view.state, "guardians", false, &err);
    if (rc == GUARD_OK)
        rc = change_exceptions(change, what, dry, arena, &outcome, &err);
    if (lock >= 0)
        close(lock);
    response->quiet = dry;
    if (rc == GUARD_OK)
        answer_change(request, &outcome, dry, response);
    else if (rc == GUARD_E_RANGE && what->add == NULL)
        problem(response, 404, "no-such-exception", "id",
                "the service has no exception of this id");
    else
        problem_change(response, rc, &err);
}

enum api_step api_exceptions_post(struct api *api, struct api_request *request,
                                  struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    struct exception_defaults defaults;
    struct exception_list list;
    const char *reason = api_param(request, "reason");
    if (api_service(api, request, response) == NULL)
        return API_DONE;
    if (!api_body_is_document(request, response))
        return API_DONE;
    guard_arena_init(&arena, &heap, EXCEPTION_CHANGE_ARENA);
    const struct change change = api_change(api, request, reason != NULL ? reason : "");
    enum guard_rc rc = exception_defaults_of(&change, &arena, &defaults, &err);
    if (rc == GUARD_OK)
        rc = exceptions_parse(&list, "exceptions", request->body, &defaults, &arena, &err);
    const struct exception_change what = {.add = &list};
    if (rc == GUARD_OK)
        apply(api, &change, request, response, &what, &arena);
    else
        problem_document(response, 422, &err);
    guard_arena_reset(&arena);
    return API_DONE;
}

enum api_step api_exception_delete(struct api *api, struct api_request *request,
                                   struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    const char *reason = api_param(request, "reason");
    const struct exception_change what = {.remove = span_of(request->id)};
    if (api_service(api, request, response) == NULL)
        return API_DONE;
    guard_arena_init(&arena, &heap, EXCEPTION_CHANGE_ARENA);
    const struct change change = api_change(api, request, reason != NULL ? reason : "");
    apply(api, &change, request, response, &what, &arena);
    guard_arena_reset(&arena);
    return API_DONE;
}
