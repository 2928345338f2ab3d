/* SPDX-License-Identifier: Apache-2.0 */
/* Who changed what, when and why: lines of audit.jsonl, written before the change is made, in the
 * same form by the command line and by the API. */
#ifndef GUARD_COMMON_AUDIT_H
#define GUARD_COMMON_AUDIT_H

#include "common/json_writer.h"

enum { AUDIT_LINE_MAX = 16384, AUDIT_FILE_MAX = 64 << 20, AUDIT_FILES_OLDER = 4 };

struct audit_who {
    const char *by;  /* a person's name, as they or the system say it */
    int64_t uid;     /* of the process that asked, as the kernel says it */
    const char *via; /* "cli" or "api" */
    /* Of who came with a token, or with a certificate's subject; else NULL or "". */
    const char *token; /* its id */
    const char *subject;
};

/* A line that tells what a person did or said: when and who come first, then what the caller writes
 * into json, then it is appended to a file of the state directory in one write. */
struct audit_line {
    struct json_writer json;
    char text[AUDIT_LINE_MAX];
};
void audit_line_begin(struct audit_line *line, const struct audit_who *who);
/* GUARD_E_LIMIT: the line is too long; GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc audit_line_append(struct audit_line *line, const char *dir,
                                               const char *file, struct guard_err *err);

/* Held while the audit log is rewritten or appended to; the caller closes it. -1 when somebody else
 * holds it for longer than a second, or there is no room: a line must not wait for that. */
int audit_lock(const char *dir);

/* One line of audit.jsonl. A full file becomes audit.jsonl.1, up to .4. */
GUARD_MUST_USE enum guard_rc audit_append(const char *dir, const struct audit_who *who,
                                          struct guard_span service, const char *action,
                                          const char *before, const char *after, const char *reason,
                                          struct guard_err *err);

#endif
