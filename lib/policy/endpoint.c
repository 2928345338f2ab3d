/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the plan into the policy's nodes and endpoints. */
#include "policy/plan.h"

static const struct guard_model_endpoint *model_of(const struct gd_plan *plan,
                                                   const struct gd_plan_endpoint *endpoint)
{
    return endpoint->model == GD_POLICY_NONE ? NULL : &plan->model->endpoints[endpoint->model];
}

enum { ANYWHERE = 0xffffffff };

enum guard_rc gd_overlay_add(struct gd_plan *plan, const struct guard_criterion *criteria,
                             uint32_t count, uint32_t locations)
{
    for (uint32_t i = 0; i < count; i++) {
        if ((locations >> (unsigned)criteria[i].location & 1) == 0)
            continue;
        struct gd_plan_overlay *overlay = (void *)plan->overlay.ptr;
        uint32_t at = 0;
        while (at < plan->overlay.count &&
               (overlay[at].criterion->location != criteria[i].location ||
                !gd_span_equal(overlay[at].criterion->name, criteria[i].name)))
            at++;
        if (at == plan->overlay.count && gd_vector_add(&plan->overlay, 1) == NULL)
            return plan->overlay.rc;
        overlay = (void *)plan->overlay.ptr;
        overlay[at].criterion = &criteria[i];
    }
    return GUARD_OK;
}

void gd_overlay_sort(struct gd_plan *plan)
{
    struct gd_plan_overlay *overlay = (void *)plan->overlay.ptr;
    for (uint32_t i = 1; i < plan->overlay.count; i++) {
        struct gd_plan_overlay moved = overlay[i];
        uint32_t at = i;
        for (; at > 0 && overlay[at - 1].criterion->name.len > moved.criterion->name.len; at--)
            overlay[at] = overlay[at - 1];
        overlay[at] = moved;
    }
}

enum guard_rc gd_plan_media(struct gd_plan *plan, struct gd_policy_range *range,
                            const struct guard_span *types, uint32_t count)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_MEDIA];
    range->first = section->count;
    range->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct gd_policy_text text = gd_plan_text(plan, types[i]);
        struct gd_policy_text *slot = gd_vector_add(section, 1);
        if (slot == NULL)
            return section->rc;
        *slot = text;
    }
    return GUARD_OK;
}

enum guard_rc gd_plan_statuses(struct gd_plan *plan, struct gd_policy_range *range,
                               const struct guard_response_rule *rule)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_STATUSES];
    uint32_t count = rule != NULL ? rule->status_count : 0;
    *range = (struct gd_policy_range){section->count, count};
    if (count == 0)
        return GUARD_OK;
    struct guard_status_range *statuses = gd_vector_add(section, count);
    if (statuses == NULL)
        return section->rc;
    memcpy(statuses, rule->statuses, count * sizeof(*statuses));
    return GUARD_OK;
}

static void configure(struct gd_policy_endpoint *out, enum guard_rule rule)
{
    out->configured |= 1u << (unsigned)rule;
    out->strength[rule] = GD_POLICY_CERTAIN;
}

/* Of the rules for an endpoint those that say what is held elsewhere. */
struct said {
    const struct guard_endpoint_rule *media;
    const struct guard_response_rule *statuses;
};

/* What the rules for this endpoint say of it as a whole; gathers their criteria for its fields. */
static enum guard_rc apply_rules(struct gd_plan *plan, struct gd_plan_endpoint *endpoint,
                                 struct gd_policy_endpoint *out, struct said *said)
{
    plan->overlay.count = 0;
    endpoint->mode = -1;
    for (uint32_t i = 0; i < plan->rules.count; i++) {
        const struct guard_endpoint_rule *rule = gd_plan_rule(plan, i)->rule;
        if (!gd_rule_covers(plan, gd_plan_rule(plan, i), endpoint->node) ||
            !gd_rule_has_method(rule, endpoint->method))
            continue;
        if (rule->mode >= GUARD_MODE_OBSERVE && rule->mode <= GUARD_MODE_BLOCK)
            out->mode = (uint8_t)(endpoint->mode = rule->mode);
        if (rule->closed) {
            out->flags |= GD_ENDPOINT_CLOSED;
            configure(out, GUARD_RULE_NAME);
        }
        if (rule->body_max >= 0) {
            out->body_max = gd_saturate((uint64_t)rule->body_max);
            configure(out, GUARD_RULE_SIZE);
            configure(out, GUARD_RULE_SIZE_FAR);
        }
        if (rule->media_count > 0) {
            said->media = rule;
            configure(out, GUARD_RULE_CONTENT_TYPE);
        }
        if (rule->response != NULL && rule->response->status_count > 0)
            said->statuses = rule->response;
        GUARD_TRY(gd_overlay_add(plan, rule->fields, rule->field_count, ANYWHERE));
    }
    gd_overlay_sort(plan);
    return GUARD_OK;
}

static void fill_learned(struct gd_policy_endpoint *out, const struct guard_model_endpoint *model,
                         bool configured)
{
    out->flags |= GD_ENDPOINT_LEARNED | (model->unseen ? GD_ENDPOINT_UNSEEN : 0u);
    if (!model->trusted && !configured)
        out->flags |= GD_ENDPOINT_PENDING;
    memcpy(out->faults, model->faults, sizeof(out->faults));
    if (model->strength[GUARD_RULE_SIZE] != 0)
        out->body_max = model->body_seen ? model->body_max : 0;
    if (model->strength[GUARD_RULE_DEPTH] != 0)
        out->depth_max = model->depth_max;
    out->latency_max = model->latency_max;
    out->statuses = model->statuses;
    out->exchanges = gd_saturate(model->exchanges);
    out->clients = model->clients;
    memcpy(out->strength, model->strength, sizeof(model->strength));
}

bool gd_overlay_has_headers(const struct gd_plan *plan)
{
    for (uint32_t i = 0; i < plan->overlay.count; i++) {
        enum guard_location location =
            ((const struct gd_plan_overlay *)(const void *)plan->overlay.ptr)[i]
                .criterion->location;
        if (location == GUARD_LOCATION_HEADER || location == GUARD_LOCATION_COOKIE)
            return true;
    }
    return false;
}

static enum guard_rc emit_endpoint(struct gd_plan *plan, struct gd_plan_endpoint *endpoint)
{
    const struct guard_model_endpoint *model = model_of(plan, endpoint);
    struct gd_policy_endpoint out = {.node = gd_plan_node(plan, endpoint->node)->final,
                                     .mode = (uint8_t)plan->guardian->request_mode,
                                     .time_mode = (uint8_t)plan->guardian->time_mode,
                                     .method_len = (uint8_t)endpoint->method.len,
                                     .body_max = UINT32_MAX,
                                     .depth_max = UINT32_MAX};
    if (endpoint->method.len > 0)
        memcpy(out.method, endpoint->method.ptr, endpoint->method.len);
    else
        out.flags |= GD_ENDPOINT_ANY_METHOD;
    memset(out.faults, 0xff, sizeof(out.faults));
    memset(out.answers, 0xff, sizeof(out.answers));
    if (model != NULL)
        fill_learned(&out, model, endpoint->configured);
    struct said said = {NULL, NULL};
    GUARD_TRY(apply_rules(plan, endpoint, &out, &said));
    if (endpoint->method.len > 0 && gd_rules_forbid(plan, endpoint->node, endpoint->method)) {
        out.flags |= GD_ENDPOINT_FORBIDDEN;
        configure(&out, GUARD_RULE_METHOD);
    }
    if (gd_overlay_has_headers(plan))
        out.flags |= GD_ENDPOINT_HEADERS;
    GUARD_TRY(gd_plan_statuses(plan, &out.allowed, said.statuses));
    if (said.media != NULL)
        GUARD_TRY(
            gd_plan_media(plan, &out.media, said.media->media_types, said.media->media_count));
    else
        GUARD_TRY(gd_plan_media(plan, &out.media, model != NULL ? model->media_types : NULL,
                                model != NULL ? model->media_count : 0));
    uint32_t first = model != NULL ? model->first_field : 0;
    uint32_t count = model != NULL ? model->field_count : 0;
    if (count > 0 && (first > plan->model->field_count || count > plan->model->field_count - first))
        return guard_fail(plan->err, GUARD_E_RANGE, "an endpoint of the model has no fields");
    struct gd_vector *section = &plan->sections[GD_SECTION_ENDPOINTS];
    endpoint->final = section->count;
    GUARD_TRY(gd_plan_fields(plan, section->count, endpoint->node, first, count));
    struct gd_policy_endpoint *slot = gd_vector_add(section, 1);
    if (slot == NULL)
        return section->rc;
    *slot = out;
    return GUARD_OK;
}

/* The template as people write it, from the root. */
static struct gd_policy_text template_text(struct gd_plan *plan, uint32_t node)
{
    uint32_t chain[GD_PLAN_SEGMENTS];
    uint32_t depth = gd_plan_node(plan, node)->depth;
    struct gd_policy_text text = {plan->sections[GD_SECTION_STRINGS].count, 0};
    for (uint32_t i = depth; i > 0; i--, node = gd_plan_node(plan, node)->parent)
        chain[i - 1] = node;
    for (uint32_t i = 0; i < depth; i++) {
        struct guard_span segment = gd_plan_node(plan, chain[i])->segment.text;
        text.len +=
            gd_plan_text(plan, GUARD_SPAN_LITERAL("/")).len + gd_plan_text(plan, segment).len;
    }
    return text;
}

static enum guard_rc emit_node(struct gd_plan *plan, uint32_t index, uint32_t *next_child)
{
    const struct gd_plan_node *from = gd_plan_node(plan, index);
    struct gd_policy_node node = {.parent = GD_POLICY_NONE,
                                  .child_first = *next_child,
                                  .endpoint_first = plan->sections[GD_SECTION_ENDPOINTS].count,
                                  .exchanges = gd_saturate(from->exchanges),
                                  .strength_path = from->strength[0],
                                  .strength_method = from->strength[1]};
    if (from->parent != GD_POLICY_NONE)
        node.parent = gd_plan_node(plan, from->parent)->final;
    node.flags = (from->segment.kind != GD_SEGMENT_LITERAL ? GD_NODE_WILDCARD : 0u) |
                 (from->segment.kind == GD_SEGMENT_REST ? GD_NODE_REST : 0u) |
                 (from->known ? 0u : GD_NODE_PENDING);
    if (node.flags & GD_NODE_WILDCARD)
        node.types = from->segment.types;
    for (uint32_t i = from->first_child; i != GD_POLICY_NONE; i = gd_plan_node(plan, i)->next) {
        if (gd_plan_node(plan, i)->segment.kind == GD_SEGMENT_LITERAL)
            node.literal_count++;
        else
            node.wildcard_count++;
    }
    if (node.wildcard_count > GD_POLICY_WILDCARDS)
        return guard_fail(plan->err, GUARD_E_LIMIT,
                          "a template has too many kinds of segments at one place");
    *next_child += node.literal_count + node.wildcard_count;
    node.text = gd_plan_text(plan, from->segment.text);
    struct gd_policy_text text = {0, 0};
    if (from->first_endpoint != GD_POLICY_NONE)
        text = template_text(plan, index);
    if (from->first_endpoint != GD_POLICY_NONE && gd_rules_forbid(plan, index, gd_span(NULL, 0))) {
        node.flags |= GD_NODE_METHODS_SAID;
        node.strength_method = GD_POLICY_CERTAIN;
    }
    for (uint32_t i = from->first_endpoint; i != GD_POLICY_NONE;
         i = gd_plan_endpoint(plan, i)->next) {
        GUARD_TRY(emit_endpoint(plan, gd_plan_endpoint(plan, i)));
        struct gd_policy_endpoint *last = (void *)plan->sections[GD_SECTION_ENDPOINTS].ptr;
        last[plan->sections[GD_SECTION_ENDPOINTS].count - 1].template_text = text;
        node.endpoint_count++;
    }
    struct gd_policy_node *slot = gd_vector_add(&plan->sections[GD_SECTION_NODES], 1);
    if (slot == NULL)
        return plan->sections[GD_SECTION_NODES].rc;
    *slot = node;
    return GUARD_OK;
}

enum guard_rc gd_plan_emit(struct gd_plan *plan)
{
    const struct guard_model *model = plan->model;
    GUARD_TRY(
        gd_overlay_add(plan, plan->guardian->headers, plan->guardian->header_count, ANYWHERE));
    gd_overlay_sort(plan);
    uint32_t first = model != NULL ? model->first_service_field : 0;
    uint32_t count = model != NULL ? model->service_field_count : 0;
    if (count > 0 && (first > model->field_count || count > model->field_count - first))
        return guard_fail(plan->err, GUARD_E_RANGE, "the model has no headers");
    GUARD_TRY(gd_plan_fields(plan, GD_POLICY_NONE, GD_POLICY_NONE, first, count));
    plan->shared.count = plan->sections[GD_SECTION_FIELDS].count;
    uint32_t next_child = 1;
    const uint32_t *order = (const uint32_t *)(const void *)plan->order.ptr;
    for (uint32_t i = 0; i < plan->order.count; i++)
        GUARD_TRY(emit_node(plan, order[i], &next_child));
    return GUARD_OK;
}
