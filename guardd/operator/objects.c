/* SPDX-License-Identifier: Apache-2.0 */
/* Specs are kept as JSON: a change of defaults merges them anew. */
#include "objects.h"

#include "common/document_members.h"
#include "common/json_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPEC_MAX = 2 << 20 };

static bool is(const struct object *object, const char *namespace, const char *name)
{
    return strcmp(object->name, name) == 0 && strcmp(object->namespace, namespace) == 0;
}

struct object *objects_find(const struct objects *objects, const char *namespace, const char *name)
{
    for (uint32_t i = 0; i < objects->count; i++) {
        if (is(objects->list[i], namespace, name))
            return objects->list[i];
    }
    return NULL;
}

static bool is_busy(const struct object *object)
{
    bool busy = object->writing;
    for (size_t i = 0; i < OBJECT_EVENTS; i++)
        busy = busy || object->events[i].busy;
    return busy;
}

static struct object *reuse(struct objects *objects)
{
    for (uint32_t i = 0; i < objects->count; i++) {
        struct object *object = objects->list[i];
        if (!object->there && !object->dirty && !is_busy(object)) {
            free(object->spec);
            return object;
        }
    }
    return NULL;
}

static struct object *add(struct objects *objects)
{
    struct object *object = calloc(1, sizeof(*object));
    if (objects->list == NULL)
        objects->list = calloc(OBJECTS_MAX, sizeof(*objects->list));
    if (object == NULL || objects->list == NULL) {
        free(object);
        return NULL;
    }
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

struct object *objects_get(struct objects *objects, const char *namespace, const char *name)
{
    struct object *object = objects_find(objects, namespace, name);
    if (object != NULL || strlen(namespace) >= OBJECT_LABEL_CAP || strlen(name) >= OBJECT_NAME_CAP)
        return object;
    object = objects->count < OBJECTS_MAX ? add(objects) : reuse(objects);
    if (object == NULL) {
        objects->left_out++;
        return NULL;
    }
    *object = (struct object){.dirty = true};
    snprintf(object->namespace, sizeof(object->namespace), "%s", namespace);
    snprintf(object->name, sizeof(object->name), "%s", name);
    name_service(object);
    return object;
}

struct object *objects_of_service(const struct objects *objects, struct guard_span service)
{
    for (uint32_t i = 0; i < objects->count; i++) {
        struct object *object = objects->list[i];
        if (strlen(object->service) == service.len &&
            memcmp(object->service, service.ptr, service.len) == 0)
            return object;
    }
    return NULL;
}

/* --- taking --- */

static const char *const condition_names[CONDITIONS] = {"Ready", "Learned", "Enforcing", "Degraded",
                                                        "NotInPath"};

/* Since when conditions are what they are is known by the object alone, after a change of leaders.
 */
static void recall_conditions(struct object *object, const struct document_node *node)
{
    static const char *const words[] = {"True", "False", "Unknown"};
    const struct document_node *status = member_of(node, "status");
    const struct document_node *list = status != NULL ? member_of(status, "conditions") : NULL;
    for (const struct document_node *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        for (size_t i = 0; i < CONDITIONS && item->kind == DOCUMENT_MAPPING; i++) {
            struct condition_state *state = &object->conditions[i];
            if (state->status != NULL || strcmp(text_of(item, "type"), condition_names[i]) != 0)
                continue;
            for (size_t k = 0; k < 3; k++) {
                if (strcmp(text_of(item, "status"), words[k]) == 0)
                    state->status = words[k];
            }
            snprintf(state->since, sizeof(state->since), "%.60s",
                     text_of(item, "lastTransitionTime"));
        }
    }
    if (status != NULL && object->alerts == 0 && whole_of(status, "alerts") > 0)
        object->alerts = (uint64_t)whole_of(status, "alerts");
}

static bool take_spec(struct object *object, const struct document_node *spec)
{
    struct json_writer json;
    char *text = malloc(SPEC_MAX);
    if (text == NULL)
        return false;
    json_writer_init(&json, text, SPEC_MAX);
    json_document(&json, NULL, spec);
    bool same = object->spec != NULL && object->spec_len == json.len &&
                memcmp(object->spec, text, json.len) == 0;
    if (same || json.overflow) {
        free(text);
        return false;
    }
    free(object->spec);
    char *fitted = realloc(text, json.len + 1);
    object->spec = (uint8_t *)(fitted != NULL ? fitted : text);
    object->spec_len = json.len;
    return true;
}

bool object_take(struct object *object, const struct document_node *node)
{
    const struct document_node *metadata = member_of(node, "metadata");
    const struct document_node *spec = member_of(node, "spec");
    bool came = !object->there;
    object->there = object->listed = true;
    object->generation = whole_of(metadata, "generation");
    if (strcmp(object->uid, text_of(metadata, "uid")) != 0) { /* another one of that name */
        snprintf(object->uid, sizeof(object->uid), "%.63s", text_of(metadata, "uid"));
        memset(object->conditions, 0, sizeof(object->conditions));
        memset(object->events, 0, sizeof(object->events));
        object->written = object->alerts = 0;
    }
    if (came)
        recall_conditions(object, node);
    bool changed = spec != NULL && take_spec(object, spec);
    if (changed || came) {
        object->dirty = true;
        object->settle_ms = clock_monotonic_ms() + OBJECT_SETTLE_MS;
    }
    return changed || came;
}

void object_gone(struct object *object)
{
    object->there = object->listed = false;
    free(object->spec);
    object->spec = NULL;
    object->spec_len = 0;
    object->dirty = true;
}

void objects_free(struct objects *objects)
{
    for (uint32_t i = 0; i < objects->count; i++) {
        free(objects->list[i]->spec);
        free(objects->list[i]);
    }
    free(objects->list);
    *objects = (struct objects){.list = NULL};
}
