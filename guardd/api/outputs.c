/* SPDX-License-Identifier: Apache-2.0 */
/* Where this guardd sends alerts, and how far it is. Only for those to whom all services are: the
 * address of an output may be a secret. */
#include "handlers.h"

#include "common/file.h"
#include "guardd/outputs.h"
#include "problem.h"

#include <string.h>

static bool covers_all(const struct api_request *request, struct api_response *response)
{
    if (api_access_covers(&request->access, (struct guard_span){NULL, 0}))
        return true;
    problem(response, 403, "forbidden", NULL, "this needs the right of all services");
    return false;
}

static void write_filters(struct json_writer *json, const struct output_cfg *cfg)
{
    static const char *const names[] = {"pass", "alert", "block"};
    json_open(json, "actions", '[');
    for (uint32_t i = 0; i < 3; i++) {
        if (cfg->actions & 1u << i)
            json_text(json, NULL, names[i]);
    }
    json_close(json, ']');
    json_open(json, "services", '[');
    for (uint32_t i = 0; i < cfg->service_count; i++)
        json_text(json, NULL, cfg->services[i]);
    json_close(json, ']');
    json_number(json, "least_score", cfg->least_score);
}

static void write_output(struct json_writer *json, const struct outputs *outputs,
                         const struct output *output)
{
    const struct output_cursor *cursor = &output->cursor;
    json_open(json, NULL, '{');
    json_text(json, "name", output->cfg.name);
    json_text(json, "type", output_kind_name(output->cfg.kind));
    json_text(json, "target", output->cfg.target);
    json_text(json, "path", output->cfg.path);
    write_filters(json, &output->cfg);
    json_integer(json, "delivered", (int64_t)cursor->delivered);
    json_integer(json, "lag", (int64_t)output_lag(outputs, output));
    json_integer(json, "failures", (int64_t)cursor->failures);
    json_integer(json, "skipped", (int64_t)cursor->skipped);
    json_integer(json, "refused", (int64_t)cursor->refused);
    json_integer(json, "failing_since_ms", (int64_t)output->failing_ms);
    json_text(json, "failure", output->failing_ms != 0 ? output->failure : "");
    json_integer(json, "test_ms", (int64_t)cursor->test_ms);
    json_text(json, "test_error", cursor->test_error);
    json_close(json, '}');
}

enum api_step api_outputs(struct api *api, struct api_request *request,
                          struct api_response *response)
{
    struct json_writer json;
    const struct outputs *outputs = api->view.outputs;
    if (!covers_all(request, response) || !api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_text(&json, "error", outputs != NULL ? outputs->err.text : "");
    json_integer(&json, "fold_s", (int64_t)(api->view.alerts->window_ms / 1000));
    json_open(&json, "outputs", '[');
    for (uint32_t i = 0; outputs != NULL && i < outputs->count; i++)
        write_output(&json, outputs, outputs->list[i]);
    json_close(&json, ']');
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

static const struct output *find(const struct outputs *outputs, const char *name)
{
    for (uint32_t i = 0; outputs != NULL && i < outputs->count; i++) {
        if (strcmp(outputs->list[i]->cfg.name, name) == 0)
            return outputs->list[i];
    }
    return NULL;
}

/* As `guard outputs test` asks for it: guardd's own sender tries it. */
enum api_step api_output_test(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    struct json_writer json;
    const struct guard_span name = {(const uint8_t *)request->id, strlen(request->id)};
    if (!covers_all(request, response))
        return API_DONE;
    const struct output *output = find(api->view.outputs, request->id);
    if (output == NULL || state_path(path, api->view.state, "outputs", name, ".test") != GUARD_OK) {
        problem(response, 404, "no-such-thing", "id", "there is no such output");
        return API_DONE;
    }
    enum guard_rc rc =
        file_replace(path, (struct guard_span){(const uint8_t *)"", 0}, 0640, false, &err);
    if (rc != GUARD_OK) {
        problem_change(response, rc, &err);
    } else if (api_json_begin(&json, response)) {
        json_open(&json, NULL, '{');
        json_text(&json, "name", request->id);
        json_integer(&json, "tested_before_ms", (int64_t)output->cursor.test_ms);
        json_close(&json, '}');
        api_json_end(&json, response, 202);
    }
    return API_DONE;
}
