/* SPDX-License-Identifier: Apache-2.0 */
/* status.json: how guardd sees its services, for `guard status` and for people. */
#ifndef GUARDD_STATUS_H
#define GUARDD_STATUS_H

#include "intake.h"

#include "common/json_writer.h"

/* Replaces the file. Failures are logged once until it works again. */
void status_write(const char *state, const struct services *services, const struct intake *intake);

typedef bool status_shown(const void *ctx, const struct service *service);
/* What is in the file, of the services that are shown (NULL: all); those that there is no room for
 * are left out, and counted. */
void status_all(struct json_writer *json, const struct services *services,
                const struct intake *intake, status_shown *shown, const void *ctx);
/* What it says of one service, as members of an object that is open. */
void status_service(struct json_writer *json, const struct service *service);
/* A member "path" of it: what canaries proved; none where none was sent. */
void status_path(struct json_writer *json, const struct service_path *path);

#endif
