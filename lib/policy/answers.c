/* SPDX-License-Identifier: Apache-2.0 */
/* What a service answers with: responses are endpoints that no path leads to, but their request's
 * endpoint, or the service. What a person says of them lies over what was learned, and makes
 * responses of which nothing was. */
#include "policy/plan.h"

enum { FAILURE_FIRST = 4 }; /* class of status: what fails is learned of the service as a whole */

/* Responses of the model by class of status, of each of its endpoints and then of the service. */
struct learned {
    const struct guard_model_endpoint **list;
    uint32_t service; /* row */
};

/* A response at work. */
struct answering {
    const struct guard_model_endpoint *model; /* NULL: nothing was learned of it */
    const struct gd_plan_endpoint *of;        /* its request's endpoint; NULL: the service */
    uint32_t cls;
    struct gd_plan_said said; /* its criteria are in the overlay */
};

static const struct guard_model_endpoint *learned_at(const struct learned *learned, uint32_t row,
                                                     uint32_t cls)
{
    if (learned->list == NULL || row > learned->service)
        return NULL;
    return learned->list[(size_t)row * GD_POLICY_ANSWERS + cls - 1];
}

static const struct guard_model_endpoint *
learned_of(const struct learned *learned, const struct gd_plan_endpoint *of, uint32_t cls)
{
    if (of == NULL || cls >= FAILURE_FIRST)
        return learned_at(learned, learned->service, cls);
    return of->model == GD_POLICY_NONE ? NULL : learned_at(learned, of->model, cls);
}

static enum guard_rc find_learned(const struct gd_plan *plan, struct gd_vector *list,
                                  struct learned *out)
{
    const struct guard_model *model = plan->model;
    *out = (struct learned){NULL, 0};
    if (model == NULL || model->answer_count == 0)
        return GUARD_OK;
    if (model->endpoint_count >= GD_PLAN_NODES_MAX)
        return GUARD_E_LIMIT;
    out->service = model->endpoint_count;
    out->list = gd_vector_add(list, (model->endpoint_count + 1) * GD_POLICY_ANSWERS);
    if (out->list == NULL)
        return list->rc;
    for (uint32_t i = 0; i < model->answer_count; i++) {
        const struct guard_model_endpoint *answer = &model->endpoints[model->endpoint_count + i];
        uint32_t row = answer->answer_of == GUARD_NO_INDEX ? out->service : answer->answer_of;
        if (answer->status < 1 || answer->status > GD_POLICY_ANSWERS)
            return guard_fail(plan->err, GUARD_E_RANGE, "a response of the model has no status");
        if (answer->first_field > model->field_count ||
            answer->field_count > model->field_count - answer->first_field)
            return guard_fail(plan->err, GUARD_E_RANGE, "a response of the model has no fields");
        if (row <= out->service)
            out->list[(size_t)row * GD_POLICY_ANSWERS + answer->status - 1] = answer;
    }
    return GUARD_OK;
}

static struct gd_policy_endpoint *policy_endpoint(struct gd_plan *plan, uint32_t index)
{
    return (struct gd_policy_endpoint *)(void *)plan->sections[GD_SECTION_ENDPOINTS].ptr + index;
}

static void fill_learned(struct gd_policy_endpoint *out, const struct guard_model_endpoint *model)
{
    out->flags |= GD_ENDPOINT_LEARNED;
    memcpy(out->faults, model->faults, sizeof(out->faults));
    memcpy(out->strength, model->strength, sizeof(model->strength));
    if (model->strength[GUARD_RULE_SIZE] != 0)
        out->body_max = model->body_seen ? model->body_max : 0;
    if (model->strength[GUARD_RULE_DEPTH] != 0)
        out->depth_max = model->depth_max;
    out->leaks = (uint16_t)model->leaks;
    out->exchanges = gd_saturate(model->exchanges);
    out->clients = model->clients;
}

/* Where nothing was learned, what the service answers with elsewhere holds as if no person had said
 * anything: its faults, and what it shows. */
static void fill_elsewhere(struct gd_policy_endpoint *out, const struct learned *learned,
                           uint32_t cls)
{
    enum { SUCCESS = 2 };
    const struct guard_model_endpoint *same = learned_at(learned, learned->service, cls);
    const struct guard_model_endpoint *shown = same;
    memset(out->faults, 0xff, sizeof(out->faults));
    if (shown == NULL)
        shown = learned_at(learned, learned->service, SUCCESS);
    if (shown == NULL)
        return;
    out->leaks = (uint16_t)shown->leaks;
    out->strength[GUARD_RULE_LEAK] = shown->strength[GUARD_RULE_LEAK];
    out->exchanges = gd_saturate(shown->exchanges);
    out->clients = shown->clients;
    if (same == NULL)
        return;
    memcpy(out->faults, same->faults, sizeof(out->faults));
    out->strength[GUARD_RULE_FAULT] = same->strength[GUARD_RULE_FAULT];
}

static void configure(struct gd_policy_endpoint *out, enum guard_rule rule)
{
    out->configured |= 1u << (unsigned)rule;
    out->strength[rule] = GD_POLICY_CERTAIN;
}

static void fill_said(struct gd_policy_endpoint *out, const struct gd_plan_said *said)
{
    if (said->body_max >= 0) {
        out->body_max = gd_saturate((uint64_t)said->body_max);
        configure(out, GUARD_RULE_SIZE);
        configure(out, GUARD_RULE_SIZE_FAR);
    }
    if (said->media != NULL)
        configure(out, GUARD_RULE_CONTENT_TYPE);
    if (said->closed) {
        out->flags |= GD_ENDPOINT_CLOSED;
        configure(out, GUARD_RULE_NAME);
    }
    out->leaks = (uint16_t)((out->leaks | said->leaks_allowed) & ~said->leaks_forbidden);
    out->leaks_forbidden = (uint16_t)said->leaks_forbidden;
}

static enum guard_rc emit_media(struct gd_plan *plan, struct gd_policy_endpoint *out,
                                const struct answering *answering)
{
    const struct guard_response_rule *said = answering->said.media;
    const struct guard_model_endpoint *model = answering->model;
    if (said != NULL)
        return gd_plan_media(plan, &out->media, said->media_types, said->media_count);
    return gd_plan_media(plan, &out->media, model != NULL ? model->media_types : NULL,
                         model != NULL ? model->media_count : 0);
}

static enum guard_rc emit(struct gd_plan *plan, const struct learned *learned,
                          const struct answering *answering, uint32_t *index)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_ENDPOINTS];
    const struct guard_model_endpoint *model = answering->model;
    const struct gd_plan_endpoint *of = answering->of;
    struct gd_policy_endpoint out = {.node = GD_POLICY_NONE,
                                     .flags = GD_ENDPOINT_ANSWER,
                                     .status = (uint8_t)answering->cls,
                                     .mode = (uint8_t)plan->guardian->response_mode,
                                     .body_max = UINT32_MAX,
                                     .depth_max = UINT32_MAX};
    memset(out.answers, 0xff, sizeof(out.answers));
    if (model != NULL)
        fill_learned(&out, model);
    else
        fill_elsewhere(&out, learned, answering->cls);
    fill_said(&out, &answering->said);
    if (of != NULL) {
        out.template_text = policy_endpoint(plan, of->final)->template_text;
        if (of->mode >= 0)
            out.mode = (uint8_t)of->mode;
        if (gd_overlay_has_headers(plan))
            out.flags |= GD_ENDPOINT_HEADERS;
    }
    GUARD_TRY(emit_media(plan, &out, answering));
    GUARD_TRY(gd_plan_statuses(plan, &out.allowed, NULL));
    *index = section->count;
    GUARD_TRY(gd_plan_fields(plan, section->count, GD_POLICY_NONE,
                             model != NULL ? model->first_field : 0,
                             model != NULL ? model->field_count : 0));
    struct gd_policy_endpoint *slot = gd_vector_add(section, 1);
    if (slot == NULL)
        return section->rc;
    *slot = out;
    return GUARD_OK;
}

/* The service's responses: their headers and cookies, what fails with all it has. Where their
 * headers and cookies lie in FIELDS goes to `shared`, by class. */
static enum guard_rc emit_service(struct gd_plan *plan, const struct learned *learned,
                                  struct gd_policy_header *header,
                                  struct gd_policy_range shared[GD_POLICY_ANSWERS])
{
    plan->shared = (struct gd_policy_range){0, 0};
    for (uint32_t cls = 1; cls <= GD_POLICY_ANSWERS; cls++) {
        bool fails = cls >= FAILURE_FIRST;
        struct answering answering = {.model = learned_of(learned, NULL, cls), .cls = cls};
        struct gd_policy_range *range = &shared[cls - 1];
        *range = (struct gd_policy_range){plan->sections[GD_SECTION_FIELDS].count, 0};
        GUARD_TRY(gd_answer_said_service(
            plan, cls, fails ? UINT32_MAX : (uint32_t)GD_LOCATIONS_SHARED, &answering.said));
        if (answering.model == NULL && plan->overlay.count == 0 &&
            !(fails && plan->guardian->response != NULL))
            continue;
        GUARD_TRY(emit(plan, learned, &answering, &header->answers[cls - 1]));
        range->count = plan->sections[GD_SECTION_FIELDS].count - range->first;
    }
    return GUARD_OK;
}

/* What is said of every response must hold where no endpoint says what is normal, too. */
static enum guard_rc emit_others(struct gd_plan *plan, const struct learned *learned,
                                 struct gd_policy_header *header)
{
    if (plan->guardian->response == NULL)
        return GUARD_OK;
    for (uint32_t cls = 1; cls < FAILURE_FIRST; cls++) {
        struct answering answering = {.cls = cls};
        GUARD_TRY(
            gd_answer_said_service(plan, cls, ~(uint32_t)GD_LOCATIONS_SHARED, &answering.said));
        GUARD_TRY(emit(plan, learned, &answering, &header->others[cls - 1]));
    }
    return GUARD_OK;
}

static enum guard_rc emit_endpoint(struct gd_plan *plan, const struct learned *learned,
                                   const struct gd_policy_range shared[GD_POLICY_ANSWERS],
                                   const struct gd_plan_endpoint *of)
{
    bool said = gd_answer_is_said(plan, of);
    for (uint32_t cls = 1; cls <= GD_POLICY_ANSWERS; cls++) {
        struct answering answering = {.model = learned_of(learned, of, cls), .of = of, .cls = cls};
        if (!said && (answering.model == NULL || cls >= FAILURE_FIRST))
            continue;
        uint32_t index = GD_POLICY_NONE;
        GUARD_TRY(gd_answer_said_endpoint(plan, of, cls, &answering.said));
        plan->shared = shared[cls - 1];
        /* Of what fails the learned headers and cookies are found at the service. */
        plan->skip_shared = cls >= FAILURE_FIRST;
        enum guard_rc rc = emit(plan, learned, &answering, &index);
        plan->skip_shared = false;
        GUARD_TRY(rc);
        policy_endpoint(plan, of->final)->answers[cls - 1] = index;
    }
    return GUARD_OK;
}

static enum guard_rc emit_all(struct gd_plan *plan, const struct learned *learned,
                              struct gd_policy_header *header)
{
    struct gd_policy_range shared[GD_POLICY_ANSWERS];
    GUARD_TRY(emit_service(plan, learned, header, shared));
    GUARD_TRY(emit_others(plan, learned, header));
    for (uint32_t i = 0; i < plan->endpoints.count; i++)
        GUARD_TRY(emit_endpoint(plan, learned, shared, gd_plan_endpoint(plan, i)));
    return GUARD_OK;
}

enum guard_rc gd_plan_answers(struct gd_plan *plan, struct gd_policy_header *header)
{
    struct gd_vector list;
    struct learned learned;
    gd_vector_init(&list, plan->sections[0].alloc, sizeof(const struct guard_model_endpoint *),
                   (GD_PLAN_NODES_MAX + 1) * GD_POLICY_ANSWERS);
    enum guard_rc rc = find_learned(plan, &list, &learned);
    if (rc == GUARD_OK)
        rc = emit_all(plan, &learned, header);
    gd_vector_fini(&list);
    return rc;
}
