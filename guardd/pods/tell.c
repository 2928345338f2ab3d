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

void pod_tell(struct pod_told *told, struct services *services, const struct service *service,
              const struct guard_pod_verdict *verdict, uint64_t now_ms)
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
    for (uint32_t i = 0; i < count && i < FINDINGS_MAX; i++)
        note(told, key_of(service, verdict, evidence[i]), now_ms);
    bool replace = verdict->decision == GUARD_POD_REPLACE;
    int len = snprintf(explanation, sizeof(explanation), "%s", replace ? "dry run, would " : "");
    (void)guard_pod_explain(verdict, explanation + len, sizeof(explanation) - (size_t)len);
    services->pod_counts.alerts++;
    log_event(replace ? "alarm" : "warn", replace ? "pod-would-be-replaced" : "pod-deviates",
              service->name, "%s", explanation);
    if (services->alerts != NULL)
        alert(services->alerts, service, verdict, evidence, count, explanation, now_ms);
}
