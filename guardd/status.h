/* SPDX-License-Identifier: Apache-2.0 */
/* status.json: how guardd sees its services, for `guard status` and for people. */
#ifndef GUARDD_STATUS_H
#define GUARDD_STATUS_H

#include "intake.h"

/* Replaces the file. Failures are logged once until it works again. */
void status_write(const char *state, const struct services *services, const struct intake *intake);

#endif
