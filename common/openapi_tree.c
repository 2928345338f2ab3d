/* SPDX-License-Identifier: Apache-2.0 */
/* The places of an endpoint or response: what was learned of each, and what people say instead. */
#include "common/openapi_parts.h"

#include <string.h>

/* A limit is told when benign values cross it in fewer than one of thirty cases, by what learning
 * measured: hundredths of -log10. */
enum { PROVED = 150 };

static bool is_tree(enum guard_location location)
{
    return location == GUARD_LOCATION_JSON;
}

static const struct openapi_facts nothing = {.length_min = -1, .length_max = -1, .items_max = -1};

static struct openapi_node *node_add(struct openapi *ctx, struct openapi_tree *tree,
                                     struct guard_err *err)
{
    if (tree->count == tree->cap) {
        uint32_t cap = tree->cap == 0 ? 16 : tree->cap * 2;
        struct openapi_node *nodes = guard_arena_get(ctx->arena, cap * sizeof(*nodes));
        if (nodes == NULL) {
            (void)guard_fail(err, GUARD_E_NOMEM, "no memory");
            return NULL;
        }
        if (tree->count > 0)
            memcpy(nodes, tree->nodes, tree->count * sizeof(*nodes));
        tree->nodes = nodes;
        tree->cap = cap;
    }
    struct openapi_node *node = &tree->nodes[tree->count++];
    *node = (struct openapi_node){.facts = nothing,
                                  .parent = GUARD_NO_INDEX,
                                  .first = GUARD_NO_INDEX,
                                  .last = GUARD_NO_INDEX,
                                  .next = GUARD_NO_INDEX};
    return node;
}

static void link_child(struct openapi_tree *tree, uint32_t index)
{
    struct openapi_node *child = &tree->nodes[index];
    if (child->parent == GUARD_NO_INDEX)
        return;
    struct openapi_node *parent = &tree->nodes[child->parent];
    if (parent->last == GUARD_NO_INDEX)
        parent->first = index;
    else
        tree->nodes[parent->last].next = index;
    parent->last = index;
}

static bool proved(const struct guard_model_field *field, enum guard_rule rule)
{
    return field->strength[rule] >= PROVED;
}

static void learned_limits(struct openapi_facts *facts, const struct guard_model_field *field)
{
    facts->classes_known = field->types != 0 && proved(field, GUARD_RULE_CHARACTER) &&
                           proved(field, GUARD_RULE_ALPHABET);
    facts->classes = field->classes;
    if (proved(field, GUARD_RULE_LENGTH) &&
        (field->length_max > 0 || field->types == 1u << GUARD_TYPE_EMPTY))
        facts->length_max = field->length_max;
    if (proved(field, GUARD_RULE_SHORT) && facts->length_max >= 0)
        facts->length_min = field->length_min;
    if (proved(field, GUARD_RULE_ITEMS))
        facts->items_max = field->items_max;
    if (field->closed)
        facts->closed = field->literal_count;
}

static void learned_facts(struct openapi *ctx, struct openapi_facts *facts,
                          const struct guard_model_field *field)
{
    bool more = (field->pending_types | field->pending_classes) != 0;
    facts->pending = ctx->cfg->pending && (!field->trusted || more);
    ctx->pending += !field->trusted || more;
    if (facts->pending) /* how long they are and what more isn't known */
        facts->types = field->types != 0 ? field->types | field->pending_types : 0;
    else if (proved(field, GUARD_RULE_TYPE))
        facts->types = field->types;
    facts->required = field->trusted && field->required;
    if (!facts->pending)
        learned_limits(facts, field);
    ctx->closed_sets += field->trusted && field->closed;
}

enum guard_rc openapi_tree_learned(struct openapi *ctx, struct openapi_tree *tree, uint32_t first,
                                   uint32_t count, struct guard_err *err)
{
    const struct guard_model *model = ctx->model;
    if (first > model->field_count || count > model->field_count - first)
        return guard_fail(err, GUARD_E_RANGE, "an endpoint of the model has no fields");
    if (count == 0)
        return GUARD_OK;
    uint32_t *places = guard_arena_get(ctx->arena, count * sizeof(*places));
    if (places == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    for (uint32_t i = 0; i < count; i++) {
        const struct guard_model_field *field = &model->fields[first + i];
        bool child = field->parent != GUARD_NO_INDEX;
        places[i] = GUARD_NO_INDEX;
        if (child && (field->parent < first || field->parent >= first + i))
            return guard_fail(err, GUARD_E_RANGE, "fields of the model are out of order");
        if (child && places[field->parent - first] == GUARD_NO_INDEX)
            continue;
        if (!field->trusted && !ctx->cfg->pending) {
            ctx->pending++;
            continue;
        }
        struct openapi_node *node = node_add(ctx, tree, err);
        if (node == NULL)
            return GUARD_E_NOMEM;
        places[i] = tree->count - 1;
        node->location = field->location;
        node->name = field->name;
        node->path = field->path.len > 0 ? field->path : field->name;
        node->parent = child ? places[field->parent - first] : GUARD_NO_INDEX;
        learned_facts(ctx, &node->facts, field);
        link_child(tree, tree->count - 1);
    }
    return GUARD_OK;
}

const struct openapi_node *openapi_tree_find(const struct openapi_tree *tree,
                                             enum guard_location location, struct guard_span path)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        if (tree->nodes[i].location == location && openapi_same(tree->nodes[i].path, path))
            return &tree->nodes[i];
    }
    return NULL;
}

bool openapi_tree_has(const struct openapi_tree *tree, enum guard_location location)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        if (tree->nodes[i].location == location)
            return true;
    }
    return false;
}

enum guard_rc openapi_tree_copy(struct openapi *ctx, struct openapi_tree *tree,
                                const struct openapi_tree *from, struct guard_err *err)
{
    *tree = *from;
    if (from->count == 0)
        return GUARD_OK;
    tree->cap = from->count;
    tree->nodes = guard_arena_get(ctx->arena, from->count * sizeof(*tree->nodes));
    if (tree->nodes == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    memcpy(tree->nodes, from->nodes, from->count * sizeof(*tree->nodes));
    for (uint32_t i = 0; i < tree->count; i++)
        tree->nodes[i].inherited = true;
    return GUARD_OK;
}

/* Where the part of a path that begins at `at` ends: before the next '.' or "[]". */
static size_t part_end(struct guard_span path, size_t at)
{
    if (path.len - at >= 2 && memcmp(path.ptr + at, "[]", 2) == 0)
        return at + 2;
    while (at < path.len && path.ptr[at] != '.' &&
           !(path.len - at >= 2 && memcmp(path.ptr + at, "[]", 2) == 0))
        at++;
    return at;
}

/* The node of the path, made with all that it lies in. */
static enum guard_rc place(struct openapi *ctx, struct openapi_tree *tree,
                           enum guard_location location, struct guard_span path, uint32_t *out,
                           struct guard_err *err)
{
    uint32_t parent = GUARD_NO_INDEX;
    size_t at = 0;
    do {
        size_t end = is_tree(location) ? part_end(path, at) : path.len;
        struct guard_span before = {path.ptr, end};
        const struct openapi_node *found = openapi_tree_find(tree, location, before);
        if (found == NULL) {
            struct openapi_node *node = node_add(ctx, tree, err);
            if (node == NULL)
                return GUARD_E_NOMEM;
            node->location = location;
            node->path = before;
            node->name = (struct guard_span){path.ptr + at, end - at};
            node->parent = parent;
            bool element = openapi_is(node->name, "[]");
            if (parent != GUARD_NO_INDEX && tree->nodes[parent].facts.types != 0)
                tree->nodes[parent].facts.types |=
                    1u << (element ? GUARD_TYPE_ARRAY : GUARD_TYPE_OBJECT);
            link_child(tree, tree->count - 1);
            found = node;
        }
        parent = (uint32_t)(found - tree->nodes);
        at = end < path.len && path.ptr[end] == '.' ? end + 1 : end;
    } while (at < path.len);
    *out = parent;
    return GUARD_OK;
}

static void say(struct openapi_facts *facts, const struct guard_criterion *criterion)
{
    if (criterion->required >= 0)
        facts->required = criterion->required == 1;
    if (criterion->types != 0)
        facts->types = criterion->types;
    if (criterion->classes_said) {
        facts->classes = criterion->classes;
        facts->classes_known = true;
    }
    if (criterion->length_min >= 0)
        facts->length_min = criterion->length_min;
    if (criterion->length_max >= 0)
        facts->length_max = criterion->length_max;
    if (criterion->items_max >= 0)
        facts->items_max = criterion->items_max;
    if (criterion->value_count > 0) {
        *facts = (struct openapi_facts){.types = facts->types,
                                        .length_min = -1,
                                        .length_max = -1,
                                        .items_max = facts->items_max,
                                        .required = facts->required,
                                        .values = criterion->values,
                                        .value_count = criterion->value_count};
    }
    facts->forbidden = criterion->forbidden;
    facts->pending = false;
}

enum guard_rc openapi_tree_said(struct openapi *ctx, struct openapi_tree *tree,
                                const struct guard_criterion *criteria, uint32_t count,
                                uint32_t locations, struct guard_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index;
        if ((locations >> criteria[i].location & 1) == 0)
            continue;
        GUARD_TRY(place(ctx, tree, criteria[i].location, criteria[i].name, &index, err));
        say(&tree->nodes[index].facts, &criteria[i]);
        tree->nodes[index].inherited = false;
    }
    return GUARD_OK;
}
