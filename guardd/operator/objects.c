/* SPDX-License-Identifier: Apache-2.0 */
/* Specs are kept as JSON: a change of defaults merges them anew. What one namespace has too much of
 * is beyond its share, and keeps nobody else's from being taken. */
#include "objects.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_document.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPEC_MAX = 2 << 20 };
#define ALERTS_MAX (INT64_C(1) << 53) /* a status may say anything, and is added to */

static bool is(const struct object *object, const char *namespace, const char *name)
{
    return strcmp(object->name, name) == 0 && strcmp(object->namespace, namespace) == 0;
}

/* --- the index --- */

static uint32_t place_of(const struct objects *objects, const char *namespace, const char *name)
{
    const struct guard_span first = {(const uint8_t *)namespace, strlen(namespace)};
    const struct guard_span second = {(const uint8_t *)name, strlen(name)};
    return (uint32_t)(guard_checksum(guard_checksum(objects->seed, first), second) %
                      OBJECTS_PLACES);
}

static void enter(struct objects *objects, uint32_t index)
{
    const struct object *object = objects->list[index];
    uint32_t place = place_of(objects, object->namespace, object->name);
    while (objects->places[place] != 0)
        place = (place + 1) % OBJECTS_PLACES;
    objects->places[place] = index + 1;
}

struct object *objects_find(const struct objects *objects, const char *namespace, const char *name)
{
    if (objects->places == NULL)
        return NULL;
    for (uint32_t place = place_of(objects, namespace, name); objects->places[place] != 0;
         place = (place + 1) % OBJECTS_PLACES) {
        struct object *object = objects->list[objects->places[place] - 1];
        if (is(object, namespace, name))
            return object;
    }
    return NULL;
}

/* --- a namespace's share --- */

struct share {
    uint32_t taken, beyond;
    size_t bytes;
};

static struct share share_of(const struct objects *objects, const char *namespace)
{
    struct share share = {0, 0, 0};
    for (uint32_t i = 0; i < objects->count; i++) {
        const struct object *object = objects->list[i];
        if (strcmp(object->namespace, namespace) != 0)
            continue;
        share.bytes += object->spec_len;
        share.beyond += object->beyond;
        share.taken += !object->beyond;
    }
    return share;
}

/* --- finding and making --- */

static bool is_busy(const struct object *object)
{
    bool busy = object->writing || object->profile.busy;
    for (size_t i = 0; i < OBJECT_EVENTS; i++)
        busy = busy || object->events[i].busy;
    return busy;
}

/* One of those that are gone, out of the index. */
static struct object *reuse(struct objects *objects)
{
    for (uint32_t i = 0; i < objects->count; i++) {
        struct object *object = objects->list[i];
        if (object->there || object->dirty || is_busy(object))
            continue;
        object->name[0] = object->namespace[0] = '\0';
        memset(objects->places, 0, OBJECTS_PLACES * sizeof(*objects->places));
        for (uint32_t k = 0; k < objects->count; k++) {
            if (objects->list[k]->name[0] != '\0')
                enter(objects, k);
        }
        return object;
    }
    return NULL;
}

static bool prepare(struct objects *objects)
{
    if (objects->list == NULL)
        objects->list = calloc(OBJECTS_MAX + SERVICES_MAX, sizeof(*objects->list));
    if (objects->places == NULL && random_bytes(&objects->seed, sizeof(objects->seed)) == GUARD_OK)
        objects->places = calloc(OBJECTS_PLACES, sizeof(*objects->places));
    return objects->list != NULL && objects->places != NULL;
}

static struct object *add(struct objects *objects)
{
    struct object *object = prepare(objects) ? calloc(1, sizeof(*object)) : NULL;
    if (object != NULL)
        objects->list[objects->count++] = object;
    return object;
}

static void name_service(struct object *object)
{
    char text[OBJECT_LABEL_CAP + OBJECT_NAME_CAP];
    int len = snprintf(text, sizeof(text), "%s.%s", object->namespace, object->name);
    if (state_service_valid((struct guard_span){(const uint8_t *)text, (size_t)len}))
        snprintf(object->service, sizeof(object->service), "%.64s", text);
}

static struct object *make(struct objects *objects, const char *namespace, const char *name,
                           uint32_t max)
{
    struct object *object = objects->count < max ? add(objects) : reuse(objects);
    if (object == NULL) {
        objects->left_out++;
        return NULL;
    }
    *object = (struct object){.dirty = true};
    snprintf(object->namespace, sizeof(object->namespace), "%s", namespace);
    snprintf(object->name, sizeof(object->name), "%s", name);
    name_service(object);
    for (uint32_t i = objects->count; i-- > 0;) {
        if (objects->list[i] == object) {
            enter(objects, i);
            break;
        }
    }
    return object;
}

static bool nameable(const char *namespace, const char *name)
{
    return strlen(namespace) < OBJECT_LABEL_CAP && strlen(name) < OBJECT_NAME_CAP;
}

struct object *objects_get(struct objects *objects, const char *namespace, const char *name)
{
    struct object *object = objects_find(objects, namespace, name);
    if (object != NULL || !nameable(namespace, name))
        return object;
    const struct share share = share_of(objects, namespace);
    bool beyond = share.taken >= OBJECTS_SHARE;
    if (beyond && share.beyond >= OBJECTS_TOLD) {
        objects->left_out++;
        return NULL;
    }
    object = make(objects, namespace, name, OBJECTS_MAX);
    if (object != NULL)
        object->beyond = beyond;
    return object;
}

struct object *objects_know(struct objects *objects, const char *namespace, const char *name)
{
    struct object *object = objects_find(objects, namespace, name);
    if (object != NULL || !nameable(namespace, name))
        return object;
    return make(objects, namespace, name, OBJECTS_MAX + SERVICES_MAX);
}

struct object *objects_of_service(const struct objects *objects, struct guard_span service)
{
    char namespace[OBJECT_LABEL_CAP];
    char name[OBJECT_NAME_CAP];
    const uint8_t *dot = service.len > 0 ? memchr(service.ptr, '.', service.len) : NULL;
    size_t len = dot != NULL ? (size_t)(dot - service.ptr) : service.len;
    if (dot == NULL || len >= sizeof(namespace) || service.len - len - 1 >= sizeof(name))
        return NULL;
    snprintf(namespace, sizeof(namespace), "%.*s", (int)len, (const char *)service.ptr);
    snprintf(name, sizeof(name), "%.*s", (int)(service.len - len - 1), (const char *)dot + 1);
    struct object *object = objects_find(objects, namespace, name);
    return object != NULL && object->service[0] != '\0' ? object : NULL;
}

/* --- taking --- */

static const char *const condition_names[CONDITIONS] = {"Ready", "Learned", "Enforcing", "Degraded",
                                                        "NotInPath"};

/* Alerts that reached us and no status yet are added to what others counted. */
static void recall_alerts(struct object *object, const struct document_node *status)
{
    int64_t stored = status != NULL ? whole_of(status, "alerts") : 0;
    uint64_t ours = object->alerts - object->alerts_told;
    object->alerts_told = stored < 0 ? 0 : (uint64_t)(stored < ALERTS_MAX ? stored : ALERTS_MAX);
    object->alerts = object->alerts_told + ours;
}

/* Since when conditions are what they are is known by the object alone: whoever writes goes on from
 * that. */
static void recall_conditions(struct object *object, const struct document_node *status)
{
    static const char *const words[] = {"True", "False", "Unknown"};
    const struct document_node *list = status != NULL ? member_of(status, "conditions") : NULL;
    memset(object->conditions, 0, sizeof(object->conditions));
    for (const struct document_node *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        for (size_t i = 0; i < CONDITIONS && item->kind == DOCUMENT_MAPPING; i++) {
            struct condition_state *state = &object->conditions[i];
            if (strcmp(text_of(item, "type"), condition_names[i]) != 0)
                continue;
            for (size_t k = 0; k < 3; k++) {
                if (strcmp(text_of(item, "status"), words[k]) == 0)
                    state->status = words[k];
            }
            snprintf(state->since, sizeof(state->since), "%.60s",
                     text_of(item, "lastTransitionTime"));
        }
    }
}

void objects_recall(struct object *object, const struct document_node *node)
{
    snprintf(object->version, sizeof(object->version), "%.63s",
             text_of(member_of(node, "metadata"), "resourceVersion"));
    recall_conditions(object, member_of(node, "status"));
}

/* What another leader's canaries proved holds until ours do. */
static void recall_path(struct object *object, const struct document_node *node)
{
    static const char *const words[] = {"True", "False", "Unknown"};
    static const char *const others[] = {"ExchangesSeen", "NoExchangeYet"};
    struct canary_state *canary = &object->canary;
    const struct document_node *list = member_of(member_of(node, "status"), "conditions");
    for (const struct document_node *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        const char *reason = text_of(item, "reason");
        if (strcmp(text_of(item, "type"), condition_names[CONDITION_NOT_IN_PATH]) != 0)
            continue;
        canary->status = NULL;
        for (size_t i = 0; i < 3; i++) {
            if (strcmp(text_of(item, "status"), words[i]) == 0 && strcmp(reason, others[0]) != 0 &&
                strcmp(reason, others[1]) != 0)
                canary->status = words[i];
        }
        snprintf(canary->reason, sizeof(canary->reason), "%.31s", reason);
        /* Why nothing is known is said again by the next leader, until it knows better. */
        snprintf(canary->message, sizeof(canary->message), "%.399s",
                 strcmp(reason, others[0]) != 0 ? text_of(item, "message") : "");
    }
}

static void drop_spec(struct objects *objects, struct object *object)
{
    objects->bytes -= object->spec_len;
    free(object->spec);
    object->spec = NULL;
    object->spec_len = 0;
}

/* Whether it has a place and so much room among those of its namespace; else it is beyond. */
static bool has_room(const struct objects *objects, const struct object *object, size_t len)
{
    const struct share share = share_of(objects, object->namespace);
    return (!object->beyond || share.taken < OBJECTS_SHARE) &&
           share.bytes - object->spec_len + len <= OBJECTS_SHARE_BYTES &&
           objects->bytes - object->spec_len + len <= OBJECTS_BYTES;
}

/* Whether it is another one than before. */
static bool keep_spec(struct objects *objects, struct object *object, const char *text, size_t len)
{
    bool had = object->spec != NULL;
    if (had && object->spec_len == len && memcmp(object->spec, text, len) == 0)
        return false;
    bool room = has_room(objects, object, len);
    uint8_t *spec = room ? malloc(len + 1) : NULL;
    if (room && spec == NULL)
        return false;
    drop_spec(objects, object);
    bool changed = had || object->beyond == room;
    object->beyond = !room;
    if (!room)
        return changed;
    memcpy(spec, text, len);
    object->spec = spec;
    object->spec_len = len;
    objects->bytes += len;
    return true;
}

static bool take_spec(struct objects *objects, struct object *object,
                      const struct document_node *spec)
{
    struct json_writer json;
    char *text = malloc(SPEC_MAX);
    if (text == NULL)
        return false;
    json_writer_init(&json, text, SPEC_MAX);
    json_document(&json, NULL, spec);
    bool changed = !json.overflow && keep_spec(objects, object, text, json.len);
    free(text);
    return changed;
}

static void take_profile(struct object *object, const struct document_node *spec,
                         const struct document_node *status)
{
    bool wanted = spec != NULL && strcmp(text_of(spec, "profile"), "OnChange") == 0;
    if (wanted != object->profile.wanted)
        object->profile.written = object->profile.seen_ms = 0;
    object->profile.wanted = wanted;
    if (status != NULL && text_of(status, "profile")[0] != '\0')
        object->profile.there = true;
}

bool objects_take(struct objects *objects, struct object *object, const struct document_node *node)
{
    const struct document_node *metadata = member_of(node, "metadata");
    const struct document_node *spec = member_of(node, "spec");
    bool came = !object->there;
    object->there = object->listed = true;
    object->generation = whole_of(metadata, "generation");
    object->overtaken = true;
    if (strcmp(object->uid, text_of(metadata, "uid")) != 0) { /* another one of that name */
        snprintf(object->uid, sizeof(object->uid), "%.63s", text_of(metadata, "uid"));
        memset(object->events, 0, sizeof(object->events));
        memset(&object->canary, 0, sizeof(object->canary));
        object->profile.written = 0;
        object->written = object->alerts = object->alerts_told = 0;
    }
    objects_recall(object, node);
    if (came || objects->recalls)
        recall_alerts(object, member_of(node, "status"));
    if (!object->canary.ours)
        recall_path(object, node);
    take_profile(object, spec, member_of(node, "status"));
    bool changed = spec != NULL && take_spec(objects, object, spec);
    if (changed || came) {
        object->dirty = true;
        object->settle_ms = clock_monotonic_ms() + OBJECT_SETTLE_MS;
    }
    return changed || came;
}

void objects_gone(struct objects *objects, struct object *object)
{
    object->there = object->listed = false;
    drop_spec(objects, object);
    object->dirty = true;
    objects->waiting = objects->waiting || share_of(objects, object->namespace).beyond > 0;
    object->beyond = false;
}

void objects_free(struct objects *objects)
{
    for (uint32_t i = 0; i < objects->count; i++) {
        free(objects->list[i]->spec);
        free(objects->list[i]);
    }
    free(objects->list);
    free(objects->places);
    *objects = (struct objects){.list = NULL};
}
