/* SPDX-License-Identifier: Apache-2.0 */
/* See builder_tree.h. */
#include "profile/builder_tree.h"

#include "profile/field_table.h"

uint32_t gd_tree_child(struct gd_builder *builder, enum guard_location location, uint32_t parent,
                       struct guard_span name)
{
    uint32_t above = (parent & GD_NODE_MASK) == 0 ? GD_NO_FIELD : (parent & GD_NODE_MASK) - 1;
    uint32_t before = builder->profile.field_count;
    uint32_t index = gd_builder_field(builder, location, above, name, GD_LIFE_CALL);
    if (builder->capture != NULL && builder->profile.field_count > before)
        gd_capture_key(builder->capture, gd_builder_place(location), name);
    return index == GD_NO_FIELD ? GD_TREE_SKIP : index + 1;
}

uint32_t gd_tree_field(struct gd_builder *builder, enum guard_location location, uint32_t node)
{
    if ((node & GD_NODE_MASK) != 0)
        return (node & GD_NODE_MASK) - 1;
    return gd_builder_field(builder, location, GD_NO_FIELD, gd_span("", 0), GD_LIFE_EXCHANGE);
}

void gd_tree_bare(struct gd_builder *builder, enum guard_location location, uint32_t node,
                  enum guard_type type)
{
    uint32_t field = gd_tree_field(builder, location, node);
    if (field != GD_NO_FIELD)
        gd_summary_add_bare(&builder->profile.fields[field].summary, 1u << type);
}

void gd_tree_value(struct gd_builder *builder, enum guard_location location, uint32_t node,
                   struct guard_span text, uint32_t json)
{
    uint32_t field = gd_tree_field(builder, location, node);
    if (builder->capture != NULL)
        gd_capture_leaf(builder->capture, gd_builder_place(location), field, text,
                        json & 1u << GUARD_TYPE_STRING);
    if (field != GD_NO_FIELD)
        gd_builder_value(builder, field, text, json, GD_LIFE_CALL);
}

void gd_tree_open(struct gd_builder *builder, enum guard_location location, uint32_t node,
                  enum guard_type type)
{
    if (++builder->tree_depth > builder->profile.depth)
        builder->profile.depth = builder->tree_depth;
    gd_tree_bare(builder, location, node, type);
}

void gd_tree_close(struct gd_builder *builder, enum guard_location location, uint32_t node,
                   uint32_t items)
{
    builder->tree_depth--;
    uint32_t field = gd_tree_field(builder, location, node);
    if (field != GD_NO_FIELD && items > builder->profile.fields[field].summary.items_max)
        builder->profile.fields[field].summary.items_max = items;
}
