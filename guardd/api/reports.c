/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes below this one send and fetch. Answers wait here without a thread: a delta's for the
 * commit that holds it, a policy's for the next generation. */
#include "reports.h"

#include "accounts.h"
#include "guardd/pods/gates_told.h"
#include "handlers.h"
#include "problem.h"

#include "common/file.h"
#include "common/guardian_words.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_WAIT_MS = 5000 };

void api_reporter(const struct api_request *request, char out[REPORTER_CAP])
{
    if (request->access.name[0] != '\0')
        snprintf(out, REPORTER_CAP, "%s", request->access.name);
    else
        snprintf(out, REPORTER_CAP, "uid:%" PRId64, request->uid);
}

bool api_takes_reports(const struct api *api, struct api_response *response)
{
    if (tree_has_children(api->view.services->role))
        return true;
    problem(response, 409, "takes-no-reports", NULL, "this guardd is no parent: its role is %s",
            tree_role_name(api->view.services->role));
    return false;
}

/* What isn't ready is reported of often, so that it is soon. */
static bool is_young(const struct service *service)
{
    if (service->delta.number != 0)
        return service->up.young;
    if (service->replica.role != NULL && !service->replica.learns)
        return !service->replica.ready;
    return service->model == NULL || !service->model->ready;
}

/* What a node needs to know of a service beside its policy. */
static void write_controls(const struct services *services, const struct service *service,
                           struct json_writer *json)
{
    json_integer(json, "generation", (int64_t)service->generation);
    json_bool(json, "young", is_young(service));
    json_text(json, "client_mode", guard_mode_name(service->guardian.client_mode));
    json_integer(json, "withdrawals", (int64_t)service->withdrawals.offered_ms);
    api_write_pod_records(services, service, json);
}

/* --- keys --- */

static void answer_key(const struct services *services, const struct service *service,
                       struct api_response *response)
{
    struct json_writer json;
    char key[2 * GUARD_DIGEST_BYTES + 1];
    if (!api_json_begin(&json, response))
        return;
    guardian_digest_write(service->key, key);
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_text(&json, "key", key);
    write_controls(services, service, &json);
    json_close(&json, '}');
    memset(key, 0, sizeof(key));
    api_json_end(&json, response, 200);
}

static bool commit_due(const struct api *api, const struct api_request *request, uint64_t now_ms)
{
    const struct inbox *inbox = &api->view.services->inbox;
    (void)now_ms;
    return inbox->committed >= request->wait.ticket || inbox->failed >= request->wait.ticket;
}

static bool key_due(const struct api *api, const struct api_request *request, uint64_t now_ms)
{
    const struct guard_span name = {(const uint8_t *)request->service, strlen(request->service)};
    return services_find(api->view.services, name) != NULL || now_ms >= request->wait.until_ms ||
           request->wait.until_ms - now_ms > KEY_WAIT_MS;
}

/* The first who asks for a service makes it, as its first record would. */
enum api_step api_report_key(struct api *api, struct api_request *request,
                             struct api_response *response)
{
    struct services *services = api->view.services;
    const struct guard_span name = {(const uint8_t *)request->service, strlen(request->service)};
    uint64_t now_ms = clock_unix_ms();
    if (!api_takes_reports(api, response))
        return API_DONE;
    if (!state_service_valid(name)) {
        problem(response, 404, "no-such-service", "service", "no service can have this name");
        return API_DONE;
    }
    const struct service *service = services_get(services, name);
    if (service != NULL && !service->stored) {
        /* A key that was told of must survive. */
        if (request->wait.service == service && services->inbox.failed >= request->wait.ticket) {
            problem(response, 503, "not-saved", NULL, "the service couldn't be saved");
            response->retry_after_s = 2;
            return API_DONE;
        }
        request->wait.service = service;
        request->wait.ticket = services->inbox.batch;
        request->wait.due = commit_due;
        services->inbox.open = true;
        return API_LATER;
    }
    if (service != NULL) {
        answer_key(services, service, response);
        return API_DONE;
    }
    if (services->uplink != NULL && request->wait.due == NULL &&
        uplink_want(services->uplink, name)) {
        request->wait.due = key_due;
        request->wait.until_ms = now_ms + KEY_WAIT_MS;
        return API_LATER;
    }
    problem(response, 503, "no-key", "service",
            services->uplink != NULL ? "the parent gave no key yet" : "too many services");
    response->retry_after_s = 5;
    return API_DONE;
}

/* The one that is asked for may have been made at another root. */
static struct service *reported_service(struct api *api, const struct api_request *request,
                                        struct api_response *response)
{
    replica_find(api->view.services,
                 (struct guard_span){(const uint8_t *)request->service, strlen(request->service)});
    return api_service(api, request, response);
}

/* --- deltas --- */

static void answer_pile(const struct api *api, const struct api_request *request,
                        struct api_response *response)
{
    const struct inbox *inbox = &api->view.services->inbox;
    struct json_writer json;
    if (inbox->committed < request->wait.ticket) {
        problem(response, 503, "not-saved", NULL, "the pile couldn't be saved");
        response->retry_after_s = 2;
        return;
    }
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "outcome", request->wait.outcome);
    write_controls(api->view.services, request->wait.service, &json);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    response->quiet = true;
}

static void refuse_pile(struct api_response *response, enum guard_rc rc,
                        const struct guard_err *err)
{
    if (rc == GUARD_E_NOMEM || rc == GUARD_E_IO) {
        problem(response, 503, "busy", NULL, "%s", err->text);
        response->retry_after_s = 5;
    } else if (rc == GUARD_E_OVERLAP || rc == GUARD_E_STATE) {
        problem(response, 409, "overlap", NULL, "%s", err->text);
    } else if (rc == GUARD_E_LIMIT) {
        problem(response, 413, "too-large", NULL, "%s", err->text);
    } else {
        problem(response, 422, "bad-pile", NULL, "%s", err->text);
    }
}

static const char *outcome_name(enum inbox_outcome outcome)
{
    return outcome == INBOX_ADDED ? "added" : outcome == INBOX_CONTAINED ? "contained" : "paused";
}

enum api_step api_report_piles(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct services *services = api->view.services;
    char reporter[REPORTER_CAP];
    enum inbox_outcome outcome;
    struct guard_err err;
    if (!api_takes_reports(api, response))
        return API_DONE;
    if (request->wait.due != NULL) {
        answer_pile(api, request, response);
        return API_DONE;
    }
    struct service *service = reported_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    if (request->content_type == NULL ||
        strcmp(request->content_type, "application/octet-stream") != 0) {
        problem(response, 415, "bad-type", "Content-Type", "must be application/octet-stream");
        return API_DONE;
    }
    api_reporter(request, reporter);
    enum guard_rc rc = inbox_take(services, service, reporter, request->body, &outcome,
                                  &request->wait.ticket, &err);
    if (rc != GUARD_OK) {
        refuse_pile(response, rc, &err);
        return API_DONE;
    }
    request->wait.due = commit_due;
    request->wait.outcome = outcome_name(outcome);
    request->wait.service = service;
    return API_LATER;
}

/* --- summaries --- */

static void answer_summary(const struct services *services, const struct service *service,
                           struct api_response *response)
{
    struct json_writer json;
    response->quiet = true;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    write_controls(services, service, &json);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

/* The answer waits for the next commit: who told it doesn't tell it again once we answered. What is
 * lost by a commit that fails is told again. */
static enum api_step answer_when_saved(struct api *api, struct api_request *request,
                                       const struct service *service)
{
    struct inbox *inbox = &api->view.services->inbox;
    request->wait.due = commit_due;
    request->wait.service = service;
    request->wait.ticket = inbox->batch;
    inbox->open = true;
    return API_LATER;
}

/* The other roots are told of it by the next commit. */
static enum api_step share_summary(struct api *api, struct api_request *request,
                                   const struct service *service, const char *reporter,
                                   struct api_response *response)
{
    struct guard_err err;
    enum guard_rc rc = told_keep(api->view.services, service, reporter, request->body, &err);
    if (rc == GUARD_OK)
        return answer_when_saved(api, request, service);
    refuse_pile(response, rc, &err);
    return API_DONE;
}

static enum api_step answer_saved(struct api *api, struct api_request *request,
                                  struct api_response *response)
{
    const struct inbox *inbox = &api->view.services->inbox;
    if (inbox->committed >= request->wait.ticket) {
        answer_summary(api->view.services, request->wait.service, response);
        return API_DONE;
    }
    problem(response, 503, "not-saved", NULL, "the summary couldn't be saved");
    response->retry_after_s = 2;
    return API_DONE;
}

enum api_step api_report_summary(struct api *api, struct api_request *request,
                                 struct api_response *response)
{
    struct services *services = api->view.services;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    char reporter[REPORTER_CAP];
    if (!api_takes_reports(api, response))
        return API_DONE;
    if (request->wait.due != NULL)
        return answer_saved(api, request, response);
    struct service *service = reported_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    api_reporter(request, reporter);
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    enum guard_rc rc = document_parse(&document, "body", request->body, &arena, &err);
    if (rc == GUARD_OK)
        rc = summary_take(services, service, reporter, &document, &err);
    guard_arena_reset(&arena);
    if (rc != GUARD_OK) {
        problem_document(response, rc == GUARD_E_NOMEM ? 503 : 422, &err);
        return API_DONE;
    }
    if (services->run != 0)
        return share_summary(api, request, service, reporter, response);
    if (service->releases.changed || service->history.queue != NULL)
        return answer_when_saved(api, request, service);
    answer_summary(services, service, response);
    return API_DONE;
}

/* --- down --- */

/* A file that is replaced by rename, as a body. False after a problem. */
static bool answer_file(const struct api *api, const struct service *service, const char *folder,
                        const char *suffix, struct api_response *response)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    if (state_path(path, api->view.state, folder, service->name, suffix) != GUARD_OK)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        if (fd >= 0)
            close(fd);
        problem(response, 503, "not-there", NULL, "there is none at this moment");
        response->retry_after_s = 2;
        return false;
    }
    response->file = true;
    response->file_fd = fd;
    response->len = (size_t)info.st_size;
    response->status = 200;
    response->content_type = "application/octet-stream";
    return true;
}

static uint64_t verdicts_of(const struct service *service)
{
    return service->delta.number != 0 ? service->up.verdicts : service->clients.issued_ms;
}

/* Of the policy that would be answered with. */
static uint64_t offered_of(const struct api *api, const struct service *service)
{
    return api->view.services->run != 0 ? service->replica.offered : service->generation;
}

static bool policy_due(const struct api *api, const struct api_request *request, uint64_t now_ms)
{
    const struct api_wait *wait = &request->wait;
    return offered_of(api, wait->service) > wait->ticket ||
           verdicts_of(wait->service) > wait->verdicts ||
           wait->service->withdrawals.offered_ms > wait->withdrawals || now_ms >= wait->until_ms ||
           wait->until_ms - now_ms > API_WAIT_MS;
}

/* The tag tells all: the generation, the table of verdicts on clients, and the withdrawals. */
static void tag(const struct api *api, const struct service *service, struct api_response *response)
{
    snprintf(response->etag, sizeof(response->etag), "\"%" PRIu64 "-%" PRIu64 "-%" PRIu64 "\"",
             offered_of(api, service), verdicts_of(service), service->withdrawals.offered_ms);
}

/* A cluster said whose its own tokens are: they speak for no other pod. */
static bool is_its_own(const struct api_access *access, const struct pod_self *pod)
{
    char name[POD_ORDER_UID_MAX + 8], subject[2 * GUARD_POD_NAME_MAX];
    snprintf(name, sizeof(name), "pod:%s", pod->uid);
    /* As accounts.c writes them. */
    snprintf(subject, sizeof(subject), "%s/%.180s", pod->name_space, pod->pod);
    return strcmp(access->name, name) == 0 && strcmp(access->subject, subject) == 0;
}

/* Which pod the asking guardd stands beside, and what the gate there was told. */
static bool take_pod(struct api *api, struct service *service, const struct api_request *request,
                     struct api_response *response)
{
    const char *name = api_param(request, "pod"), *obeys = api_param(request, "obeys");
    char reporter[REPORTER_CAP];
    struct pod_self pod;
    struct guard_err err;
    if (name == NULL)
        return true;
    if (pod_self_read(&pod, name, &err) != GUARD_OK) {
        problem(response, 400, "bad-parameter", "pod", "%s", err.text);
        return false;
    }
    bool attested = accounts_are(&request->access);
    if (attested && !is_its_own(&request->access, &pod)) {
        problem(response, 403, "forbidden", "pod", "the token is another pod's");
        return false;
    }
    api_reporter(request, reporter);
    const struct pod_gate_claim claim = {.pod = pod_gate_pod(pod.name_space, pod.pod),
                                         .by = pod_gate_by(reporter),
                                         .obeys = pod_gate_order(obeys != NULL ? obeys : ""),
                                         .seen_ms = clock_unix_ms(),
                                         .uid = pod.uid,
                                         .attested = attested,
                                         .ours = true};
    gates_note(api->view.services, service, &claim, reporter, name);
    return true;
}

enum api_step api_report_policy(struct api *api, struct api_request *request,
                                struct api_response *response)
{
    struct api_wait *wait = &request->wait;
    if (!api_takes_reports(api, response))
        return API_DONE;
    struct service *service = reported_service(api, request, response);
    /* Who doesn't ask for withdrawals knows none. */
    if (service == NULL ||
        !api_param_number(request, response, "after", 0, INT64_MAX, &wait->ticket) ||
        !api_param_number(request, response, "verdicts", 0, INT64_MAX, &wait->verdicts) ||
        !api_param_number(request, response, "withdrawals", INT64_MAX, INT64_MAX,
                          &wait->withdrawals) ||
        (wait->due == NULL && !take_pod(api, service, request, response)))
        return API_DONE;
    if (offered_of(api, service) > wait->ticket) {
        if (answer_file(api, service, "policies", ".policy", response))
            tag(api, service, response);
        return API_DONE;
    }
    if (wait->due == NULL && verdicts_of(service) <= wait->verdicts &&
        service->withdrawals.offered_ms <= wait->withdrawals) {
        wait->due = policy_due;
        wait->until_ms = clock_unix_ms() + API_WAIT_MS;
        wait->service = service;
        return API_LATER;
    }
    response->status = 304;
    tag(api, service, response);
    return API_DONE;
}

enum api_step api_report_verdicts(struct api *api, struct api_request *request,
                                  struct api_response *response)
{
    if (!api_takes_reports(api, response))
        return API_DONE;
    const struct service *service = reported_service(api, request, response);
    if (service == NULL || !answer_file(api, service, "verdicts", ".table", response))
        return API_DONE;
    tag(api, service, response);
    return API_DONE;
}

enum api_step api_report_withdrawals(struct api *api, struct api_request *request,
                                     struct api_response *response)
{
    if (!api_takes_reports(api, response))
        return API_DONE;
    const struct service *service = reported_service(api, request, response);
    if (service == NULL || !answer_file(api, service, "pods", ".withdrawals", response))
        return API_DONE;
    tag(api, service, response);
    return API_DONE;
}
