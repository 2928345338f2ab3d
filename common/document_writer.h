/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of a document as text again: every value as it was written, in the same order. Comments
 * and the layout of the source are lost. */
#ifndef GUARD_COMMON_DOCUMENT_WRITER_H
#define GUARD_COMMON_DOCUMENT_WRITER_H

#include "common/document.h"

enum document_form {
    DOCUMENT_YAML,  /* block style; what was unquoted stays so, and means the same to any reader */
    DOCUMENT_LINES, /* JSON with indents */
    DOCUMENT_JSON   /* JSON in one line, without a line feed behind it */
};

/* Into the arena. In JSON unquoted scalars that JSON has no such word or number for become texts.
 * GUARD_E_LIMIT: a key of more than 1000 bytes; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc document_write(const struct document_node *node,
                                            enum document_form form, struct guard_arena *arena,
                                            struct guard_span *out, struct guard_err *err);

#endif
