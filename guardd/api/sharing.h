/* SPDX-License-Identifier: Apache-2.0 */
/* What people decide by a request, where several guardds share a database: the file is as in the
 * database before the handler sees it, and the database has the change before they are answered. */
#ifndef GUARDD_API_SHARING_H
#define GUARDD_API_SHARING_H

#include "router.h"

/* Whether it is done at this guardd. False after a problem: 409 with the parent that learns, where
 * what people decide by it would have no effect here. */
bool sharing_is_here(const struct api *api, const struct api_route *route,
                     struct api_response *response);
/* False after a problem: 503 while the database is away. */
bool sharing_begin(struct api *api, const struct api_request *request,
                   const struct api_route *route, struct api_response *response);
/* What the handler answered becomes a problem when the change isn't in the database: 412, 503. */
void sharing_end(struct api *api, struct api_request *request, const struct api_route *route,
                 struct api_response *response);

#endif
