/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the pods in the objects of a stream, Services afterwards: they may stand before what they
 * select. */
#include "common/inject/parts.h"

#include <stdio.h>
#include <string.h>

enum { PATH_PARTS_MAX = 4, LIST_DEPTH_MAX = 4 };

/* Where an object of this kind has its pod's template. */
struct workload {
    const char *kind;
    const char *group; /* the beginning of apiVersion */
    const char *path[PATH_PARTS_MAX];
};

static const struct workload workloads[] = {
    {"Pod", "v1", {NULL}},
    {"Deployment", "apps/", {"spec", "template"}},
    {"StatefulSet", "apps/", {"spec", "template"}},
    {"DaemonSet", "apps/", {"spec", "template"}},
    {"ReplicaSet", "apps/", {"spec", "template"}},
    {"ReplicationController", "v1", {"spec", "template"}},
    {"Job", "batch/", {"spec", "template"}},
    {"CronJob", "batch/", {"spec", "jobTemplate", "spec", "template"}},
};

struct walk {
    struct injection in;
    struct inject_pods *pods;
    bool services; /* the second time */
    enum inject_result *result;
};

static bool in_group(const struct document_node *object, const char *group)
{
    const char *version = text_of(object, "apiVersion");
    size_t len = strlen(group);
    return group[len - 1] == '/' ? strncmp(version, group, len) == 0 : strcmp(version, group) == 0;
}

static enum guard_rc name_object(struct injection *in, const struct document_node *object)
{
    struct document_node *metadata = NULL;
    struct document_node *name = NULL;
    in->kind = text_of(object, "kind");
    snprintf(in->object, sizeof(in->object), "%.60s", in->kind);
    GUARD_TRY(inject_member(in, object, "metadata", DOCUMENT_MAPPING, &metadata));
    GUARD_TRY(inject_member(in, metadata, "name", DOCUMENT_SCALAR, &name));
    if (name == NULL && metadata != NULL)
        GUARD_TRY(inject_member(in, metadata, "generateName", DOCUMENT_SCALAR, &name));
    if (name == NULL ||
        !inject_is_name(text_of(metadata, "name")[0] != '\0' ? (const char *)name->text.ptr : "x"))
        return inject_fail(in, name != NULL ? name : object, GUARD_E_RANGE,
                           "has no name that Kubernetes takes");
    in->name = (const char *)name->text.ptr;
    in->name_space = text_of(metadata, "namespace");
    snprintf(in->object, sizeof(in->object), "%.60s/%.253s", in->kind, in->name);
    return GUARD_OK;
}

static enum guard_rc remember(struct walk *walk, const struct document_node *object,
                              const struct inject_plan *plan)
{
    struct inject_pods *pods = walk->pods;
    const struct document_node *metadata = member_of(object, "metadata");
    if (pods == NULL)
        return GUARD_OK;
    if (pods->count == INJECT_PODS_MAX)
        return inject_fail(&walk->in, object, GUARD_E_LIMIT, "more than %d workloads",
                           INJECT_PODS_MAX);
    pods->pods[pods->count].labels = plan->labels;
    pods->pods[pods->count].namespace = metadata != NULL ? text_of(metadata, "namespace") : "";
    memcpy(pods->pods[pods->count].object, walk->in.object, sizeof(walk->in.object));
    memcpy(pods->pods[pods->count].ports, plan->ports, sizeof(plan->ports));
    pods->pods[pods->count++].port_count = plan->port_count;
    return GUARD_OK;
}

static void tell_ports(const struct injection *in, const struct inject_plan *plan)
{
    for (uint32_t i = 0; i < plan->port_count; i++) {
        const struct inject_port *port = &plan->ports[i];
        inject_say(in, "guarded as \"%s\": the gate has port %s%s%ld, the application %ld",
                   plan->service, port->name != NULL ? port->name : "",
                   port->name != NULL ? ", " : "", port->gate, port->app);
        if (port->name == NULL && plan->queue_port == NULL)
            inject_say(in,
                       "port %ld has no name: Services must give %ld, the gate's, as targetPort",
                       port->app, port->gate);
    }
}

static enum guard_rc take_template(struct walk *walk, const struct document_node *object,
                                   struct document_node *template)
{
    struct inject_plan plan;
    bool wanted = false;
    GUARD_TRY(inject_plan(&walk->in, template, &plan, &wanted));
    if (wanted)
        GUARD_TRY(inject_apply(&walk->in, &plan));
    if (wanted)
        *walk->result = INJECT_DONE;
    if (wanted)
        tell_ports(&walk->in, &plan);
    return wanted || plan.marked ? remember(walk, object, &plan) : GUARD_OK;
}

static enum guard_rc take_workload(struct walk *walk, struct document_node *object,
                                   const struct workload *workload)
{
    struct document_node *at = object;
    GUARD_TRY(name_object(&walk->in, object));
    for (size_t i = 0; i < PATH_PARTS_MAX && workload->path[i] != NULL; i++) {
        struct document_node *parent = at;
        GUARD_TRY(inject_member(&walk->in, parent, workload->path[i], DOCUMENT_MAPPING, &at));
        if (at == NULL)
            return inject_fail(&walk->in, parent, GUARD_E_SYNTAX, "has no %s", workload->path[i]);
    }
    return take_template(walk, object, at);
}

static enum guard_rc take_object(struct walk *walk, struct document_node *object, uint32_t depth);

/* A list of these may leave out the kind of its items, which kubectl puts there. */
static bool lists_workloads(const char *kind)
{
    size_t len = strlen(kind) - strlen("List");
    for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
        if (strlen(workloads[i].kind) == len && strncmp(kind, workloads[i].kind, len) == 0)
            return true;
    }
    return strcmp(kind, "ServiceList") == 0;
}

static enum guard_rc take_list(struct walk *walk, struct document_node *object, uint32_t depth)
{
    struct document_node *items = NULL;
    snprintf(walk->in.object, sizeof(walk->in.object), "List");
    GUARD_TRY(inject_member(&walk->in, object, "items", DOCUMENT_SEQUENCE, &items));
    if (depth == LIST_DEPTH_MAX)
        return inject_fail(&walk->in, object, GUARD_E_LIMIT, "lists within lists within lists");
    bool workloads_only = lists_workloads(text_of(object, "kind"));
    for (struct document_node *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next) {
        if (workloads_only && text_of(item, "kind")[0] == '\0')
            return inject_fail(&walk->in, item, GUARD_E_SYNTAX, "has no kind");
        GUARD_TRY(take_object(walk, item, depth + 1));
    }
    return GUARD_OK;
}

static enum guard_rc take_object(struct walk *walk, struct document_node *object, uint32_t depth)
{
    if (object->kind != DOCUMENT_MAPPING)
        return GUARD_OK;
    const char *kind = text_of(object, "kind");
    size_t len = strlen(kind);
    /* List, and DeploymentList and the like of v1. */
    if (len >= 4 && strcmp(kind + len - 4, "List") == 0 && member_of(object, "items") != NULL)
        return take_list(walk, object, depth);
    if (strcmp(kind, "Service") == 0 && in_group(object, "serving.knative.dev/")) {
        if (walk->services)
            return GUARD_OK;
        GUARD_TRY(name_object(&walk->in, object));
        return inject_knative(&walk->in, object, walk->result);
    }
    if (strcmp(kind, "Service") == 0 && in_group(object, "v1")) {
        if (!walk->services)
            return GUARD_OK;
        GUARD_TRY(name_object(&walk->in, object));
        return inject_service(&walk->in, object, walk->pods, walk->result);
    }
    for (size_t i = 0; !walk->services && i < sizeof(workloads) / sizeof(workloads[0]); i++) {
        if (strcmp(kind, workloads[i].kind) == 0 && in_group(object, workloads[i].group))
            return take_workload(walk, object, &workloads[i]);
    }
    return GUARD_OK;
}

static struct walk walk_of(const struct document *document, const struct inject_cfg *cfg,
                           inject_tell *tell, void *ctx, struct guard_err *err)
{
    return (struct walk){.in = {.document = document,
                                .cfg = cfg,
                                .kind = "",
                                .name = "",
                                .name_space = "",
                                .tell = tell,
                                .ctx = ctx,
                                .err = err,
                                .edit = {.arena = document->arena}}};
}

enum guard_rc inject_stream(struct document_stream *stream, const struct inject_cfg *cfg,
                            enum inject_result *results, inject_tell *tell, void *ctx,
                            struct guard_err *err)
{
    GUARD_TRY(inject_check(cfg, err));
    if (stream->count == 0)
        return GUARD_OK;
    struct inject_pods *pods = guard_arena_get(stream->documents[0].arena, sizeof(*pods));
    if (pods == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    pods->count = 0;
    for (uint32_t i = 0; i < 2 * stream->count; i++) {
        uint32_t which = i % stream->count;
        struct walk walk = walk_of(&stream->documents[which], cfg, tell, ctx, err);
        walk.pods = pods;
        walk.services = i >= stream->count;
        walk.result = &results[which];
        if (!walk.services)
            results[which] = INJECT_LEFT;
        if (stream->documents[which].root != NULL)
            GUARD_TRY(take_object(&walk, stream->documents[which].root, 0));
    }
    return GUARD_OK;
}

enum guard_rc inject_pod(const struct document *document, struct document_node *pod,
                         const char *name, const char *name_space, const struct inject_cfg *cfg,
                         enum inject_result *result, inject_tell *tell, void *ctx,
                         struct guard_err *err)
{
    struct walk walk = walk_of(document, cfg, tell, ctx, err);
    *result = INJECT_LEFT;
    walk.result = result;
    walk.in.kind = "Pod";
    walk.in.name = name;
    walk.in.name_space = name_space;
    snprintf(walk.in.object, sizeof(walk.in.object), "Pod/%.253s", name);
    GUARD_TRY(inject_check(cfg, err));
    return take_template(&walk, pod, pod);
}
