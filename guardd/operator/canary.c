/* SPDX-License-Identifier: Apache-2.0 */
/* One namespace after the other, in rounds: its Services and pods are listed, each target is asked
 * once, then it is concluded of each Guardian. Nothing but conclusions is kept between rounds. A
 * round of many pods has parts, in the order of their names, between which others have their turn;
 * what was counted in parts before is kept until its end. */
#include "canary.h"

#include "parts.h"
#include "paths.h"
#include "tally.h"

#include "common/canary_call.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 100, PAGE_SMALL = 5, NEXT_CAP = 512, LOOK_MS = 250 };

enum stage { IDLE, LIST_SERVICES, LIST_PODS, ASK };

struct slot {
    struct canaries *canaries;
    struct canary_call call;
    uint32_t target;
    bool busy;
};

/* A round that has one more part. */
struct started {
    struct started *next;
    char namespace[PATH_LABEL_CAP];
    char after[PATH_NAME_CAP]; /* pods up to this name were asked */
    bool more;                 /* as of paths */
    struct tallies tallies;
};

struct canaries {
    struct cluster_operator *cluster;
    struct http_client *http;
    enum stage stage;
    bool listing; /* a call of ours is under way */
    bool dropped; /* and what it brings is of no use */
    bool small;   /* pages are too large for us otherwise */
    char next[NEXT_CAP];
    struct paths paths;
    struct tallies tallies;
    struct started *started; /* at most one for each namespace with Guardians */
    uint32_t at;             /* of the targets, those before were begun: addresses, then pods' */
    uint32_t addresses;      /* how many of the targets are Services' own, the last ones */
    struct slot slots[CANARIES_AT_ONCE];
    uint64_t look_ms;
    uint64_t begun_ms; /* monotonic: the last canary */
    uint64_t asked_ms; /* when asking of the part began */
    bool told;         /* that we may not look */
};

static const struct guard_span no_service = {NULL, 0};

/* --- rounds --- */

static struct objects *guardians(const struct canaries *canaries)
{
    return &canaries->cluster->followed[INFORMED_GUARDIANS].objects;
}

static bool takes_part(const struct object *object)
{
    return object->there && !object->beyond && object->service[0] != '\0';
}

static void end_round(struct canaries *canaries)
{
    paths_free(&canaries->paths);
    tallies_free(&canaries->tallies);
    canaries->next[0] = '\0';
    canaries->small = false;
    canaries->stage = IDLE;
}

static void set_due(struct canaries *canaries, uint64_t due_ms)
{
    const struct objects *objects = guardians(canaries);
    for (uint32_t i = 0; i < objects->count; i++) {
        if (strcmp(objects->list[i]->namespace, canaries->paths.namespace) == 0)
            objects->list[i]->canary.due_ms = due_ms;
    }
}

static void drop_started(struct started **place)
{
    struct started *started = *place;
    *place = started->next;
    tallies_free(&started->tallies);
    free(started);
}

static bool has_guardians(const struct canaries *canaries, const char *namespace)
{
    const struct objects *objects = guardians(canaries);
    for (uint32_t i = 0; i < objects->count; i++) {
        if (takes_part(objects->list[i]) && strcmp(objects->list[i]->namespace, namespace) == 0)
            return true;
    }
    return false;
}

static struct started **find_started(struct canaries *canaries, const char *namespace)
{
    struct started **place = &canaries->started;
    while (*place != NULL && strcmp((*place)->namespace, namespace) != 0)
        place = &(*place)->next;
    return place;
}

/* The round goes on behind the last pod that was asked. False: no memory. */
static bool keep_started(struct canaries *canaries)
{
    struct paths *paths = &canaries->paths;
    for (struct started **place = &canaries->started; *place != NULL;) {
        if (has_guardians(canaries, (*place)->namespace))
            place = &(*place)->next;
        else
            drop_started(place); /* nobody would go on with it */
    }
    struct started *started = calloc(1, sizeof(*started));
    if (started == NULL)
        return false;
    for (uint32_t i = 0; i < canaries->tallies.count; i++)
        tally_count(&canaries->tallies.list[i], i, paths);
    snprintf(started->namespace, sizeof(started->namespace), "%s", paths->namespace);
    snprintf(started->after, sizeof(started->after), "%s", paths->pods[paths->pod_count - 1].name);
    started->more = paths->more;
    started->tallies = canaries->tallies;
    started->next = canaries->started;
    canaries->started = started;
    canaries->tallies = (struct tallies){.list = NULL};
    set_due(canaries, clock_monotonic_ms()); /* behind all that are due by now */
    end_round(canaries);
    return true;
}

/* Nothing is known of the namespace: what was known before stays. */
static void give_up(struct canaries *canaries, const char *why)
{
    const struct objects *objects = guardians(canaries);
    uint64_t pace_ms = canaries->cluster->pace.canary_ms;
    for (uint32_t i = 0; i < objects->count; i++) {
        struct object *object = objects->list[i];
        if (strcmp(object->namespace, canaries->paths.namespace) != 0)
            continue;
        object->canary.due_ms = clock_monotonic_ms() + pace_ms / CANARY_LATER_SHARE;
        if (object->canary.status != NULL)
            continue;
        object->canary.ours = true;
        snprintf(object->canary.message, sizeof(object->canary.message),
                 "its Services and pods aren't known: %.200s", why);
    }
    if (!canaries->told)
        log_event("warn", "canaries-not-sent", no_service, "namespace %s: %s",
                  canaries->paths.namespace, why);
    canaries->told = true;
    end_round(canaries);
}

static void conclude(struct canaries *canaries)
{
    const struct paths *paths = &canaries->paths;
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t pace_ms = canaries->cluster->pace.canary_ms;
    set_due(canaries, now_ms + pace_ms);
    for (uint32_t i = 0; i < canaries->tallies.count; i++) {
        struct tally *tally = &canaries->tallies.list[i];
        struct object *object = objects_find(guardians(canaries), paths->namespace, tally->name);
        if (object == NULL || !takes_part(object))
            continue;
        struct canary_state before = object->canary;
        tally_count(tally, i, paths);
        tally_conclude(tally, paths->more, &object->canary);
        if (object->canary.doubted)
            object->canary.due_ms = now_ms + pace_ms / CANARY_AGAIN_SHARE;
        bool was = before.status != NULL && strcmp(before.status, "True") == 0;
        bool is = object->canary.status != NULL && strcmp(object->canary.status, "True") == 0;
        if (was != is && (is || object->canary.status != NULL))
            object->events[EVENT_PATH].due = 1;
        const struct guard_span name = {(const uint8_t *)object->service, strlen(object->service)};
        struct service *service = services_find(canaries->cluster->services, name);
        if (service != NULL)
            tally_tell(tally, &object->canary, &service->path);
    }
    canaries->told = false;
    end_round(canaries);
}

static bool read_key(struct canaries *canaries, struct object *object)
{
    const struct guard_span name = {(const uint8_t *)object->service, strlen(object->service)};
    const struct service *service = services_find(canaries->cluster->services, name);
    struct guard_err err;
    if (service == NULL || service->generation == 0)
        return false;
    if (object->canary.key_of == service->generation)
        return true;
    if (canary_key_read(object->canary.key, canaries->cluster->services->state, name, &err) !=
        GUARD_OK)
        return false;
    object->canary.key_of = service->generation;
    return true;
}

/* --- what there is --- */

static void owners(struct canaries *canaries)
{
    const struct objects *objects = guardians(canaries);
    if (!tallies_begin(&canaries->tallies)) {
        give_up(canaries, "no memory");
        return;
    }
    for (uint32_t i = 0; i < objects->count; i++) {
        struct object *object = objects->list[i];
        if (takes_part(object) && strcmp(object->namespace, canaries->paths.namespace) == 0)
            tallies_add(&canaries->tallies, object->name, read_key(canaries, object));
    }
    struct started **started = find_started(canaries, canaries->paths.namespace);
    if (*started != NULL) {
        tallies_carry(&canaries->tallies, &(*started)->tallies);
        canaries->paths.more = canaries->paths.more || (*started)->more;
        drop_started(started);
    }
    canaries->addresses = canaries->paths.target_count;
    paths_take_addresses(&canaries->paths);
    canaries->addresses = canaries->paths.target_count - canaries->addresses;
    tallies_own(&canaries->tallies, &canaries->paths);
    canaries->at = 0;
    canaries->asked_ms = clock_monotonic_ms();
    canaries->stage = ASK;
}

static void take_items(struct canaries *canaries, const struct document_node *items)
{
    for (const struct document_node *one = items != NULL ? items->first : NULL; one != NULL;
         one = one->next) {
        if (canaries->stage == LIST_SERVICES)
            paths_take_service(&canaries->paths, one);
        else
            paths_take_pod(&canaries->paths, one);
    }
}

/* What continues a list is in base64url. */
static bool take_next(struct canaries *canaries, const char *next)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_=";
    snprintf(canaries->next, sizeof(canaries->next), "%s", next);
    return strlen(next) < sizeof(canaries->next) && strspn(next, letters) == strlen(next);
}

static void on_list(void *ctx, const struct api_answer *answer)
{
    struct canaries *canaries = ctx;
    canaries->listing = false;
    if (canaries->dropped) {
        canaries->dropped = false;
        end_round(canaries);
        return;
    }
    if (answer->too_large && !canaries->small) {
        canaries->small = true; /* for the rest of the round; the same page again */
        return;
    }
    const struct document_node *metadata = member_of(answer->root, "metadata");
    if (answer->status != 200 || !take_next(canaries, text_of(metadata, "continue"))) {
        give_up(canaries, answer->message[0] != '\0' ? answer->message : "no list");
        return;
    }
    take_items(canaries, member_of(answer->root, "items"));
    bool services = canaries->stage == LIST_SERVICES;
    if (canaries->next[0] != '\0' && !(services ? canaries->paths.more : canaries->paths.rest))
        return; /* the next page by the next turn */
    canaries->next[0] = '\0';
    if (services)
        canaries->stage = LIST_PODS;
    else
        owners(canaries);
}

static void list_more(struct canaries *canaries)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    bool pods = canaries->stage == LIST_PODS;
    snprintf(path, sizeof(path), "/api/v1/namespaces/%s/%s?limit=%d%s%s%s",
             canaries->paths.namespace, pods ? "pods" : "services",
             canaries->small ? PAGE_SMALL : PAGE,
             pods ? "&fieldSelector=status.phase%3DRunning" : "",
             canaries->next[0] != '\0' ? "&continue=" : "", canaries->next);
    const struct api_call call = {.method = "GET", .path = path, .done = on_list, .ctx = canaries};
    canaries->listing = api_client_call(canaries->cluster->client, &call, &err) == GUARD_OK;
    if (!canaries->listing)
        give_up(canaries, err.text);
}

/* --- asking --- */

static void on_result(void *ctx, const struct canary_result *result)
{
    struct slot *slot = ctx;
    struct paths *paths = &slot->canaries->paths;
    slot->busy = false;
    if (slot->canaries->stage != ASK)
        return; /* given up meanwhile */
    tally_result(paths, &paths->targets[slot->target], result);
}

static bool ask_one(struct canaries *canaries, struct slot *slot, uint32_t index)
{
    const struct path_target *target = &canaries->paths.targets[index];
    const struct tally *tally = &canaries->tallies.list[target->owner];
    struct object *object =
        objects_find(guardians(canaries), canaries->paths.namespace, tally->name);
    char server[CANARY_SERVER_CAP];
    char host[PATH_LABEL_CAP + PATH_LABEL_CAP + 8];
    struct guard_err err;
    if (object == NULL || !paths_server(&canaries->paths, target, server, sizeof(server)))
        return false;
    snprintf(host, sizeof(host), "%s.%s.svc", canaries->paths.services[target->service].name,
             canaries->paths.namespace);
    const struct canary_target asked = {server, "", host};
    const struct guard_span service = {(const uint8_t *)object->service, strlen(object->service)};
    slot->target = index;
    slot->canaries = canaries;
    slot->call = (struct canary_call){.done = on_result, .ctx = slot};
    slot->busy = canary_call_begin(canaries->http, &slot->call, &asked, service, object->canary.key,
                                   &err) == GUARD_OK;
    return slot->busy;
}

/* The target that is the next one, of those that stand in the order of the table. */
static uint32_t next_target(const struct canaries *canaries)
{
    uint32_t pods = canaries->paths.target_count - canaries->addresses;
    return canaries->at < canaries->addresses ? pods + canaries->at
                                              : canaries->at - canaries->addresses;
}

/* Addresses have half of the time. Of pods at least one is asked, and the one that was begun last
 * is left where it is: a part that has no end of its own begins no new one. */
static void bound_time(struct canaries *canaries, uint64_t mono_ms)
{
    struct paths *paths = &canaries->paths;
    uint64_t took_ms = mono_ms - canaries->asked_ms;
    if (canaries->at < canaries->addresses) {
        if (took_ms >= CANARY_PART_MS / 2) {
            canaries->at = canaries->addresses;
            paths->more = true;
        }
        return;
    }
    if (took_ms < CANARY_PART_MS || canaries->at == canaries->addresses ||
        canaries->at == paths->target_count)
        return;
    paths->pod_count = paths->targets[next_target(canaries) - 1].pod + 1;
    canaries->at = paths->target_count;
    paths->rest = true;
}

static void end_part(struct canaries *canaries)
{
    struct paths *paths = &canaries->paths;
    bool goes_on = paths->rest && paths->pod_count > 0;
    if (goes_on && keep_started(canaries))
        return;
    paths->more = paths->more || paths->rest;
    conclude(canaries);
}

static void ask_more(struct canaries *canaries, uint64_t mono_ms)
{
    bool busy = false;
    const uint64_t most_ms = (uint64_t)CANARIES_AT_ONCE * CANARY_PAUSE_MS;
    bound_time(canaries, mono_ms);
    if (mono_ms - canaries->begun_ms >
        most_ms) /* turns may come late: what they missed is made up */
        canaries->begun_ms = mono_ms - most_ms;
    for (size_t i = 0; i < CANARIES_AT_ONCE; i++) {
        struct slot *slot = &canaries->slots[i];
        while (canaries->at < canaries->paths.target_count &&
               !tallies_asks(&canaries->tallies, &canaries->paths.targets[next_target(canaries)]))
            canaries->at++;
        if (!slot->busy && canaries->at < canaries->paths.target_count &&
            mono_ms - canaries->begun_ms >= CANARY_PAUSE_MS) {
            canaries->begun_ms += CANARY_PAUSE_MS;
            (void)ask_one(canaries, slot, next_target(canaries));
            canaries->at++;
        }
        busy = busy || slot->busy;
    }
    if (!busy && canaries->at == canaries->paths.target_count)
        end_part(canaries);
}

/* --- turns --- */

static void begin_round(struct canaries *canaries, uint64_t mono_ms)
{
    const struct objects *objects = guardians(canaries);
    const struct object *due = NULL;
    bool busy = false; /* with what is of no use any more */
    for (size_t i = 0; i < CANARIES_AT_ONCE; i++)
        busy = busy || canaries->slots[i].busy;
    if (busy || mono_ms < canaries->look_ms)
        return;
    canaries->look_ms = mono_ms + LOOK_MS;
    for (uint32_t i = 0; i < objects->count; i++) {
        const struct object *object = objects->list[i];
        if (takes_part(object) && object->canary.due_ms <= mono_ms &&
            mono_ms >= object->settle_ms &&
            (due == NULL || object->canary.due_ms < due->canary.due_ms))
            due = object;
    }
    if (due == NULL)
        return;
    const struct started *started = *find_started(canaries, due->namespace);
    if (paths_begin(&canaries->paths, due->namespace, started != NULL ? started->after : ""))
        canaries->stage = LIST_SERVICES;
    else
        give_up(canaries, "no memory");
}

void canaries_tick(struct canaries *canaries, bool asks, uint64_t mono_ms)
{
    http_client_run(canaries->http);
    if (!asks)
        return;
    if (canaries->stage == IDLE)
        begin_round(canaries, mono_ms);
    else if (canaries->stage == ASK)
        ask_more(canaries, mono_ms);
    else if (!canaries->listing && api_client_ready(canaries->cluster->client, mono_ms))
        list_more(canaries);
}

static void forget(struct canaries *canaries)
{
    const struct objects *objects = guardians(canaries);
    struct services *services = canaries->cluster->services;
    for (uint32_t i = 0; i < objects->count; i++) {
        objects->list[i]->canary.ours = objects->list[i]->canary.doubted = false;
        objects->list[i]->canary.due_ms = 0;
    }
    for (uint32_t i = 0; i < services->count; i++)
        services->list[i]->path = (struct service_path){.asked = false};
}

void canaries_stop(struct canaries *canaries)
{
    http_client_run(canaries->http);
    if (canaries->listing)
        canaries->dropped = true;
    else if (canaries->stage != IDLE)
        end_round(canaries);
    while (canaries->started != NULL)
        drop_started(&canaries->started);
    forget(canaries);
}

int canaries_fd(const struct canaries *canaries)
{
    return canaries != NULL ? http_client_fd(canaries->http) : -1;
}

uint32_t canaries_wait_ms(const struct canaries *canaries, uint32_t max)
{
    if (canaries == NULL)
        return max;
    bool more = canaries->stage == ASK && canaries->at < canaries->paths.target_count;
    return http_client_wait_ms(canaries->http,
                               more && max > CANARY_PAUSE_MS ? CANARY_PAUSE_MS : max);
}

/* --- life --- */

enum guard_rc canaries_open(struct canaries **out, struct cluster_operator *cluster,
                            struct guard_err *err)
{
    struct canaries *canaries = calloc(1, sizeof(*canaries));
    if (canaries == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for canaries");
    canaries->cluster = cluster;
    enum guard_rc rc = canary_client_open(&canaries->http, err);
    if (rc == GUARD_OK)
        *out = canaries;
    else
        free(canaries);
    return rc;
}

void canaries_close(struct canaries *canaries)
{
    if (canaries == NULL)
        return;
    canaries->stage = IDLE;
    http_client_close(canaries->http);
    end_round(canaries);
    while (canaries->started != NULL)
        drop_started(&canaries->started);
    free(canaries);
}
