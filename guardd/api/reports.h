/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of reports share. */
#ifndef GUARDD_API_REPORTS_H
#define GUARDD_API_REPORTS_H

#include "api.h"

/* Who reports, as producers are bound to it: a token's or subject's name, or the user of the
 * process at the local door. */
void api_reporter(const struct api_request *request, char out[REPORTER_CAP]);
/* False after a problem: this guardd is no parent. */
bool api_takes_reports(const struct api *api, struct api_response *response);
/* pod_reports.c: what a node needs to know of where records of the service's pods go: 1, here; 0,
 * it isn't known yet; absent, nowhere. */
void api_write_pod_records(const struct services *services, const struct service *service,
                           struct json_writer *json);

#endif
