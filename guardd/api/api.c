/* SPDX-License-Identifier: Apache-2.0 */
/* What all handlers need: parameters, the service of the path, JSON answers. */
#include "api.h"

#include "common/clean.h"
#include "looks.h"
#include "problem.h"
#include "router.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *api_param(const struct api_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->param_count; i++) {
        if (strcmp(request->params[i].name, name) == 0)
            return request->params[i].value;
    }
    return NULL;
}

bool api_param_number(const struct api_request *request, struct api_response *response,
                      const char *name, uint64_t absent, uint64_t max, uint64_t *out)
{
    const char *text = api_param(request, name);
    char *end = NULL;
    *out = absent;
    if (text == NULL)
        return true;
    errno = 0;
    *out = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (end != NULL && *end == '\0' && errno == 0 && *out <= max)
        return true;
    problem(response, 400, "bad-parameter", name, "must be a number up to %" PRIu64, max);
    return false;
}

bool api_param_bool(const struct api_request *request, struct api_response *response,
                    const char *name, bool *out)
{
    const char *text = api_param(request, name);
    *out = text != NULL && strcmp(text, "true") == 0;
    if (text == NULL || *out || strcmp(text, "false") == 0)
        return true;
    problem(response, 400, "bad-parameter", name, "must be true or false");
    return false;
}

struct service *api_service(struct api *api, const struct api_request *request,
                            struct api_response *response)
{
    struct guard_span name = {(const uint8_t *)request->service, strlen(request->service)};
    struct service *service = services_find(api->view.services, name);
    if (service == NULL)
        problem(response, 404, "no-such-service", "service",
                "guardd knows no service of this name");
    return service;
}

bool api_theirs(const struct api_request *request, const struct service *service)
{
    return api_access_covers(&request->access, service->name);
}

uint32_t api_services_count(const struct api *api, const struct api_request *request)
{
    const struct services *services = api->view.services;
    uint32_t count = 0;
    for (uint32_t i = 0; i < services->count; i++)
        count += api_theirs(request, services->list[i]);
    return count;
}

bool api_json_begin(struct json_writer *json, struct api_response *response)
{
    response->bytes = malloc(API_ANSWER_MAX);
    if (response->bytes == NULL) {
        problem(response, 500, "failed", NULL, "no memory");
        return false;
    }
    json_writer_init(json, response->bytes, API_ANSWER_MAX);
    return true;
}

size_t api_json_room(const struct json_writer *json)
{
    return json->overflow ? 0 : json->cap - json->len;
}

void api_json_end(struct json_writer *json, struct api_response *response, unsigned status)
{
    if (json->overflow) {
        problem(response, 500, "too-large", NULL, "the answer is too large");
        return;
    }
    char *fitting = realloc(response->bytes, json->len + 1);
    if (fitting != NULL)
        response->bytes = fitting;
    response->len = json->len;
    response->status = status;
    response->content_type = "application/json";
}

struct audit_who api_who(struct api_request *request)
{
    const struct api_access *access = &request->access;
    if (access->name[0] != '\0')
        snprintf(request->who, sizeof(request->who), "%s", access->name);
    else if (request->by != NULL && request->by[0] != '\0')
        clean(request->who, sizeof(request->who), request->by, strlen(request->by));
    else
        snprintf(request->who, sizeof(request->who), "uid %" PRId64, request->uid);
    return (struct audit_who){.by = request->who,
                              .uid = request->uid,
                              .via = "api",
                              .token = access->id,
                              .subject = access->subject};
}

struct change api_change(struct api *api, struct api_request *request, const char *reason)
{
    snprintf(request->reason, sizeof(request->reason), "%s", reason);
    return (struct change){.dir = api->view.state,
                           .service = {(const uint8_t *)request->service, strlen(request->service)},
                           .who = api_who(request),
                           .reason = reason};
}

void api_describe_look(const struct api_request *request, char *out, size_t cap)
{
    static const char *const told[] = {"service", "action"};
    char text[LOOKS_WHAT_CAP];
    int len = snprintf(text, sizeof(text), "%s", request->path + strlen(API_PREFIX));
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        const char *value = api_param(request, told[i]);
        if (value != NULL && len > 0 && (size_t)len < sizeof(text))
            len += snprintf(text + len, sizeof(text) - (size_t)len, " %s=%s", told[i], value);
    }
    if (api_param(request, "client") != NULL && len > 0 && (size_t)len < sizeof(text))
        snprintf(text + len, sizeof(text) - (size_t)len, " of a client");
    clean(out, cap, text, strlen(text));
}

void api_count(struct api_counts *counts, unsigned status)
{
    counts->requests[status / 100 % 6]++;
    counts->denied[0] += status == 401;
    counts->denied[1] += status == 403;
    counts->denied[2] += status == 429;
}
