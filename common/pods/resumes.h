/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the responder to go on with a workload that it stopped for, and what it says of itself.
 * One home for it, so that the command line and the API do the same. */
#ifndef GUARD_COMMON_PODS_RESUMES_H
#define GUARD_COMMON_PODS_RESUMES_H

#include "common/changes.h"
#include "common/pods/responder_state.h"

/* "DIR/pods/responder/state.json"; no link is followed. *seen_ms: its last sign of life, by the
 * file's time and never after now_ms. GUARD_E_IO with errno set (ENOENT: none ever laid it down);
 * and as responder_state_read. *out is all zeros then. out is large. */
GUARD_MUST_USE enum guard_rc responder_state_load(struct responder_state *out, uint64_t *seen_ms,
                                                  const char *dir, uint64_t now_ms,
                                                  struct guard_err *err);
/* Runs, and was seen lately. */
bool responder_lives(const struct responder_state *state, uint64_t seen_ms, uint64_t now_ms);

/* A resume of that workload lies there and wasn't taken yet. */
bool pod_resume_pending(const char *dir, const char *name_space, const char *workload);
/* Lays one down, by rename and durable, when the responder would take it. Audited first under "pods
 * resume"; change->service is the service of the workload. GUARD_E_STATE: it wouldn't, err says why
 * (it isn't stopped, isn't configured, no responder lives or takes any); GUARD_E_RANGE: a bad name;
 * GUARD_E_LIMIT: too many lie there; GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc change_pod_resume(const struct change *change, const char *name_space,
                                               const char *workload, struct guard_err *err);

#endif
