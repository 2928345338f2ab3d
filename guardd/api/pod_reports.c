/* SPDX-License-Identifier: Apache-2.0 */
/* Records of pods that children send: each is held to who sent it, and the answer waits until what
 * was taken lies on the disk. */
#include "accounts.h"
#include "handlers.h"
#include "problem.h"
#include "reports.h"

#include "guardd/pods/reported.h"

#include "common/file.h"

#include <inttypes.h>
#include <string.h>

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
    if (wait->due != NULL) {
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
    const struct pod_reporter who = reporter_of(api, request, name);
    enum guard_rc rc = pod_reported_take(reported, &who, request->body, &wait->taken,
                                         &wait->refused, &wait->ticket, &err);
    if (rc != GUARD_OK)
        return refuse(response, rc, &err);
    wait->due = written;
    return API_LATER;
}
