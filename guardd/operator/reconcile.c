/* SPDX-License-Identifier: Apache-2.0 */
/* From objects to the files of the state directory. Only what differs is written, so that a restart
 * or a new leader changes nothing that is right already. */
#include "merge.h"
#include "parts.h"

#include "common/changes.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/json_tree.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_MAX = 128 << 20 };

static enum guard_rc tree_of(const struct object *object, const struct document_node **out,
                             struct guard_arena *arena, struct guard_err *err)
{
    struct document_node *root = NULL;
    *out = NULL;
    if (object == NULL || !object->there || object->spec == NULL)
        return GUARD_OK;
    GUARD_TRY(
        json_tree_parse(&root, (struct guard_span){object->spec, object->spec_len}, arena, err));
    if (root->kind != DOCUMENT_MAPPING)
        return guard_fail(err, GUARD_E_LIMIT, "spec: has too many values");
    *out = root;
    return GUARD_OK;
}

static enum guard_rc parts_of(const struct cluster_operator *cluster, const struct object *object,
                              struct merge_parts *parts, struct guard_arena *arena,
                              struct guard_err *err)
{
    const struct objects *defaults = &cluster->followed[INFORMED_DEFAULTS].objects;
    const struct objects *whole = &cluster->followed[INFORMED_CLUSTER].objects;
    /* From the cluster's on: what is wrong with one keeps those above it. */
    GUARD_TRY(tree_of(objects_find(whole, "", "cluster"), &parts->cluster, arena, err));
    GUARD_TRY(tree_of(objects_find(defaults, object->namespace, "default"), &parts->namespace,
                      arena, err));
    return tree_of(object, &parts->spec, arena, err);
}

/* The document of a service as it stands, freed by the caller; false, with errno: none. */
static bool read_written(const struct cluster_operator *cluster, struct guard_span service,
                         uint8_t **out, size_t *len)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    errno = 0;
    return state_path(path, cluster->services->state, "guardians", service, ".yaml") == GUARD_OK &&
           file_read(path, DOCUMENT_BYTES_MAX, out, len, &err) == GUARD_OK;
}

/* A file that says just that stays; without an object nothing is written where nothing was. */
static bool is_written(const struct cluster_operator *cluster, struct guard_span service,
                       struct guard_span text, bool needed)
{
    uint8_t *old = NULL;
    size_t len = 0;
    if (!read_written(cluster, service, &old, &len))
        return errno == ENOENT && !needed;
    bool same = len == text.len && memcmp(old, text.ptr, len) == 0;
    free(old);
    return same;
}

static enum guard_rc put(const struct cluster_operator *cluster, const struct object *object,
                         struct guard_span service, struct guard_span text, const char *mode,
                         struct guard_err *err)
{
    char why[OBJECT_NAME_CAP + 128];
    int lock = -1;
    snprintf(why, sizeof(why),
             object->there ? "Guardian %s/%s, generation %lld" : "%s/%s has no Guardian",
             object->namespace, object->name, (long long)object->generation);
    const struct change change = {
        .dir = cluster->services->state,
        .service = service,
        .who = {.by = "kubernetes", .uid = (int64_t)geteuid(), .via = "operator"},
        .reason = why,
    };
    GUARD_TRY(change_lock(&lock, change.dir, "guardians", false, err));
    enum guard_rc rc = change_guardian(&change, text, "", mode, err);
    close(lock);
    return rc;
}

static bool tried_again(enum guard_rc rc)
{
    return rc == GUARD_E_STATE || rc == GUARD_E_IO || rc == GUARD_E_NOMEM;
}

/* What holds while an object is refused: the last good one, else what the namespace, else what the
 * cluster says. With the floor in each case: a Guardian that is wrong is no way below it. */
static enum guard_rc merge_without(const struct cluster_operator *cluster,
                                   struct guard_span service, struct guard_guardian *guardian,
                                   struct guard_span *text, struct merge_parts *parts,
                                   struct guard_arena *arena)
{
    uint8_t *last = NULL;
    size_t len = 0;
    struct guard_err err; /* the object's own is told */
    enum guard_rc rc = GUARD_E_IO;
    if (read_written(cluster, service, &last, &len))
        rc = merge_last(guardian, text, (struct guard_span){last, len}, parts, arena, &err);
    free(last);
    if (rc == GUARD_OK)
        return rc;
    parts->spec = NULL;
    rc = merge_guardian(guardian, text, service, parts, arena, &err);
    if (rc == GUARD_OK)
        return rc;
    parts->namespace = NULL;
    return merge_guardian(guardian, text, service, parts, arena, &err);
}

static enum guard_rc say_beyond(const struct object *object, struct guard_err *err)
{
    return guard_fail(err, GUARD_E_LIMIT,
                      "%s has more than its share: at most %d services, also those whose Guardian "
                      "is gone, with %d MiB of specs",
                      object->namespace, (int)OBJECTS_SHARE, OBJECTS_SHARE_BYTES >> 20);
}

/* What tried_again says is; anything else is the object's fault. */
static enum guard_rc write_guardian(const struct cluster_operator *cluster,
                                    const struct object *object, struct guard_arena *arena,
                                    struct guard_err *err)
{
    struct merge_parts parts = {NULL, NULL, NULL};
    struct guard_guardian guardian;
    struct guard_span text;
    const struct guard_span service = {(const uint8_t *)object->service, strlen(object->service)};
    enum guard_rc refused = parts_of(cluster, object, &parts, arena, err);
    bool needed = object->there || parts.namespace != NULL || parts.cluster != NULL;
    if (refused == GUARD_OK)
        refused = object->beyond ? say_beyond(object, err)
                                 : merge_guardian(&guardian, &text, service, &parts, arena, err);
    if (tried_again(refused))
        return refused;
    if (object->beyond && services_find(cluster->services, service) == NULL)
        return refused; /* nothing that the floor would hold for */
    bool floor = parts.cluster != NULL && member_of(parts.cluster, "floor") != NULL;
    if (refused != GUARD_OK &&
        (!floor || merge_without(cluster, service, &guardian, &text, &parts, arena) != GUARD_OK))
        return refused;
    struct guard_err failure;
    enum guard_rc rc =
        is_written(cluster, service, text, needed)
            ? GUARD_OK
            : put(cluster, object, service, text, guard_mode_name(guardian.request_mode), &failure);
    if (rc != GUARD_OK)
        *err = failure;
    return rc != GUARD_OK ? rc : refused;
}

static void reconcile(const struct cluster_operator *cluster, struct object *object)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err = {.text = ""};
    const struct guard_span service = {(const uint8_t *)object->service, strlen(object->service)};
    enum guard_rc rc = GUARD_OK;
    object->dirty = false;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    if (object->service[0] == '\0')
        rc = guard_fail(&err, GUARD_E_RANGE,
                        "metadata.name: %s.%s is no service's name: at most %d letters, digits, "
                        "'.', '_' or '-'",
                        object->namespace, object->name, (int)STATE_SERVICE_MAX);
    else
        rc = write_guardian(cluster, object, &arena, &err);
    guard_arena_reset(&arena);
    object->dirty = tried_again(rc);
    const char *why = rc != GUARD_OK ? err.text : "";
    if (rc != GUARD_OK && strcmp(object->why, why) != 0) {
        log_event("alarm", "guardian-refused", service, "%s/%s: %s", object->namespace,
                  object->name, why);
        object->events[EVENT_REFUSED].due++;
    }
    snprintf(object->why, sizeof(object->why), "%.*s", OBJECT_WHY_CAP - 1, why);
}

/* Services without a Guardian have what their namespace and the cluster say. */
static void find_services(struct cluster_operator *cluster)
{
    struct objects *objects = &cluster->followed[INFORMED_GUARDIANS].objects;
    for (; cluster->known < cluster->services->count; cluster->known++) {
        const struct service *service = cluster->services->list[cluster->known];
        const char *dot = strchr(service->name_text, '.');
        char namespace[OBJECT_LABEL_CAP];
        size_t len = dot != NULL ? (size_t)(dot - service->name_text) : 0;
        if (len == 0 || len >= sizeof(namespace) || dot[1] == '\0' ||
            objects_of_service(objects, service->name) != NULL)
            continue;
        snprintf(namespace, sizeof(namespace), "%.*s", (int)len, service->name_text);
        (void)objects_know(objects, namespace, dot + 1);
    }
}

void operator_reconcile(struct cluster_operator *cluster)
{
    struct objects *objects = &cluster->followed[INFORMED_GUARDIANS].objects;
    uint32_t merged = 0;
    find_services(cluster);
    for (uint32_t i = 0; i < objects->count && lease_held(&cluster->lease, clock_monotonic_ms());
         i++) {
        if (merged == OPERATOR_MERGES) {
            cluster->more = true;
            break;
        }
        struct object *object = objects->list[cluster->at % objects->count];
        cluster->at = (cluster->at + 1) % objects->count;
        if (!object->dirty)
            continue;
        reconcile(cluster, object);
        operator_worked(cluster);
        merged++;
    }
}

/* Defaults alone, the floor alone: what is wrong is told where it stands. */
static void check(const struct object *object, enum informed kind, struct guard_arena *arena,
                  struct guard_err *err)
{
    struct merge_parts parts = {NULL, NULL, NULL};
    const struct document_node *spec = NULL;
    if (strcmp(object->name, kind == INFORMED_CLUSTER ? "cluster" : "default") != 0) {
        (void)guard_fail(err, GUARD_E_RANGE, "metadata.name: only the one named %s holds",
                         kind == INFORMED_CLUSTER ? "cluster" : "default");
        return;
    }
    enum guard_rc rc = tree_of(object, &spec, arena, err);
    if (kind == INFORMED_CLUSTER)
        parts.cluster = spec;
    else
        parts.namespace = spec;
    if (rc == GUARD_OK)
        rc = merge_check(&parts, err);
    if (rc == GUARD_OK)
        err->text[0] = '\0';
}

void operator_check_defaults(struct cluster_operator *cluster)
{
    for (int kind = INFORMED_DEFAULTS; kind <= INFORMED_CLUSTER; kind++) {
        const struct objects *objects = &cluster->followed[kind].objects;
        for (uint32_t i = 0; i < objects->count; i++) {
            struct object *object = objects->list[i];
            struct guard_alloc heap = heap_alloc();
            struct guard_arena arena;
            struct guard_err err;
            if (!object->dirty)
                continue;
            object->dirty = false;
            if (!object->there)
                continue;
            guard_arena_init(&arena, &heap, ARENA_MAX);
            check(object, (enum informed)kind, &arena, &err);
            guard_arena_reset(&arena);
            snprintf(object->why, sizeof(object->why), "%.*s", OBJECT_WHY_CAP - 1, err.text);
        }
    }
}
