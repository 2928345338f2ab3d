/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that form trees, for what isn't JSON: GraphQL, protocol buffers, WebSocket messages. Nodes
 * are field indices plus one; 0 is the whole document or message, whose field "" is made when it is
 * needed. */
#ifndef GD_PROFILE_BUILDER_TREE_H
#define GD_PROFILE_BUILDER_TREE_H

#include "profile/builder_state.h"

/* Of parsers that have nodes: what isn't reported. */
#define GD_TREE_SKIP UINT32_MAX

/* The node of that name below a node; GD_TREE_SKIP when there is no room. */
uint32_t gd_tree_child(struct gd_builder *builder, enum guard_location location, uint32_t parent,
                       struct guard_span name);
/* The field of a node, or GD_NO_FIELD. */
uint32_t gd_tree_field(struct gd_builder *builder, enum guard_location location, uint32_t node);
/* A value that has no text: type is NULL, OBJECT or ARRAY. */
void gd_tree_bare(struct gd_builder *builder, enum guard_location location, uint32_t node,
                  enum guard_type type);
/* json as in gd_summary_add. */
void gd_tree_value(struct gd_builder *builder, enum guard_location location, uint32_t node,
                   struct guard_span text, uint32_t json);
/* An object or array begins or ends; the profile's depth follows. */
void gd_tree_open(struct gd_builder *builder, enum guard_location location, uint32_t node,
                  enum guard_type type);
void gd_tree_close(struct gd_builder *builder, enum guard_location location, uint32_t node,
                   uint32_t items);

#endif
