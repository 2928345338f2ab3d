/* SPDX-License-Identifier: Apache-2.0 */
/* What a service answers with: responses are endpoints that no path leads to, but their request's
 * endpoint, or the service. */
#include "policy/plan.h"

/* Endpoints of the policy by those of the model. */
static enum guard_rc find_endpoints(const struct gd_plan *plan, struct gd_vector *out,
                                    const struct gd_plan_endpoint ***found)
{
    const struct gd_plan_endpoint **list = gd_vector_add(out, plan->model->endpoint_count);
    if (list == NULL && plan->model->endpoint_count > 0)
        return out->rc;
    for (uint32_t i = 0; i < plan->endpoints.count; i++) {
        const struct gd_plan_endpoint *endpoint = gd_plan_endpoint(plan, i);
        if (endpoint->model != GD_POLICY_NONE && endpoint->model < plan->model->endpoint_count)
            list[endpoint->model] = endpoint;
    }
    *found = list;
    return GUARD_OK;
}

static struct gd_policy_endpoint *policy_endpoint(struct gd_plan *plan, uint32_t index)
{
    return (struct gd_policy_endpoint *)(void *)plan->sections[GD_SECTION_ENDPOINTS].ptr + index;
}

static void fill(struct gd_policy_endpoint *out, const struct guard_model_endpoint *model)
{
    out->node = GD_POLICY_NONE;
    out->flags = GD_ENDPOINT_ANSWER | GD_ENDPOINT_LEARNED;
    out->status = (uint8_t)model->status;
    out->body_max = UINT32_MAX;
    out->depth_max = UINT32_MAX;
    memcpy(out->faults, model->faults, sizeof(out->faults));
    memset(out->answers, 0xff, sizeof(out->answers));
    memcpy(out->strength, model->strength, sizeof(model->strength));
    if (model->strength[GUARD_RULE_SIZE] != 0)
        out->body_max = model->body_seen ? model->body_max : 0;
    if (model->strength[GUARD_RULE_DEPTH] != 0)
        out->depth_max = model->depth_max;
    out->leaks = model->leaks;
    out->exchanges = gd_saturate(model->exchanges);
    out->clients = model->clients;
}

/* of: the request's endpoint; NULL: the service. */
static enum guard_rc emit(struct gd_plan *plan, const struct guard_model_endpoint *model,
                          const struct gd_plan_endpoint *of, uint32_t *index)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_ENDPOINTS];
    if (model->first_field > plan->model->field_count ||
        model->field_count > plan->model->field_count - model->first_field)
        return guard_fail(plan->err, GUARD_E_RANGE, "a response of the model has no fields");
    struct gd_policy_endpoint out = {.mode = (uint8_t)plan->guardian->response_mode};
    fill(&out, model);
    if (of != NULL) {
        out.template_text = policy_endpoint(plan, of->final)->template_text;
        if (of->mode >= 0)
            out.mode = (uint8_t)of->mode;
    }
    GUARD_TRY(gd_plan_media(plan, &out.media, model->media_types, model->media_count));
    plan->overlay.count = 0;
    *index = section->count;
    GUARD_TRY(gd_plan_fields(plan, section->count, GD_POLICY_NONE, model->first_field,
                             model->field_count));
    struct gd_policy_endpoint *slot = gd_vector_add(section, 1);
    if (slot == NULL)
        return section->rc;
    *slot = out;
    return GUARD_OK;
}

static enum guard_rc emit_all(struct gd_plan *plan, const struct gd_plan_endpoint *const *found,
                              uint32_t service[GD_POLICY_ANSWERS])
{
    const struct guard_model *model = plan->model;
    for (uint32_t i = 0; i < model->answer_count; i++) {
        const struct guard_model_endpoint *answer = &model->endpoints[model->endpoint_count + i];
        const struct gd_plan_endpoint *of = NULL;
        if (answer->status < 1 || answer->status > GD_POLICY_ANSWERS)
            return guard_fail(plan->err, GUARD_E_RANGE, "a response of the model has no status");
        if (answer->answer_of != GUARD_NO_INDEX) {
            of = answer->answer_of < model->endpoint_count ? found[answer->answer_of] : NULL;
            if (of == NULL) /* its endpoint wasn't taken either */
                continue;
        }
        uint32_t index = GD_POLICY_NONE;
        GUARD_TRY(emit(plan, answer, of, &index));
        uint32_t *links = of == NULL ? service : policy_endpoint(plan, of->final)->answers;
        links[answer->status - 1] = index;
    }
    return GUARD_OK;
}

enum guard_rc gd_plan_answers(struct gd_plan *plan, uint32_t service[GD_POLICY_ANSWERS])
{
    struct gd_vector list;
    const struct gd_plan_endpoint **found = NULL;
    if (plan->model == NULL || plan->model->answer_count == 0)
        return GUARD_OK;
    gd_vector_init(&list, plan->sections[0].alloc, sizeof(struct gd_plan_endpoint *),
                   GD_PLAN_NODES_MAX);
    enum guard_rc rc = find_endpoints(plan, &list, &found);
    if (rc == GUARD_OK)
        rc = emit_all(plan, found, service);
    gd_vector_fini(&list);
    return rc;
}
