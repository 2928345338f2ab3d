/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that people don't want to be blocked by how they behave: clients/SERVICE.lifts in the
 * state directory, which guardd follows. */
#ifndef GUARD_COMMON_LIFTS_H
#define GUARD_COMMON_LIFTS_H

#include "common/changes.h"

enum { LIFT_SECONDS_MAX = 90 * 86400, LIFTS_MAX = 256 };

/* The client, as client_name writes it, isn't blocked for so long; audited first. What is over goes
 * out of the file, the oldest when there are too many. GUARD_E_RANGE, GUARD_E_LIMIT (the reasons
 * are too long), GUARD_E_IO, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc change_lift(const struct change *change, const char *client,
                                         unsigned long seconds, struct guard_err *err);

#endif
