/* SPDX-License-Identifier: Apache-2.0 */
/* Each finding of an alert is a piece of evidence; its location ends with a key of pod, decision
 * and evidence, by which it is found in the log again. */
#include "tell.h"

#include "guardd/alerts.h"
#include "guardd/log_scan.h"

#include "common/json_writer.h"
#include "common/log.h"

#include <guard/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALERT_ROOM = 12 * 1024,
    EXPLANATION_ROOM = 2000,
    FINDINGS_MAX = 8,
    POD_NAMES_ROOM = 2 * GUARD_POD_NAME_MAX + 2,
    LINES_MAX = 100000, /* of the log are looked at */
    STEPS_MAX = 64,
};
static const uint64_t TOLD_MS = 86400000;
static const char mark[] = "pod evidence ";

static bool was_told(const struct pod_told *told, uint64_t key, uint64_t now_ms)
{
    for (uint32_t i = 0; i < POD_TOLD_MAX; i++) {
        if (told->keys[i] == key && told->times_ms[i] + TOLD_MS > now_ms)
            return true;
    }
    return false;
}

static void note(struct pod_told *told, uint64_t key, uint64_t time_ms)
{
    told->keys[told->at] = key;
    told->times_ms[told->at] = time_ms;
    told->at = (told->at + 1) % POD_TOLD_MAX;
}

void pod_told_add(struct pod_told *told, uint64_t key, uint64_t time_ms, uint64_t now_ms)
{
    if (key != 0 && time_ms + TOLD_MS > now_ms && !was_told(told, key, now_ms))
        note(told, key, time_ms);
}

/* --- the log --- */

struct reading {
    struct pod_told *told;
    uint64_t since_ms;
    uint32_t lines;
};

/* False, which ends it: what is older doesn't matter any more. */
static bool take_line(void *ctx, struct guard_span line)
{
    struct reading *reading = ctx;
    uint64_t time_ms = log_number(line, "\"time_ms\":");
    if (time_ms < reading->since_ms || reading->lines++ >= LINES_MAX)
        return false;
    for (const uint8_t *at = line.ptr, *end = line.ptr + line.len;
         (at = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1)) != NULL;) {
        char digits[17] = "";
        at += sizeof(mark) - 1;
        if (end - at < 16)
            break;
        memcpy(digits, at, 16);
        uint64_t key = strtoull(digits, NULL, 16);
        if (key != 0 && reading->told->at < POD_TOLD_MAX - 1)
            note(reading->told, key, time_ms);
    }
    return true;
}

void pod_told_read(struct pod_told *told, const char *state, uint64_t now_ms)
{
    struct log_scan scan = {.begun = true};
    struct reading reading = {told, now_ms > TOLD_MS ? now_ms - TOLD_MS : 0, 0};
    log_newest(state, "alerts.jsonl", &scan.at);
    (void)log_filter_add(&scan.filter, "part", "pod");
    for (uint32_t steps = 0; steps < STEPS_MAX; steps++) {
        if (log_scan_back(&scan, state, "alerts.jsonl", take_line, &reading) != LOG_MORE)
            break;
    }
}

/* --- telling --- */

static uint64_t key_of(const struct service *service, const struct guard_pod_verdict *verdict,
                       const struct guard_pod_evidence *evidence)
{
    const uint64_t parts[] = {evidence->id, evidence->kind, (uint64_t)verdict->decision};
    const struct guard_span names[] = {service->name, verdict->name_space, verdict->workload,
                                       verdict->pod, verdict->container};
    uint64_t key = guard_checksum(1, (struct guard_span){(const uint8_t *)parts, sizeof(parts)});
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        key = guard_checksum(key, names[i]);
    return key != 0 ? key : 1;
}

/* The fresh first: what makes the alert one of a kind. */
static uint32_t choose(const struct guard_pod_verdict *verdict,
                       const struct guard_pod_evidence *out[GUARD_POD_EVIDENCE_MAX])
{
    uint32_t count = 0;
    for (int fresh = 1; fresh >= 0; fresh--) {
        for (uint32_t i = 0; i < verdict->count && i < GUARD_POD_EVIDENCE_MAX; i++) {
            if (verdict->evidence[i].fresh == (fresh == 1))
                out[count++] = &verdict->evidence[i];
        }
    }
    return count;
}

static void write_finding(struct json_writer *json, const struct service *service,
                          const struct guard_pod_verdict *verdict,
                          const struct guard_pod_evidence *evidence)
{
    char text[POD_NAMES_ROOM];
    char location[sizeof(mark) + 16];
    bool amount = evidence->kind >= GUARD_POD_KINDS;
    snprintf(location, sizeof(location), "%s%016" PRIx64, mark, key_of(service, verdict, evidence));
    json_open(json, NULL, '{');
    json_text(json, "part", "pod");
    json_text(json, "location", location);
    snprintf(text, sizeof(text), "%.*s/%.*s", (int)verdict->name_space.len,
             (const char *)verdict->name_space.ptr, (int)verdict->pod.len,
             (const char *)verdict->pod.ptr);
    json_text(json, "name", text);
    snprintf(text, sizeof(text), "pod-%s",
             amount ? "amount" : guard_pod_kind_name((enum guard_pod_kind)evidence->kind));
    json_text(json, "rule", text);
    json_text(json, "observed", evidence->text);
    snprintf(text, sizeof(text), "%u others in %u replica days", evidence->with, evidence->days);
    json_text(json, "expected", amount ? "" : text);
    json_close(json, '}');
}

static void alert(struct alerts *alerts, const struct service *service,
                  const struct guard_pod_verdict *verdict,
                  const struct guard_pod_evidence *const *evidence, uint32_t count,
                  const char *explanation, uint64_t now_ms)
{
    char text[ALERT_ROOM];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)now_ms);
    json_string(&json, "service", service->name);
    if (verdict->request[0] != '\0')
        json_text(&json, "id", verdict->request);
    json_text(&json, "verdict", "alert");
    json_text(&json, "action", "pass");
    json_number(&json, "score", verdict->score);
    json_text(&json, "explanation", explanation);
    json_open(&json, "findings", '[');
    for (uint32_t i = 0; i < count && i < FINDINGS_MAX; i++)
        write_finding(&json, service, verdict, evidence[i]);
    json_close(&json, ']');
    json_close(&json, '}');
    if (!json.overflow)
        alerts_take(alerts, (struct guard_span){(const uint8_t *)text, json.len});
}

/* --- cases, for who asks --- */

static void put(char *out, size_t size, struct guard_span text)
{
    size_t len = text.len < size ? text.len : size - 1;
    if (len > 0)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
}

static void remember(struct services *services, const struct service *service,
                     const struct guard_pod_verdict *verdict, const char *explanation,
                     const struct pod_order_known *order, uint64_t now_ms)
{
    struct pod_cases *cases = services->pod_cases;
    if (cases == NULL)
        return;
    struct pod_case *entry = &cases->list[cases->told++ % POD_CASES_MAX];
    *entry = (struct pod_case){.told_ms = now_ms,
                               .decision = verdict->decision,
                               .reasons = verdict->reasons,
                               .score = verdict->score,
                               .others = verdict->others};
    put(entry->service, sizeof(entry->service), service->name);
    put(entry->name_space, sizeof(entry->name_space), verdict->name_space);
    put(entry->workload, sizeof(entry->workload), verdict->workload);
    put(entry->container, sizeof(entry->container), verdict->container);
    put(entry->pod, sizeof(entry->pod), verdict->pod);
    snprintf(entry->request, sizeof(entry->request), "%s", verdict->request);
    put(entry->explanation, sizeof(entry->explanation),
        (struct guard_span){(const uint8_t *)explanation, strlen(explanation)});
    snprintf(entry->order, sizeof(entry->order), "%s", order != NULL ? order->order.id : "");
    for (uint32_t i = 0; i < verdict->count && i < POD_CASE_EVIDENCE_MAX; i++)
        entry->evidence[entry->evidence_count++] = verdict->evidence[i];
}

/* The same after a kill, when the same records come again. */
static uint64_t case_id(const struct service *service, const struct guard_pod_verdict *verdict)
{
    uint64_t seen_ms = verdict->evidence[0].seen_ms;
    struct guard_span bytes = {(const uint8_t *)&seen_ms, sizeof(seen_ms)};
    return guard_checksum(key_of(service, verdict, &verdict->evidence[0]), bytes);
}

/* Of roots that share a database the one before may have given an order, of which this one knows
 * nothing but that. */
static uint64_t key_of_order(const struct service *service, const struct guard_pod_verdict *verdict,
                             bool dry_run)
{
    uint64_t key = guard_checksum(dry_run ? 4 : 3, service->name);
    const struct guard_span names[] = {verdict->name_space, verdict->pod, verdict->container};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        key = guard_checksum(key, names[i]);
    return key != 0 ? key : 1;
}

static bool was_ordered(const struct pod_told *told, const struct services *services,
                        const struct service *service, const struct guard_pod_verdict *verdict,
                        uint64_t now_ms)
{
    if (services->run == 0 || verdict->decision != GUARD_POD_REPLACE ||
        services->pod_orders == NULL)
        return false;
    return was_told(told, key_of_order(service, verdict, false), now_ms) ||
           (pod_orders_dry_run(services->pod_orders, service) &&
            was_told(told, key_of_order(service, verdict, true), now_ms));
}

static void tell_of(struct pod_told *told, struct services *services, struct service *service,
                    uint64_t key, uint64_t now_ms)
{
    note(told, key, now_ms);
    pod_backlog_tell(services, service, key, now_ms);
}

static const struct pod_order_known *give(struct pod_told *told, struct services *services,
                                          struct service *service,
                                          const struct guard_pod_verdict *verdict,
                                          struct guard_span uid, bool elsewhere, uint64_t now_ms)
{
    char reason[POD_ORDER_REASON_MAX + 1];
    if (services->pod_orders == NULL || verdict->decision != GUARD_POD_REPLACE ||
        verdict->count == 0)
        return NULL;
    (void)guard_pod_explain(verdict, reason, sizeof(reason));
    const struct pod_order_known *order =
        pod_orders_give(services->pod_orders, service, verdict, uid, case_id(service, verdict),
                        reason, elsewhere, now_ms);
    uint64_t key = order != NULL ? key_of_order(service, verdict, order->order.dry_run) : 0;
    if (order != NULL && services->run != 0 && !was_told(told, key, now_ms))
        tell_of(told, services, service, key, now_ms);
    return order;
}

static int write_prefix(char *out, size_t size, const struct guard_pod_verdict *verdict,
                        const struct pod_order_known *order, bool elsewhere)
{
    if (verdict->decision != GUARD_POD_REPLACE)
        return snprintf(out, size, "%s", "");
    if (order == NULL && elsewhere)
        return snprintf(out, size, "another root gave an order of it, so here it only would ");
    if (order == NULL)
        return snprintf(out, size, "dry run, would ");
    if (order->order.dry_run)
        return snprintf(out, size, "dry run, order %s, would ", order->order.id);
    return snprintf(out, size, "order %s: ", order->order.id);
}

void pod_tell(struct pod_told *told, struct services *services, struct service *service,
              const struct guard_pod_verdict *verdict, struct guard_span uid, uint64_t now_ms)
{
    const struct guard_pod_evidence *evidence[GUARD_POD_EVIDENCE_MAX];
    char explanation[EXPLANATION_ROOM];
    bool fresh = false;
    if (verdict->decision == GUARD_POD_NORMAL)
        return;
    uint32_t count = choose(verdict, evidence);
    for (uint32_t i = 0; i < count; i++)
        fresh = fresh || (evidence[i]->fresh &&
                          !was_told(told, key_of(service, verdict, evidence[i]), now_ms));
    if (!fresh)
        return;
    /* First the order: who is killed here gives it and tells of it once more, as the same. */
    bool elsewhere = was_ordered(told, services, service, verdict, now_ms);
    const struct pod_order_known *order =
        give(told, services, service, verdict, uid, elsewhere, now_ms);
    for (uint32_t i = 0; i < count && i < FINDINGS_MAX; i++)
        tell_of(told, services, service, key_of(service, verdict, evidence[i]), now_ms);
    bool replace = verdict->decision == GUARD_POD_REPLACE;
    bool acts = order != NULL && !order->order.dry_run;
    int len = write_prefix(explanation, sizeof(explanation), verdict, order, elsewhere);
    (void)guard_pod_explain(verdict, explanation + len, sizeof(explanation) - (size_t)len);
    services->pod_counts.alerts++;
    services->pod_counts.decisions[verdict->decision]++;
    log_event(replace ? "alarm" : "warn",
              acts      ? "pod-to-be-replaced"
              : replace ? "pod-would-be-replaced"
                        : "pod-deviates",
              service->name, "%s", explanation);
    remember(services, service, verdict, explanation, order, now_ms);
    if (services->alerts != NULL)
        alert(services->alerts, service, verdict, evidence, count, explanation, now_ms);
}

/* --- what became of an order --- */

static uint64_t key_of_end(const struct pod_order *order)
{
    uint64_t key =
        guard_checksum(2, (struct guard_span){(const uint8_t *)order->id, strlen(order->id)});
    return key != 0 ? key : 1;
}

static void write_end(struct json_writer *json, const struct pod_order *order,
                      const struct pod_report_line *end)
{
    char text[POD_NAMES_ROOM];
    char location[sizeof(mark) + 16];
    snprintf(location, sizeof(location), "%s%016" PRIx64, mark, key_of_end(order));
    json_open(json, NULL, '{');
    json_text(json, "part", "pod");
    json_text(json, "location", location);
    snprintf(text, sizeof(text), "%s/%s", order->name_space, order->pod);
    json_text(json, "name", text);
    snprintf(text, sizeof(text), "pod-order-%s", pod_report_end_name(end->end));
    json_text(json, "rule", text);
    json_text(json, "observed", end->detail);
    json_text(json, "expected", "");
    json_close(json, '}');
}

static void alert_end(struct alerts *alerts, const struct pod_order *order,
                      const struct pod_report_line *end, const char *explanation, uint64_t now_ms)
{
    char text[ALERT_ROOM];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)now_ms);
    json_text(&json, "service", order->service);
    if (order->exchange[0] != '\0')
        json_text(&json, "id", order->exchange);
    json_text(&json, "verdict", "alert");
    json_text(&json, "action", "pass");
    json_number(&json, "score", 0);
    json_text(&json, "explanation", explanation);
    json_open(&json, "findings", '[');
    write_end(&json, order, end);
    json_close(&json, ']');
    json_close(&json, '}');
    if (!json.overflow)
        alerts_take(alerts, (struct guard_span){(const uint8_t *)text, json.len});
}

void pod_tell_end(struct pod_told *told, struct services *services,
                  const struct pod_order_known *known, uint64_t now_ms)
{
    const struct pod_order *order = &known->order;
    const struct pod_report_line *end = &known->end;
    char explanation[EXPLANATION_ROOM];
    uint64_t key = key_of_end(order);
    /* The log of alerts is looked through for a day: what is older was told. */
    if (was_told(told, key, now_ms) || order->decided_ms + 2 * TOLD_MS < now_ms)
        return;
    note(told, key, now_ms);
    snprintf(explanation, sizeof(explanation), "order %s%s, pod %s/%s: %s%s%s", order->id,
             order->dry_run ? " (dry run)" : "", order->name_space, order->pod,
             guard_pod_end_name(end->end), end->detail[0] != '\0' ? ": " : "", end->detail);
    services->pod_counts.ends[end->end]++;
    log_event(end->end == GUARD_POD_REPLACED || order->dry_run ? "warn" : "alarm",
              "pod-order-ended",
              (struct guard_span){(const uint8_t *)order->service, strlen(order->service)}, "%s",
              explanation);
    if (services->alerts != NULL)
        alert_end(services->alerts, order, end, explanation, now_ms);
}
