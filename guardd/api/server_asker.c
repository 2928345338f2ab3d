/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, from one step of a request to the next: what let them in may be over before the answer
 * is there. */
#include "server_parts.h"

#include "problem.h"
#include "sharing.h"

#include "common/file.h"

/* Of whom the cluster's word, which was good, isn't there any more: a person's for its time, an
 * agent's when others' tokens took its place. */
static bool lapsed(const struct exchange *exchange)
{
    const struct api_access *access = &exchange->request.access;
    if (!exchange->admitted)
        return false;
    if (accounts_are(access))
        return !accounts_know(exchange->server->admission.accounts, access);
    return cluster_users_are(access) && !cluster_users_still(access, clock_monotonic_ms());
}

/* A good token isn't called a bad one because the cluster took its time. */
static void refuse_lapsed(struct exchange *exchange)
{
    struct api_response *response = &exchange->response;
    problem(response, 503, "access-not-checked", "Authorization",
            "what the cluster said of %s was over again and again before it had said all",
            exchange->request.access.name);
    response->retry_after_s = CLUSTER_USERS_RETRY_MS / 1000;
}

bool asker_stands(struct exchange *exchange)
{
    if (!lapsed(exchange))
        return true;
    if (exchange->lapses == SERVER_LAPSES) {
        refuse_lapsed(exchange);
        return false;
    }
    exchange->lapses++;
    exchange->admitted = exchange->authorised = false;
    return true;
}

bool asker_permitted(struct exchange *exchange)
{
    struct server *server = exchange->server;
    struct api_request *request = &exchange->request;
    /* Of a cluster's users asker_stands has just been asked. */
    if (!cluster_users_are(&request->access) &&
        !admission_still(&server->admission, &request->access)) {
        admission_refuse(&exchange->response, CREDENTIALS_BAD, 0);
        return false;
    }
    exchange->lapses = 0;
    return api_permitted(request, exchange->route, &exchange->response) &&
           sharing_is_here(&server->api, exchange->route, &exchange->response);
}

void asker_wait(struct exchange *exchange)
{
    exchange->asked = true;
    exchange->answers = admission_answers(&exchange->server->admission);
}

bool exchange_due(const struct exchange *exchange, uint64_t now_ms)
{
    const struct server *server = exchange->server;
    const struct api_request *request = &exchange->request;
    return exchange->asked ? admission_answers(&server->admission) != exchange->answers
                           : request->wait.due(&server->api, request, now_ms);
}
