/* SPDX-License-Identifier: Apache-2.0 */
/* Changing a document that was read: members and elements put in, replaced, taken out. New nodes
 * live in the arena; when it is full, `failed` says so at the end and the tree is unusable. Only
 * what is known to be a mapping or a list may be changed as such. */
#ifndef GUARD_COMMON_DOCUMENT_EDIT_H
#define GUARD_COMMON_DOCUMENT_EDIT_H

#include "common/document.h"

struct document_edit {
    struct guard_arena *arena;
    bool failed;
};

/* The mapping or list of that name, made when it isn't there or null. NULL when parent is NULL,
 * without memory, or when it is of another kind; all functions here take that for nothing. */
struct document_node *edit_mapping(struct document_edit *edit, struct document_node *parent,
                                   const char *name);
struct document_node *edit_list(struct document_edit *edit, struct document_node *parent,
                                const char *name);
/* A new mapping at the end of the list. */
struct document_node *edit_element(struct document_edit *edit, struct document_node *list);
/* Members: in the place of the old one, else at the end. */
void edit_text(struct document_edit *edit, struct document_node *mapping, const char *name,
               const char *value);
void edit_number(struct document_edit *edit, struct document_node *mapping, const char *name,
                 long value);
void edit_word(struct document_edit *edit, struct document_node *mapping, const char *name,
               const char *word); /* true, false */
void edit_add_text(struct document_edit *edit, struct document_node *list, const char *value);
void edit_remove(struct document_node *parent, const struct document_node *child);
/* Puts an element that stands in the list before all others. */
void edit_to_front(struct document_node *list, struct document_node *child);
/* Hangs the children of `by` where those of `node` were; key and place stay. */
void edit_replace(struct document_node *node, const struct document_node *by);
/* A mapping without a parent. */
struct document_node *edit_new_mapping(struct document_edit *edit);
/* A copy with all below it, without a parent; what is shared with the original, nothing here
 * changes. NULL without memory. */
struct document_node *edit_copy(struct document_edit *edit, const struct document_node *node);
/* Such a copy at the end of the list. */
struct document_node *edit_add_copy(struct document_edit *edit, struct document_node *list,
                                    const struct document_node *node);
/* A copy of a text, in the arena. */
const char *edit_keep(struct document_edit *edit, const char *format, ...) GUARD_PRINTF(2, 3);

#endif
