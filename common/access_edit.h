/* SPDX-License-Identifier: Apache-2.0 */
/* Adding and removing who may use guardd's API: one home for it, so that the command line and the
 * API do the same. Audited first: what can't be audited isn't done. */
#ifndef GUARD_COMMON_ACCESS_EDIT_H
#define GUARD_COMMON_ACCESS_EDIT_H

#include "common/access_list.h"
#include "common/audit.h"

struct access_change {
    const char *dir; /* the state directory, whose list the caller has locked and loaded */
    struct audit_who who;
    const char *reason; /* "" when none was given */
};

enum { ACCESS_EXPIRES_MAX = 3650 * 86400 }; /* seconds */

/* What lives as long as the entry that points to it. */
struct access_secret {
    char token[SECRET_TOKEN_LEN + 1]; /* "" of a subject's entry */
    char id[SECRET_ID_LEN + 1];
    char hash[SECRET_HASH_CAP];
};

/* What is wrong with its parts, those of the token aside; NULL: nothing. */
const char *access_draft_fault(const struct access_entry *entry);
/* Makes a token for an entry without a subject: id and hash are then set. Takes milliseconds.
 * GUARD_E_IO, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc access_secret_make(struct access_secret *secret,
                                                struct access_entry *entry, struct guard_err *err);
/* Whether the list can take it: costs nothing, so it is asked before a token is made.
 * GUARD_E_STATE: the name or the subject is there already. */
GUARD_MUST_USE enum guard_rc access_addable(const struct access_list *list,
                                            const struct access_entry *entry,
                                            struct guard_err *err);
/* Saves the list with one more. GUARD_E_STATE as above. */
GUARD_MUST_USE enum guard_rc access_add(struct access_list *list, const struct access_entry *entry,
                                        const struct access_change *change, struct guard_err *err);
/* Saves the list with one less. GUARD_E_RANGE: there is none of this name. */
GUARD_MUST_USE enum guard_rc access_remove(struct access_list *list, const char *name,
                                           const struct access_change *change,
                                           struct guard_err *err);

#endif
