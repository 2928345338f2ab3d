/* SPDX-License-Identifier: Apache-2.0 */
/* What people decide about what pods of a service do: pods/SERVICE.decisions in the state
 * directory, which guardd follows. A thing is named by its id, which is the same in all workloads
 * of the service. */
#ifndef GUARD_COMMON_PODS_DECISIONS_H
#define GUARD_COMMON_PODS_DECISIONS_H

#include "common/changes.h"

#include <guard/pods.h>

enum {
    POD_DECISIONS_MAX = 1024,
    POD_SESSIONS_MAX = 64,
    POD_SESSION_SECONDS_MAX = 86400,
    POD_DECISION_WHAT_MAX = 160,
    POD_DECISIONS_ARENA = 16 << 20,
};

struct pod_decision {
    uint64_t id;
    enum guard_pod_review review; /* GUARD_POD_APPROVED or GUARD_POD_REFUSED */
    uint64_t time_ms;
    const char *what, *why, *by;
};

/* Somebody debugs in that pod: what it does is told and not acted on. */
struct pod_session {
    const char *name_space, *pod;
    uint64_t until_ms;
    const char *why, *by;
};

struct pod_decisions {
    struct pod_decision list[POD_DECISIONS_MAX]; /* the newest first */
    uint32_t count;
    struct pod_session sessions[POD_SESSIONS_MAX];
    uint32_t session_count;
};

/* Sixteen hexadecimal digits, as people are shown it. */
bool pod_thing_id_read(const char *text, uint64_t *out);

/* What is in the file; *out lives in the arena, empty when there is no file. GUARD_E_SYNTAX and
 * GUARD_E_RANGE name the place. */
GUARD_MUST_USE enum guard_rc pod_decisions_load(struct pod_decisions **out, const char *dir,
                                                struct guard_span service,
                                                struct guard_arena *arena, struct guard_err *err);
/* Audited first, under "pods approve" or "pods refuse". The later decision about a thing takes the
 * place of the one before. GUARD_E_LIMIT: too many. */
GUARD_MUST_USE enum guard_rc change_pod_decision(const struct change *change,
                                                 const struct pod_decision *decision,
                                                 struct guard_err *err);
/* For so long; 0 ends it. Audited under "pods session". GUARD_E_RANGE: a bad name or time. */
GUARD_MUST_USE enum guard_rc change_pod_session(const struct change *change, const char *name_space,
                                                const char *pod, unsigned long seconds,
                                                struct guard_err *err);

#endif
