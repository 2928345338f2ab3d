/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint as it was learned: its parameters, what of each is normal, how well that is
 * supported and what still waits. Shapes and counts; of values only how many different ones there
 * are. */
#include "handlers.h"

#include "common/model_json.h"
#include "common/model_numbers.h"
#include "problem.h"

#include <stdio.h>
#include <string.h>

static bool same(struct guard_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static const struct guard_model_endpoint *find(const struct guard_model *model, const char *method,
                                               const char *template)
{
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        if (same(model->endpoints[i].method, method) &&
            same(model->endpoints[i].template_text, template))
            return &model->endpoints[i];
    }
    return NULL;
}

/* Limits are those that gates enforce: of what was learned last, or gone back to. */
static const struct guard_model *model_in_force(const struct service *service)
{
    return service->rollback.model != NULL ? service->rollback.model : service->model;
}

static void write_answers(const struct service *service,
                          const struct guard_model_endpoint *endpoint, struct json_writer *json)
{
    const struct guard_model *model = service->model;
    const struct guard_model *in_force = model_in_force(service);
    json_open(json, "responses", '[');
    for (uint32_t i = 0; i < model->answer_count; i++) {
        const struct guard_model_endpoint *answer = &model->endpoints[model->endpoint_count + i];
        if (answer->answer_of != (uint32_t)(endpoint - model->endpoints))
            continue;
        model_json_answer(json, answer,
                          in_force == model ? answer : model_same_endpoint(in_force, answer));
    }
    json_close(json, ']');
}

static void write_fields(const struct service *service, const struct guard_model_endpoint *endpoint,
                         uint64_t from, uint64_t limit, struct json_writer *json)
{
    const struct guard_model *in_force = model_in_force(service);
    const struct guard_model_endpoint *same_one =
        in_force == service->model ? endpoint : model_same_endpoint(in_force, endpoint);
    const struct guard_model_field *fields = &service->model->fields[endpoint->first_field];
    uint32_t hint = (uint32_t)from;
    uint64_t at = from;
    char next[24];
    json_integer(json, "total", endpoint->field_count);
    json_open(json, "fields", '[');
    for (; at < endpoint->field_count && at - from < limit &&
           api_json_room(json) > MODEL_JSON_FIELD_MAX;
         at++) {
        const struct guard_model_field *field = &fields[at];
        model_json_field(json, field,
                         same_one == NULL ? NULL
                                          : model_same_field(in_force, same_one, field, &hint),
                         service->guardian.support);
    }
    json_close(json, ']');
    snprintf(next, sizeof(next), "%u", (unsigned)at);
    if (at < endpoint->field_count)
        json_text(json, "next", next);
    else
        json_null(json, "next");
}

enum api_step api_endpoint(struct api *api, struct api_request *request,
                           struct api_response *response)
{
    struct json_writer json;
    uint64_t limit;
    uint64_t from;
    const struct service *service = api_service(api, request, response);
    const char *method = api_param(request, "method");
    const char *template = api_param(request, "template");
    if (service == NULL ||
        !api_param_number(request, response, "limit", API_PAGE, API_PAGE_MAX, &limit) ||
        !api_param_number(request, response, "cursor", 0, UINT32_MAX, &from))
        return API_DONE;
    if (method == NULL || template == NULL) {
        problem(response, 400, "bad-parameter", method == NULL ? "method" : "template",
                "is needed: an endpoint as /services/{service} names it");
        return API_DONE;
    }
    const struct guard_model_endpoint *endpoint =
        service->model != NULL ? find(service->model, method, template) : NULL;
    if (endpoint == NULL) {
        problem(response, 404, "no-such-endpoint", "template", "none was learned by that name");
        return API_DONE;
    }
    if (!api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    const struct guard_model *in_force = model_in_force(service);
    model_json_endpoint(&json, endpoint,
                        in_force == service->model ? endpoint
                                                   : model_same_endpoint(in_force, endpoint));
    write_answers(service, endpoint, &json);
    write_fields(service, endpoint, from, limit, &json);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}
