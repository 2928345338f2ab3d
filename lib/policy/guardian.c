/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in Guardian. */
#include <guard/guardian.h>

#include <string.h>

void guard_guardian_default(struct guard_guardian *guardian, struct guard_span service)
{
    memset(guardian, 0, sizeof(*guardian));
    guardian->service = service;
    guardian->mode = GUARD_MODE_ALERT;
    guardian->request_mode = GUARD_MODE_ALERT;
    guardian->learn = true;
    guardian->false_alarm_budget = 1e-4;
    guardian->support = 4;
}
