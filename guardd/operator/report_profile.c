/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned, as an object beside its Guardian, where that asks for it: written when it says
 * something else than before, at most once in pace.write_ms. */
#include "parts.h"
#include "projection.h"

#include "common/log.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 200, CREATED = 201, NOT_FOUND = 404 };

static void note(struct object *object, bool failed, const char *message)
{
    const struct guard_span service = {(const uint8_t *)object->service, strlen(object->service)};
    if (failed && !object->profile.failing)
        log_event("warn", "profile-not-written", service, "%s", message);
    object->profile.failing = failed;
}

static void on_written(void *ctx, const struct api_answer *answer)
{
    struct object *object = ctx;
    bool failed = answer->status != OK && answer->status != CREATED;
    object->profile.busy = false;
    object->profile.written = failed ? 0 : object->profile.sent;
    object->profile.there = object->profile.there || !failed;
    note(object, failed, answer->message);
}

static void on_deleted(void *ctx, const struct api_answer *answer)
{
    struct object *object = ctx;
    bool failed = answer->status != OK && answer->status != NOT_FOUND;
    object->profile.busy = false;
    object->profile.there = failed;
    note(object, failed, answer->message);
}

static void call(struct cluster_operator *cluster, struct object *object, struct guard_span body,
                 uint64_t mono_ms)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    snprintf(path, sizeof(path), "%s/namespaces/%s/guardianprofiles/%s%s", OPERATOR_API,
             object->namespace, object->name,
             body.len > 0 ? "?fieldManager=guard-operator&force=true" : "");
    const struct api_call written = {.method = "PATCH",
                                     .path = path,
                                     .content_type = "application/apply-patch+yaml",
                                     .body = body,
                                     .done = on_written,
                                     .ctx = object,
                                     .revocable = true};
    const struct api_call deleted = {
        .method = "DELETE", .path = path, .done = on_deleted, .ctx = object, .revocable = true};
    object->profile.write_ms = mono_ms + cluster->pace.write_ms;
    object->profile.busy =
        api_client_call(cluster->client, body.len > 0 ? &written : &deleted, &err) == GUARD_OK;
    if (!object->profile.busy)
        note(object, true, err.text);
}

/* It goes when the Guardian goes: the cluster's garbage collection sees to that. */
static void write_owner(struct json_writer *json, const struct object *object)
{
    json_open(json, "ownerReferences", '[');
    json_open(json, NULL, '{');
    json_text(json, "apiVersion", OPERATOR_GROUP "/v1alpha1");
    json_text(json, "kind", "Guardian");
    json_text(json, "name", object->name);
    json_text(json, "uid", object->uid);
    json_bool(json, "controller", true);
    json_close(json, '}');
    json_close(json, ']');
}

static void write_object(struct json_writer *json, const struct object *object,
                         const struct guard_model *model)
{
    json_open(json, NULL, '{');
    json_text(json, "apiVersion", OPERATOR_GROUP "/v1alpha1");
    json_text(json, "kind", "GuardianProfile");
    json_open(json, "metadata", '{');
    json_text(json, "name", object->name);
    json_open(json, "labels", '{');
    json_text(json, "app.kubernetes.io/part-of", "guard");
    json_close(json, '}');
    write_owner(json, object);
    json_close(json, '}');
    projection_write(json, model);
    json_close(json, '}');
}

static void write_profile(struct cluster_operator *cluster, struct object *object,
                          const struct service *service, uint64_t mono_ms)
{
    struct object_profile *profile = &object->profile;
    struct json_writer json;
    bool again = mono_ms - profile->write_ms >= OPERATOR_PROFILE_MS;
    char *text = malloc(PROJECTION_BYTES);
    if (text == NULL)
        return;
    json_writer_init(&json, text, PROJECTION_BYTES);
    write_object(&json, object, service->model);
    const struct guard_span body = {(const uint8_t *)text, json.len};
    profile->seen_ms = service->learned_ms;
    profile->sent = guard_checksum(1, body) | 1; /* 0 says that nothing was written */
    if (!json.overflow && (profile->sent != profile->written || again))
        call(cluster, object, body, mono_ms);
    free(text);
}

void operator_report_profile(struct cluster_operator *cluster, struct object *object,
                             const struct service *service, uint64_t mono_ms)
{
    struct object_profile *profile = &object->profile;
    if (profile->busy || mono_ms < profile->write_ms)
        return;
    if (!profile->wanted) {
        call(cluster, object, (struct guard_span){NULL, 0}, mono_ms);
        return;
    }
    bool fresh = service != NULL && service->model != NULL &&
                 (service->learned_ms != profile->seen_ms || profile->written == 0 ||
                  mono_ms - profile->write_ms >= OPERATOR_PROFILE_MS);
    if (fresh)
        write_profile(cluster, object, service, mono_ms);
}
