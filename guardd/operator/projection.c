/* SPDX-License-Identifier: Apache-2.0 */
/* What has no room is left out and counted, in the order of the model, which doesn't change with
 * the traffic. */
#include "projection.h"

#include "common/model_json.h"
#include "common/model_text.h"

/* Bytes that stay free behind a list, for what closes it and those around it. */
enum {
    LEAVE_PARAMETERS = 512,
    LEAVE_ENDPOINTS = 256,
    LEAVE_HEADERS = PROJECTION_BYTES * 3 / 4, /* for endpoints */
};

/* So that the text stays as it is while the traffic goes on. */
static int64_t power_of_ten(uint64_t count)
{
    int64_t power = count > 0 ? 1 : 0;
    while (count >= 10) {
        count /= 10;
        power *= 10;
    }
    return power;
}

/* Takes back what has no room. */
static bool fits(struct json_writer *json, const struct json_writer *before, size_t leave)
{
    bool room = !json->overflow && json->cap - json->len >= leave;
    if (!room)
        *json = *before;
    return room;
}

static void write_parameter(struct json_writer *json, const struct guard_model_field *field)
{
    char norm[MODEL_TEXT_MAX];
    model_field_norm(field, norm);
    json_open(json, NULL, '{');
    json_text(json, "in", guard_location_name(field->location));
    if (field->path.len > 0) /* Kubernetes 1.20 takes an empty text in a list for null */
        json_string(json, "name", field->path);
    json_text(json, "normal", norm);
    model_json_types(json, "types", field->types);
    if (field->likeness != 0)
        model_json_likeness(json, "readsLike", field->likeness);
    json_bool(json, "required", field->required);
    json_integer(json, "clients", power_of_ten(field->clients));
    json_close(json, '}');
}

/* How many of those that are trusted there was no room for, in the list or in all. */
static uint32_t write_parameters(struct json_writer *json, const char *name,
                                 const struct guard_model_field *fields, uint32_t count,
                                 size_t leave)
{
    uint32_t written = 0;
    uint32_t all = 0;
    bool full = false; /* then nothing is tried any more */
    json_open(json, name, '[');
    for (uint32_t i = 0; i < count; i++) {
        const struct json_writer before = *json;
        if (!fields[i].trusted)
            continue;
        all++;
        if (full || written == PROJECTION_PARAMETERS || fields[i].path.len > PROJECTION_NAME_LEN)
            continue;
        write_parameter(json, &fields[i]);
        full = !fits(json, &before, leave);
        written += !full;
    }
    json_close(json, ']');
    return all - written;
}

static void write_media_types(struct json_writer *json, const struct guard_model_endpoint *endpoint)
{
    uint32_t written = 0;
    json_open(json, "contentTypes", '[');
    for (uint32_t i = 0; i < endpoint->media_count && written < PROJECTION_MEDIA_TYPES; i++) {
        if (endpoint->media_types[i].len == 0 ||
            endpoint->media_types[i].len > PROJECTION_MEDIA_LEN)
            continue;
        json_string(json, NULL, endpoint->media_types[i]);
        written++;
    }
    json_close(json, ']');
}

static void write_statuses(struct json_writer *json, uint32_t statuses)
{
    json_open(json, "statuses", '[');
    for (uint32_t class = 1; class <= 5; class ++) {
        const char text[] = {(char)('0' + class), 'x', 'x', '\0'};
        if ((statuses >> class & 1) != 0)
            json_text(json, NULL, text);
    }
    json_close(json, ']');
}

/* What there is enough evidence of to judge by. */
static void write_ready(struct json_writer *json, const struct guard_model_endpoint *endpoint)
{
    json_open(json, "ready", '[');
    if (endpoint->ready)
        json_text(json, NULL, "request");
    if (endpoint->response.ready)
        json_text(json, NULL, "response");
    if (endpoint->time.ready)
        json_text(json, NULL, "time");
    json_close(json, ']');
}

static void write_endpoint(struct json_writer *json, const struct guard_model *model,
                           const struct guard_model_endpoint *endpoint)
{
    json_open(json, NULL, '{');
    json_string(json, "method", endpoint->method);
    json_string(json, "template", endpoint->template_text);
    write_ready(json, endpoint);
    json_integer(json, "exchanges", power_of_ten(endpoint->exchanges));
    json_integer(json, "clients", power_of_ten(endpoint->clients));
    write_media_types(json, endpoint);
    json_integer(json, "bodyMax", endpoint->body_max);
    write_statuses(json, endpoint->statuses);
    uint32_t left = write_parameters(json, "parameters", &model->fields[endpoint->first_field],
                                     endpoint->field_count, LEAVE_PARAMETERS);
    if (left > 0)
        json_integer(json, "moreParameters", left);
    json_close(json, '}');
}

static void write_endpoints(struct json_writer *json, const struct guard_model *model)
{
    uint32_t all = 0;
    uint32_t written = 0;
    bool full = false;
    json_open(json, "endpoints", '[');
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &model->endpoints[i];
        const struct json_writer before = *json;
        if (!endpoint->trusted)
            continue;
        all++;
        if (full || written == PROJECTION_ENDPOINTS ||
            endpoint->template_text.len > PROJECTION_TEMPLATE_LEN)
            continue;
        write_endpoint(json, model, endpoint);
        full = !fits(json, &before, LEAVE_ENDPOINTS);
        written += !full;
    }
    json_close(json, ']');
    json_integer(json, "endpointCount", all);
    if (written < all)
        json_integer(json, "moreEndpoints", all - written);
}

void projection_write(struct json_writer *json, const struct guard_model *model)
{
    json_open(json, "learned", '{');
    json_string(json, "service", model->service);
    json_bool(json, "ready", model->ready);
    json_integer(json, "exchanges", power_of_ten(model->exchanges));
    json_integer(json, "clients", power_of_ten(model->clients));
    uint32_t left = write_parameters(json, "headers", &model->fields[model->first_service_field],
                                     model->service_field_count, LEAVE_HEADERS);
    if (left > 0)
        json_integer(json, "moreHeaders", left);
    write_endpoints(json, model);
    json_close(json, '}');
}
