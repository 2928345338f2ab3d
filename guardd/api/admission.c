/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens tell by their form whom to ask. */
#include "admission.h"

#include "cluster_reviews.h"
#include "problem.h"

#include "common/file.h"

#include <string.h>

enum guard_rc admission_init(struct admission *admission, const struct api_view *view,
                             struct guard_err *err)
{
    GUARD_TRY(credentials_init(&admission->credentials, view->state, err));
    if (view->token_reviews != NULL)
        GUARD_TRY(accounts_open(&admission->accounts, view->token_reviews, view->node_agents,
                                view->token_keep_ms, err));
    return view->access_reviews != NULL
               ? cluster_users_open(&admission->users, view->access_reviews, view->access_keep_ms,
                                    err)
               : GUARD_OK;
}

void admission_fini(struct admission *admission)
{
    accounts_close(admission->accounts);
    admission->accounts = NULL;
    cluster_users_close(admission->users);
    admission->users = NULL;
    credentials_fini(&admission->credentials);
}

enum credentials_answer admission_check(struct admission *admission,
                                        const struct credentials_given *given, bool cheap,
                                        struct api_access *out, unsigned *retry_s)
{
    const char *token =
        cluster_users_token(admission->users, given->authorization, admission->accounts != NULL);
    if (token != NULL)
        return cluster_users_check(admission->users, token, clock_unix_ms(), clock_monotonic_ms(),
                                   out, retry_s);
    token = accounts_token(admission->accounts, given->authorization);
    if (token != NULL)
        return accounts_check(admission->accounts, token, clock_unix_ms(), clock_monotonic_ms(),
                              out, retry_s);
    credentials_watch(&admission->credentials);
    return credentials_check(&admission->credentials, given, cheap, clock_unix_ms(),
                             clock_monotonic_ms(), out, retry_s);
}

/* The cluster's own words for what isn't allowed. */
static void refuse_wish(struct api_response *response, const struct api_access *access,
                        const struct cluster_wish *wish)
{
    struct guard_span service = wish->service;
    size_t namespace = 0;
    while (namespace < service.len && service.ptr[namespace] != '.')
    namespace ++;
    bool one = service.len > 0 && namespace < service.len;
    const char *part = cluster_users_part(wish);
    problem(response, 403, "forbidden", NULL,
            "the cluster doesn't let %s %s guardians.guard.security%s%s in %s%.*s%s", access->name,
            cluster_users_verb(wish), part[0] != '\0' ? " or guardians/" : "", part,
            one ? "the namespace " : "all namespaces", one ? (int)namespace : 0,
            one ? (const char *)service.ptr : "",
            service.len > 0 ? "" : ", nor in those that there are, or they are too many");
}

enum credentials_answer admission_authorise(struct admission *admission,
                                            const struct api_route *route,
                                            const struct services *services,
                                            struct api_request *request,
                                            struct api_response *response)
{
    unsigned retry_s = 0;
    bool whole = request->service[0] != '\0';
    const char *name = whole ? request->service : api_param(request, "service");
    const struct cluster_wish wish = {
        .right = route->right,
        .follows = strcmp(route->path, "/alerts/stream") == 0,
        .whole = whole,
        .service = {(const uint8_t *)name, name != NULL ? strlen(name) : 0},
        .services = services,
    };
    if (!cluster_users_are(&request->access))
        return CREDENTIALS_GOOD;
    enum credentials_answer answer = cluster_users_authorise(
        admission->users, &wish, clock_monotonic_ms(), &request->access, &retry_s);
    if (answer == CREDENTIALS_UNCHECKED) {
        problem(response, 503, "access-not-checked", "Authorization",
                "the cluster can't be asked just now what %s may do", request->access.name);
        response->retry_after_s = retry_s;
    } else if (answer == CREDENTIALS_BAD) {
        refuse_wish(response, &request->access, &wish);
    }
    return answer;
}

uint64_t admission_answers(const struct admission *admission)
{
    return cluster_reviews_answers(accounts_reviews(admission->accounts)) +
           cluster_reviews_answers(cluster_users_reviews(admission->users));
}

bool admission_still(struct admission *admission, struct api_access *access)
{
    if (access->role == API_ROLE_LOCAL)
        return true;
    if (accounts_are(access))
        return accounts_still(admission->accounts, access, clock_unix_ms());
    if (cluster_users_are(access))
        return cluster_users_still(access, clock_monotonic_ms());
    credentials_watch(&admission->credentials);
    return credentials_still(&admission->credentials, access, clock_unix_ms(),
                             clock_monotonic_ms());
}

void admission_refuse(struct api_response *response, enum credentials_answer answer,
                      unsigned retry_s)
{
    if (answer == CREDENTIALS_LIMITED) {
        problem(response, 429, "too-many-attempts", "Authorization",
                "too many wrong tokens came before");
        response->retry_after_s = retry_s;
        return;
    }
    if (answer == CREDENTIALS_UNCHECKED) {
        problem(response, 503, "token-not-checked", "Authorization",
                "the cluster that made the token can't be asked just now");
        response->retry_after_s = retry_s;
        return;
    }
    if (answer == CREDENTIALS_CROSS) {
        problem(response, 403, "forbidden", "X-Guard-Console",
                "only pages of the console may use a browser's session");
        return;
    }
    problem(response, 401, "unauthorized", "Authorization", "%s",
            answer == CREDENTIALS_NONE ? "a token is needed" : "the token isn't valid");
    response->challenge = answer == CREDENTIALS_NONE
                              ? "Bearer realm=\"guardd\""
                              : "Bearer realm=\"guardd\", error=\"invalid_token\"";
}
