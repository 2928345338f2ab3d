/* SPDX-License-Identifier: Apache-2.0 */
/* What gates tell of themselves (guardd/gates.h). Labels are ids of gates, at most GATES_MAX, names
 * of services, and fixed words. */
#include "metrics_text.h"

#include "common/file.h"
#include "common/patch_costs.h"
#include "guardd/gates.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A line for each gate and service; lines of one metric stand together. */
struct gate_metric {
    const char *name;
    const char *type;
    const char *help; /* NULL: as the one before, with other labels */
    const char *number;
    const char *labels; /* behind gate and service */
};

static const struct gate_metric gate_metrics[] = {
    {"guard_gate_exchanges_total", "counter", "Exchanges that the gate judged.", "exchanges", ""},
    {"guard_gate_decisions_total", "counter", "By what mode block would have done.", "decided_pass",
     ",verdict=\"pass\""},
    {"guard_gate_decisions_total", "counter", NULL, "decided_alert", ",verdict=\"alert\""},
    {"guard_gate_decisions_total", "counter", NULL, "decided_block", ",verdict=\"block\""},
    {"guard_gate_actions_total", "counter", "By what was done.", "done_pass", ",action=\"pass\""},
    {"guard_gate_actions_total", "counter", NULL, "done_alert", ",action=\"alert\""},
    {"guard_gate_actions_total", "counter", NULL, "done_block", ",action=\"block\""},
    {"guard_gate_without_policy_total", "counter", "Passed unjudged: no policy was there yet.",
     "without_policy", ""},
    {"guard_gate_not_inspected_total", "counter",
     "Exchanges that weren't inspected (or were refused for it), by reason.",
     "not_inspected_memory", ",reason=\"memory\""},
    {"guard_gate_not_inspected_total", "counter", NULL, "not_inspected_file", ",reason=\"file\""},
    {"guard_gate_not_inspected_total", "counter", NULL, "upgrades_opaque",
     ",reason=\"opaque_upgrade\""},
    {"guard_gate_bypassed_total", "counter", "Would have been blocked but for a bypass.",
     "bypassed", ""},
    {"guard_gate_exempt_total", "counter", "Exempt by guard_exempt.", "exempt", ""},
    {"guard_gate_withdrawn_total", "counter", "Answered with 503: the service is withdrawn.",
     "withdrawn", ""},
    {"guard_gate_responses_total", "counter", "Responses, by what was done with them.", "responses",
     ",state=\"viewed\""},
    {"guard_gate_responses_total", "counter", NULL, "responses_held", ",state=\"held\""},
    {"guard_gate_responses_total", "counter", NULL, "responses_replaced", ",state=\"replaced\""},
    {"guard_gate_responses_total", "counter", NULL, "responses_aborted", ",state=\"aborted\""},
    {"guard_gate_released_total", "counter", "Responses that were let go undecided, by limit.",
     "released_size", ",limit=\"size\""},
    {"guard_gate_released_total", "counter", NULL, "released_time", ",limit=\"time\""},
    {"guard_gate_released_total", "counter", NULL, "released_budget", ",limit=\"budget\""},
    {"guard_gate_hold_bytes", "gauge", "Memory of what is held now.", "hold_bytes", ""},
    {"guard_gate_decoder_failures_total", "counter", "Compressed bodies that can't be decoded.",
     "decoder_failures", ""},
    {"guard_gate_late_total", "counter", "Responses that took longer than they ever do.", "late",
     ",outcome=\"late\""},
    {"guard_gate_late_total", "counter", NULL, "late_cut", ",outcome=\"cut\""},
    {"guard_gate_late_total", "counter", NULL, "late_spared", ",outcome=\"spared\""},
    {"guard_gate_records_total", "counter", "Records for guardd.", "records",
     ",outcome=\"written\""},
    {"guard_gate_records_total", "counter", NULL, "records_lost", ",outcome=\"lost\""},
    {"guard_gate_alerts_total", "counter", "Alerts for guardd.", "alerts", ",outcome=\"written\""},
    {"guard_gate_alerts_total", "counter", NULL, "alerts_suppressed", ",outcome=\"suppressed\""},
    {"guard_gate_alerts_total", "counter", NULL, "alerts_lost", ",outcome=\"lost\""},
    {"guard_gate_canaries_total", "counter", "Canaries answered; they are no exchanges.",
     "canaries", ""},
    {"guard_gate_generation", "gauge",
     "Generation in force, of the worker that is the furthest behind and of the newest.",
     "generation_oldest", ",worker=\"oldest\""},
    {"guard_gate_generation", "gauge", NULL, "generation_newest", ",worker=\"newest\""},
    {"guard_gate_bypass_seconds", "gauge", "How long a bypass lasts.", "bypass_seconds", ""},
    {"guard_gate_withdrawn_seconds", "gauge", "How long requests are answered with 503.",
     "withdrawn_seconds", ""},
    {"guard_gate_policy_refused", "gauge", "1 while the newest policy is refused.",
     "policy_refused", ""},
    {"guard_gate_policy_expired", "gauge", "1 while the policy in force is past its time.",
     "policy_expired", ""},
    {"guard_gate_slow", "gauge", "1 while nothing late is cut.", "slow", ""},
};

struct bucket {
    const char *number;
    const char *bound; /* seconds */
};

static const struct bucket buckets[] = {
    {"overhead_10us", "1e-05"},   {"overhead_25us", "2.5e-05"},  {"overhead_50us", "5e-05"},
    {"overhead_100us", "0.0001"}, {"overhead_250us", "0.00025"}, {"overhead_500us", "0.0005"},
    {"overhead_1ms", "0.001"},    {"overhead_2500us", "0.0025"}, {"overhead_10ms", "0.01"},
    {"overhead_more", "+Inf"},
};

typedef void put_told(struct text *text, const char *gate, const struct gate_told *told,
                      const void *ctx);

/* Of services that who asks may see. */
static void put_each(struct text *text, const struct gates *gates,
                     const struct api_request *request, put_told *put_one, const void *ctx)
{
    for (uint32_t i = 0; i < gates->count; i++) {
        const struct gate_report *report = &gates->list[i];
        for (uint32_t k = 0; k < report->count; k++) {
            if (api_theirs(request, report->list[k].service))
                put_one(text, report->id, &report->list[k], ctx);
        }
    }
}

static void put_metric(struct text *text, const char *gate, const struct gate_told *told,
                       const void *ctx)
{
    const struct gate_metric *metric = ctx;
    put(text, "%s{gate=\"%s\",service=\"%s\"%s} %" PRIu64 "\n", metric->name, gate,
        told->service->name_text, metric->labels, told->numbers[gate_number(metric->number)]);
}

static void put_mode(struct text *text, const char *gate, const struct gate_told *told,
                     const void *ctx)
{
    (void)ctx;
    put(text, "guard_gate_mode{gate=\"%s\",service=\"%s\",mode=\"%s\"} 1\n", gate,
        told->service->name_text, told->has_policy ? guard_mode_name(told->mode) : "none");
}

static void put_overhead(struct text *text, const char *gate, const struct gate_told *told,
                         const void *ctx)
{
    static const char name[] = "guard_gate_overhead_seconds";
    const char *service = told->service->name_text;
    uint64_t count = 0;
    (void)ctx;
    for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
        count += told->numbers[gate_number(buckets[i].number)];
        put(text, "%s_bucket{gate=\"%s\",service=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, gate,
            service, buckets[i].bound, count);
    }
    put(text, "%s_sum{gate=\"%s\",service=\"%s\"} %.17g\n", name, gate, service,
        (double)told->numbers[gate_number("overhead_ns")] / 1e9);
    put(text, "%s_count{gate=\"%s\",service=\"%s\"} %" PRIu64 "\n", name, gate, service, count);
}

static void put_workers(struct text *text, const struct gates *gates)
{
    put_number(text, "guard_gates", "gauge", "Gates beside this guardd that live.", gates->count);
    head(text, "guard_gate_workers", "gauge", "Workers of a gate.");
    for (uint32_t i = 0; i < gates->count; i++) {
        const struct gate_report *report = &gates->list[i];
        put(text, "guard_gate_workers{gate=\"%s\",state=\"running\"} %" PRIu64 "\n", report->id,
            report->running);
        put(text, "guard_gate_workers{gate=\"%s\",state=\"leaving\"} %" PRIu64 "\n", report->id,
            report->leaving);
    }
    head(text, "guard_gate_rings_failed", "gauge", "1 while a gate can't hand anything out.");
    for (uint32_t i = 0; i < gates->count; i++)
        put(text, "guard_gate_rings_failed{gate=\"%s\"} %d\n", gates->list[i].id,
            gates->list[i].rings_failed);
    head(text, "guard_gate_told_timestamp_seconds", "gauge", "When a gate told its figures last.");
    for (uint32_t i = 0; i < gates->count; i++)
        put(text, "guard_gate_told_timestamp_seconds{gate=\"%s\"} %.3f\n", gates->list[i].id,
            (double)gates->list[i].time_ms / 1000.0);
}

/* --- what patches cost --- */

enum { COSTS_SHOWN_MAX = 4096 };

struct cost_line {
    char gate[PATCH_COSTS_GATE_CHARS + 1];
    const struct service *service;
    const struct guard_patch *patch;
    struct patch_cost cost;
};

struct cost_lines {
    const struct api *api;
    const struct api_request *request;
    struct cost_line *list;
    size_t count;
};

static const struct guard_patch *patch_of(const struct service *service, struct guard_span id)
{
    for (uint32_t i = 0; i < service->guardian.patch_count; i++) {
        const struct guard_patch *patch = &service->guardian.patches[i];
        if (patch->id.len == id.len && memcmp(patch->id.ptr, id.ptr, id.len) == 0)
            return patch;
    }
    return NULL;
}

/* Of patches that stand in the Guardian: what gates tell of others makes no series. */
static void take_cost(void *ctx, const char *gate, struct guard_span service,
                      struct guard_span patch, const struct patch_cost *cost)
{
    struct cost_lines *lines = ctx;
    const struct service *of = services_find(lines->api->view.services, service);
    if (of == NULL || lines->count == COSTS_SHOWN_MAX || !api_theirs(lines->request, of))
        return;
    const struct guard_patch *known = patch_of(of, patch);
    if (known == NULL)
        return;
    struct cost_line *line = &lines->list[lines->count++];
    *line = (struct cost_line){.service = of, .patch = known, .cost = *cost};
    memcpy(line->gate, gate, sizeof(line->gate));
}

static void put_cost(struct text *text, const struct cost_line *line, const char *name,
                     double value)
{
    put(text, "%s{gate=\"%s\",service=\"%s\",patch=\"%.*s\"} %.17g\n", name, line->gate,
        line->service->name_text, (int)line->patch->id.len, (const char *)line->patch->id.ptr,
        value);
}

static void put_costs(struct text *text, const struct api *api, const struct api_request *request)
{
    static const char tried[] = "guard_gate_patch_tried_total";
    static const char bytes[] = "guard_gate_patch_bytes_total";
    static const char seconds[] = "guard_gate_patch_seconds_total";
    struct cost_lines lines = {.api = api, .request = request};
    lines.list = calloc(COSTS_SHOWN_MAX, sizeof(*lines.list));
    if (lines.list == NULL)
        return;
    patch_costs_read(api->view.state, clock_unix_ms(), GATE_SILENT_MS, take_cost, &lines);
    head(text, tried, "counter", "How often the conditions of a patch were tried at a gate.");
    for (size_t i = 0; i < lines.count; i++)
        put_cost(text, &lines.list[i], tried, (double)lines.list[i].cost.tried);
    head(text, bytes, "counter", "Bytes that the conditions of a patch looked at.");
    for (size_t i = 0; i < lines.count; i++)
        put_cost(text, &lines.list[i], bytes, (double)lines.list[i].cost.bytes);
    head(text, seconds, "counter",
         "Time that the conditions of a patch took, by one exchange in sixteen.");
    for (size_t i = 0; i < lines.count; i++)
        put_cost(text, &lines.list[i], seconds,
                 (double)GATE_TIMED_EACH * (double)lines.list[i].cost.timed_ns / 1e9);
    free(lines.list);
}

void put_gates(struct text *text, const struct api *api, const struct api_request *request)
{
    struct gates *gates = malloc(sizeof(*gates));
    if (gates == NULL)
        return;
    gates_read(gates, api->view.state, api->view.services, clock_unix_ms());
    put_workers(text, gates);
    for (size_t i = 0; i < sizeof(gate_metrics) / sizeof(gate_metrics[0]); i++) {
        if (gate_metrics[i].help != NULL)
            head(text, gate_metrics[i].name, gate_metrics[i].type, gate_metrics[i].help);
        put_each(text, gates, request, put_metric, &gate_metrics[i]);
    }
    head(text, "guard_gate_mode", "gauge", "1 for the mode in force at the gate.");
    put_each(text, gates, request, put_mode, NULL);
    head(text, "guard_gate_overhead_seconds", "histogram",
         "The gate's own time for an exchange, of one in sixteen.");
    put_each(text, gates, request, put_overhead, NULL);
    put_costs(text, api, request);
    gates_free(gates);
    free(gates);
}
