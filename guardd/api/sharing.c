/* SPDX-License-Identifier: Apache-2.0 */
/* Stands around the handlers of routes that decide something. */
#include "sharing.h"

#include "common/audit.h"
#include "problem.h"

#include <stdio.h>
#include <string.h>

static struct guard_span name_of(const struct api_request *request)
{
    return (struct guard_span){(const uint8_t *)request->service, strlen(request->service)};
}

static bool shares(const struct api *api, const struct api_route *route)
{
    return api->view.services->run != 0 && route->decides != SHARED_NONE;
}

/* A problem that says what is known: nothing of it is lost, and it may not hold. */
static void fail(struct api_response *response, enum guard_rc rc, const struct guard_err *err)
{
    switch ((int)rc) {
    case GUARD_E_STATE:
        problem(response, 412, "changed-meanwhile", NULL, "%s: read it again", err->text);
        break;
    case GUARD_E_IO:
        problem(response, 503, "store-away", NULL, "%s", err->text);
        response->retry_after_s = 5;
        break;
    default:
        problem_change(response, rc, err);
        break;
    }
}

bool sharing_is_here(const struct api *api, const struct api_route *route,
                     struct api_response *response)
{
    const struct services *services = api->view.services;
    if (services->uplink == NULL || !shared_kind_is_learners(route->decides))
        return true;
    problem(response, 409, "done-at-the-parent", NULL,
            "the parent learns and publishes: do it at %s", uplink_parent(services->uplink));
    return false;
}

bool sharing_begin(struct api *api, const struct api_request *request,
                   const struct api_route *route, struct api_response *response)
{
    struct guard_err err = {.text = ""};
    if (!shares(api, route) || !state_service_valid(name_of(request)))
        return true;
    enum guard_rc rc =
        documents_refresh(api->view.services, name_of(request), route->decides, &err);
    if (rc == GUARD_OK)
        return true;
    if (rc == GUARD_E_STATE)
        problem_change(response, rc, &err);
    else
        fail(response, rc, &err);
    return false;
}

void sharing_end(struct api *api, struct api_request *request, const struct api_route *route,
                 struct api_response *response)
{
    struct guard_err err = {.text = ""};
    if (!shares(api, route) || response->status < 200 || response->status >= 300)
        return;
    const struct audit_who who = api_who(request);
    enum guard_rc rc = documents_offer(api->view.services, name_of(request), route->decides, &who,
                                       request->reason, &err);
    if (rc == GUARD_OK)
        return;
    api->changed = true; /* the file is another one than before */
    fail(response, rc, &err);
}
