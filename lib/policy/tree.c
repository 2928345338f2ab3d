/* SPDX-License-Identifier: Apache-2.0 */
/* One tree of templates from what was learned and what a person wrote. A template that only a
 * person wrote takes what was learned at the templates that it stands for, so that naming an
 * endpoint never switches its learned rules off. */
#include "policy/plan.h"

static uint32_t node_add(struct gd_plan *plan, uint32_t parent,
                         const struct gd_plan_segment *segment)
{
    uint32_t index = plan->nodes.count;
    struct gd_plan_node *node = gd_vector_add(&plan->nodes, 1);
    if (node == NULL)
        return GD_POLICY_NONE;
    *node = (struct gd_plan_node){.segment = *segment,
                                  .parent = parent,
                                  .first_child = GD_POLICY_NONE,
                                  .last_child = GD_POLICY_NONE,
                                  .next = GD_POLICY_NONE,
                                  .first_endpoint = GD_POLICY_NONE,
                                  .last_endpoint = GD_POLICY_NONE};
    if (index == 0)
        return index;
    struct gd_plan_node *above = gd_plan_node(plan, parent);
    node->depth = above->depth + 1;
    if (above->last_child == GD_POLICY_NONE)
        above->first_child = index;
    else
        gd_plan_node(plan, above->last_child)->next = index;
    above->last_child = index;
    return index;
}

static enum guard_rc model_node(struct gd_plan *plan, uint32_t index)
{
    const struct guard_model_node *from = &plan->model->nodes[index];
    if (index > 0 && (from->parent >= index || from->text.len > GD_POLICY_NAME_MAX))
        return guard_fail(plan->err, GUARD_E_RANGE, "the model's templates are out of order");
    struct gd_plan_segment segment = {GD_SEGMENT_LITERAL, from->text, from->types};
    if (from->wildcard)
        segment.kind = from->types != 0 ? GD_SEGMENT_TYPED : GD_SEGMENT_ANY;
    uint32_t parent = index == 0 ? GD_POLICY_NONE : from->parent;
    if (index > 0 && gd_plan_node(plan, parent)->depth >= GD_PLAN_SEGMENTS)
        return guard_fail(plan->err, GUARD_E_LIMIT, "a template has at most %d segments",
                          (int)GD_PLAN_SEGMENTS);
    if (node_add(plan, parent, &segment) == GD_POLICY_NONE)
        return plan->nodes.rc;
    struct gd_plan_node *node = gd_plan_node(plan, index);
    node->strength[0] = from->strength[0];
    node->strength[1] = from->strength[1];
    node->exchanges = from->exchanges;
    return GUARD_OK;
}

static void node_known(struct gd_plan *plan, uint32_t index)
{
    for (; index != GD_POLICY_NONE && !gd_plan_node(plan, index)->known;
         index = gd_plan_node(plan, index)->parent)
        gd_plan_node(plan, index)->known = true;
}

static uint32_t endpoint_find(const struct gd_plan *plan, uint32_t node, struct guard_span method)
{
    uint32_t index = gd_plan_node(plan, node)->first_endpoint;
    while (index != GD_POLICY_NONE && !gd_span_equal(gd_plan_endpoint(plan, index)->method, method))
        index = gd_plan_endpoint(plan, index)->next;
    return index;
}

static enum guard_rc endpoint_add(struct gd_plan *plan, uint32_t node, struct guard_span method,
                                  uint32_t model, bool configured)
{
    if (method.len > 16)
        return guard_fail(plan->err, GUARD_E_RANGE, "a method has at most 16 bytes");
    uint32_t there = endpoint_find(plan, node, method);
    if (there != GD_POLICY_NONE) {
        gd_plan_endpoint(plan, there)->configured |= configured;
        return GUARD_OK;
    }
    uint32_t index = plan->endpoints.count;
    struct gd_plan_endpoint *endpoint = gd_vector_add(&plan->endpoints, 1);
    if (endpoint == NULL)
        return plan->endpoints.rc;
    *endpoint = (struct gd_plan_endpoint){.method = method,
                                          .node = node,
                                          .model = model,
                                          .next = GD_POLICY_NONE,
                                          .mode = -1,
                                          .configured = configured};
    struct gd_plan_node *at = gd_plan_node(plan, node);
    if (at->last_endpoint == GD_POLICY_NONE)
        at->first_endpoint = index;
    else
        gd_plan_endpoint(plan, at->last_endpoint)->next = index;
    at->last_endpoint = index;
    return GUARD_OK;
}

static enum guard_rc model_endpoints(struct gd_plan *plan)
{
    for (uint32_t i = 0; i < plan->model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &plan->model->endpoints[i];
        if (endpoint->node >= plan->nodes.count || endpoint->method.len == 0)
            return guard_fail(plan->err, GUARD_E_RANGE, "an endpoint of the model has no template");
        GUARD_TRY(endpoint_add(plan, endpoint->node, endpoint->method, i, false));
        if (endpoint->trusted)
            node_known(plan, endpoint->node);
    }
    return GUARD_OK;
}

static bool segment_same(const struct gd_plan_segment *a, const struct gd_plan_segment *b)
{
    return a->kind == b->kind && a->types == b->types &&
           (a->kind != GD_SEGMENT_LITERAL || gd_span_equal(a->text, b->text));
}

static uint32_t rule_node(struct gd_plan *plan, const struct gd_plan_rule *rule)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < rule->segment_count; i++) {
        uint32_t child = gd_plan_node(plan, at)->first_child;
        while (child != GD_POLICY_NONE &&
               !segment_same(&gd_plan_node(plan, child)->segment, &rule->segments[i]))
            child = gd_plan_node(plan, child)->next;
        if (child == GD_POLICY_NONE)
            child = node_add(plan, at, &rule->segments[i]);
        if (child == GD_POLICY_NONE)
            return GD_POLICY_NONE;
        at = child;
    }
    return at;
}

/* The learned endpoint with the most traffic among those that the rule stands for. */
static uint32_t rule_model(const struct gd_plan *plan, const struct gd_plan_rule *rule,
                           struct guard_span method)
{
    uint32_t best = GD_POLICY_NONE;
    for (uint32_t i = 0; plan->model != NULL && i < plan->model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &plan->model->endpoints[i];
        if (gd_span_equal(endpoint->method, method) && gd_rule_covers(plan, rule, endpoint->node) &&
            (best == GD_POLICY_NONE ||
             endpoint->exchanges > plan->model->endpoints[best].exchanges))
            best = i;
    }
    return best;
}

static enum guard_rc rule_endpoint(struct gd_plan *plan, const struct gd_plan_rule *rule,
                                   uint32_t node, struct guard_span method)
{
    bool rest = rule->segments[rule->segment_count - 1].kind == GD_SEGMENT_REST;
    bool there = endpoint_find(plan, node, method) != GD_POLICY_NONE;
    return endpoint_add(plan, node, method,
                        rest || there ? GD_POLICY_NONE : rule_model(plan, rule, method), true);
}

static enum guard_rc rule_endpoints(struct gd_plan *plan, const struct gd_plan_rule *rule,
                                    uint32_t node)
{
    const struct guard_endpoint_rule *said = rule->rule;
    for (uint32_t i = 0; i < said->method_count; i++) {
        if (said->methods[i].len == 0)
            return guard_fail(plan->err, GUARD_E_RANGE, "a method is empty");
        GUARD_TRY(rule_endpoint(plan, rule, node, said->methods[i]));
    }
    if (said->method_count > 0)
        return GUARD_OK;
    for (uint32_t i = 0; plan->model != NULL && i < plan->model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &plan->model->endpoints[i];
        if (gd_rule_covers(plan, rule, endpoint->node))
            GUARD_TRY(rule_endpoint(plan, rule, node, endpoint->method));
    }
    return endpoint_add(plan, node, gd_span(NULL, 0), GD_POLICY_NONE, true);
}

/* Breadth first, so that the children of a node stand together. */
static enum guard_rc order_nodes(struct gd_plan *plan)
{
    uint32_t *first = gd_vector_add(&plan->order, 1);
    if (first == NULL)
        return plan->order.rc;
    *first = 0;
    for (uint32_t at = 0; at < plan->order.count; at++) {
        uint32_t parent = ((uint32_t *)(void *)plan->order.ptr)[at];
        for (int kind = GD_SEGMENT_LITERAL; kind <= GD_SEGMENT_REST; kind++) {
            for (uint32_t child = gd_plan_node(plan, parent)->first_child; child != GD_POLICY_NONE;
                 child = gd_plan_node(plan, child)->next) {
                if (gd_plan_node(plan, child)->segment.kind != (enum gd_segment_kind)kind)
                    continue;
                gd_plan_node(plan, child)->final = plan->order.count;
                uint32_t *slot = gd_vector_add(&plan->order, 1);
                if (slot == NULL)
                    return plan->order.rc;
                *slot = child;
            }
        }
    }
    return GUARD_OK;
}

enum guard_rc gd_plan_tree(struct gd_plan *plan)
{
    struct gd_plan_segment root = {GD_SEGMENT_LITERAL, gd_span(NULL, 0), 0};
    uint32_t learned = plan->model != NULL ? plan->model->node_count : 0;
    for (uint32_t i = 0; i < learned; i++)
        GUARD_TRY(model_node(plan, i));
    if (learned == 0 && node_add(plan, GD_POLICY_NONE, &root) == GD_POLICY_NONE)
        return plan->nodes.rc;
    if (plan->model != NULL)
        GUARD_TRY(model_endpoints(plan));
    node_known(plan, 0);
    for (uint32_t i = 0; i < plan->rules.count; i++) {
        uint32_t node = rule_node(plan, gd_plan_rule(plan, i));
        if (node == GD_POLICY_NONE)
            return plan->nodes.rc;
        GUARD_TRY(rule_endpoints(plan, gd_plan_rule(plan, i), node));
        node_known(plan, node);
    }
    return order_nodes(plan);
}
