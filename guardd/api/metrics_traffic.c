/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from gates. Labels are names of services, and fixed words. */
#include "metrics_text.h"

#include <inttypes.h>

static const char *const verdict_names[TRAFFIC_VERDICTS] = {"pass", "alert", "block"};

static void put_verdicts(struct text *text, const struct services *services,
                         const struct api_request *request)
{
    head(text, "guard_service_verdicts_total", "counter",
         "Exchanges that gates recorded, by what was decided (what the mode let be done is in the "
         "gate's own metrics).");
    for (uint32_t k = 0; k < services->count; k++) {
        if (!api_theirs(request, services->list[k]))
            continue;
        for (int i = 0; i < TRAFFIC_VERDICTS; i++)
            put(text, "guard_service_verdicts_total{service=\"%s\",verdict=\"%s\"} %" PRIu64 "\n",
                services->list[k]->name_text, verdict_names[i],
                services->list[k]->traffic.verdicts[i]);
    }
    head(text, "guard_service_responses_total", "counter",
         "Answers by class of status; none: no answer.");
    for (uint32_t k = 0; k < services->count; k++) {
        if (!api_theirs(request, services->list[k]))
            continue;
        const struct service *service = services->list[k];
        for (int i = 1; i < TRAFFIC_CLASSES; i++)
            put(text, "guard_service_responses_total{service=\"%s\",class=\"%dxx\"} %" PRIu64 "\n",
                service->name_text, i, service->traffic.classes[i]);
        put(text, "guard_service_responses_total{service=\"%s\",class=\"none\"} %" PRIu64 "\n",
            service->name_text, service->traffic.classes[0]);
    }
}

static void put_durations(struct text *text, const struct services *services,
                          const struct api_request *request)
{
    static const char name[] = "guard_service_duration_seconds";
    head(text, name, "histogram",
         "From the whole request to the service's whole answer, as gates measured it.");
    for (uint32_t k = 0; k < services->count; k++) {
        if (!api_theirs(request, services->list[k]))
            continue;
        const struct traffic *traffic = &services->list[k]->traffic;
        const char *service = services->list[k]->name_text;
        uint64_t sum = 0;
        for (int i = 0; i < TRAFFIC_BOUNDS; i++) {
            sum += traffic->within[i];
            put(text, "%s_bucket{service=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, service,
                traffic_bounds[i], sum);
        }
        put(text, "%s_bucket{service=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, service,
            traffic->timed);
        put(text, "%s_sum{service=\"%s\"} %.17g\n", name, service, (double)traffic->time_us / 1e6);
        put(text, "%s_count{service=\"%s\"} %" PRIu64 "\n", name, service, traffic->timed);
    }
}

static void put_alerts(struct text *text, const struct alerts *alerts)
{
    head(text, "guard_alerts_received_total", "counter",
         "Alerts of gates, by what was done and the part of the exchange that was reported first.");
    for (int action = 0; action < ALERT_ACTIONS; action++) {
        for (int part = 0; part < ALERT_PARTS; part++)
            put(text, "guard_alerts_received_total{action=\"%s\",part=\"%s\"} %" PRIu64 "\n",
                alert_action_names[action], alert_part_names[part], alerts->counts[action][part]);
    }
    put_number(text, "guard_alerts_held_back_total", "counter",
               "Alerts that gates only counted, by the quota of their client.",
               (double)alerts->suppressed);
    put_number(text, "guard_alert_log_sequence", "gauge", "Number of the last line in the log.",
               (double)alerts->sequence);
}

static void put_rings(struct text *text, const struct intake *intake)
{
    uint64_t lag[2] = {0, 0}, lost = 0;
    for (uint32_t i = 0; i < intake->count; i++) {
        struct ring_reader_stats stats;
        ring_reader_stats(intake->list[i].reader, &stats);
        lag[intake->list[i].alerts] += ring_reader_lag(intake->list[i].reader);
        lost += intake->list[i].alerts ? stats.lost : 0;
    }
    head(text, "guard_ring_lag_bytes", "gauge", "What gates wrote and guardd hasn't read yet.");
    put(text, "guard_ring_lag_bytes{kind=\"records\"} %" PRIu64 "\n", lag[0]);
    put(text, "guard_ring_lag_bytes{kind=\"alerts\"} %" PRIu64 "\n", lag[1]);
    put_number(text, "guard_ring_alerts_lost_total", "counter",
               "Alerts that were overwritten before they were read.", (double)lost);
}

/* Of patches that stand in the Guardian: what gates tell of others makes no series. */
static void put_patches(struct text *text, const struct api *api, const struct api_request *request)
{
    const struct services *services = api->view.services;
    head(text, "guard_patch_hits_total", "counter",
         "Exchanges that a patch hit, in alerts of gates; shadow: it was only watched.");
    for (uint32_t i = 0; i < services->count; i++) {
        const struct service *service = services->list[i];
        if (!api_theirs(request, service))
            continue;
        for (uint32_t k = 0; k < service->guardian.patch_count; k++) {
            const struct patch_hit *hit = patch_hits_find(&api->view.alerts->patches, service->name,
                                                          service->guardian.patches[k].id);
            if (hit == NULL)
                continue;
            put(text,
                "guard_patch_hits_total{service=\"%s\",patch=\"%s\",shadow=\"false\"} %" PRIu64
                "\n",
                service->name_text, hit->patch, hit->hits);
            put(text,
                "guard_patch_hits_total{service=\"%s\",patch=\"%s\",shadow=\"true\"} %" PRIu64 "\n",
                service->name_text, hit->patch, hit->shadow_hits);
        }
    }
}

/* Likewise. */
static void put_exceptions(struct text *text, const struct api *api,
                           const struct api_request *request)
{
    const struct services *services = api->view.services;
    head(text, "guard_exception_hits_total", "counter",
         "Exchanges that weren't blocked because of an exception, in alerts of gates.");
    for (uint32_t i = 0; i < services->count; i++) {
        const struct service *service = services->list[i];
        if (!api_theirs(request, service))
            continue;
        for (uint32_t k = 0; k < service->guardian.exception_count; k++) {
            const struct patch_hit *hit = patch_hits_find(
                &api->view.alerts->exceptions, service->name, service->guardian.exceptions[k].id);
            if (hit != NULL)
                put(text,
                    "guard_exception_hits_total{service=\"%s\",exception=\"%s\"} %" PRIu64 "\n",
                    service->name_text, hit->patch, hit->hits);
        }
    }
}

void put_traffic(struct text *text, const struct api *api, const struct api_request *request)
{
    put_verdicts(text, api->view.services, request);
    put_durations(text, api->view.services, request);
    put_alerts(text, api->view.alerts);
    put_patches(text, api, request);
    put_exceptions(text, api, request);
    put_rings(text, api->view.intake);
}
