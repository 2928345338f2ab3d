/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon about itself: whether it lives and saves, what it was built from, and its API's
 * description. */
#include "handlers.h"

#include "common/file.h"
#include "common/json_document.h"
#include "guardd/status.h"
#include "openapi.h"
#include "problem.h"

#include <stdlib.h>
#include <unistd.h>

enum api_step api_live(struct api *api, struct api_request *request, struct api_response *response)
{
    struct json_writer json;
    (void)api;
    (void)request;
    if (!api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_text(&json, "status", "live");
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

enum api_step api_ready(struct api *api, struct api_request *request, struct api_response *response)
{
    struct json_writer json;
    const struct api_view *view = &api->view;
    bool good = !*view->save_failed && !view->alerts->failing;
    if (!api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_text(&json, "status", good ? "ready" : "not-ready");
    json_bool(&json, "saves", !*view->save_failed);
    json_bool(&json, "writes_alerts", !view->alerts->failing);
    json_integer(&json, "services", api_services_count(api, request));
    json_integer(&json, "rings", view->intake->count);
    json_close(&json, '}');
    api_json_end(&json, response, good ? 200 : 503);
    return API_DONE;
}

enum api_step api_build(struct api *api, struct api_request *request, struct api_response *response)
{
    struct json_writer json;
    (void)request;
    if (!api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_text(&json, "program", "guardd");
    json_text(&json, "version", GUARD_VERSION);
    json_text(&json, "api", "v1");
    json_integer(&json, "pid", getpid());
    json_integer(&json, "started_ms", (int64_t)api->view.started_ms);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

static bool is_theirs(const void *ctx, const struct service *service)
{
    return api_theirs(ctx, service);
}

enum api_step api_status(struct api *api, struct api_request *request,
                         struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return API_DONE;
    status_all(&json, api->view.services, api->view.intake, is_theirs, request);
    api_json_end(&json, response, 200);
    return API_DONE;
}

enum api_step api_openapi_yaml(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    (void)api;
    (void)request;
    response->bytes = malloc(api_openapi_len);
    if (response->bytes == NULL) {
        problem(response, 500, "failed", NULL, "no memory");
        return API_DONE;
    }
    for (size_t i = 0; i < api_openapi_len; i++)
        response->bytes[i] = (char)api_openapi_text[i];
    response->len = api_openapi_len;
    response->status = 200;
    response->content_type = "application/yaml";
    return API_DONE;
}

enum api_step api_openapi_json(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct json_writer json;
    struct guard_err err;
    (void)api;
    (void)request;
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    if (document_parse(&document, "openapi.yaml",
                       (struct guard_span){api_openapi_text, api_openapi_len}, &arena,
                       &err) != GUARD_OK) {
        problem(response, 500, "failed", NULL, "%s", err.text);
    } else if (api_json_begin(&json, response)) {
        json_document(&json, NULL, document.root);
        api_json_end(&json, response, 200);
    }
    guard_arena_reset(&arena);
    return API_DONE;
}
