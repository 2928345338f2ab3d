/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles of a service by namespace, workload and container; there are few. */
#include "profiles.h"

#include "guardd/service.h"

#include "common/file.h"
#include "common/guardian_pods.h"
#include "common/json_writer.h"
#include "common/log.h"
#include "common/pods/orders.h"

#include <string.h>

static const uint64_t DAY = 86400000;
enum { KEPT_DAYS_FULL = 7, REPLICAS_SHOWN = 16, ROOM_LEFT = 4096 };

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static struct guard_pods *find(const struct service_pods *pods, const struct guard_pod_rules *rules,
                               const struct guard_pod_identity *id)
{
    for (uint32_t i = 0; i < pods->count; i++) {
        struct guard_pods_stats stats;
        guard_pods_stats(pods->list[i], rules, &stats);
        if (same(stats.name_space, id->name_space) && same(stats.workload, id->workload) &&
            same(stats.container, id->container))
            return pods->list[i];
    }
    return NULL;
}

static enum guard_rc get(struct service *service, const struct guard_pod_rules *rules,
                         const struct guard_pod_identity *id, struct guard_pods **out,
                         struct guard_err *err)
{
    struct service_pods *pods = &service->pods;
    struct guard_pods_cfg cfg = {.alloc = heap_alloc(),
                                 .name_space = id->name_space,
                                 .workload = id->workload,
                                 .container = id->container};
    *out = find(pods, rules, id);
    if (*out != NULL)
        return GUARD_OK;
    if (pods->count == POD_PROFILES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "more than %d workloads and containers",
                          POD_PROFILES_MAX);
    memcpy(cfg.key, service->key, sizeof(cfg.key));
    GUARD_TRY(guard_pods_new(out, &cfg, err));
    pods->list[pods->count++] = *out;
    return GUARD_OK;
}

static void begin_anew(struct service_pods *pods, struct guard_pods *profile)
{
    for (uint32_t i = 0; i < pods->count; i++) {
        if (pods->list[i] != profile)
            continue;
        guard_pods_free(profile);
        pods->list[i] = pods->list[--pods->count];
        return;
    }
}

static uint64_t before(uint64_t now_ms, uint64_t days)
{
    return now_ms > days * DAY ? now_ms - days * DAY : 0;
}

enum guard_rc pods_observe(struct service *service, const struct guard_pod_rules *rules,
                           const struct guard_pod_record *record, struct guard_pod_verdict *verdict,
                           struct guard_err *err)
{
    struct guard_pods *profile = NULL;
    GUARD_TRY(get(service, rules, &record->id, &profile, err));
    enum guard_rc rc = guard_pods_observe(profile, rules, record, verdict, err);
    if (rc == GUARD_E_LIMIT) {
        guard_pods_forget(profile, before(record->until_ms, KEPT_DAYS_FULL));
        rc = guard_pods_observe(profile, rules, record, verdict, err);
    }
    if (rc == GUARD_E_LIMIT) {
        guard_pods_forget(profile, before(record->until_ms, 1));
        rc = guard_pods_observe(profile, rules, record, verdict, err);
    }
    if (rc == GUARD_OK || rc == GUARD_E_LIMIT)
        service->pods.changed = true;
    if (rc == GUARD_E_NOMEM || rc == GUARD_E_STATE)
        begin_anew(&service->pods, profile);
    return rc;
}

void pods_forget_old(struct service_pods *pods, uint64_t now_ms)
{
    if (pods->count == 0 || pods->dropped_day == now_ms / DAY)
        return;
    pods->dropped_day = now_ms / DAY;
    for (uint32_t i = 0; i < pods->count; i++) {
        guard_pods_forget(pods->list[i], before(now_ms, POD_KEPT_DAYS));
        pods->changed = true;
    }
}

void pod_refuse(struct services *services, const struct guard_pod_record *record,
                enum pod_refusal refusal, const char *why, const char *reporter, uint64_t now_ms)
{
    const struct guard_span no_service = {NULL, 0};
    struct pod_counts *counts = &services->pod_counts;
    uint64_t day = now_ms / DAY + 1;
    counts->refused[refusal]++;
    if (counts->refused_day[refusal] != day)
        log_event("warn", "pod-record-refused", no_service,
                  "workload %.*s, pod %.*s%s%s: %s; of others it is counted (status, refused.%s) "
                  "and not said before tomorrow",
                  (int)record->id.workload.len, (const char *)record->id.workload.ptr,
                  (int)record->id.pod.len, (const char *)record->id.pod.ptr,
                  reporter[0] != '\0' ? ", reporter " : "", reporter, why,
                  pod_refusal_name(refusal));
    counts->refused_day[refusal] = day;
}

const char *pod_refusal_name(enum pod_refusal refusal)
{
    static const char *const names[POD_REFUSALS] = {"ahead", "old",     "nobody", "service",
                                                    "other", "foreign", "flood"};
    return (uint32_t)refusal < POD_REFUSALS ? names[refusal] : "";
}

void pod_counts_status(struct json_writer *json, const struct pod_counts *counts)
{
    json_open(json, "pods", '{');
    json_integer(json, "files", (int64_t)counts->files);
    json_integer(json, "damaged_files", (int64_t)counts->damaged_files);
    json_integer(json, "records", (int64_t)counts->records);
    json_integer(json, "repeated", (int64_t)counts->repeated);
    json_integer(json, "alerts", (int64_t)counts->alerts);
    json_open(json, "decisions", '{');
    for (uint32_t i = GUARD_POD_ALERT; i <= GUARD_POD_REPLACE; i++)
        json_integer(json, guard_pod_decision_name((enum guard_pod_decision)i),
                     (int64_t)counts->decisions[i]);
    json_close(json, '}');
    json_open(json, "order_ends", '{');
    for (uint32_t i = GUARD_POD_REPLACED; i <= GUARD_POD_USELESS; i++)
        json_integer(json, pod_report_end_name((enum guard_pod_end)i), (int64_t)counts->ends[i]);
    json_close(json, '}');
    json_open(json, "refused", '{');
    for (uint32_t i = 0; i < POD_REFUSALS; i++)
        json_integer(json, pod_refusal_name((enum pod_refusal)i), (int64_t)counts->refused[i]);
    json_close(json, '}');
    json_close(json, '}');
}

void pods_write_blind(struct json_writer *json, uint32_t blind)
{
    json_open(json, "blind", '[');
    for (uint32_t kind = 0; kind < GUARD_POD_KINDS; kind++) {
        if ((blind >> kind & 1) != 0)
            json_text(json, NULL, guard_pod_kind_name((enum guard_pod_kind)kind));
    }
    json_close(json, ']');
}

/* Those that live; of many the first ones. */
static uint32_t write_replicas(struct json_writer *json, const struct guard_pods *profile,
                               uint64_t live_since_ms)
{
    struct guard_pod_replica replica;
    uint32_t live = 0;
    json_open(json, "live", '[');
    for (uint32_t i = 0; guard_pods_replica(profile, i, live_since_ms, &replica); i++) {
        if (!replica.live || live++ >= REPLICAS_SHOWN || json->cap - json->len < ROOM_LEFT)
            continue;
        json_open(json, NULL, '{');
        json_string(json, "pod", replica.pod);
        json_integer(json, "first_ms", (int64_t)replica.first_ms);
        json_integer(json, "last_ms", (int64_t)replica.last_ms);
        json_integer(json, "records", (int64_t)replica.records);
        json_integer(json, "incomplete", (int64_t)replica.incomplete);
        json_integer(json, "alone", replica.alone);
        pods_write_blind(json, replica.blind);
        json_close(json, '}');
    }
    json_close(json, ']');
    return live;
}

static void write_profile(struct json_writer *json, const struct guard_pods *profile,
                          const struct guard_pod_rules *rules, uint64_t now_ms)
{
    struct guard_pods_stats stats;
    guard_pods_stats(profile, rules, &stats);
    json_open(json, NULL, '{');
    json_string(json, "namespace", stats.name_space);
    json_string(json, "workload", stats.workload);
    json_string(json, "container", stats.container);
    json_bool(json, "ready", stats.ready);
    json_integer(json, "records", (int64_t)stats.records);
    json_integer(json, "incomplete", (int64_t)stats.incomplete);
    json_integer(json, "refused", (int64_t)stats.refused);
    json_integer(json, "replicas", stats.replicas);
    json_integer(json, "replica_days", stats.days);
    json_integer(json, "known", stats.known);
    json_integer(json, "normal", stats.normal);
    json_integer(
        json, "live_count",
        write_replicas(json, profile, now_ms > rules->live_ms ? now_ms - rules->live_ms : 0));
    json_close(json, '}');
}

void pods_status(struct json_writer *json, const struct service *service)
{
    struct guard_pod_rules rules;
    uint64_t now_ms = clock_unix_ms();
    if (service->pods.count == 0)
        return;
    guardian_pods_rules(&service->guardian.pods, &rules);
    json_open(json, "pods", '[');
    for (uint32_t i = 0; i < service->pods.count && json->cap - json->len > 2 * ROOM_LEFT; i++)
        write_profile(json, service->pods.list[i], &rules, now_ms);
    json_close(json, ']');
}
