/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a document whose members are known: a lookup by name that tolerates what is missing. */
#ifndef GUARD_COMMON_DOCUMENT_MEMBERS_H
#define GUARD_COMMON_DOCUMENT_MEMBERS_H

#include "common/document.h"

/* A member of a mapping, NULL when absent. */
const struct document_node *member_of(const struct document_node *mapping, const char *name);
/* The same if it is of that kind, else NULL. */
const struct document_node *child_of(const struct document_node *mapping, const char *name,
                                     enum document_kind kind);
/* Whether it is true, and no text that says so. */
bool true_in(const struct document_node *mapping, const char *name);
/* Its text, "" when absent or no scalar. */
const char *text_of(const struct document_node *mapping, const char *name);
double number_of(const struct document_node *mapping, const char *name);
/* Its whole part; what is no number is 0, what no int64_t can be the nearest. */
int64_t whole_of(const struct document_node *mapping, const char *name);
/* Reads and parses a file of at most DOCUMENT_BYTES_MAX into the arena. GUARD_E_IO with errno set
 * (ENOENT: it isn't there), and as document_parse. */
GUARD_MUST_USE enum guard_rc document_load(struct document *out, const char *path,
                                           struct guard_arena *arena, struct guard_err *err);

#endif
