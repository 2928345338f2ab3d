/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of GraphQL documents: "query.user(id)" is the argument `id` of the field `user`. */
#include "http/graphql.h"

#include "profile/builder_tree.h"
#include "profile/segments.h"

enum { DECORATION_MAX = 16 };

static const enum guard_location location = GUARD_LOCATION_GRAPHQL;

struct decoration {
    struct guard_span before;
    struct guard_span after;
};

/* How names of a place look. */
static struct decoration decoration_of(enum gd_graphql_place place)
{
    switch (place) {
    case GD_GRAPHQL_FRAGMENT:
        return (struct decoration){GUARD_SPAN_LITERAL("fragment "), gd_span("", 0)};
    case GD_GRAPHQL_TYPE:
        return (struct decoration){GUARD_SPAN_LITERAL("on "), gd_span("", 0)};
    case GD_GRAPHQL_SPREAD:
        return (struct decoration){GUARD_SPAN_LITERAL("..."), gd_span("", 0)};
    case GD_GRAPHQL_ARGUMENT:
        return (struct decoration){GUARD_SPAN_LITERAL("("), GUARD_SPAN_LITERAL(")")};
    case GD_GRAPHQL_DIRECTIVE:
        return (struct decoration){GUARD_SPAN_LITERAL("@"), gd_span("", 0)};
    case GD_GRAPHQL_VARIABLE:
        return (struct decoration){GUARD_SPAN_LITERAL("$"), gd_span("", 0)};
    case GD_GRAPHQL_ELEMENT:
        return (struct decoration){GUARD_SPAN_LITERAL("[]"), gd_span("", 0)};
    case GD_GRAPHQL_OPERATION:
    case GD_GRAPHQL_FIELD:
    case GD_GRAPHQL_MEMBER:
        break;
    }
    return (struct decoration){gd_span("", 0), gd_span("", 0)};
}

static uint32_t on_node(void *ctx, uint32_t parent, enum gd_graphql_place place,
                        struct guard_span name)
{
    uint8_t room[GD_NAME_MAX];
    uint8_t joined[GD_NAME_MAX + DECORATION_MAX];
    struct decoration decoration = decoration_of(place);
    name = gd_name_shorten(name, room);
    size_t len = decoration.before.len;
    memcpy(joined, decoration.before.ptr, len);
    if (name.len > 0)
        memcpy(joined + len, name.ptr, name.len);
    len += name.len;
    memcpy(joined + len, decoration.after.ptr, decoration.after.len);
    return gd_tree_child(ctx, location, parent, gd_span(joined, len + decoration.after.len));
}

static void on_value(void *ctx, uint32_t node, enum gd_graphql_type type, struct guard_span text)
{
    switch (type) {
    case GD_GRAPHQL_NULL:
        gd_tree_bare(ctx, location, node, GUARD_TYPE_NULL);
        break;
    case GD_GRAPHQL_FALSE:
    case GD_GRAPHQL_TRUE:
        gd_tree_value(ctx, location, node, text, 1u << GUARD_TYPE_BOOL);
        break;
    case GD_GRAPHQL_NUMBER:
        gd_tree_value(ctx, location, node, text, 1u << GUARD_TYPE_INT);
        break;
    case GD_GRAPHQL_STRING:
        gd_tree_value(ctx, location, node, text, 1u << GUARD_TYPE_STRING);
        break;
    case GD_GRAPHQL_ENUM:
        gd_tree_value(ctx, location, node, text, 0);
        break;
    case GD_GRAPHQL_REFERENCE:
        /* Names of variables are the client's own. */
        gd_tree_value(ctx, location, node, GUARD_SPAN_LITERAL("$"), 0);
        break;
    }
}

/* How often it is selected, by aliases and in all documents of the exchange, is a number of items
 * as well: batches and floods of aliases stand out by it. */
static void count_selections(struct gd_builder *builder, uint32_t node)
{
    uint32_t index = gd_tree_field(builder, location, node);
    struct gd_summary *summary = &builder->profile.fields[index].summary;
    if (summary->count > 1 && summary->count > summary->items_max)
        summary->items_max = summary->count;
}

static void on_leaf(void *ctx, uint32_t node)
{
    gd_tree_bare(ctx, location, node, GUARD_TYPE_NULL);
    count_selections(ctx, node);
}

static void on_open(void *ctx, uint32_t node, enum gd_graphql_group group)
{
    gd_tree_open(ctx, location, node,
                 group == GD_GRAPHQL_LIST ? GUARD_TYPE_ARRAY : GUARD_TYPE_OBJECT);
    if (group == GD_GRAPHQL_SELECTION)
        count_selections(ctx, node);
}

static void on_close(void *ctx, uint32_t node, uint32_t items)
{
    gd_tree_close(ctx, location, node, items);
}

static void on_fault(void *ctx, enum guard_fault fault)
{
    struct gd_builder *builder = ctx;
    if (fault == GUARD_FAULT_MEMORY)
        builder->profile.cut = true;
    gd_builder_fault(builder, location, fault);
}

void gd_builder_graphql(struct gd_builder *builder, struct guard_span text, bool cut)
{
    const struct gd_graphql_handler handler = {builder, on_node,  on_value, on_leaf,
                                               on_open, on_close, on_fault};
    builder->tree_depth = 0;
    gd_graphql_read(text, cut, &handler, &builder->limits, &builder->decoded);
}
