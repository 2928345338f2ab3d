/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in Guardian. */
#include <guard/guardian.h>

#include <string.h>

void guard_guardian_default(struct guard_guardian *guardian, struct guard_span service)
{
    memset(guardian, 0, sizeof(*guardian));
    guardian->service = service;
    guard_guardian_set_mode(guardian, GUARD_MODE_ALERT);
    guardian->learn = true;
    guardian->false_alarm_budget = 1e-4;
    guardian->support = 4;
    guardian->pods = (struct guard_pod_settings){
        .orders = -1, .alert_at = -1, .replace_at = -1, .independence = -1, .withdraw_seconds = -1};
}

void guard_guardian_set_mode(struct guard_guardian *guardian, enum guard_mode mode)
{
    guardian->mode = guardian->request_mode = guardian->response_mode = mode;
    guardian->client_mode = mode;
    guardian->time_mode = guard_time_mode_default(mode);
}

enum guard_mode guard_time_mode_default(enum guard_mode mode)
{
    return mode == GUARD_MODE_BLOCK ? GUARD_MODE_ALERT : mode;
}
