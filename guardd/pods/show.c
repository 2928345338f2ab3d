/* SPDX-License-Identifier: Apache-2.0 */
/* Everything is bounded twice: by how many are shown, and by the room that is left. */
#include "show.h"

#include "reported.h"
#include "responder.h"

#include "common/file.h"
#include "common/guardian_pods.h"
#include "common/json_writer.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALONE_MAX = 16, REPLICAS_MAX = 256, CASES_MAX = 32, ROOM = 16 * 1024 };
enum { DAY_MS = 86400000 };

/* Nothing begins behind `until`. */
static bool full(const struct json_writer *json, size_t until)
{
    return json->len > until || json->cap - json->len < ROOM;
}

static void write_id(struct json_writer *json, uint64_t id)
{
    char text[17];
    snprintf(text, sizeof(text), "%016" PRIx64, id);
    json_text(json, "id", text);
}

static const char *kind_name(uint32_t kind)
{
    return kind < GUARD_POD_KINDS ? guard_pod_kind_name((enum guard_pod_kind)kind) : "amount";
}

static const char *review_name(enum guard_pod_review review)
{
    return review == GUARD_POD_APPROVED  ? "approved"
           : review == GUARD_POD_REFUSED ? "refused"
                                         : "none";
}

static void write_alone(struct json_writer *json, const struct guard_pods *profile,
                        uint32_t replica)
{
    struct guard_pod_known known;
    uint32_t at = 0;
    json_open(json, "alone", '[');
    for (uint32_t i = 0; i < ALONE_MAX && guard_pods_alone(profile, replica, &at, &known); i++) {
        json_open(json, NULL, '{');
        write_id(json, known.id);
        json_text(json, "kind", kind_name(known.kind));
        json_text(json, "text", known.text);
        json_text(json, "review", review_name(known.review));
        json_integer(json, "count", (int64_t)known.count);
        json_integer(json, "first_ms", (int64_t)known.first_ms);
        json_integer(json, "last_ms", (int64_t)known.last_ms);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* By name, so that further ones are no change of the form. */
static void write_amounts(struct json_writer *json, const struct guard_pod_replica *replica)
{
    json_open(json, "amounts", '{');
    for (uint32_t i = 0; i < GUARD_POD_AMOUNTS; i++) {
        if ((replica->amounts_known >> i & 1) != 0)
            json_integer(json, guard_pod_amount_name(i), replica->amounts[i]);
    }
    json_close(json, '}');
}

static uint32_t live_count(const struct guard_pods *profile, uint64_t live_since_ms)
{
    struct guard_pod_replica replica;
    uint32_t count = 0;
    for (uint32_t i = 0; guard_pods_replica(profile, i, live_since_ms, &replica); i++)
        count += replica.live;
    return count;
}

/* A replica by its place in the profile. */
struct ranked {
    uint32_t index;
    uint32_t alone; /* things that only it did */
};

static bool holds(struct guard_span name, const char *part)
{
    return part[0] == '\0' || memmem(name.ptr, name.len, part, strlen(part)) != NULL;
}

/* Those that live and whose name holds `part`, what does most alone first. Returns how many there
 * are; REPLICAS_MAX of them at most are in `out`. */
static uint32_t rank_replicas(const struct guard_pods *profile, uint64_t live_since_ms,
                              const char *part, struct ranked out[REPLICAS_MAX])
{
    struct guard_pod_replica replica;
    uint32_t count = 0, live = 0;
    for (uint32_t i = 0; guard_pods_replica(profile, i, live_since_ms, &replica); i++) {
        if (!replica.live || !holds(replica.pod, part))
            continue;
        live++;
        uint32_t at = count < REPLICAS_MAX ? count++ : REPLICAS_MAX;
        for (; at > 0 && out[at - 1].alone < replica.alone; at--) {
            if (at < REPLICAS_MAX)
                out[at] = out[at - 1];
        }
        if (at < REPLICAS_MAX)
            out[at] = (struct ranked){i, replica.alone};
    }
    return live;
}

/* Who says of the pod what it does; nothing where that are sensors of this machine. */
static void write_reporter(struct json_writer *json, const struct services *services,
                           const struct service *service, struct guard_span name_space,
                           struct guard_span pod)
{
    const struct pod_speakers *speakers = services->run != 0 ? &service->backlog.speakers
                                          : services->pod_reported != NULL
                                              ? &services->pod_reported->speakers
                                              : NULL;
    const struct pod_speaker *speaker =
        speakers != NULL ? pod_speakers_of(speakers, service->name, name_space, pod) : NULL;
    if (speaker != NULL)
        json_text(json, "reporter", speaker->name);
}

/* Where and of what the replicas shown are. */
struct showing {
    const struct services *services;
    const struct service *service;
    const struct guard_pods *profile;
    struct guard_span name_space;
    uint64_t live_since_ms;
    const char *part;
};

static void write_replicas(struct json_writer *json, const struct showing *showing, size_t until)
{
    const struct guard_pods *profile = showing->profile;
    uint64_t live_since_ms = showing->live_since_ms;
    struct ranked list[REPLICAS_MAX];
    struct guard_pod_replica replica;
    uint32_t live = rank_replicas(profile, live_since_ms, showing->part, list);
    json_integer(json, "live_count", live);
    json_open(json, "replicas", '[');
    for (uint32_t i = 0; i < live && i < REPLICAS_MAX && !full(json, until); i++) {
        if (!guard_pods_replica(profile, list[i].index, live_since_ms, &replica))
            break;
        json_open(json, NULL, '{');
        json_string(json, "pod", replica.pod);
        json_string(json, "node", replica.node);
        write_reporter(json, showing->services, showing->service, showing->name_space, replica.pod);
        json_integer(json, "first_ms", (int64_t)replica.first_ms);
        json_integer(json, "last_ms", (int64_t)replica.last_ms);
        json_integer(json, "records", (int64_t)replica.records);
        json_integer(json, "incomplete", (int64_t)replica.incomplete);
        pods_write_blind(json, replica.blind);
        write_amounts(json, &replica);
        json_integer(json, "alone_count", replica.alone);
        write_alone(json, profile, list[i].index);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* Each has its share of the room that is left: one that has much to tell hides no other. */
static void write_workloads(struct json_writer *json, const struct services *services,
                            const struct service *service, const char *part, uint64_t now_ms,
                            size_t until)
{
    struct guard_pod_rules rules;
    guardian_pods_rules(&service->guardian.pods, &rules);
    uint64_t live_since_ms = now_ms > rules.live_ms ? now_ms - rules.live_ms : 0;
    json_open(json, "workloads", '[');
    for (uint32_t i = 0; i < service->pods.count && !full(json, until); i++) {
        struct guard_pods_stats stats;
        size_t share = (until - json->len) / (service->pods.count - i);
        guard_pods_stats(service->pods.list[i], &rules, &stats);
        json_open(json, NULL, '{');
        json_string(json, "namespace", stats.name_space);
        json_string(json, "workload", stats.workload);
        json_string(json, "container", stats.container);
        json_bool(json, "ready", stats.ready);
        json_integer(json, "records", (int64_t)stats.records);
        json_integer(json, "replica_days", stats.days);
        json_integer(json, "known", stats.known);
        json_integer(json, "normal", stats.normal);
        pod_responder_workload_json(json, services->pod_responder, stats.name_space, stats.workload,
                                    live_count(service->pods.list[i], live_since_ms), now_ms);
        const struct showing showing = {services,         service,       service->pods.list[i],
                                        stats.name_space, live_since_ms, part};
        write_replicas(json, &showing, json->len + share);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void write_evidence(struct json_writer *json, const struct guard_pod_evidence *evidence)
{
    json_open(json, NULL, '{');
    write_id(json, evidence->id);
    json_text(json, "kind", kind_name(evidence->kind));
    json_text(json, "text", evidence->text);
    json_bool(json, "hard", evidence->hard);
    json_number(json, "strength", evidence->strength);
    json_integer(json, "with", evidence->with);
    json_integer(json, "days", evidence->days);
    json_integer(json, "seen_ms", (int64_t)evidence->seen_ms);
    json_text(json, "exchange", evidence->request);
    json_close(json, '}');
}

static void write_case(struct json_writer *json, const struct pod_case *entry)
{
    char reasons[160];
    (void)guard_pod_reasons_text(entry->reasons, reasons, sizeof(reasons));
    json_open(json, NULL, '{');
    json_integer(json, "told_ms", (int64_t)entry->told_ms);
    json_text(json, "decision", guard_pod_decision_name(entry->decision));
    json_text(json, "namespace", entry->name_space);
    json_text(json, "workload", entry->workload);
    json_text(json, "container", entry->container);
    json_text(json, "pod", entry->pod);
    json_number(json, "score", entry->score);
    json_integer(json, "others", entry->others);
    json_text(json, "not_more", reasons);
    json_text(json, "exchange", entry->request);
    json_text(json, "order", entry->order);
    json_text(json, "explanation", entry->explanation);
    json_open(json, "evidence", '[');
    for (uint32_t i = 0; i < entry->evidence_count; i++)
        write_evidence(json, &entry->evidence[i]);
    json_close(json, ']');
    json_close(json, '}');
}

/* The index-th newest that is of the service, NULL: it is another's. */
static const struct pod_case *case_of(const struct pod_cases *cases, uint64_t index,
                                      struct guard_span service)
{
    const struct pod_case *entry = &cases->list[(cases->told - 1 - index) % POD_CASES_MAX];
    bool ours = strlen(entry->service) == service.len &&
                memcmp(entry->service, service.ptr, service.len) == 0;
    return ours ? entry : NULL;
}

static void write_cases(struct json_writer *json, const struct pod_cases *cases,
                        struct guard_span service, const char *part, size_t until)
{
    uint32_t shown = 0;
    json_open(json, "cases", '[');
    for (uint64_t i = 0; cases != NULL && i < cases->told && i < POD_CASES_MAX; i++) {
        const struct pod_case *entry = case_of(cases, i, service);
        if (shown == CASES_MAX || full(json, until))
            break;
        if (entry == NULL || strstr(entry->pod, part) == NULL)
            continue;
        shown++;
        write_case(json, entry);
    }
    json_close(json, ']');
}

static void write_sessions(struct json_writer *json, const struct service_pods *pods,
                           uint64_t now_ms)
{
    json_open(json, "sessions", '[');
    for (uint32_t i = 0; i < pods->session_count; i++) {
        if (pods->sessions[i].until_ms <= now_ms)
            continue;
        json_open(json, NULL, '{');
        json_text(json, "namespace", pods->sessions[i].name_space);
        json_text(json, "pod", pods->sessions[i].pod);
        json_integer(json, "until_ms", (int64_t)pods->sessions[i].until_ms);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void pods_show(struct json_writer *json, const struct services *services,
               const struct service *service, const char *part, uint64_t now_ms)
{
    static const struct pod_orders none;
    const struct pod_orders *orders = services->pod_orders != NULL ? services->pod_orders : &none;
    size_t until = json->len + PODS_SHOWN_MAX - ROOM;
    json_string(json, "service", service->name);
    if (services->run != 0 && !service->replica.learns)
        json_text(json, "learned_by", service->backlog.learner);
    json_text(json, "orders_mode", pod_orders_mode_name(pod_orders_mode_of(orders, service)));
    pod_responder_json(json, services->pod_responder, now_ms);
    write_sessions(json, &service->pods, now_ms);
    withdrawals_json(services, service, "withdrawals", json, now_ms);
    write_cases(json, services->pod_cases, service->name, part, until);
    pod_orders_json(orders, service->name, "orders", json, until);
    write_workloads(json, services, service, part, now_ms, until);
}

static bool same_pod(const struct pod_case *a, const struct pod_case *b)
{
    return strcmp(a->pod, b->pod) == 0 && strcmp(a->name_space, b->name_space) == 0;
}

/* Of two cases of a pod the newer counts. */
static bool said_later(const struct pod_cases *cases, uint64_t index, const struct pod_case *entry,
                       struct guard_span service, bool replace)
{
    for (uint64_t i = 0; i < index; i++) {
        const struct pod_case *later = case_of(cases, i, service);
        if (later != NULL && same_pod(later, entry) && later->decision != GUARD_POD_CHANGE &&
            (!replace || later->decision == GUARD_POD_REPLACE))
            return true;
    }
    return false;
}

void pods_summary(struct json_writer *json, const struct services *services,
                  const struct service *service, uint64_t now_ms)
{
    const struct pod_cases *cases = services->pod_cases;
    uint32_t told = 0, replace = 0;
    for (uint64_t i = 0; cases != NULL && i < cases->told && i < POD_CASES_MAX; i++) {
        const struct pod_case *entry = case_of(cases, i, service->name);
        if (entry == NULL || entry->decision == GUARD_POD_CHANGE ||
            entry->told_ms + DAY_MS <= now_ms)
            continue;
        told += !said_later(cases, i, entry, service->name, false);
        replace += entry->decision == GUARD_POD_REPLACE &&
                   !said_later(cases, i, entry, service->name, true);
    }
    json_open(json, "pods", '{');
    json_integer(json, "workloads", service->pods.count);
    json_integer(json, "told", told);
    json_integer(json, "replace", replace);
    json_close(json, '}');
}

bool pods_thing(const struct service *service, uint64_t id, char out[160])
{
    struct guard_pod_known known;
    for (uint32_t i = 0; i < service->pods.count; i++) {
        for (uint32_t k = 0; guard_pods_known(service->pods.list[i], k, &known); k++) {
            if (known.id != id)
                continue;
            memcpy(out, known.text, sizeof(known.text));
            return true;
        }
    }
    return false;
}

static void show_file(const struct services *services, const struct service *service, char *text,
                      uint64_t now_ms)
{
    static bool complained;
    char path[STATE_PATH_MAX];
    struct json_writer json;
    struct guard_err err = {.text = "what pods do is too much"};
    json_writer_init(&json, text, PODS_SHOWN_MAX);
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)now_ms);
    pods_show(&json, services, service, "", now_ms);
    json_close(&json, '}');
    bool good = !json.overflow &&
                state_path(path, services->state, "pods", service->name, ".json") == GUARD_OK &&
                file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640,
                             false, &err) == GUARD_OK;
    if (!good && !complained)
        log_event("alarm", "pods-not-shown", service->name, "%s", err.text);
    complained = !good;
}

void pods_show_files(const struct services *services, bool all, uint64_t now_ms)
{
    char *text = malloc(PODS_SHOWN_MAX);
    for (uint32_t i = 0; text != NULL && i < services->count; i++) {
        const struct service_pods *pods = &services->list[i]->pods;
        /* Who doesn't learn it has what was, or nothing. */
        bool ours = services->run == 0 || services->list[i]->replica.learns;
        if (ours && pods->count > 0 && (all || pods->changed))
            show_file(services, services->list[i], text, now_ms);
    }
    free(text);
}
