/* SPDX-License-Identifier: Apache-2.0 */
/* A service's traffic over time: counts and times of equal steps, as guardd kept them. */
#include "handlers.h"

#include "common/file.h"
#include "problem.h"

#include <inttypes.h>
#include <stdlib.h>

enum { POINTS_MAX = 1500, POINTS_MEANT = 300 };

/* A step that gives some hundred points. */
static uint64_t step_for(uint64_t span_s)
{
    static const uint64_t steps[] = {60, 300, 900, 3600, 6 * 3600};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (span_s / steps[i] <= POINTS_MEANT)
            return steps[i];
    }
    return 86400;
}

struct range {
    uint64_t since_s;
    uint64_t step_s;
    uint32_t count;
};

/* False after a problem. Steps begin at multiples of theirs, so that asking again gives the same
 * ones; what is left out is the oldest. */
static bool range_of(const struct api_request *request, struct api_response *response,
                     struct range *out)
{
    uint64_t now_ms = clock_unix_ms();
    uint64_t since_ms;
    uint64_t until_ms;
    if (!api_param_number(request, response, "since", now_ms - (uint64_t)HISTORY_FINE_S * 1000,
                          INT64_MAX, &since_ms) ||
        !api_param_number(request, response, "until", now_ms, INT64_MAX, &until_ms) ||
        !api_param_number(request, response, "step", 0, 86400, &out->step_s))
        return false;
    uint64_t oldest_ms = now_ms - (uint64_t)HISTORY_KEPT_S * 1000;
    since_ms = since_ms > oldest_ms ? since_ms : oldest_ms;
    until_ms = until_ms < now_ms ? until_ms : now_ms;
    if (since_ms >= until_ms) {
        problem(response, 400, "bad-parameter", "since", "must be before `until`, and before now");
        return false;
    }
    uint64_t span_s = (until_ms - since_ms) / 1000;
    if (api_param(request, "step") == NULL)
        out->step_s = step_for(span_s);
    if (out->step_s == 0 || out->step_s % HISTORY_MINUTE_S != 0) {
        problem(response, 400, "bad-parameter", "step", "must be minutes, in seconds");
        return false;
    }
    out->since_s = since_ms / 1000 / out->step_s * out->step_s;
    uint64_t count = (until_ms / 1000 - out->since_s) / out->step_s + 1;
    if (count > POINTS_MAX) {
        problem(response, 400, "bad-parameter", "step",
                "gives %" PRIu64 " points of so much time; at most %d are told", count, POINTS_MAX);
        return false;
    }
    out->count = (uint32_t)count;
    return true;
}

static void write_quantiles(const struct traffic *counts, struct json_writer *json)
{
    static const struct {
        const char *name;
        double share;
    } wanted[] = {{"p50_s", 0.5}, {"p95_s", 0.95}, {"p99_s", 0.99}};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (counts->timed > 0)
            json_number(json, wanted[i].name, traffic_quantile(counts, wanted[i].share));
        else
            json_null(json, wanted[i].name);
    }
}

static void write_point(uint64_t at_s, const struct traffic *counts, struct json_writer *json)
{
    static const char *const classes[TRAFFIC_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    static const char *const verdicts[TRAFFIC_VERDICTS] = {"pass", "alert", "block"};
    json_open(json, NULL, '{');
    json_integer(json, "at_ms", (int64_t)(at_s * 1000));
    for (int i = 0; i < TRAFFIC_VERDICTS; i++)
        json_integer(json, verdicts[i], (int64_t)counts->verdicts[i]);
    json_open(json, "responses", '{');
    for (int i = 0; i < TRAFFIC_CLASSES; i++)
        json_integer(json, classes[i], (int64_t)counts->classes[i]);
    json_close(json, '}');
    json_integer(json, "timed", (int64_t)counts->timed);
    write_quantiles(counts, json);
    json_close(json, '}');
}

enum api_step api_history(struct api *api, struct api_request *request,
                          struct api_response *response)
{
    struct json_writer json;
    struct range range;
    struct guard_err err;
    const struct service *service = api_service(api, request, response);
    if (service == NULL || !range_of(request, response, &range))
        return API_DONE;
    struct traffic *list = calloc(range.count, sizeof(*list));
    enum guard_rc rc = list == NULL ? guard_fail(&err, GUARD_E_NOMEM, "no memory")
                                    : history_read(api->view.services, service, range.since_s,
                                                   range.step_s, list, range.count, &err);
    if (rc != GUARD_OK) {
        problem(response, 503, "failed", NULL, "%s", err.text);
        response->retry_after_s = 2;
    } else if (api_json_begin(&json, response)) {
        json_open(&json, NULL, '{');
        json_string(&json, "service", service->name);
        json_integer(&json, "since_ms", (int64_t)(range.since_s * 1000));
        json_integer(&json, "step_s", (int64_t)range.step_s);
        json_integer(&json, "steps", range.count);
        json_open(&json, "points", '[');
        for (uint32_t i = 0; i < range.count; i++) {
            if (traffic_exchanges(&list[i]) > 0)
                write_point(range.since_s + i * range.step_s, &list[i], &json);
        }
        json_close(&json, ']');
        json_close(&json, '}');
        api_json_end(&json, response, 200);
    }
    free(list);
    return API_DONE;
}
