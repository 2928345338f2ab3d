/* SPDX-License-Identifier: Apache-2.0 */
/* Services: a list by name, one with all that is known of it, and its clients that are blocked. */
#include "handlers.h"

#include "bypass.h"
#include "common/file.h"
#include "guardd/pods/show.h"
#include "guardd/status.h"
#include "problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRY_ROOM = 16 * 1024,
    /* All there can be: who shows what isn't protected needs all of them, and pages follow one
     * another. Some 0.1 ms for five; some 400 bytes of the answer for each. */
    SERVICES_PAGE_MAX = SERVICES_MAX,
};

static int by_name(const void *a, const void *b)
{
    struct service *const *left = a;
    struct service *const *right = b;
    return strcmp((*left)->name_text, (*right)->name_text);
}

static void write_hours(const struct api *api, struct service *service, struct json_writer *json)
{
    uint32_t hours[HISTORY_RECENT];
    history_recent(api->view.services, service, clock_unix_ms(), hours);
    json_open(json, "hours", '[');
    for (int i = 0; i < HISTORY_RECENT; i++)
        json_integer(json, NULL, hours[i]);
    json_close(json, ']');
}

static void write_false_blocks(const struct service *service, struct json_writer *json)
{
    const double budget = service->guardian.false_alarm_budget;
    struct guard_budget_proof proof;
    guard_budget_proved(service->model, budget, &proof);
    json_open(json, "false_blocks", '{');
    json_number(json, "budget", budget);
    json_number(json, "expected", proof.expected);
    json_number(json, "proved", proof.at_most);
    json_close(json, '}');
}

static void write_summary(const struct api *api, struct service *service, struct json_writer *json)
{
    struct guard_pile_stats stats;
    guard_pile_stats(service->pile, &stats);
    json_open(json, NULL, '{');
    json_string(json, "service", service->name);
    json_text(json, "mode", guard_mode_name(service->guardian.request_mode));
    json_text(json, "learn",
              service->damaged          ? "stopped"
              : service->guardian.learn ? "on"
                                        : "paused");
    json_bool(json, "ready", service->model != NULL && service->model->ready);
    json_number(json, "progress",
                service->model != NULL ? (double)service->model->progress / 1000.0 : 0);
    json_integer(json, "generation", (int64_t)service->generation);
    json_integer(json, "rolled_back_to", (int64_t)service->rollback.generation);
    json_integer(json, "exchanges", (int64_t)stats.exchanges);
    write_hours(api, service, json);
    json_bool(json, "bypassed", bypass_in_force(api, service));
    json_text(json, "guardian_error", service->guardian_err.text);
    json_text(json, "review_error", service->review_err.text);
    write_false_blocks(service, json);
    status_path(json, &service->path);
    pods_summary(json, api->view.services, service, clock_unix_ms());
    json_close(json, '}');
}

enum api_step api_services(struct api *api, struct api_request *request,
                           struct api_response *response)
{
    const struct services *services = api->view.services;
    struct service *sorted[SERVICES_MAX];
    const char *cursor = api_param(request, "cursor");
    const char *last = NULL;
    struct json_writer json;
    uint64_t limit;
    uint32_t at = 0;
    uint32_t count = 0;
    if (!api_param_number(request, response, "limit", API_PAGE, SERVICES_PAGE_MAX, &limit) ||
        !api_json_begin(&json, response))
        return API_DONE;
    for (uint32_t i = 0; i < services->count; i++) {
        if (api_theirs(request, services->list[i]))
            sorted[count++] = services->list[i];
    }
    qsort(sorted, count, sizeof(sorted[0]), by_name);
    while (at < count && cursor != NULL && strcmp(sorted[at]->name_text, cursor) <= 0)
        at++;
    json_open(&json, NULL, '{');
    json_integer(&json, "total", count);
    json_open(&json, "services", '[');
    for (uint64_t n = 0; n < limit && at < count && api_json_room(&json) > ENTRY_ROOM; n++)
        write_summary(api, sorted[at++], &json);
    json_close(&json, ']');
    if (at > 0 && at < count)
        last = sorted[at - 1]->name_text;
    if (last != NULL)
        json_text(&json, "next", last);
    else
        json_null(&json, "next");
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

/* How much of the traffic is at endpoints whose norm is known well enough. */
static void write_coverage(const struct guard_model *model, struct json_writer *json)
{
    uint64_t all = 0;
    uint64_t covered = 0;
    uint32_t ready = 0;
    for (uint32_t i = 0; model != NULL && i < model->endpoint_count; i++) {
        all += model->endpoints[i].exchanges;
        covered += model->endpoints[i].ready ? model->endpoints[i].exchanges : 0;
        ready += model->endpoints[i].ready;
    }
    json_open(json, "coverage", '{');
    json_integer(json, "endpoints", model != NULL ? model->endpoint_count : 0);
    json_integer(json, "ready", ready);
    json_number(json, "exchanges", all > 0 ? (double)covered / (double)all : 0);
    json_close(json, '}');
}

enum api_step api_service_one(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    struct json_writer json;
    const struct service *service = api_service(api, request, response);
    if (service == NULL || !api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    status_service(&json, service);
    write_coverage(service->model, &json);
    write_false_blocks(service, &json);
    bypass_json(api, service, &json, "bypass");
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

static void write_client(const struct client_entry *entry, struct json_writer *json)
{
    json_open(json, NULL, '{');
    json_text(json, "client", entry->text);
    json_text(json, "rule", guard_rule_name(entry->verdict.rule));
    json_integer(json, "since_ms", (int64_t)entry->since_ms);
    json_integer(json, "until_ms", (int64_t)entry->verdict.until_ms);
    json_text(json, "why", entry->why);
    json_close(json, '}');
}

static bool read_code(const char *text, uint64_t *out)
{
    char *end = NULL;
    *out = 0;
    if (text == NULL)
        return true;
    *out = strspn(text, "0123456789abcdef") > 0 ? strtoull(text, &end, 16) : 0;
    return end != NULL && *end == '\0' && strlen(text) <= 16;
}

/* Entries are in the order of their codes, which is what a cursor is. */
static void write_clients(const struct service_clients *clients, uint64_t behind, uint64_t limit,
                          struct json_writer *json)
{
    uint64_t now_ms = clock_unix_ms();
    uint64_t last = 0;
    uint64_t shown = 0;
    bool more = false;
    char next[20];
    json_open(json, "verdicts", '[');
    for (uint32_t i = 0; clients->entries != NULL && i < clients->count && !more; i++) {
        const struct client_entry *entry = &clients->entries[i];
        if (entry->verdict.until_ms <= now_ms || (behind != 0 && entry->verdict.code <= behind))
            continue;
        more = shown == limit || api_json_room(json) < ENTRY_ROOM;
        if (more)
            break;
        write_client(entry, json);
        last = entry->verdict.code;
        shown++;
    }
    json_close(json, ']');
    snprintf(next, sizeof(next), "%llx", (unsigned long long)last);
    if (more && last != 0)
        json_text(json, "next", next);
    else
        json_null(json, "next");
}

enum api_step api_clients(struct api *api, struct api_request *request,
                          struct api_response *response)
{
    struct json_writer json;
    struct guard_clients_stats stats = {0};
    uint64_t limit;
    uint64_t behind;
    const struct service *service = api_service(api, request, response);
    if (service == NULL ||
        !api_param_number(request, response, "limit", API_PAGE, API_PAGE_MAX, &limit))
        return API_DONE;
    if (!read_code(api_param(request, "cursor"), &behind)) {
        problem(response, 400, "bad-parameter", "cursor", "is none that this API gave");
        return API_DONE;
    }
    if (!api_json_begin(&json, response))
        return API_DONE;
    if (service->clients.norm != NULL)
        guard_clients_stats(service->clients.norm, &stats);
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_text(&json, "mode", guard_mode_name(service->guardian.client_mode));
    json_integer(&json, "exchanges", (int64_t)stats.exchanges);
    json_integer(&json, "clients", (int64_t)stats.clients);
    write_clients(&service->clients, behind, limit, &json);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}
