/* SPDX-License-Identifier: Apache-2.0 */
/* What the pods of a service do, what was told of them, and what people decide of it. */
#include "handlers.h"

#include "body.h"
#include "common/pods/decisions.h"
#include "common/pods/resumes.h"
#include "guardd/pods/show.h"
#include "problem.h"

#include "common/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 16, POD_ROOM = 2 * GUARD_POD_NAME_MAX + 2, ENTRY_ROOM = 16 * 1024 };

enum api_step api_pods(struct api *api, struct api_request *request, struct api_response *response)
{
    struct json_writer json;
    const char *part = api_param(request, "pod");
    struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    pods_follow(api->view.services, service, clock_unix_ms());
    if (!api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    pods_show(&json, api->view.services, service, part != NULL ? part : "", clock_unix_ms());
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

static void answer(const struct service *service, const char *what, const char *name,
                   const char *value, unsigned status, struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_text(&json, "what", what);
    json_text(&json, name, value);
    json_close(&json, '}');
    api_json_end(&json, response, status);
}

static void decide(struct api *api, struct api_request *request, const struct service *service,
                   const struct api_body *body, struct api_response *response)
{
    const char *id, *word, *reason;
    char what[POD_DECISION_WHAT_MAX];
    struct guard_err err;
    struct pod_decision decision = {.what = what};
    if (!api_body_text(body, response, "id", true, WORD_MAX, &id) ||
        !api_body_text(body, response, "decision", true, WORD_MAX, &word) ||
        !api_body_text(body, response, "reason", true, CHANGE_REASON_MAX, &reason))
        return;
    bool approve = strcmp(word, "approve") == 0;
    if (!approve && strcmp(word, "refuse") != 0) {
        problem(response, 422, "bad-document", "decision", "must be approve or refuse");
        return;
    }
    decision.review = approve ? GUARD_POD_APPROVED : GUARD_POD_REFUSED;
    if (!pod_thing_id_read(id, &decision.id)) {
        problem(response, 422, "bad-document", "id", "must be sixteen digits of 0-9a-f");
        return;
    }
    if (!pods_thing(service, decision.id, what)) {
        problem(response, 404, "no-such-thing", "id", "no pod of the service did what has this id");
        return;
    }
    const struct change change = api_change(api, request, reason);
    enum guard_rc rc = change_pod_decision(&change, &decision, &err);
    if (rc == GUARD_OK)
        answer(service, what, "decision", word, 200, response);
    else
        problem_change(response, rc, &err);
}

static void write_decision(struct json_writer *json, const struct pod_decision *decision)
{
    char id[WORD_MAX + 1];
    snprintf(id, sizeof(id), "%016" PRIx64, decision->id);
    json_open(json, NULL, '{');
    json_text(json, "id", id);
    json_text(json, "decision", decision->review == GUARD_POD_APPROVED ? "approve" : "refuse");
    json_text(json, "what", decision->what);
    json_text(json, "by", decision->by);
    json_text(json, "reason", decision->why);
    json_integer(json, "time_ms", (int64_t)decision->time_ms);
    json_close(json, '}');
}

static void list_decisions(const struct pod_decisions *decisions, const struct service *service,
                           uint64_t at, uint64_t limit, struct api_response *response)
{
    struct json_writer json;
    char next[24];
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_integer(&json, "total", decisions->count);
    json_open(&json, "decisions", '[');
    for (; limit > 0 && at < decisions->count && api_json_room(&json) > ENTRY_ROOM; limit--)
        write_decision(&json, &decisions->list[at++]);
    json_close(&json, ']');
    snprintf(next, sizeof(next), "%" PRIu64, at);
    if (at < decisions->count)
        json_text(&json, "next", next);
    else
        json_null(&json, "next");
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

enum api_step api_pods_decided(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct pod_decisions *decisions = NULL;
    struct guard_err err;
    uint64_t limit, at;
    const struct service *service = api_service(api, request, response);
    if (service == NULL ||
        !api_param_number(request, response, "limit", API_PAGE, API_PAGE_MAX, &limit) ||
        !api_param_number(request, response, "cursor", 0, UINT32_MAX, &at))
        return API_DONE;
    guard_arena_init(&arena, &heap, POD_DECISIONS_ARENA);
    enum guard_rc rc =
        pod_decisions_load(&decisions, api->view.services->state, service->name, &arena, &err);
    if (rc == GUARD_OK)
        list_decisions(decisions, service, at, limit, response);
    else
        problem(response, 500, "failed", NULL, "%s", err.text);
    guard_arena_reset(&arena);
    return API_DONE;
}

enum api_step api_pods_decide(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    static const char *const members[] = {"id", "decision", "reason", NULL};
    struct api_body body;
    struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    pods_follow(api->view.services, service, clock_unix_ms()); /* what can be decided of */
    if (api_body_open(&body, request, response, members))
        decide(api, request, service, &body, response);
    api_body_close(&body);
    return API_DONE;
}

static void begin_session(struct api *api, struct api_request *request,
                          const struct service *service, const struct api_body *body,
                          struct api_response *response)
{
    const char *pod, *reason;
    uint64_t seconds;
    char name_space[POD_ROOM];
    struct guard_err err;
    if (!api_body_text(body, response, "pod", true, POD_ROOM - 1, &pod) ||
        !api_body_number(body, response, "seconds", false, POD_SESSION_SECONDS_MAX, &seconds) ||
        !api_body_text(body, response, "reason", true, CHANGE_REASON_MAX, &reason))
        return;
    size_t len = strcspn(pod, "/");
    memcpy(name_space, pod, len);
    name_space[len] = '\0';
    const struct change change = api_change(api, request, reason);
    enum guard_rc rc = change_pod_session(&change, name_space, pod[len] == '/' ? pod + len + 1 : "",
                                          (unsigned long)seconds, &err);
    if (rc == GUARD_OK)
        answer(service, pod, "session", seconds > 0 ? "begun" : "ended", 200, response);
    else
        problem_change(response, rc, &err);
}

enum api_step api_pods_session(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    static const char *const members[] = {"pod", "seconds", "reason", NULL};
    struct api_body body;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    if (api_body_open(&body, request, response, members))
        begin_session(api, request, service, &body, response);
    api_body_close(&body);
    return API_DONE;
}

static bool has_workload(const struct service *service, const char *name_space,
                         const char *workload)
{
    struct guard_pod_rules rules;
    guard_pod_rules_default(&rules);
    for (uint32_t i = 0; i < service->pods.count; i++) {
        struct guard_pods_stats stats;
        guard_pods_stats(service->pods.list[i], &rules, &stats);
        if (stats.name_space.len == strlen(name_space) && stats.workload.len == strlen(workload) &&
            memcmp(stats.name_space.ptr, name_space, stats.name_space.len) == 0 &&
            memcmp(stats.workload.ptr, workload, stats.workload.len) == 0)
            return true;
    }
    return false;
}

static void resume(struct api *api, struct api_request *request, const struct service *service,
                   const struct api_body *body, struct api_response *response)
{
    const char *both, *reason;
    char name_space[POD_ROOM];
    struct guard_err err;
    if (!api_body_text(body, response, "workload", true, POD_ROOM - 1, &both) ||
        !api_body_text(body, response, "reason", true, CHANGE_REASON_MAX, &reason))
        return;
    size_t len = strcspn(both, "/");
    const char *workload = both[len] == '/' ? both + len + 1 : "";
    memcpy(name_space, both, len);
    name_space[len] = '\0';
    if (!has_workload(service, name_space, workload)) {
        problem(response, 404, "no-such-workload", "workload",
                "the service has no such workload: say NAMESPACE/WORKLOAD");
        return;
    }
    const struct change change = api_change(api, request, reason);
    enum guard_rc rc = change_pod_resume(&change, name_space, workload, &err);
    if (rc == GUARD_OK)
        answer(service, both, "resume", "asked", 202, response);
    else
        problem_change(response, rc, &err);
}

enum api_step api_pods_resume(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    static const char *const members[] = {"workload", "reason", NULL};
    struct api_body body;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    if (api_body_open(&body, request, response, members))
        resume(api, request, service, &body, response);
    api_body_close(&body);
    return API_DONE;
}

/* --- withdrawals --- */

/* Roots that share a database: without it nobody knows what is withdrawn. */
static void refuse_withdrawal(const struct api *api, struct api_response *response,
                              enum guard_rc rc, const struct guard_err *err)
{
    const struct services *services = api->view.services;
    if (rc != GUARD_E_IO || services->run == 0 || store_session(services->store) != 0) {
        problem_change(response, rc, err);
        return;
    }
    problem(response, 503, "store-away", NULL, "%s", err->text);
    response->retry_after_s = 5;
}

static void answer_withdrawal(const struct service *service, const struct pod_withdrawal *one,
                              struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_text(&json, "id", one->id);
    json_text(&json, "namespace", one->name_space);
    json_text(&json, "pod", one->pod);
    json_integer(&json, "until_ms", (int64_t)one->until_ms);
    json_close(&json, '}');
    api_json_end(&json, response, 201);
}

static void withdraw(struct api *api, struct api_request *request, struct service *service,
                     const struct api_body *body, struct api_response *response)
{
    const char *name, *reason;
    uint64_t seconds;
    struct pod_self pod;
    const struct pod_withdrawal *one = NULL;
    struct guard_err err;
    if (!api_body_text(body, response, "pod", true, POD_ROOM + POD_ORDER_UID_MAX, &name) ||
        !api_body_number(body, response, "seconds", true, POD_WITHDRAWAL_SECONDS_MAX, &seconds) ||
        !api_body_text(body, response, "reason", true, CHANGE_REASON_MAX, &reason))
        return;
    if (pod_self_read(&pod, name, &err) != GUARD_OK) {
        problem(response, 422, "bad-document", "pod", "%s", err.text);
        return;
    }
    const struct change change = api_change(api, request, reason);
    enum guard_rc rc =
        withdrawals_begin(api->view.services, service, &change, &pod, seconds, &one, &err);
    if (rc == GUARD_OK)
        answer_withdrawal(service, one, response);
    else
        refuse_withdrawal(api, response, rc, &err);
}

enum api_step api_pods_withdraw(struct api *api, struct api_request *request,
                                struct api_response *response)
{
    static const char *const members[] = {"pod", "seconds", "reason", NULL};
    struct api_body body;
    struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    if (api_body_open(&body, request, response, members))
        withdraw(api, request, service, &body, response);
    api_body_close(&body);
    return API_DONE;
}

enum api_step api_pods_withdraw_end(struct api *api, struct api_request *request,
                                    struct api_response *response)
{
    struct guard_err err;
    const char *reason = api_param(request, "reason");
    struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    const struct change change = api_change(api, request, reason != NULL ? reason : "");
    enum guard_rc rc = withdrawals_lift(api->view.services, service, &change, request->id, &err);
    if (rc == GUARD_OK)
        answer(service, request->id, "withdrawal", "ended", 200, response);
    else if (rc == GUARD_E_RANGE)
        problem(response, 404, "no-such-withdrawal", "id", "%s", err.text);
    else
        refuse_withdrawal(api, response, rc, &err);
    return API_DONE;
}
