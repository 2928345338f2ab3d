/* SPDX-License-Identifier: Apache-2.0 */
/* What people change of a service, in the files of the state directory: one home for it, so that
 * the command line and the API do the same. Each is audited first: a change that can't be audited
 * isn't made. Files are replaced whole, so that nobody ever reads a half. */
#ifndef GUARD_COMMON_CHANGES_H
#define GUARD_COMMON_CHANGES_H

#include "common/audit.h"

#include <guard/guardian.h>

enum { BYPASS_SECONDS_MAX = 86400, ROLLBACK_SECONDS_MAX = 30 * 86400 };
enum { CHANGE_REASON_MAX = 1024, CHANGE_BY_MAX = 128 }; /* bytes */
enum { TRIAGE_ID_MAX = 64, TRIAGE_TEXT_MAX = 256 };

struct change {
    const char *dir; /* the state directory */
    struct guard_span service;
    struct audit_who who;
    const char *reason; /* "" when none was given */
};

/* The documents of a folder are read, changed and written by one at a time: the caller closes *out
 * to end it. GUARD_E_STATE: somebody else is at it, and wait isn't set. */
GUARD_MUST_USE enum guard_rc change_lock(int *out, const char *dir, const char *folder, bool wait,
                                         struct guard_err *err);

/* The service's Guardian; the built-in default when there is no document yet. */
GUARD_MUST_USE enum guard_rc change_guardian_of(const char *dir, struct guard_span service,
                                                struct guard_arena *arena,
                                                struct guard_guardian *out, struct guard_err *err);
/* Sets the mode of all parts, as audited under "mode". guardian is changed. */
GUARD_MUST_USE enum guard_rc change_mode(const struct change *change,
                                         struct guard_guardian *guardian, enum guard_mode mode,
                                         struct guard_arena *arena, struct guard_err *err);
/* Whether the service learns. */
GUARD_MUST_USE enum guard_rc change_learning(const struct change *change,
                                             struct guard_guardian *guardian, bool learn,
                                             struct guard_arena *arena, struct guard_err *err);
/* Puts a document that was read and found good in place, as it is written. before, after: what the
 * audit says. */
GUARD_MUST_USE enum guard_rc change_guardian(const struct change *change, struct guard_span text,
                                             const char *before, const char *after,
                                             struct guard_err *err);
/* The same of one whose patches alone changed, as audited under "patch". */
GUARD_MUST_USE enum guard_rc change_guardian_patches(const struct change *change,
                                                     struct guard_span text, const char *before,
                                                     const char *after, struct guard_err *err);
/* The same of one whose exceptions alone changed, as audited under "exception". */
GUARD_MUST_USE enum guard_rc change_guardian_exceptions(const struct change *change,
                                                        struct guard_span text, const char *before,
                                                        const char *after, struct guard_err *err);
/* Nothing is blocked for so long. seconds: at most BYPASS_SECONDS_MAX, GUARD_E_RANGE. */
GUARD_MUST_USE enum guard_rc change_bypass(const struct change *change, unsigned long seconds,
                                           struct guard_err *err);
GUARD_MUST_USE enum guard_rc change_bypass_end(const struct change *change, struct guard_err *err);
/* The gates of this state directory answer the service's requests with 503 for so long, as
 * change_bypass. */
GUARD_MUST_USE enum guard_rc change_withdraw(const struct change *change, unsigned long seconds,
                                             struct guard_err *err);
GUARD_MUST_USE enum guard_rc change_withdraw_end(const struct change *change,
                                                 struct guard_err *err);
/* What a kept generation had learned is enforced. before: the generation now; seconds 0: until it
 * is ended. guardd does it. */
GUARD_MUST_USE enum guard_rc change_rollback(const struct change *change, const char *before,
                                             uint64_t generation, unsigned long seconds,
                                             struct guard_err *err);
/* GUARD_E_STATE: none is in force. */
GUARD_MUST_USE enum guard_rc change_rollback_end(const struct change *change,
                                                 struct guard_err *err);

/* "true", "false" or "rare" as static text, NULL when it is none. */
const char *triage_state(const char *text);
/* What an alert was; change->service is the alert's. */
GUARD_MUST_USE enum guard_rc change_triage(const struct change *change, const char *id,
                                           const char *state, struct guard_err *err);

#endif
