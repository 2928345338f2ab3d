/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions in documents: in a Guardian's "exceptions", or as a document of their own. Errors are
 * "file:line:column: exceptions[2].scope.names[0]: what". */
#ifndef GUARD_COMMON_GUARDIAN_EXCEPTION_H
#define GUARD_COMMON_GUARDIAN_EXCEPTION_H

#include "common/document.h"

#include <guard/exception.h>

struct exception_list {
    struct guard_exception *exceptions;
    uint32_t count;
};

/* What is said of exceptions that don't say it themselves. */
struct exception_defaults {
    struct guard_span author; /* "" or 0: nothing, as of the next */
    struct guard_span reason;
    uint64_t created_ms;
};

/* A list of exceptions that stands in a document; their ids differ, and guard_exception_check finds
 * each good. defaults may be NULL. All of it lives in the document's arena. GUARD_E_SYNTAX,
 * GUARD_E_RANGE, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc exceptions_read(const struct document *document,
                                             const struct document_node *list,
                                             const struct exception_defaults *defaults,
                                             struct exception_list *out, struct guard_err *err);
/* A document of exceptions: {apiVersion, kind: Exceptions, exceptions}, a list, or one exception.
 * name: for messages. */
GUARD_MUST_USE enum guard_rc exceptions_parse(struct exception_list *out, const char *name,
                                              struct guard_span bytes,
                                              const struct exception_defaults *defaults,
                                              struct guard_arena *arena, struct guard_err *err);
/* Reads a file (at most 1 MiB). */
GUARD_MUST_USE enum guard_rc exceptions_load(struct exception_list *out, const char *path,
                                             const struct exception_defaults *defaults,
                                             struct guard_arena *arena, struct guard_err *err);

/* "192.0.2.0/24", "2001:db8::/32", or one address. False: it is none, or has bits behind the
 * prefix. */
bool exception_prefix(struct guard_span text, struct guard_address_prefix *out);
enum { EXCEPTION_PREFIX_MAX = 64 };
void exception_prefix_word(const struct guard_address_prefix *prefix,
                           char out[EXCEPTION_PREFIX_MAX]);

/* Canonical YAML as elements of a list; see patches_put. */
size_t exceptions_put(char *text, size_t cap, const struct guard_exception *exceptions,
                      uint32_t count, unsigned indent);
/* One document with all of them, in the arena; what exceptions_parse makes of it is equal. */
GUARD_MUST_USE enum guard_rc exceptions_write(const struct guard_exception *exceptions,
                                              uint32_t count, struct guard_arena *arena,
                                              struct guard_span *out, struct guard_err *err);

#endif
