/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' text format. Label values are names of services, which are checked and at most
 * SERVICES_MAX, and fixed words: nothing that a client sends. */
#include "handlers.h"

#include "bypass.h"
#include "common/file.h"
#include "metrics_text.h"
#include "problem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A number of a service as it is in memory. */
struct service_metric {
    const char *name;
    const char *type;
    const char *help;
    double (*value)(const struct api *api, const struct service *service);
};

static double exchanges(const struct api *api, const struct service *service)
{
    struct guard_pile_stats stats;
    (void)api;
    guard_pile_stats(service->pile, &stats);
    return (double)stats.exchanges;
}

static double refused(const struct api *api, const struct service *service)
{
    (void)api;
    return (double)service->refused;
}

static double generation(const struct api *api, const struct service *service)
{
    (void)api;
    return (double)service->generation;
}

static double published(const struct api *api, const struct service *service)
{
    (void)api;
    return (double)service->published_ms / 1000.0;
}

static double ready(const struct api *api, const struct service *service)
{
    (void)api;
    return service->model != NULL && service->model->ready;
}

static double progress(const struct api *api, const struct service *service)
{
    (void)api;
    return service->model != NULL ? (double)service->model->progress / 1000.0 : 0;
}

static double learning(const struct api *api, const struct service *service)
{
    (void)api;
    return service->guardian.learn && !service->damaged;
}

static double rolled_back(const struct api *api, const struct service *service)
{
    (void)api;
    return service->rollback.generation != 0;
}

static double waiting(const struct api *api, const struct service *service)
{
    (void)api;
    return service->model != NULL ? service->model->pending_total : 0;
}

static double blocked_clients(const struct api *api, const struct service *service)
{
    (void)api;
    return service->clients.count;
}

static double blocked_by_hand(const struct api *api, const struct service *service)
{
    (void)api;
    double count = 0;
    for (uint32_t i = 0; i < service->clients.count; i++)
        count += service->clients.entries[i].verdict.rule == GUARD_RULE_CLIENT_MANUAL;
    return count;
}

static double pile_bytes(const struct api *api, const struct service *service)
{
    struct guard_pile_stats stats;
    (void)api;
    guard_pile_stats(service->pile, &stats);
    return (double)stats.memory;
}

/* Of the file that gates read, whoever wrote it. */
static double policy_time(const struct api *api, const struct service *service)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    if (state_path(path, api->view.state, "policies", service->name, ".policy") != GUARD_OK ||
        stat(path, &info) != 0)
        return 0;
    return (double)info.st_mtim.tv_sec;
}

static double broken(const struct api *api, const struct service *service)
{
    (void)api;
    return service->guardian_err.text[0] != '\0' || service->review_err.text[0] != '\0';
}

static double bypassed(const struct api *api, const struct service *service)
{
    return bypass_in_force(api, service);
}

static const struct service_metric service_metrics[] = {
    {"guard_service_exchanges", "gauge", "Exchanges in the service's pile.", exchanges},
    {"guard_service_records_refused_total", "counter", "Records that the pile refused.", refused},
    {"guard_service_generation", "gauge", "Generation of the published policy.", generation},
    {"guard_service_published_timestamp_seconds", "gauge",
     "When the policy was published by this process, 0 when it wasn't yet.", published},
    {"guard_service_policy_timestamp_seconds", "gauge",
     "When the policy that gates find was written, 0 when there is none.", policy_time},
    {"guard_service_pile_bytes", "gauge", "Memory of the service's pile.", pile_bytes},
    {"guard_service_ready", "gauge", "1 when enough was learned.", ready},
    {"guard_service_progress_ratio", "gauge", "How much of what is needed was learned.", progress},
    {"guard_service_learning", "gauge", "1 while the service learns.", learning},
    {"guard_service_rolled_back", "gauge", "1 while an older generation is enforced.", rolled_back},
    {"guard_service_bypassed", "gauge", "1 while a bypass lets everything pass.", bypassed},
    {"guard_service_review_waiting", "gauge", "Things that wait for review.", waiting},
    {"guard_service_clients_blocked", "gauge",
     "Clients with a verdict, on how they behave or by a person.", blocked_clients},
    {"guard_service_clients_blocked_by_hand", "gauge", "Those of them that a person blocked.",
     blocked_by_hand},
    {"guard_service_document_broken", "gauge",
     "1 while a document of people is refused and the last good one is in force.", broken},
};

static void put_services(struct text *text, const struct api *api,
                         const struct api_request *request)
{
    const struct services *services = api->view.services;
    for (size_t i = 0; i < sizeof(service_metrics) / sizeof(service_metrics[0]); i++) {
        const struct service_metric *metric = &service_metrics[i];
        head(text, metric->name, metric->type, metric->help);
        for (uint32_t k = 0; k < services->count; k++) {
            if (api_theirs(request, services->list[k]))
                put(text, "%s{service=\"%s\"} %.17g\n", metric->name, services->list[k]->name_text,
                    metric->value(api, services->list[k]));
        }
    }
    head(text, "guard_service_mode", "gauge", "1 for the mode that is set.");
    for (uint32_t k = 0; k < services->count; k++) {
        if (!api_theirs(request, services->list[k]))
            continue;
        for (int mode = GUARD_MODE_OBSERVE; mode <= GUARD_MODE_BLOCK; mode++)
            put(text, "guard_service_mode{service=\"%s\",mode=\"%s\"} %d\n",
                services->list[k]->name_text, guard_mode_name((enum guard_mode)mode),
                services->list[k]->guardian.request_mode == (enum guard_mode)mode);
    }
}

/* Only of services that canaries were sent for: of the others nothing is known. */
static void put_path(struct text *text, const struct api *api, const struct api_request *request)
{
    const struct services *services = api->view.services;
    head(text, "guard_service_not_in_path", "gauge",
         "1 while requests may reach the service without a gate.");
    for (uint32_t i = 0; i < services->count; i++) {
        const struct service *service = services->list[i];
        if (service->path.asked && api_theirs(request, service))
            put(text, "guard_service_not_in_path{service=\"%s\"} %d\n", service->name_text,
                service->path.not_in_path);
    }
    head(text, "guard_service_canary_pods", "gauge",
         "Pods behind the service's addresses, by what answered canaries there.");
    for (uint32_t i = 0; i < services->count; i++) {
        const struct service *service = services->list[i];
        const struct service_path *path = &service->path;
        if (path->asked && api_theirs(request, service))
            put(text,
                "guard_service_canary_pods{service=\"%s\",result=\"proved\"} %u\n"
                "guard_service_canary_pods{service=\"%s\",result=\"bare\"} %u\n"
                "guard_service_canary_pods{service=\"%s\",result=\"silent\"} %u\n",
                service->name_text, path->proved, service->name_text, path->bare,
                service->name_text, path->silent);
    }
}

static void put_intake(struct text *text, const struct api *api)
{
    const struct alerts *alerts = api->view.alerts;
    struct ring_reader_stats rings;
    intake_stats(api->view.intake, &rings);
    put_number(text, "guard_rings", "gauge", "Rings of gates that are read.",
               api->view.intake->count);
    put_number(text, "guard_ring_records_total", "counter", "Records read from rings.",
               (double)rings.records);
    put_number(text, "guard_ring_records_lost_total", "counter",
               "Records that were overwritten before they were read.", (double)rings.lost);
    put_number(text, "guard_ring_frames_hostile_total", "counter", "Frames that no gate writes.",
               (double)rings.hostile);
    put_number(text, "guard_records_rejected_total", "counter",
               "Records of no service, or of too many.", (double)api->view.services->rejected);
    put_number(text, "guard_alert_lines_written_total", "counter", "Lines in the log of alerts.",
               (double)alerts->written);
    put_number(text, "guard_alerts_folded_total", "counter", "Alerts folded into a line.",
               (double)alerts->folded);
    put_number(text, "guard_alerts_hostile_total", "counter", "Alerts that no gate writes.",
               (double)alerts->hostile);
    put_number(text, "guard_alert_lines_failed_total", "counter",
               "Lines that couldn't be written and are lost.", (double)alerts->failed);
}

static void put_own(struct text *text, const struct api *api, const struct api_request *request)
{
    const struct api_counts *counts = &api->counts;
    head(text, "guard_build_info", "gauge", "The version of guardd.");
    put(text, "guard_build_info{version=\"%s\"} 1\n", GUARD_VERSION);
    put_number(text, "guard_start_timestamp_seconds", "gauge", "When guardd was started.",
               (double)api->view.started_ms / 1000.0);
    put_number(text, "guard_services", "gauge", "Services that are known.",
               api_services_count(api, request));
    put_number(text, "guard_save_failed", "gauge", "1 while what was learned can't be saved.",
               *api->view.save_failed);
    head(text, "guard_api_requests_total", "counter", "Answers of the API by class of status.");
    for (int class = 2; class <= 5; class ++)
        put(text, "guard_api_requests_total{class=\"%dxx\"} %" PRIu64 "\n", class,
            counts->requests[class]);
    head(text, "guard_api_denied_total", "counter",
         "Answers to who isn't known (401), may not (403) or tried too often (429).");
    put(text, "guard_api_denied_total{status=\"401\"} %" PRIu64 "\n", counts->denied[0]);
    put(text, "guard_api_denied_total{status=\"403\"} %" PRIu64 "\n", counts->denied[1]);
    put(text, "guard_api_denied_total{status=\"429\"} %" PRIu64 "\n", counts->denied[2]);
    put_number(text, "guard_api_token_checks_total", "counter",
               "Tokens that were checked at a cost, because they weren't known.",
               (double)counts->checks);
    put_number(text, "guard_api_requests_cut_off_total", "counter",
               "Requests that took longer than they may.", (double)counts->refused);
    put_number(text, "guard_api_connections", "gauge", "Open connections of the API.",
               counts->connections);
    put_number(text, "guard_api_streams", "gauge", "Readers of the stream of alerts.",
               counts->streams);
}

enum api_step api_metrics(struct api *api, struct api_request *request,
                          struct api_response *response)
{
    struct text text = {.ptr = malloc(METRICS_MAX)};
    if (text.ptr == NULL) {
        problem(response, 500, "failed", NULL, "no memory");
        return API_DONE;
    }
    put_own(&text, api, request);
    put_intake(&text, api);
    put_pods(&text, api);
    put_services(&text, api, request);
    put_path(&text, api, request);
    put_traffic(&text, api, request);
    put_gates(&text, api, request);
    put_outputs(&text, api);
    put_process(&text, api);
    char *fitting = realloc(text.ptr, text.len + 1);
    response->bytes = fitting != NULL ? fitting : text.ptr;
    response->len = text.len;
    response->status = 200;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return API_DONE;
}
