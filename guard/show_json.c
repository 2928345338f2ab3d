/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned as one JSON document, endpoints and fields as the API tells them. Written piece
 * by piece: a model may be large. */
#include "show_json.h"

#include "command.h"
#include "common/model_json.h"

#include <stdio.h>
#include <stdlib.h>

struct printer {
    struct json_writer json;
    bool failed;
};

/* What was written so far goes out; the writer goes on behind it. */
static void flush(struct printer *printer)
{
    struct json_writer *json = &printer->json;
    printer->failed =
        printer->failed || json->overflow || fwrite(json->ptr, 1, json->len, stdout) != json->len;
    json->len = 0;
}

static void print_fields(struct printer *printer, const char *name,
                         const struct guard_model_field *fields, uint32_t count, uint32_t support)
{
    json_open(&printer->json, name, '[');
    for (uint32_t i = 0; i < count; i++) {
        model_json_field(&printer->json, &fields[i], &fields[i], support);
        flush(printer);
    }
    json_close(&printer->json, ']');
}

/* Those of an endpoint, or GUARD_NO_INDEX: of the service. */
static void print_answers(struct printer *printer, const struct guard_model *model, uint32_t of)
{
    json_open(&printer->json, "responses", '[');
    for (uint32_t i = 0; i < model->answer_count; i++) {
        const struct guard_model_endpoint *answer = &model->endpoints[model->endpoint_count + i];
        if (answer->answer_of != of)
            continue;
        model_json_answer(&printer->json, answer, answer);
        flush(printer);
    }
    json_close(&printer->json, ']');
}

static void print_endpoints(struct printer *printer, const struct guard_model *model,
                            uint32_t support)
{
    json_open(&printer->json, "endpoints", '[');
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &model->endpoints[i];
        json_open(&printer->json, NULL, '{');
        model_json_endpoint(&printer->json, endpoint, endpoint);
        flush(printer);
        print_answers(printer, model, i);
        print_fields(printer, "fields", &model->fields[endpoint->first_field],
                     endpoint->field_count, support);
        json_close(&printer->json, '}');
        flush(printer);
    }
    json_close(&printer->json, ']');
}

bool show_json(const struct guard_model *model, uint32_t support)
{
    enum { ROOM = MODEL_JSON_ENDPOINT_MAX + MODEL_JSON_FIELD_MAX };
    struct printer printer = {.failed = false};
    char *room = malloc(ROOM);
    if (room == NULL)
        return complain(0, "no memory") != 0;
    json_writer_init(&printer.json, room, ROOM);
    json_open(&printer.json, NULL, '{');
    json_string(&printer.json, "service", model->service);
    json_integer(&printer.json, "exchanges", (int64_t)model->exchanges);
    json_integer(&printer.json, "clients", model->clients);
    json_integer(&printer.json, "epochs", model->epochs);
    json_bool(&printer.json, "ready", model->ready);
    print_endpoints(&printer, model, support);
    print_answers(&printer, model, GUARD_NO_INDEX);
    print_fields(&printer, "headers_and_cookies", &model->fields[model->first_service_field],
                 model->service_field_count, support);
    json_close(&printer.json, '}');
    flush(&printer);
    free(room);
    putchar('\n');
    printer.failed = fflush(stdout) != 0 || ferror(stdout) != 0 || printer.failed;
    return !printer.failed || complain(0, "can't write all of it") != 0;
}
