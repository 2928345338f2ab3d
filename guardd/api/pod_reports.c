/* SPDX-License-Identifier: Apache-2.0 */
/* Records of pods that children send: each is held to who sent it, and the answer waits until what
 * was taken lies on the disk. */
#include "accounts.h"
#include "admission.h"
#include "handlers.h"
#include "pod_places.h"
#include "problem.h"
#include "reports.h"

#include "guardd/pods/reported.h"

#include "common/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 20000, LOOK_AGAIN_MS = 100 };

/* Who speaks for a node. */
struct look {
    struct pod_places *places;
    const char *node;
    uint64_t begun_ms;
};

void api_write_pod_records(const struct services *services, const struct service *service,
                           struct json_writer *json)
{
    if (services->pod_reported == NULL)
        return;
    if (services->uplink == NULL || service->up.pod_records == POD_PARENT_TAKES)
        json_integer(json, "pod_records", 1);
    else if (service->up.pod_records == POD_PARENT_UNKNOWN)
        json_integer(json, "pod_records", 0);
}

static bool covers(const void *ctx, struct guard_span service)
{
    return api_access_covers(ctx, service);
}

static bool written(const struct api *api, const struct api_request *request, uint64_t now_ms)
{
    const struct pod_reported *reported = api->view.services->pod_reported;
    (void)now_ms;
    return reported == NULL || reported->written >= request->wait.ticket ||
           reported->failed >= request->wait.ticket;
}

static void answer(const struct api_wait *wait, struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_integer(&json, "taken", wait->taken);
    json_integer(&json, "refused", wait->refused);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    response->quiet = true;
}

static enum api_step later(struct api_response *response, const char *why)
{
    problem(response, 503, "busy", NULL, "%s", why);
    response->retry_after_s = 5;
    return API_DONE;
}

static enum api_step refuse(struct api_response *response, enum guard_rc rc,
                            const struct guard_err *err)
{
    if (rc == GUARD_E_IO || rc == GUARD_E_NOMEM)
        return later(response, err->text);
    if (rc == GUARD_E_LIMIT)
        problem(response, 413, "too-large", NULL, "%s", err->text);
    else
        problem(response, 422, "bad-pod-records", NULL, "%s", err->text);
    return API_DONE;
}

static enum pod_place look(const void *ctx, const struct guard_pod_identity *id)
{
    const struct look *look = ctx;
    return pod_places_look(look->places, look->node, id, look->begun_ms, clock_monotonic_ms());
}

static struct pod_reporter reporter_of(const struct api *api, const struct api_request *request,
                                       const char *name)
{
    const struct api_access *access = &request->access;
    struct pod_reporter who = {
        .name = name,
        .believed = tree_listed(api->view.services->inbox.whole, name),
        .covers = covers,
        .ctx = access,
    };
    if (accounts_are(access)) {
        who.cluster_pod = access->subject;
        who.cluster_uid = strchr(access->name, ':') + 1;
    }
    return who;
}

/* The same whichever of the node's pods it is: it is replaced now and then. */
static void report_for_node(const struct api *api, const struct api_request *request,
                            struct pod_reporter *who, char name[REPORTER_CAP], struct look *ctx)
{
    const struct api_access *access = &request->access;
    if (access->node[0] == '\0' || accounts_places(api->admission->accounts) == NULL)
        return;
    *ctx = (struct look){accounts_places(api->admission->accounts), access->node,
                         request->wait.begun_ms};
    snprintf(name, REPORTER_CAP, "node:%.90s", access->node);
    who->cluster_pod = who->cluster_uid = NULL;
    who->node = access->node;
    who->look = look;
    who->look_ctx = ctx;
}

static bool looked(const struct api *api, const struct api_request *request, uint64_t now_ms)
{
    (void)now_ms;
    return admission_answers(api->admission) != request->wait.ticket ||
           clock_monotonic_ms() >= request->wait.again_ms;
}

/* Whether all pods of the batch are known to be there or not: API_DONE after a problem, API_LATER
 * while the cluster is asked, API_AGAIN when the batch may be taken. */
static enum api_step look_up(const struct api *api, struct api_request *request,
                             const struct pod_reporter *who, struct api_response *response)
{
    struct api_wait *wait = &request->wait;
    const struct look *ctx = who->look_ctx;
    const char *why;
    struct guard_err err;
    bool unknown;
    uint64_t mono_ms = clock_monotonic_ms();
    enum guard_rc rc =
        pod_reported_look(api->view.services->pod_reported, who, request->body, &unknown, &err);
    if (rc != GUARD_OK)
        return refuse(response, rc, &err);
    if (!unknown)
        return API_AGAIN;
    if (pod_places_failed_ms(ctx->places, &why) >= wait->begun_ms)
        return later(response, why);
    if (mono_ms - wait->begun_ms >= LOOK_MS)
        return later(response, "the cluster wasn't asked for all of the pods yet");
    wait->turn = pod_places_wait(ctx->places, ctx->node, wait->turn, mono_ms);
    if (wait->turn == 0)
        return later(response, "a later batch of the node waits in its place");
    wait->due = looked;
    wait->ticket = admission_answers(api->admission);
    wait->again_ms = mono_ms + LOOK_AGAIN_MS;
    wait->keeps_body = true;
    return API_LATER;
}

enum api_step api_report_pods(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    struct pod_reported *reported = api->view.services->pod_reported;
    struct api_wait *wait = &request->wait;
    char name[REPORTER_CAP];
    struct guard_err err;
    if (!api_takes_reports(api, response))
        return API_DONE;
    if (reported == NULL) {
        problem(response, 409, "takes-no-pod-records", NULL,
                "this guardd takes no records of pods from others");
        return API_DONE;
    }
    if (wait->due == written) {
        if (reported->written < wait->ticket)
            return later(response, "the records couldn't be written");
        answer(wait, response);
        return API_DONE;
    }
    if (request->content_type == NULL ||
        strcmp(request->content_type, "application/octet-stream") != 0) {
        problem(response, 415, "bad-type", "Content-Type", "must be application/octet-stream");
        return API_DONE;
    }
    api_reporter(request, name);
    struct pod_reporter who = reporter_of(api, request, name);
    struct look ctx;
    if (wait->begun_ms == 0)
        wait->begun_ms = clock_monotonic_ms();
    report_for_node(api, request, &who, name, &ctx);
    if (who.node != NULL) {
        enum api_step step = look_up(api, request, &who, response);
        if (step != API_AGAIN)
            return step;
    }
    wait->keeps_body = false;
    enum guard_rc rc = pod_reported_take(reported, &who, request->body, &wait->taken,
                                         &wait->refused, &wait->ticket, &err);
    if (rc != GUARD_OK)
        return refuse(response, rc, &err);
    wait->due = written;
    return API_LATER;
}
