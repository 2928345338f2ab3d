/* SPDX-License-Identifier: Apache-2.0 */
/* The books in memory. Everything has its room from the start. */
#include "ledger.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

static struct workload_budget *find(struct ledger *ledger, const char *name_space,
                                    const char *workload)
{
    for (uint32_t i = 0; i < ledger->workload_count; i++) {
        struct workload_budget *one = &ledger->workloads[i];
        if (strcmp(one->name_space, name_space) == 0 && strcmp(one->workload, workload) == 0)
            return one;
    }
    return NULL;
}

struct guard_pod_budget *ledger_budget(struct ledger *ledger, const char *name_space,
                                       const char *workload)
{
    struct workload_budget *known = find(ledger, name_space, workload);
    if (known != NULL)
        return &known->budget;
    if (ledger->workload_count == CONFIG_WORKLOADS_MAX)
        return NULL;
    struct workload_budget *fresh = &ledger->workloads[ledger->workload_count++];
    *fresh = (struct workload_budget){0};
    snprintf(fresh->name_space, sizeof(fresh->name_space), "%s", name_space);
    snprintf(fresh->workload, sizeof(fresh->workload), "%s", workload);
    return &fresh->budget;
}

void ledger_stop(struct ledger *ledger, const struct pod_order *order, enum pod_stop stop,
                 uint64_t now_ms)
{
    struct workload_budget *one = find(ledger, order->name_space, order->workload);
    if (one == NULL || one->budget.stopped)
        return;
    guard_pod_budget_stop(&one->budget);
    one->stop = stop;
    one->stopped_ms = now_ms;
}

bool ledger_resume(struct ledger *ledger, const char *name_space, const char *workload)
{
    struct workload_budget *one = find(ledger, name_space, workload);
    if (one == NULL || !one->budget.stopped)
        return false;
    guard_pod_budget_resume(&one->budget);
    one->stop = POD_STOP_UNKNOWN;
    one->stopped_ms = 0;
    /* What was seen before is known to the person. */
    ledger->trace_count = 0;
    return true;
}

struct response *ledger_response(struct ledger *ledger, const char *id)
{
    for (size_t i = 0; i < RESPONSES_MAX; i++) {
        if (ledger->responses[i].used && strcmp(ledger->responses[i].order.id, id) == 0)
            return &ledger->responses[i];
    }
    return NULL;
}

struct response *ledger_room(struct ledger *ledger)
{
    for (size_t i = 0; i < RESPONSES_MAX; i++) {
        if (!ledger->responses[i].used)
            return &ledger->responses[i];
    }
    return NULL;
}

const struct response *ledger_of_pod(const struct ledger *ledger, const char *uid)
{
    for (size_t i = 0; i < RESPONSES_MAX; i++) {
        if (ledger->responses[i].used && strcmp(ledger->responses[i].order.uid, uid) == 0)
            return &ledger->responses[i];
    }
    return NULL;
}

bool ledger_was_handled(const struct ledger *ledger, const char *id)
{
    for (uint32_t i = 0; i < ledger->handled_count; i++) {
        if (strcmp(ledger->handled[i].id, id) == 0)
            return true;
    }
    return false;
}

bool ledger_handle(struct ledger *ledger, const struct pod_order *order, uint64_t now_ms,
                   uint64_t age_ms)
{
    uint32_t at = ledger->handled_count;
    if (at == HANDLED_MAX) {
        /* The oldest first: an order that is too old isn't carried out anyway. */
        if (ledger->handled[0].at_ms + age_ms > now_ms)
            return false;
        memmove(ledger->handled, ledger->handled + 1, (HANDLED_MAX - 1) * sizeof(struct handled));
        at--;
    }
    struct handled *one = &ledger->handled[at];
    *one = (struct handled){.at_ms = now_ms};
    snprintf(one->id, sizeof(one->id), "%s", order->id);
    snprintf(one->uid, sizeof(one->uid), "%s", order->uid);
    ledger->handled_count = at + 1;
    return true;
}

uint32_t ledger_begun(const struct ledger *ledger, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ledger->begun_count; i++)
        count += ledger->begun_ms[i] + HOUR_MS > now_ms;
    return count;
}

void ledger_begin(struct ledger *ledger, uint64_t now_ms)
{
    if (ledger->begun_count == BEGUN_MAX) {
        memmove(ledger->begun_ms, ledger->begun_ms + 1, (BEGUN_MAX - 1) * sizeof(uint64_t));
        ledger->begun_count--;
    }
    ledger->begun_ms[ledger->begun_count++] = now_ms;
}

/* --- what pods were seen to do --- */

static uint64_t add(uint64_t hash, const char *text)
{
    /* With its end, so that parts don't run together. */
    return guard_checksum(hash, (struct guard_span){(const uint8_t *)text, strlen(text) + 1});
}

uint64_t ledger_pod(const char *uid)
{
    return add(1, uid);
}

void ledger_evidence(char out[POD_ORDER_TEXT_MAX + 1], const char *text)
{
    size_t len = 0;
    for (const char *at = text; *at != '\0' && len < POD_ORDER_TEXT_MAX; at++) {
        bool digit = *at >= '0' && *at <= '9';
        if (!digit)
            out[len++] = *at;
        else if (len == 0 || out[len - 1] != '#')
            out[len++] = '#';
    }
    out[len] = '\0';
}

static uint64_t key_of(const struct pod_order *order, const struct pod_order_evidence *evidence)
{
    char text[POD_ORDER_TEXT_MAX + 1];
    ledger_evidence(text, evidence->text);
    uint64_t key = add(add(2, order->name_space), order->workload);
    return add(add(add(key, order->container), evidence->kind), text);
}

static void note(struct ledger *ledger, struct trace trace)
{
    for (uint32_t i = 0; i < ledger->trace_count; i++) {
        if (ledger->traces[i].key == trace.key && ledger->traces[i].pod == trace.pod) {
            ledger->traces[i].at_ms = trace.at_ms;
            return;
        }
    }
    if (ledger->trace_count == TRACES_MAX) {
        memmove(ledger->traces, ledger->traces + 1, (TRACES_MAX - 1) * sizeof(struct trace));
        ledger->trace_count--;
    }
    ledger->traces[ledger->trace_count++] = trace;
}

bool ledger_trace(struct ledger *ledger, const struct pod_order *order, uint64_t window_ms,
                  uint64_t now_ms, uint64_t *pod)
{
    bool others = false;
    uint64_t mine = ledger_pod(order->uid);
    for (uint32_t i = 0; i < order->evidence_count; i++) {
        uint64_t key = key_of(order, &order->evidence[i]);
        for (uint32_t k = 0; k < ledger->trace_count; k++) {
            const struct trace *trace = &ledger->traces[k];
            if (trace->key != key || trace->pod == mine || trace->at_ms + window_ms <= now_ms)
                continue;
            others = true;
            *pod = trace->pod;
        }
        note(ledger, (struct trace){key, mine, now_ms});
    }
    return others;
}
