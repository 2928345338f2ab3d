/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of pods: counts of guardd, without a label that pods could make many of. */
#include "metrics_text.h"

#include "guardd/pods/reported.h"
#include "guardd/pods/responder.h"
#include "guardd/pods/tell.h"

#include "common/file.h"

#include <inttypes.h>

/* 0 where no responder ever said anything. */
static void put_responder(struct text *text, const struct pod_responder *responder)
{
    static const struct pod_responder none;
    const struct pod_responder *of = responder != NULL ? responder : &none;
    const uint64_t now_ms = clock_unix_ms();
    put_number(text, "guard_pod_responder_seen_timestamp_seconds", "gauge",
               "The last sign of life of the responder, in seconds since 1970; 0: there is none.",
               of->state != NULL ? (double)of->seen_ms / 1000 : 0);
    put_number(text, "guard_pod_workloads_stopped", "gauge",
               "Workloads for which the responder does nothing until a person says so.",
               pod_responder_stopped(of, now_ms));
    put_number(text, "guard_pod_contained", "gauge", "Pods that the responder contains.",
               pod_responder_contained(of, now_ms));
}

/* Tries count: a full disk is one of many seconds. */
static void put_withdrawals(struct text *text, const struct services *services)
{
    uint64_t failures = 0;
    uint32_t unwritten = 0;
    for (uint32_t i = 0; i < services->count; i++) {
        const struct service_withdrawals *of = &services->list[i]->withdrawals;
        failures += of->write_failures;
        unwritten += of->not_told[0] != '\0' || of->unwritten != NULL || of->failing;
    }
    put_number(text, "guard_pod_withdrawal_write_failures_total", "counter",
               "Tries to write a withdrawal, or that it is over, that failed.", (double)failures);
    put_number(text, "guard_pod_withdrawals_unwritten", "gauge",
               "Services of which a withdrawal can't be written now.", unwritten);
}

/* What goes over the tree; 0 where there is no parent, or no child. */
static void put_tree(struct text *text, const struct services *services)
{
    static const struct pod_forward nothing;
    const struct pod_forward *up = services->pod_forward != NULL ? services->pod_forward : &nothing;
    const struct {
        const char *outcome;
        uint64_t count;
    } of[] = {{"sent", up->sent}, {"refused", up->refused}, {"dropped", up->dropped}};
    head(text, "guard_pod_records_forwarded_total", "counter",
         "Pod records for the parent, by what became of them.");
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        put(text, "guard_pod_records_forwarded_total{outcome=\"%s\"} %" PRIu64 "\n", of[i].outcome,
            of[i].count);
    put_number(text, "guard_pod_records_reported_total", "counter",
               "Pod records that children sent and that were taken.",
               services->pod_reported != NULL ? (double)services->pod_reported->records : 0);
}

void put_pods(struct text *text, const struct api *api)
{
    const struct services *services = api->view.services;
    const struct pod_counts *counts = &services->pod_counts;
    put_number(text, "guard_pod_files_total", "counter", "Files of pod records that were read.",
               (double)counts->files);
    put_number(text, "guard_pod_files_damaged_total", "counter",
               "Those of which the rest was lost.", (double)counts->damaged_files);
    put_number(text, "guard_pod_records_total", "counter", "Pod records that were judged.",
               (double)counts->records);
    head(text, "guard_pod_records_refused_total", "counter",
         "Pod records that taught nothing, by why.");
    for (uint32_t i = 0; i < POD_REFUSALS; i++)
        put(text, "guard_pod_records_refused_total{reason=\"%s\"} %" PRIu64 "\n",
            pod_refusal_name((enum pod_refusal)i), counts->refused[i]);
    put_tree(text, services);
    head(text, "guard_pod_decisions_total", "counter", "What was told of pods.");
    for (uint32_t i = GUARD_POD_ALERT; i <= GUARD_POD_REPLACE; i++)
        put(text, "guard_pod_decisions_total{verdict=\"%s\"} %" PRIu64 "\n",
            guard_pod_decision_name((enum guard_pod_decision)i), counts->decisions[i]);
    head(text, "guard_pod_orders_ended_total", "counter", "Orders to the responder, by their end.");
    for (uint32_t i = GUARD_POD_REPLACED; i <= GUARD_POD_USELESS; i++)
        put(text, "guard_pod_orders_ended_total{outcome=\"%s\"} %" PRIu64 "\n",
            pod_report_end_name((enum guard_pod_end)i), counts->ends[i]);
    put_number(text, "guard_pod_orders_open", "gauge", "Orders of which no end was reported.",
               services->pod_orders != NULL ? pod_orders_open_count(services->pod_orders) : 0);
    head(text, "guard_pod_gate_claims_total", "counter",
         "What guardds said of the pods that they stand beside, by what became of it.");
    for (uint32_t i = 0; i < POD_GATE_ANSWERS; i++)
        put(text, "guard_pod_gate_claims_total{outcome=\"%s\"} %" PRIu64 "\n",
            pod_gate_answer_name((enum pod_gate_answer)i), services->pod_gate_claims[i]);
    put_withdrawals(text, services);
    put_responder(text, services->pod_responder);
}
