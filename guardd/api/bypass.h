/* SPDX-License-Identifier: Apache-2.0 */
/* The bypass of a service as its document says it, for all handlers that show it. */
#ifndef GUARDD_API_BYPASS_H
#define GUARDD_API_BYPASS_H

#include "api.h"

/* {"until_ms","reason","by"}, null when none is in force. */
void bypass_json(const struct api *api, const struct service *service, struct json_writer *json,
                 const char *name);
bool bypass_in_force(const struct api *api, const struct service *service);

#endif
