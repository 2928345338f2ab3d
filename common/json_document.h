/* SPDX-License-Identifier: Apache-2.0 */
/* A document that was read, written as JSON: how what lies in files as YAML or JSON gets into an
 * answer without a byte of it going there unseen. */
#ifndef GUARD_COMMON_JSON_DOCUMENT_H
#define GUARD_COMMON_JSON_DOCUMENT_H

#include "common/document.h"
#include "common/json_writer.h"

/* The node and all below it. Unquoted scalars that JSON takes for numbers, booleans or null become
 * such, everything else texts. */
void json_document(struct json_writer *json, const char *name, const struct document_node *node);
/* The members of a mapping, into an object that is open. */
void json_members(struct json_writer *json, const struct document_node *mapping);

#endif
