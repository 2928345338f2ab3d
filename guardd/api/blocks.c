/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that people block for a while: what that would hit, doing it, and ending it. guardd makes
 * a verdict of what stands in the file, and gates follow within seconds. */
#include "handlers.h"

#include "body.h"
#include "common/client_name.h"
#include "common/file.h"
#include "guardd/tree/uplink.h"
#include "problem.h"

#include <unistd.h>

struct blocking {
    char client[CLIENT_NAME_MAX];
    const char *reason;
    uint64_t seconds;
    bool dry;
};

/* --- what it would hit --- */

static void write_activity(const struct service *service, const char *name,
                           struct json_writer *json)
{
    struct guard_client client;
    uint8_t subject[GUARD_CLIENT_SUBJECT];
    struct guard_client_activity did = {.known = false};
    struct guard_clients_stats stats = {0};
    const struct service_clients *clients = &service->clients;
    /* Of a subject the name says too little to be looked up. */
    if (clients->norm != NULL) {
        guard_clients_stats(clients->norm, &stats);
        if (client_of_name(name, &client, subject) && client.unit == GUARD_UNIT_PREFIX)
            guard_clients_activity(clients->norm, &client, clock_unix_ms(), &did);
    }
    json_open(json, "lately", '{');
    json_bool(json, "known", did.known);
    json_integer(json, "requests", did.requests);
    json_integer(json, "requests_day", did.requests_day);
    json_integer(json, "seen_ms", (int64_t)did.seen_ms);
    json_bool(json, "shared", did.shared);
    json_integer(json, "clients", (int64_t)stats.clients);
    json_close(json, '}');
}

static void answer(const struct service *service, const struct blocking *blocking,
                   struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_text(&json, "client", blocking->client);
    json_integer(&json, "seconds", (int64_t)blocking->seconds);
    json_bool(&json, "applied", !blocking->dry);
    write_activity(service, blocking->client, &json);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

/* --- doing it --- */

/* At an agent the table of the root would say otherwise at once. */
static bool is_ours(const struct api *api, struct api_response *response)
{
    const struct services *services = api->view.services;
    if (services->uplink == NULL)
        return true;
    problem(response, 409, "done-at-the-parent", NULL,
            "the parent makes the verdicts that gates follow: do it at %s",
            uplink_parent(services->uplink));
    return false;
}

static bool name_client(const char *text, char out[CLIENT_NAME_MAX], struct api_response *response)
{
    const char *why = "";
    if (client_name_of_one(text, out, &why))
        return true;
    problem(response, 422, "bad-document", "client", "%s", why);
    return false;
}

static bool read_blocking(const struct api_body *body, struct api_request *request,
                          struct api_response *response, struct blocking *out)
{
    const char *client;
    return api_param_bool(request, response, "dryRun", &out->dry) &&
           api_body_text(body, response, "client", true, 256, &client) &&
           api_body_number(body, response, "seconds", true, BLOCK_SECONDS_MAX, &out->seconds) &&
           api_body_text(body, response, "reason", !out->dry, CHANGE_REASON_MAX, &out->reason) &&
           name_client(client, out->client, response);
}

static void block(struct api *api, struct api_request *request, const struct service *service,
                  const struct api_body *body, struct api_response *response)
{
    struct blocking blocking;
    struct guard_err err;
    int lock = -1;
    if (!read_blocking(body, request, response, &blocking))
        return;
    if (service->guardian.client_mode == GUARD_MODE_OBSERVE) {
        problem(response, 409, "conflict", NULL,
                "nothing is blocked in mode observe: set another mode first");
        return;
    }
    const struct change change = api_change(api, request, blocking.reason);
    enum guard_rc rc = change_lock(&lock, api->view.state, "clients", false, &err);
    if (rc == GUARD_OK)
        rc = change_block(&change, blocking.client, (unsigned long)blocking.seconds, blocking.dry,
                          &err);
    if (lock >= 0)
        close(lock);
    response->quiet = blocking.dry;
    if (rc == GUARD_OK)
        answer(service, &blocking, response);
    else
        problem_change(response, rc, &err);
}

enum api_step api_block_post(struct api *api, struct api_request *request,
                             struct api_response *response)
{
    static const char *const members[] = {"client", "seconds", "reason", NULL};
    struct api_body body;
    const struct service *service = api_service(api, request, response);
    if (service == NULL || !is_ours(api, response))
        return API_DONE;
    if (api_body_open(&body, request, response, members))
        block(api, request, service, &body, response);
    api_body_close(&body);
    return API_DONE;
}

enum api_step api_block_delete(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct blocking blocking = {.seconds = 0};
    struct guard_err err;
    int lock = -1;
    const char *client = api_param(request, "client");
    const char *reason = api_param(request, "reason");
    const struct service *service = api_service(api, request, response);
    if (service == NULL || !is_ours(api, response))
        return API_DONE;
    if (client == NULL) {
        problem(response, 400, "bad-parameter", "client", "is needed");
        return API_DONE;
    }
    if (!name_client(client, blocking.client, response))
        return API_DONE;
    const struct change change = api_change(api, request, reason != NULL ? reason : "");
    enum guard_rc rc = change_lock(&lock, api->view.state, "clients", false, &err);
    if (rc == GUARD_OK)
        rc = change_block_end(&change, blocking.client, &err);
    if (lock >= 0)
        close(lock);
    if (rc == GUARD_OK)
        answer(service, &blocking, response);
    else if (rc == GUARD_E_STATE)
        problem(response, 409, "conflict", "client", "%s", err.text);
    else
        problem_change(response, rc, &err);
    return API_DONE;
}
