/* SPDX-License-Identifier: Apache-2.0 */
/* The names are part of what operators write commands for: docs/guide/pods.md lists them. */
#include "environment.h"

#include <stdio.h>
#include <string.h>

/* What doesn't fit, which nothing here can be, is left out as a whole. */
static void put(struct environment *out, size_t *at, uint32_t *count, const char *name,
                const char *value)
{
    size_t room = sizeof(out->text) - *at;
    int len = snprintf(out->text + *at, room, "%s=%s", name, value);
    if (len < 0 || (size_t)len >= room || *count == ENVIRONMENT_VARIABLES)
        return;
    out->list[(*count)++] = out->text + *at;
    *at += (size_t)len + 1;
}

void environment_of(struct environment *out, const struct responder_cfg *cfg,
                    const struct response *response)
{
    const struct pod_order *order = &response->order;
    char capture[STATE_PATH_MAX];
    size_t at = 0;
    uint32_t count = 0;
    snprintf(capture, sizeof(capture), "%.800s/captures/%s", cfg->state, order->id);
    put(out, &at, &count, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    put(out, &at, &count, "LANG", "C");
    put(out, &at, &count, "GUARD_STEP", pod_report_step_name(response->machine.step));
    put(out, &at, &count, "GUARD_ORDER", order->id);
    put(out, &at, &count, "GUARD_SERVICE", order->service);
    put(out, &at, &count, "GUARD_NAMESPACE", order->name_space);
    put(out, &at, &count, "GUARD_WORKLOAD", order->workload);
    put(out, &at, &count, "GUARD_CONTAINER", order->container);
    put(out, &at, &count, "GUARD_POD", order->pod);
    put(out, &at, &count, "GUARD_POD_UID", order->uid);
    put(out, &at, &count, "GUARD_CGROUP", response->group.fd >= 0 ? response->group.path : "");
    put(out, &at, &count, "GUARD_CAPTURE", capture);
    put(out, &at, &count, "GUARD_EXCHANGE", order->exchange);
    put(out, &at, &count, "GUARD_REASON", order->reason);
    out->list[count] = NULL;
}
