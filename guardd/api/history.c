/* SPDX-License-Identifier: Apache-2.0 */
/* Generations of a service: which are kept, what differs between two, and going back to one. */
#include "handlers.h"

#include "body.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/model_diff.h"
#include "problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_ROOM = 32 * 1024, DIFF_SHARE = 5 /* comparing takes at most one part in so many */ };

static void write_generations(const struct service *service, struct json_writer *json)
{
    json_open(json, "generations", '[');
    for (uint32_t i = 0; i < service->generations.count; i++) {
        const struct generation *generation = &service->generations.list[i];
        json_open(json, NULL, '{');
        json_integer(json, "generation", (int64_t)generation->number);
        json_integer(json, "created_ms", (int64_t)generation->created_ms);
        json_integer(json, "exchanges", (int64_t)generation->exchanges);
        json_bool(json, "in_force", generation->number == service->rollback.generation);
        json_close(json, '}');
    }
    json_close(json, ']');
}

enum api_step api_generations(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    struct json_writer json;
    const struct service *service = api_service(api, request, response);
    if (service == NULL || !api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_integer(&json, "generation", (int64_t)service->generation);
    json_integer(&json, "rolled_back_to", (int64_t)service->rollback.generation);
    write_generations(service, &json);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

/* --- differences --- */

struct differences {
    struct json_writer *json;
    uint64_t left_out;
};

static void add_line(void *ctx, const char *line)
{
    struct differences *differences = ctx;
    if (api_json_room(differences->json) > LINE_ROOM)
        json_text(differences->json, NULL, line);
    else
        differences->left_out++;
}

/* NULL after a problem. generation 0: what is learned now, which isn't the caller's. */
static struct guard_model *model_of(struct api *api, struct service *service, const char *param,
                                    uint64_t generation, struct api_response *response)
{
    struct guard_model *model = generation == 0 ? service->model : NULL;
    struct guard_err err = {.text = "nothing is learned yet"};
    if (generation != 0 && generations_find(&service->generations, generation) == NULL) {
        problem(response, 404, "no-such-generation", param, "generation %" PRIu64 " isn't kept",
                generation);
        return NULL;
    }
    if (generation != 0 &&
        service_model_of(api->view.services, service, generation, &model, &err) != GUARD_OK)
        model = NULL;
    if (model == NULL)
        problem(response, 409, "no-model", param, "%s", err.text);
    return model;
}

static void compare(struct api *api, struct service *service, uint64_t from, uint64_t to,
                    struct api_response *response)
{
    struct json_writer json;
    struct differences differences = {.json = &json};
    const struct line_sink sink = {add_line, &differences};
    struct guard_model *a = model_of(api, service, "from", from, response);
    struct guard_model *b = a != NULL ? model_of(api, service, "to", to, response) : NULL;
    if (b != NULL && api_json_begin(&json, response)) {
        json_open(&json, NULL, '{');
        json_string(&json, "service", service->name);
        json_integer(&json, "from", (int64_t)from);
        json_integer(&json, "to", (int64_t)to);
        json_open(&json, "differences", '[');
        model_diff(a, b, &sink);
        json_close(&json, ']');
        json_integer(&json, "left_out", (int64_t)differences.left_out);
        json_close(&json, '}');
        api_json_end(&json, response, 200);
    }
    if (from != 0)
        guard_model_free(a);
    if (to != 0)
        guard_model_free(b);
}

/* Models are learned from kept piles for it, in the thread that learns: not all the time. */
enum api_step api_diff(struct api *api, struct api_request *request, struct api_response *response)
{
    uint64_t from;
    uint64_t to;
    struct service *service = api_service(api, request, response);
    if (service == NULL || !api_param_number(request, response, "from", 0, INT64_MAX, &from) ||
        !api_param_number(request, response, "to", 0, INT64_MAX, &to))
        return API_DONE;
    if (from == 0) {
        problem(response, 400, "bad-parameter", "from", "must be a generation that is kept");
        return API_DONE;
    }
    uint64_t begin_ms = clock_unix_ms();
    if (begin_ms < api->diff_free_ms && api->diff_free_ms - begin_ms < 60000) {
        problem(response, 503, "busy", NULL, "comparing generations is costly: try again later");
        response->retry_after_s = (unsigned)((api->diff_free_ms - begin_ms) / 1000 + 1);
        return API_DONE;
    }
    compare(api, service, from, to, response);
    uint64_t end_ms = clock_unix_ms();
    if (end_ms > begin_ms)
        api->diff_free_ms = end_ms + (end_ms - begin_ms) * DIFF_SHARE;
    return API_DONE;
}

/* --- rollback --- */

static void write_rollback(const struct api *api, const struct service *service,
                           struct json_writer *json)
{
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (state_path(path, api->view.state, "rollback", service->name, ".json") == GUARD_OK &&
        access(path, F_OK) == 0 && document_load(&document, path, &arena, NULL) == GUARD_OK) {
        json_open(json, "rollback", '{');
        json_integer(json, "generation", whole_of(document.root, "generation"));
        json_integer(json, "until_ms", whole_of(document.root, "until_ms"));
        json_text(json, "reason", text_of(document.root, "reason"));
        json_text(json, "by", text_of(document.root, "by"));
        json_close(json, '}');
    } else {
        json_null(json, "rollback");
    }
    guard_arena_reset(&arena);
}

static void answer_rollback(const struct api *api, const struct service *service,
                            struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_integer(&json, "generation", (int64_t)service->generation);
    json_integer(&json, "rolled_back_to", (int64_t)service->rollback.generation);
    write_rollback(api, service, &json);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

enum api_step api_rollback_get(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    const struct service *service = api_service(api, request, response);
    if (service != NULL)
        answer_rollback(api, service, response);
    return API_DONE;
}

/* The newest that was kept at that time; 0: none was. */
static uint64_t generation_at(const struct service *service, uint64_t time_ms)
{
    uint64_t found = 0;
    for (uint32_t i = 0; i < service->generations.count; i++) {
        if (service->generations.list[i].created_ms <= time_ms)
            found = service->generations.list[i].number;
    }
    return found;
}

static bool choose(const struct service *service, const struct api_body *body,
                   struct api_response *response, uint64_t *generation)
{
    uint64_t time_ms;
    if (!api_body_number(body, response, "generation", false, INT64_MAX, generation) ||
        !api_body_number(body, response, "time_ms", false, INT64_MAX, &time_ms))
        return false;
    const char *field = *generation != 0 ? "generation" : "time_ms";
    if ((*generation == 0) == (time_ms == 0)) {
        problem(response, 422, "bad-document", "generation", "say generation or time_ms");
        return false;
    }
    if (*generation == 0)
        *generation = generation_at(service, time_ms);
    if (generations_find(&service->generations, *generation) != NULL)
        return true;
    problem(response, 422, "no-such-generation", field, "no such generation is kept");
    return false;
}

static bool begin_rollback(struct api *api, struct api_request *request,
                           const struct service *service, struct api_response *response,
                           const struct api_body *body)
{
    uint64_t generation;
    uint64_t seconds;
    const char *reason;
    char before[24];
    struct guard_err err;
    if (!choose(service, body, response, &generation) ||
        !api_body_number(body, response, "seconds", false, ROLLBACK_SECONDS_MAX, &seconds) ||
        !api_body_text(body, response, "reason", true, CHANGE_REASON_MAX, &reason))
        return false;
    snprintf(before, sizeof(before), "%" PRIu64, service->generation);
    const struct change change = api_change(api, request, reason);
    enum guard_rc rc = change_rollback(&change, before, generation, (unsigned long)seconds, &err);
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    return rc == GUARD_OK;
}

enum api_step api_rollback_put(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    static const char *const members[] = {"generation", "time_ms", "seconds", "reason", NULL};
    struct api_body body;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    if (api_body_open(&body, request, response, members) &&
        begin_rollback(api, request, service, response, &body))
        answer_rollback(api, service, response);
    api_body_close(&body);
    return API_DONE;
}

enum api_step api_rollback_delete(struct api *api, struct api_request *request,
                                  struct api_response *response)
{
    struct guard_err err;
    const char *reason = api_param(request, "reason");
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    const struct change change = api_change(api, request, reason != NULL ? reason : "");
    enum guard_rc rc = change_rollback_end(&change, &err);
    if (rc == GUARD_OK)
        answer_rollback(api, service, response);
    else
        problem_change(response, rc, &err);
    return API_DONE;
}
