/* SPDX-License-Identifier: Apache-2.0 */
/* What became of Guardians, told to the cluster: their status and events, each at most once in
 * pace.write_ms, and only when something changed. */
#include "parts.h"

#include "common/json_writer.h"

#include <guard/crypto.h>
#include <guard/pile.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATUS_MAX = 8192,
    EVENT_MAX = 4096,
    EVENT_NOTE_CAP = OBJECT_WHY_CAP + 64,
    SERIES_MS = 10 * 60000, /* then the next one begins */
    CREATED = 201,
    NOT_FOUND = 404,
    CONFLICT = 409,
};
static const char *const plurals[INFORMED] = {"guardians", "guardiandefaults", "clusterguardians"};
static const char *const kinds[INFORMED] = {"Guardian", "GuardianDefault", "ClusterGuardian"};

/* --- conditions --- */

struct verdict {
    const char *type;
    const char *status;
    const char *reason;
    const char *message;
};

static bool is_learned(const struct service *service)
{
    if (service->replica.role != NULL && !service->replica.learns)
        return service->replica.ready;
    return service->model != NULL && service->model->ready;
}

static uint64_t exchanges_of(const struct service *service)
{
    struct guard_pile_stats stats;
    guard_pile_stats(service->pile, &stats);
    return stats.exchanges;
}

/* That its file isn't read yet says nothing of it; whoever begins to lead merges all anew. */
static bool is_pending(const struct object *object, const struct service *service, bool full)
{
    if (object->why[0] != '\0' && !object->dirty)
        return false;
    return object->dirty || (service == NULL ? !full : service->generation == 0);
}

static struct verdict judge_ready(const struct object *object, const struct service *service,
                                  bool full)
{
    struct verdict verdict = {"Ready", "True", "InForce", "gates are told what it says"};
    if (object->why[0] != '\0')
        return (struct verdict){"Ready", "False", object->beyond ? "BeyondShare" : "Refused",
                                object->why};
    if (service == NULL && !object->dirty && full)
        return (struct verdict){"Ready", "False", "NoRoom",
                                "guardd has as many services as it takes"};
    if (is_pending(object, service, full))
        return (struct verdict){"Ready", "False", "Pending", "it is taken in just now"};
    if (service->guardian_err.text[0] != '\0')
        return (struct verdict){"Ready", "False", "Refused", service->guardian_err.text};
    if (service->unpublished)
        return (struct verdict){"Ready", "False", "NotPublished", "the policy can't be written"};
    return verdict;
}

/* That exchanges come is no proof that all do, but more than nothing. */
static struct verdict judge_path(const struct object *object, const struct service *service)
{
    const struct canary_state *canary = &object->canary;
    bool seen = service != NULL && exchanges_of(service) > 0;
    if (canary->status != NULL)
        return (struct verdict){"NotInPath", canary->status, canary->reason, canary->message};
    if (seen)
        return (struct verdict){
            "NotInPath", "False", "ExchangesSeen",
            "gates saw its exchanges; no canary has proved that all come to one"};
    return (struct verdict){"NotInPath", "Unknown", "NoExchangeYet",
                            canary->message[0] != '\0' ? canary->message
                                                       : "no gate saw an exchange"};
}

static void judge(const struct object *object, const struct service *service, bool full,
                  struct verdict out[CONDITIONS])
{
    bool learned = service != NULL && is_learned(service);
    bool blocks = service != NULL && (service->guardian.request_mode == GUARD_MODE_BLOCK ||
                                      service->guardian.response_mode == GUARD_MODE_BLOCK);
    bool stopped = service != NULL && service->damaged;
    out[CONDITION_READY] = judge_ready(object, service, full);
    out[CONDITION_LEARNED] =
        learned ? (struct verdict){"Learned", "True", "EnoughSeen", "what is normal is known"}
                : (struct verdict){"Learned", "False", "Learning", "too little was seen so far"};
    out[CONDITION_ENFORCING] =
        blocks ? (struct verdict){"Enforcing", "True", "ModeBlock", "deviations are refused"}
               : (struct verdict){"Enforcing", "False", "ModeDoesNotBlock",
                                  "deviations are reported at most"};
    out[CONDITION_DEGRADED] =
        stopped ? (struct verdict){"Degraded", "True", "LearningStopped",
                                   "guardd can't learn from this service any more"}
                : (struct verdict){"Degraded", "False", "AsExpected", "nothing is amiss"};
    out[CONDITION_NOT_IN_PATH] = judge_path(object, service);
}

/* --- status --- */

static void write_condition(struct json_writer *json, const struct object *object, size_t at,
                            const struct verdict *verdict)
{
    const struct condition_state *state = &object->conditions[at];
    char since[KUBERNETES_MOMENT_CAP];
    if (state->status != NULL && strcmp(state->status, verdict->status) == 0 &&
        state->since[0] != '\0')
        snprintf(since, sizeof(since), "%s", state->since);
    else
        kubernetes_moment(since, clock_unix_ms(), false);
    json_open(json, NULL, '{');
    json_text(json, "type", verdict->type);
    json_text(json, "status", verdict->status);
    json_integer(json, "observedGeneration", object->generation);
    json_text(json, "lastTransitionTime", since);
    json_text(json, "reason", verdict->reason);
    json_text(json, "message", verdict->message);
    json_close(json, '}');
}

static void write_status(struct json_writer *json, const struct object *object, enum informed kind,
                         const struct service *service, bool full)
{
    struct verdict verdicts[CONDITIONS];
    size_t count = CONDITIONS;
    json_open(json, "status", '{');
    json_integer(json, "observedGeneration", object->generation);
    if (kind == INFORMED_GUARDIANS) {
        judge(object, service, full, verdicts);
        if (object->service[0] != '\0')
            json_text(json, "service", object->service);
        if (service != NULL)
            json_text(json, "mode", guard_mode_name(service->guardian.request_mode));
        json_integer(json, "alerts", (int64_t)object->alerts);
        if (object->profile.wanted || object->profile.there)
            json_text(json, "profile", object->profile.wanted ? "OnChange" : "Leaving");
    } else {
        count = 1;
        verdicts[0] = object->why[0] != '\0'
                          ? (struct verdict){"Ready", "False", "Refused", object->why}
                          : (struct verdict){"Ready", "True", "InForce", "it holds"};
    }
    json_open(json, "conditions", '[');
    for (size_t i = 0; i < count; i++)
        write_condition(json, object, i, &verdicts[i]);
    json_close(json, ']');
    json_close(json, '}');
}

static void on_status(void *ctx, const struct api_answer *answer)
{
    struct object *object = ctx;
    object->writing = false;
    if (answer->status != 200) {
        object->written = 0; /* again, when it may */
        if (answer->status ==
            CONFLICT) /* it is another one by now: what the watch says of it comes */
            object->write_ms = clock_monotonic_ms() + OPERATOR_LOOK_MS;
        return;
    }
    /* What a watch said meanwhile is newer, or this comes by it, too: answers and events come by
     * connections of their own, in any order. */
    if (!object->overtaken)
        objects_recall(object, answer->root);
}

static bool named_path(char out[KUBERNETES_PATH_MAX], const struct object *object,
                       enum informed kind)
{
    int len = object->namespace[0] != '\0'
                  ? snprintf(out, KUBERNETES_PATH_MAX, "%s/namespaces/%s/%s/%s/status",
                             OPERATOR_API, object->namespace, plurals[kind], object->name)
                  : snprintf(out, KUBERNETES_PATH_MAX, "%s/%s/%s/status", OPERATOR_API,
                             plurals[kind], object->name);
    return len > 0 && len < KUBERNETES_PATH_MAX;
}

/* Where it was last is looked first: services don't change their places. */
static const struct service *service_of(const struct services *services, struct object *object)
{
    const struct guard_span name = {(const uint8_t *)object->service, strlen(object->service)};
    if (object->at < services->count &&
        strcmp(services->list[object->at]->name_text, object->service) == 0)
        return services->list[object->at];
    const struct service *service = services_find(services, name);
    for (uint32_t i = 0; service != NULL && i < services->count; i++) {
        if (services->list[i] == service)
            object->at = i;
    }
    return service;
}

static void report_status(struct cluster_operator *cluster, struct object *object,
                          enum informed kind, uint64_t mono_ms)
{
    char path[KUBERNETES_PATH_MAX];
    char body[STATUS_MAX];
    struct json_writer json;
    struct guard_err err;
    const struct service *service =
        kind == INFORMED_GUARDIANS ? service_of(cluster->services, object) : NULL;
    bool full = cluster->services->count == SERVICES_MAX;
    if (kind == INFORMED_GUARDIANS && is_pending(object, service, full) &&
        mono_ms - object->settle_ms < OBJECT_PENDING_MS)
        return;
    json_writer_init(&json, body, sizeof(body));
    json_open(&json, NULL, '{');
    json_text(&json, "apiVersion", OPERATOR_GROUP "/v1alpha1");
    json_text(&json, "kind", kinds[kind]);
    json_open(&json, "metadata", '{');
    json_text(&json, "name", object->name);
    json_text(&json, "uid", object->uid); /* a new one of that name isn't meant */
    size_t head = json.len;
    if (object->version[0] != '\0') /* nor one that others wrote since */
        json_text(&json, "resourceVersion", object->version);
    size_t said = json.len;
    json_close(&json, '}');
    write_status(&json, object, kind, service, full);
    json_close(&json, '}');
    if (json.overflow || !named_path(path, object, kind))
        return;
    uint64_t sum =
        guard_checksum(guard_checksum(1, (struct guard_span){(const uint8_t *)body, head}),
                       (struct guard_span){(const uint8_t *)body + said, json.len - said});
    if (sum == object->written)
        return;
    snprintf(path + strlen(path), sizeof(path) - strlen(path),
             "?fieldManager=guard-operator&force=true");
    const struct api_call call = {.method = "PATCH",
                                  .path = path,
                                  .content_type = "application/apply-patch+yaml",
                                  .body = {(const uint8_t *)body, json.len},
                                  .done = on_status,
                                  .ctx = object,
                                  .revocable = true};
    object->overtaken = false;
    object->writing = api_client_call(cluster->client, &call, &err) == GUARD_OK;
    operator_worked(cluster);
    object->write_ms = mono_ms + cluster->pace.write_ms;
    object->written = object->writing ? sum : 0;
    if (object->writing)
        object->alerts_told = object->alerts;
}

/* --- events --- */

static void on_event(void *ctx, const struct api_answer *answer)
{
    struct event_series *series = ctx;
    series->busy = false;
    if (answer->status == 200 || answer->status == CREATED ||
        answer->status == CONFLICT) /* another leader told just that */
        series->count += series->sent;
    else
        series->due += series->sent;
    if (answer->status == NOT_FOUND)
        series->name[0] = '\0'; /* the cluster forgot it: the next one begins a series */
    series->sent = 0;
}

static void note_of(char out[EVENT_NOTE_CAP], const struct object *object, size_t at)
{
    if (at == EVENT_PATH)
        snprintf(out, EVENT_NOTE_CAP, "%s", object->canary.message);
    else if (at == EVENT_REFUSED)
        snprintf(out, EVENT_NOTE_CAP, "%s",
                 object->why[0] != '\0' ? object->why : "it was refused");
    else
        snprintf(out, EVENT_NOTE_CAP, "%" PRIu64 " requests or answers of %s were blocked",
                 object->events[at].due, object->service);
}

static void write_event(struct json_writer *json, const struct cluster_operator *cluster,
                        const struct object *object, size_t at, const char *note, const char *now)
{
    const struct event_series *series = &object->events[at];
    bool leads_past = object->canary.status != NULL && strcmp(object->canary.status, "True") == 0;
    json_open(json, NULL, '{');
    json_text(json, "apiVersion", "events.k8s.io/v1");
    json_text(json, "kind", "Event");
    json_open(json, "metadata", '{');
    json_text(json, "name", series->name);
    json_text(json, "namespace", object->namespace);
    json_close(json, '}');
    json_text(json, "eventTime", now);
    json_text(json, "reportingController", OPERATOR_GROUP "/guardd");
    json_text(json, "reportingInstance", cluster->lease.identity);
    static const char *const actions[] = {"Reconcile", "Block", "AskGates"};
    static const char *const reasons[] = {"GuardianRefused", "AttackBlocked", "InPath"};
    json_text(json, "action", actions[at]);
    json_text(json, "reason", at == EVENT_PATH && leads_past ? "NotInPath" : reasons[at]);
    json_text(json, "type", at == EVENT_PATH && !leads_past ? "Normal" : "Warning");
    json_text(json, "note", note);
    json_open(json, "regarding", '{');
    json_text(json, "apiVersion", OPERATOR_GROUP "/v1alpha1");
    json_text(json, "kind", "Guardian");
    json_text(json, "namespace", object->namespace);
    json_text(json, "name", object->name);
    json_text(json, "uid", object->uid);
    json_close(json, '}');
    json_close(json, '}');
}

static void write_series(struct json_writer *json, const struct event_series *series,
                         const char *now)
{
    json_open(json, NULL, '{');
    json_open(json, "series", '{');
    json_integer(json, "count", (int64_t)(series->count + series->due));
    json_text(json, "lastObservedTime", now);
    json_close(json, '}');
    json_close(json, '}');
}

static uint64_t add_text(uint64_t sum, const char *text)
{
    return guard_checksum(sum, (struct guard_span){(const uint8_t *)text, strlen(text)});
}

/* RFC 1123 names only: the object's, and what makes it unique. Leaders that come to the same of an
 * object give it the same name, so that the cluster takes it once; what was blocked each counts by
 * itself. */
static void name_event(struct event_series *series, const struct object *object, size_t at,
                       const char *note)
{
    uint64_t number = clock_unix_ms();
    if (at == EVENT_BLOCKED) {
        if (random_bytes(&number, sizeof(number)) != GUARD_OK)
            number ^= (uintptr_t)series;
    } else {
        const char *since = at == EVENT_PATH ? object->conditions[CONDITION_NOT_IN_PATH].since : "";
        number = (uint64_t)object->generation * (at == EVENT_REFUSED) + at;
        number = add_text(add_text(add_text(number, object->uid), since), note);
    }
    snprintf(series->name, sizeof(series->name), "%.200s.%016" PRIx64, object->name, number);
}

static void report_event(struct cluster_operator *cluster, struct object *object, size_t at,
                         uint64_t mono_ms)
{
    struct event_series *series = &object->events[at];
    char path[KUBERNETES_PATH_MAX];
    char body[EVENT_MAX];
    char note[EVENT_NOTE_CAP];
    char now[KUBERNETES_MOMENT_CAP];
    struct json_writer json;
    struct guard_err err;
    bool begins = series->name[0] == '\0' || mono_ms - series->begun_ms >= SERIES_MS ||
                  at != EVENT_BLOCKED; /* its words differ */
    kubernetes_moment(now, clock_unix_ms(), true);
    json_writer_init(&json, body, sizeof(body));
    if (begins) {
        note_of(note, object, at);
        name_event(series, object, at, note);
        series->begun_ms = mono_ms;
        series->count = 0;
        write_event(&json, cluster, object, at, note, now);
    } else {
        write_series(&json, series, now);
    }
    snprintf(path, sizeof(path), "/apis/events.k8s.io/v1/namespaces/%s/events%s%s",
             object->namespace, begins ? "" : "/", begins ? "" : series->name);
    const struct api_call call = {
        .method = begins ? "POST" : "PATCH",
        .path = path,
        .content_type = begins ? "application/json" : "application/merge-patch+json",
        .body = {(const uint8_t *)body, json.len},
        .done = on_event,
        .ctx = series,
        .revocable = true,
    };
    series->told_ms = mono_ms;
    series->busy = !json.overflow && api_client_call(cluster->client, &call, &err) == GUARD_OK;
    if (!series->busy)
        return;
    series->sent = series->due;
    series->due = 0;
}

/* --- what is due --- */

static void report_object(struct cluster_operator *cluster, struct object *object,
                          enum informed kind, uint64_t mono_ms)
{
    if (!object->writing && mono_ms >= object->write_ms && mono_ms >= object->settle_ms &&
        mono_ms >= object->look_ms) {
        object->look_ms = mono_ms + OPERATOR_LOOK_MS;
        report_status(cluster, object, kind, mono_ms);
    }
    if ((object->profile.wanted || object->profile.there) && kind == INFORMED_GUARDIANS)
        operator_report_profile(cluster, object, service_of(cluster->services, object), mono_ms);
    for (size_t i = 0; i < OBJECT_EVENTS; i++) {
        const struct event_series *series = &object->events[i];
        bool rested = series->told_ms == 0 || mono_ms - series->told_ms >= cluster->pace.write_ms;
        if (series->due > 0 && !series->busy && rested)
            report_event(cluster, object, i, mono_ms);
    }
}

void operator_report(struct cluster_operator *cluster, uint64_t mono_ms)
{
    for (int kind = 0; kind < INFORMED; kind++) {
        const struct objects *objects = &cluster->followed[kind].objects;
        for (uint32_t i = 0; i < objects->count; i++) {
            struct object *object = objects->list[(cluster->report_at + i) % objects->count];
            if (!api_client_ready(cluster->client, mono_ms)) {
                cluster->report_at += i; /* the others had their turn */
                return;
            }
            if (object->there)
                report_object(cluster, object, (enum informed)kind, mono_ms);
        }
    }
}
