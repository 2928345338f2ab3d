/* SPDX-License-Identifier: Apache-2.0 */
/* What a person says of responses, by class of status: their content is that of success, and what
 * fails is said apart, or criteria for documents would refuse every error message. */
#include "policy/plan.h"

enum { UPGRADE = 1, SUCCESS = 2, FAILURE_FIRST = 4 }; /* classes of status */

static enum guard_rc rule_check(const struct gd_plan *plan, const struct guard_response_rule *rule)
{
    uint32_t leaks = rule->leaks_allowed | rule->leaks_forbidden;
    if ((rule->leaks_allowed & rule->leaks_forbidden) != 0 || leaks >> GUARD_LEAK_COUNT != 0)
        return guard_fail(plan->err, GUARD_E_RANGE, "a kind of leak is allowed and forbidden");
    if (rule->status_count > GUARD_GUARDIAN_STATUSES_MAX)
        return guard_fail(plan->err, GUARD_E_LIMIT, "a response has at most %d statuses",
                          (int)GUARD_GUARDIAN_STATUSES_MAX);
    for (uint32_t i = 0; i < rule->status_count; i++) {
        if (rule->statuses[i].first < 100 || rule->statuses[i].last > 599 ||
            rule->statuses[i].first > rule->statuses[i].last)
            return guard_fail(plan->err, GUARD_E_RANGE, "a status is a number from 100 to 599");
    }
    for (uint32_t i = 0; i < rule->field_count; i++) {
        if ((GD_LOCATIONS_ANSWER >> (unsigned)rule->fields[i].location & 1) == 0)
            return guard_fail(plan->err, GUARD_E_RANGE, "a response has no \"%s\"",
                              guard_location_name(rule->fields[i].location));
    }
    return GUARD_OK;
}

static enum guard_rc both_check(const struct gd_plan *plan, const struct guard_response_rule *rule)
{
    if (rule == NULL)
        return GUARD_OK;
    GUARD_TRY(rule_check(plan, rule));
    if (rule->failures == NULL)
        return GUARD_OK;
    if (rule->failures->failures != NULL || rule->failures->status_count > 0)
        return guard_fail(plan->err, GUARD_E_RANGE,
                          "failures have neither statuses nor failures of their own");
    return rule_check(plan, rule->failures);
}

enum guard_rc gd_plan_answer_rules_check(const struct gd_plan *plan)
{
    const struct guard_guardian *guardian = plan->guardian;
    GUARD_TRY(both_check(plan, guardian->response));
    for (uint32_t i = 0; i < guardian->endpoint_count; i++)
        GUARD_TRY(both_check(plan, guardian->endpoints[i].response));
    return GUARD_OK;
}

static const struct guard_response_rule *rule_of(const struct gd_plan *plan, uint32_t index,
                                                 const struct gd_plan_endpoint *endpoint)
{
    const struct gd_plan_rule *rule = gd_plan_rule(plan, index);
    if (rule->rule->response == NULL || !gd_rule_has_method(rule->rule, endpoint->method) ||
        !gd_rule_covers(plan, rule, endpoint->node))
        return NULL;
    return rule->rule->response;
}

bool gd_answer_is_said(const struct gd_plan *plan, const struct gd_plan_endpoint *endpoint)
{
    for (uint32_t i = 0; i < plan->rules.count; i++) {
        if (rule_of(plan, i, endpoint) != NULL)
            return true;
    }
    return false;
}

static enum guard_rc add(struct gd_plan *plan, const struct guard_response_rule *rule, bool content,
                         uint32_t locations, struct gd_plan_said *out)
{
    if (rule->body_max >= 0)
        out->body_max = rule->body_max;
    out->leaks_allowed = (out->leaks_allowed & ~rule->leaks_forbidden) | rule->leaks_allowed;
    out->leaks_forbidden = (out->leaks_forbidden & ~rule->leaks_allowed) | rule->leaks_forbidden;
    if (content && rule->media_count > 0)
        out->media = rule;
    out->closed |= content && rule->closed;
    return gd_overlay_add(plan, rule->fields, rule->field_count,
                          content ? locations : locations & GD_LOCATIONS_SHARED);
}

static enum guard_rc add_both(struct gd_plan *plan, const struct guard_response_rule *rule,
                              uint32_t cls, uint32_t locations, struct gd_plan_said *out)
{
    if (rule == NULL)
        return GUARD_OK;
    /* Behind an upgrade there are messages alone. */
    uint32_t at =
        cls == UPGRADE ? locations & (GD_LOCATIONS_SHARED | GD_LOCATIONS_MESSAGES) : locations;
    GUARD_TRY(add(plan, rule, cls <= SUCCESS, at, out));
    if (cls == UPGRADE)
        out->media = NULL;
    if (cls < FAILURE_FIRST || rule->failures == NULL)
        return GUARD_OK;
    return add(plan, rule->failures, true, locations, out);
}

static bool is_said_of_header(const struct gd_plan *plan, struct guard_span name)
{
    const struct gd_plan_overlay *overlay = (const void *)plan->overlay.ptr;
    for (uint32_t i = 0; i < plan->overlay.count; i++) {
        if (overlay[i].criterion->location == GUARD_LOCATION_HEADER &&
            gd_span_equal_nocase(overlay[i].criterion->name, name))
            return true;
    }
    return false;
}

/* Who lists the types says what the header may be. */
static enum guard_rc finish(struct gd_plan *plan, uint32_t locations,
                            const struct gd_plan_said *said)
{
    if (said->media != NULL && !is_said_of_header(plan, gd_content_type_said.name))
        GUARD_TRY(gd_overlay_add(plan, &gd_content_type_said, 1, locations));
    gd_overlay_sort(plan);
    return GUARD_OK;
}

enum guard_rc gd_answer_said_service(struct gd_plan *plan, uint32_t cls, uint32_t locations,
                                     struct gd_plan_said *out)
{
    *out = (struct gd_plan_said){.body_max = -1};
    plan->overlay.count = 0;
    GUARD_TRY(add_both(plan, plan->guardian->response, cls, locations, out));
    return finish(plan, locations, out);
}

enum guard_rc gd_answer_said_endpoint(struct gd_plan *plan, const struct gd_plan_endpoint *endpoint,
                                      uint32_t cls, struct gd_plan_said *out)
{
    GUARD_TRY(gd_answer_said_service(plan, cls, ~(uint32_t)GD_LOCATIONS_SHARED, out));
    for (uint32_t i = 0; i < plan->rules.count; i++)
        GUARD_TRY(add_both(plan, rule_of(plan, i, endpoint), cls, UINT32_MAX, out));
    return finish(plan, UINT32_MAX, out);
}
