/* SPDX-License-Identifier: Apache-2.0 */
/* An event of Falco as a feature of a pod: a line of its JSON output. */
#ifndef GUARD_COMMON_PODS_FALCO_EVENT_H
#define GUARD_COMMON_PODS_FALCO_EVENT_H

#include <guard/pod.h>

enum { FALCO_LINE_MAX = 64 * 1024 };

/* Spans live in the line or the arena. */
struct falco_event {
    struct guard_pod_feature feature;
    struct guard_span container;                       /* its id, 12 digits or more */
    struct guard_span name_space, pod, container_name; /* empty: not told */
    bool about_pod; /* false: of the host, or of a kind that no feature has */
};

/* GUARD_E_SYNTAX: no JSON object, or none of Falco's; GUARD_E_LIMIT; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc falco_event_read(struct falco_event *out, struct guard_span line,
                                              struct guard_arena *arena, struct guard_err *err);

#endif
