/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler answers which method and path. The table is the one that the contract test holds
 * against docs/api/openapi.yaml. */
#ifndef GUARDD_API_ROUTER_H
#define GUARDD_API_ROUTER_H

#include "api.h"

#define API_PREFIX "/api/v1"

struct api_route {
    const char *method;
    const char *path;      /* below API_PREFIX; "{service}", "{id}" stand for one segment */
    const char *params[9]; /* of the query; NULL behind the last */
    api_handler *handler;
    enum api_right right;     /* what is needed for it */
    enum shared_kind decides; /* what people decide by it */
};

/* Ended by a NULL method. */
extern const struct api_route api_routes[];

/* Finds the route and fills in request->service and request->id. HEAD is as GET. NULL after a
 * problem: 404; 405 with Allow; 400 for a parameter that the route doesn't have, or a service's
 * name that can't be one. */
const struct api_route *api_route_find(struct api_request *request, struct api_response *response);
/* How many bytes a body to that path may have: piles are larger than what people send. */
size_t api_body_max(const char *path, const char *method);
/* Whether who asks (request->access) may use the route. False after a problem: 403 when their role
 * hasn't the right; 404, as for a service that doesn't exist, when the service isn't theirs. */
bool api_permitted(const struct api_request *request, const struct api_route *route,
                   struct api_response *response);

#endif
