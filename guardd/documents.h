/* SPDX-License-Identifier: Apache-2.0 */
/* What people decide of a service lies in files of the state directory. Guardds that share a
 * database keep the same ones: a change of one's file becomes the next revision in the database,
 * and a revision of others becomes the file. Where both changed, the database's holds and the file
 * is put aside. docs/adr/0015-shared-decisions.md */
#ifndef GUARDD_DOCUMENTS_H
#define GUARDD_DOCUMENTS_H

#include <guard/types.h>

struct service;
struct services;
struct audit_who;

enum shared_kind {
    SHARED_GUARDIAN,
    SHARED_REVIEW,
    SHARED_ROLLBACK,
    SHARED_BYPASS,
    SHARED_LIFTS,
    SHARED_PODS,
    SHARED_WITHDRAWALS, /* guardd's own: pods/withdrawals_shared.h */
    SHARED_KINDS,
    SHARED_NONE = SHARED_KINDS,
};

enum { SHARED_DIGEST_CAP = 33 };

/* What a service knows of one of its files; all zeros at first. */
struct shared_file {
    bool known;                     /* what was agreed was read from shared/ */
    uint64_t head;                  /* the newest revision in the database; 0: none */
    uint64_t revision;              /* the last one that the file was the same as; 0: none */
    char digest[SHARED_DIGEST_CAP]; /* of its content; "": it was removed */
    uint64_t stamp;                 /* of the file that was compared last */
};

/* Between two transactions: takes what others changed and offers what was changed here. */
void documents_tick(struct services *services);
/* Before a change by the API: the file is as in the database. Does nothing when the database is
 * ours alone. GUARD_E_IO: the database is away, so nobody knows what is in force elsewhere. */
GUARD_MUST_USE enum guard_rc documents_refresh(struct services *services, struct guard_span name,
                                               enum shared_kind kind, struct guard_err *err);
/* After it: when this returns GUARD_OK the database has it. GUARD_E_STATE: another guardd changed
 * it meanwhile, and the file is as theirs again. GUARD_E_IO: nobody knows; it is offered again. */
GUARD_MUST_USE enum guard_rc documents_offer(struct services *services, struct guard_span name,
                                             enum shared_kind kind, const struct audit_who *who,
                                             const char *why, struct guard_err *err);
/* What was put aside of the service, of a kind or of all (SHARED_KINDS): what is older than so
 * long, with 0 any. */
void documents_drop_refused(const struct services *services, const struct service *service,
                            enum shared_kind only, uint64_t older_than_ms);
const char *shared_kind_name(enum shared_kind kind);
/* Whether only the learner follows it. A bypass and lifts are for the gates beside a guardd. */
static inline bool shared_kind_is_learners(enum shared_kind kind)
{
    return kind == SHARED_GUARDIAN || kind == SHARED_REVIEW || kind == SHARED_ROLLBACK;
}

#endif
