/* SPDX-License-Identifier: Apache-2.0 */
/* Who looked at evidence: lines of looks.jsonl, apart from the audit of changes, which they mustn't
 * push out. The first look is a line before it is answered; the same again within some minutes is
 * counted, and told in one line then. */
#ifndef GUARDD_API_LOOKS_H
#define GUARDD_API_LOOKS_H

#include "common/audit.h"
#include "common/changes.h"

#include "access.h"

#define LOOKS_FILE "looks.jsonl"

enum {
    LOOKS_MAX = 256,          /* that are counted at a time; then the oldest is told at once */
    LOOKS_WINDOW_MS = 600000, /* from the first look on */
    LOOKS_WHAT_CAP = 320,
};

struct look {
    char by[CHANGE_BY_MAX + 1];
    char token[SECRET_ID_LEN + 1];
    char subject[ACCESS_SUBJECT_MAX + 1];
    int64_t uid;
    char service[ACCESS_NAME_MAX + 1];
    char what[LOOKS_WHAT_CAP];
    uint64_t begun_ms; /* of the first look, which was told */
    uint64_t first_ms; /* of those that weren't told yet */
    uint64_t last_ms;
    uint64_t count; /* of those */
};

struct looks {
    const char *dir;
    struct look list[LOOKS_MAX]; /* oldest first */
    uint32_t count;
    uint64_t failed; /* that couldn't be told */
};

/* who: borrowed for the call. service: "" of several. Fails as audit_line_append. */
GUARD_MUST_USE enum guard_rc looks_note(struct looks *looks, const struct audit_who *who,
                                        const char *service, const char *what, uint64_t now_ms,
                                        struct guard_err *err);
/* Tells of those whose time is over; all: of all. */
void looks_tell(struct looks *looks, uint64_t now_ms, bool all);

#endif
