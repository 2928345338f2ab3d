/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server answers, as a tree of nodes as documents are: bounded, and without what nobody
 * here reads. */
#ifndef GUARD_COMMON_KUBERNETES_JSON_TREE_H
#define GUARD_COMMON_KUBERNETES_JSON_TREE_H

#include "common/document.h"

enum {
    JSON_TREE_DEPTH_MAX = 40,
    JSON_TREE_NODES_MAX = 400000,
    JSON_TREE_PART_DEPTH = 4,      /* that of an item's spec in a list; root: 1 */
    JSON_TREE_PART_NODES = 140000, /* more than the largest document's, names and values */
};

/* The tree lives in the arena; text is borrowed for the call. Members "managedFields" are left out:
 * they are as large as the object, and nobody's words. What one object has too much of
 * mustn't keep others of a list from being read: a container below JSON_TREE_DEPTH_MAX, and one at
 * JSON_TREE_PART_DEPTH with more than JSON_TREE_PART_NODES in it, becomes a text that says so.
 * GUARD_E_SYNTAX, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc json_tree_parse(struct document_node **out, struct guard_span text,
                                             struct guard_arena *arena, struct guard_err *err);

#endif
