/* SPDX-License-Identifier: Apache-2.0 */
/* What would have happened in another mode or by another budget: the alerts of a time are counted,
 * in steps, and what isn't known is named. */
#include "handlers.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian_words.h"
#include "guardd/preview.h"
#include "problem.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 86400000, WINDOW_DAYS = 7, ALERTS_ARENA = 4 << 20 };

struct window {
    uint64_t from_ms;
    uint64_t to_ms;
    uint64_t exchanges;
};

static bool is_learned(const struct service *service)
{
    return service->model != NULL && service->model->exchanges > 0;
}

/* How many exchanges came meanwhile, by the piles of the generations that are kept. False: it isn't
 * known. */
static bool exchanges_since(const struct service *service, uint64_t since_ms, struct window *out)
{
    const struct generations *kept = &service->generations;
    const struct generation *from = NULL;
    for (uint32_t i = 0; i < kept->count; i++) {
        if (from == NULL || kept->list[i].created_ms <= since_ms)
            from = &kept->list[i];
    }
    if (from == NULL || !is_learned(service) || service->learned_ms <= from->created_ms ||
        service->model->exchanges < from->exchanges)
        return false;
    *out = (struct window){from->created_ms, service->learned_ms,
                           service->model->exchanges - from->exchanges};
    return true;
}

static bool read_alpha(const struct api_request *request, struct api_response *response,
                       const struct service *service, double *alpha)
{
    const char *text = api_param(request, "alpha");
    char *end = NULL;
    *alpha = service->guardian.false_alarm_budget;
    if (text == NULL)
        return true;
    *alpha = strtod(text, &end);
    if (end != text && *end == '\0' && *alpha >= 1e-9 && *alpha <= 0.1)
        return true;
    problem(response, 400, "bad-parameter", "alpha", "must be a number from 1e-9 to 0.1");
    return false;
}

static bool read_mode(const struct api_request *request, struct api_response *response,
                      const struct service *service, enum guard_mode *mode)
{
    const char *text = api_param(request, "mode");
    *mode = service->guardian.mode;
    if (text == NULL)
        return true;
    for (int i = GUARD_MODE_OBSERVE; i <= GUARD_MODE_BLOCK; i++) {
        if (strcmp(text, guard_mode_name((enum guard_mode)i)) == 0) {
            *mode = (enum guard_mode)i;
            return true;
        }
    }
    problem(response, 400, "bad-parameter", "mode", "must be observe, alert or block");
    return false;
}

/* What is counted lies where the answer will, so that it goes with the request however that ends.
 */
static bool begin(struct api *api, struct api_request *request, struct api_response *response,
                  const struct service *service, const struct preview_wanted *wanted)
{
    struct log_scan *scan = &request->scan;
    struct preview *preview = malloc(sizeof(*preview));
    if (preview == NULL || !log_filter_add(&scan->filter, "service", service->name_text)) {
        free(preview);
        problem(response, 500, "failed", NULL, "no memory");
        return false;
    }
    preview_begin(preview, wanted);
    response->bytes = (char *)preview;
    log_newest(api->view.state, "alerts.jsonl", &scan->at);
    scan->begun = true;
    return true;
}

static bool take(void *ctx, struct guard_span line)
{
    return preview_line(ctx, line);
}

static void put_text(struct json_writer *json, const struct document_node *alert, const char *name)
{
    json_text(json, name, text_of(alert, name));
}

static void put_example(struct json_writer *json, struct guard_span line)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, ALERTS_ARENA);
    if (document_parse(&document, "line", line, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING) {
        json_open(json, NULL, '{');
        put_text(json, document.root, "id");
        put_text(json, document.root, "client");
        put_text(json, document.root, "explanation");
        json_integer(json, "last_ms", whole_of(document.root, "last_ms"));
        json_close(json, '}');
    }
    guard_arena_reset(&arena);
}

static void put_unknown(struct json_writer *json, const struct service *service,
                        const struct preview *preview)
{
    json_open(json, "unknown", '[');
    if (service->guardian.mode == GUARD_MODE_OBSERVE)
        json_text(json, NULL, "observed"); /* nothing is told in that mode */
    if (preview->wanted.wider)
        json_text(json, NULL, "wider"); /* what scored less isn't kept */
    if (preview->suppressed > 0)
        json_text(json, NULL, "suppressed");
    if (!is_learned(service))
        json_text(json, NULL, "unlearned");
    json_close(json, ']');
}

static void put_traffic(struct json_writer *json, const struct service *service, uint64_t since_ms,
                        double alpha)
{
    struct window window;
    if (!exchanges_since(service, since_ms, &window)) {
        json_null(json, "exchanges");
        json_null(json, "budget_per_day");
    } else {
        json_open(json, "exchanges", '{');
        json_integer(json, "count", (int64_t)window.exchanges);
        json_integer(json, "from_ms", (int64_t)window.from_ms);
        json_integer(json, "to_ms", (int64_t)window.to_ms);
        json_close(json, '}');
        json_number(json, "budget_per_day",
                    alpha * (double)window.exchanges * DAY_MS /
                        (double)(window.to_ms - window.from_ms));
    }
    if (is_learned(service))
        json_integer(json, "clients", service->model->clients);
    else
        json_null(json, "clients");
}

/* preview is freed. */
static void answer(const struct service *service, struct preview *preview, double alpha,
                   struct api_response *response)
{
    struct json_writer json;
    response->bytes = NULL;
    if (api_json_begin(&json, response)) {
        json_open(&json, NULL, '{');
        json_string(&json, "service", service->name);
        json_text(&json, "mode", guard_mode_name(preview->wanted.mode));
        json_number(&json, "alpha", alpha);
        json_open(&json, "now", '{');
        json_text(&json, "mode", guard_mode_name(service->guardian.mode));
        json_number(&json, "alpha", service->guardian.false_alarm_budget);
        json_close(&json, '}');
        json_integer(&json, "since_ms", (int64_t)preview->wanted.since_ms);
        preview_json(preview, &json);
        put_traffic(&json, service, preview->wanted.since_ms, alpha);
        put_unknown(&json, service, preview);
        json_open(&json, "examples", '[');
        for (uint32_t i = 0; i < preview->example_count; i++)
            put_example(&json, (struct guard_span){(const uint8_t *)preview->examples[i],
                                                   preview->example_len[i]});
        json_close(&json, ']');
        json_close(&json, '}');
        api_json_end(&json, response, 200);
    }
    free(preview);
}

enum api_step api_preview(struct api *api, struct api_request *request,
                          struct api_response *response)
{
    struct preview_wanted wanted;
    double alpha;
    const uint64_t week_ms = clock_unix_ms() - (uint64_t)WINDOW_DAYS * DAY_MS;
    const struct service *service = api_service(api, request, response);
    if (service == NULL) {
        request->scan.begun = false;
        return API_DONE;
    }
    if (!read_alpha(request, response, service, &alpha) ||
        !read_mode(request, response, service, &wanted.mode) ||
        !api_param_number(request, response, "since", week_ms, INT64_MAX, &wanted.since_ms))
        return API_DONE;
    wanted.tighter = alpha < service->guardian.false_alarm_budget;
    wanted.wider = alpha > service->guardian.false_alarm_budget;
    guard_budget_thresholds(service->model, alpha, &wanted.thresholds);
    if (!request->scan.begun && !begin(api, request, response, service, &wanted))
        return API_DONE;
    struct preview *preview = (struct preview *)(void *)response->bytes;
    if (log_scan_back(&request->scan, api->view.state, "alerts.jsonl", take, preview) == LOG_MORE)
        return API_AGAIN;
    answer(service, preview, alpha, response);
    return API_DONE;
}
