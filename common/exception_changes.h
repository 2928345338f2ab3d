/* SPDX-License-Identifier: Apache-2.0 */
/* What people change of a service's exceptions, by the command line and by the API alike: the
 * Guardian is read, edited and found good as a whole, audited, and replaced whole. */
#ifndef GUARD_COMMON_EXCEPTION_CHANGES_H
#define GUARD_COMMON_EXCEPTION_CHANGES_H

#include "common/changes.h"
#include "common/guardian_exception.h"

struct exception_change {
    const struct exception_list *add; /* behind those that are there; NULL: one is removed */
    struct guard_span remove;         /* its id */
};

enum {
    EXCEPTION_SAID_MAX = GUARD_EXCEPTIONS_MAX * (GUARD_EXCEPTION_ID_MAX + 40), /* all of them */
    EXCEPTION_CHANGE_ARENA = 64 << 20,
};
struct exception_outcome {
    char before[EXCEPTION_SAID_MAX]; /* for the audit: "FP-1 until 2027-01-31T00:00:00.000Z" */
    char after[EXCEPTION_SAID_MAX];
};

/* The caller holds change_lock of "guardians". dry: nothing is written, nor audited. An exception
 * that expired already, or is dated ahead, isn't added. GUARD_E_RANGE with "exceptions[1].id: ..."
 * or "id: ..." (none of this id is there to be removed); GUARD_E_LIMIT; errors of the document in
 * place, of auditing and writing. The arena needs EXCEPTION_CHANGE_ARENA. */
GUARD_MUST_USE enum guard_rc
change_exceptions(const struct change *change, const struct exception_change *what, bool dry,
                  struct guard_arena *arena, struct exception_outcome *out, struct guard_err *err);
/* What isn't said of an exception that somebody adds now, in the arena. */
GUARD_MUST_USE enum guard_rc exception_defaults_of(const struct change *change,
                                                   struct guard_arena *arena,
                                                   struct exception_defaults *out,
                                                   struct guard_err *err);

#endif
