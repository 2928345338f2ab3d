/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint as it was learned: its parameters, what of each is normal, how well that is
 * supported and what still waits. Shapes and counts; of values only how many different ones there
 * are. */
#include "handlers.h"

#include "common/model_text.h"
#include "common/review_text.h"
#include "guardd/model_json.h"
#include "problem.h"

#include <stdio.h>
#include <string.h>

enum { FIELD_ROOM = 8 * 1024 };

static bool same(struct guard_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

/* The rules that could fire here, and what they would prove: -log10 of p. */
static void write_rules(struct json_writer *json, const uint16_t strength[GUARD_RULE_COUNT])
{
    json_open(json, "rules", '[');
    for (int i = 0; i < GUARD_RULE_COUNT; i++) {
        if (strength[i] == 0)
            continue;
        json_open(json, NULL, '{');
        json_text(json, "rule", guard_rule_name((enum guard_rule)i));
        json_number(json, "strength", strength[i] / 100.0);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* In the words of the review; "" when nothing is lacking. */
static void write_lacks(const struct service *service, const struct guard_model_field *field,
                        struct json_writer *json)
{
    char text[REVIEW_LACKS_MAX];
    const struct guard_review_pending pending = {.records = field->values,
                                                 .clients = field->clients,
                                                 .support = field->support,
                                                 .epochs = field->epochs};
    json_text(json, "lacks",
              field->trusted ? "" : review_lacks(text, service->guardian.support, &pending));
}

static void write_field(const struct service *service, const struct guard_model_field *field,
                        struct json_writer *json)
{
    char norm[MODEL_TEXT_MAX];
    model_field_norm(field, norm);
    json_open(json, NULL, '{');
    json_text(json, "location", guard_location_name(field->location));
    json_string(json, "name", field->path);
    json_bool(json, "trusted", field->trusted);
    write_lacks(service, field, json);
    json_text(json, "normal", norm);
    json_bool(json, "required", field->required);
    json_integer(json, "values", (int64_t)field->values);
    json_integer(json, "clients", field->clients);
    json_integer(json, "epochs", field->epochs);
    model_json_types(json, "types", field->types);
    model_json_types(json, "pending_types", field->pending_types & ~field->types);
    model_json_classes(json, "characters", field->classes);
    model_json_classes(json, "pending_characters", field->pending_classes & ~field->classes);
    model_json_likeness(json, "reads_like", field->likeness);
    model_json_likeness(json, "pending_reads_like", field->pending_likeness & ~field->likeness);
    json_integer(json, "length_min", field->length_min);
    json_integer(json, "length_max", field->length_max);
    json_integer(json, "digits_max", field->digits_max);
    json_integer(json, "specials_max", field->specials_max);
    json_integer(json, "items_max", field->items_max);
    json_bool(json, "closed", field->closed);
    json_integer(json, "different_values", field->closed ? field->literal_count : 0);
    write_rules(json, field->strength);
    json_close(json, '}');
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

static void write_readiness(struct json_writer *json, const char *name,
                            const struct guard_model_readiness *readiness)
{
    json_open(json, name, '{');
    json_bool(json, "ready", readiness->ready);
    json_string(json, "lacks", readiness->lacks);
    json_close(json, '}');
}

static void write_facts(const struct guard_model_endpoint *endpoint, struct json_writer *json)
{
    const struct guard_model_readiness request = {endpoint->ready, endpoint->lacks};
    json_string(json, "method", endpoint->method);
    json_string(json, "template", endpoint->template_text);
    json_integer(json, "exchanges", (int64_t)endpoint->exchanges);
    json_integer(json, "clients", endpoint->clients);
    json_integer(json, "epochs", endpoint->epochs);
    write_readiness(json, "request", &request);
    write_readiness(json, "response", &endpoint->response);
    write_readiness(json, "time", &endpoint->time);
    json_open(json, "media_types", '[');
    for (uint32_t i = 0; i < endpoint->media_count; i++)
        json_string(json, NULL, endpoint->media_types[i]);
    json_close(json, ']');
    json_integer(json, "body_max", endpoint->body_max);
    json_integer(json, "latency_max_ms", endpoint->latency_max);
    write_rules(json, endpoint->strength);
}

static void write_fields(const struct service *service, const struct guard_model_endpoint *endpoint,
                         uint64_t from, uint64_t limit, struct json_writer *json)
{
    const struct guard_model_field *fields = &service->model->fields[endpoint->first_field];
    uint64_t at = from;
    char next[24];
    json_integer(json, "total", endpoint->field_count);
    json_open(json, "fields", '[');
    while (at < endpoint->field_count && at - from < limit && api_json_room(json) > FIELD_ROOM)
        write_field(service, &fields[at++], json);
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
    write_facts(endpoint, &json);
    write_fields(service, endpoint, from, limit, &json);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}
