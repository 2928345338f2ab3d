/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that only responses have: their status, and what leaks. */
#include "decide/decide.h"

static void deviates(struct gd_decision *decision, enum guard_rule rule,
                     enum guard_location location, uint32_t detail, uint16_t strength,
                     uint32_t values, uint32_t clients)
{
    const struct gd_candidate candidate = {.rule = rule,
                                           .location = location,
                                           .field = GD_NO_FIELD,
                                           .known = GD_POLICY_NONE,
                                           .group = GD_GROUP_NONE,
                                           .detail = detail,
                                           .values = values,
                                           .clients = clients,
                                           .strength = strength};
    gd_candidate_add(decision, &candidate);
}

static void violates(struct gd_decision *decision, enum guard_rule rule,
                     enum guard_location location, uint32_t detail)
{
    const struct gd_candidate candidate = {.rule = rule,
                                           .location = location,
                                           .field = GD_NO_FIELD,
                                           .known = GD_POLICY_NONE,
                                           .group = GD_GROUP_NONE,
                                           .detail = detail,
                                           .strength = GD_POLICY_CERTAIN,
                                           .configured = true};
    gd_candidate_add(decision, &candidate);
}

/* What a person allows at the endpoint, or everywhere. Empty: nothing is said. */
static struct gd_policy_range allowed_statuses(const struct gd_decision *decision,
                                               const struct gd_decision *request)
{
    const struct gd_policy_endpoint *endpoint = request->endpoint;
    if (endpoint != NULL && request->misfit_limit == UINT16_MAX && endpoint->allowed.count > 0)
        return endpoint->allowed;
    return decision->policy->header->allowed;
}

static bool is_allowed(const struct guard_policy *policy, struct gd_policy_range allowed,
                       uint32_t status)
{
    for (uint32_t i = allowed.first; i < allowed.first + allowed.count; i++) {
        if (policy->statuses[i].first <= status && status <= policy->statuses[i].last)
            return true;
    }
    return false;
}

/* The service answered so before, whatever a person says of it. */
static bool is_learned(const struct gd_decision *decision)
{
    return decision->common.known &&
           (decision->policy->endpoints[decision->common.owner].flags & GD_ENDPOINT_LEARNED) != 0;
}

/* Requests fail with 4xx everywhere; that one succeeds in another way than ever, or breaks a
 * service that never broke, is a deviation. Where a person lists statuses, only these count. */
static void status(struct gd_decision *decision, const struct gd_decision *request)
{
    const struct gd_policy_header *header = decision->policy->header;
    const struct gd_policy_endpoint *endpoint = request->endpoint;
    const struct gd_policy_range allowed = allowed_statuses(decision, request);
    uint32_t cls = decision->profile->status / 100;
    if (allowed.count > 0) {
        if (!is_allowed(decision->policy, allowed, decision->profile->status))
            violates(decision, GUARD_RULE_STATUS, GUARD_LOCATION_NONE, decision->profile->status);
        return;
    }
    if (cls >= 5 && !is_learned(decision) && (header->flags & GD_POLICY_LEARNED) != 0)
        deviates(decision, GUARD_RULE_STATUS, GUARD_LOCATION_NONE, decision->profile->status,
                 header->strength[GUARD_RULE_STATUS], header->exchanges, header->clients);
    if (cls < 4 && endpoint != NULL && endpoint->statuses != 0 &&
        (endpoint->statuses >> cls & 1) == 0)
        deviates(decision, GUARD_RULE_STATUS, GUARD_LOCATION_NONE, decision->profile->status,
                 endpoint->strength[GUARD_RULE_STATUS], endpoint->exchanges, endpoint->clients);
}

/* Where nothing is known of the endpoint's responses, what the service shows elsewhere. */
static void leaks(struct gd_decision *decision)
{
    const struct gd_policy_endpoint *norm = decision->endpoint;
    if (norm == NULL && decision->common.known && decision->common.owner != GD_POLICY_NONE)
        norm = &decision->policy->endpoints[decision->common.owner];
    uint32_t success = decision->policy->header->answers[1];
    if (norm == NULL && success != GD_POLICY_NONE)
        norm = &decision->policy->endpoints[success];
    if (norm == NULL)
        return;
    uint32_t forbidden = norm->leaks_forbidden;
    for (uint32_t bad = decision->profile->leaks & forbidden; bad != 0; bad &= bad - 1)
        violates(decision, GUARD_RULE_LEAK, GUARD_LOCATION_BODY, (uint32_t)__builtin_ctz(bad));
    for (uint32_t fresh = decision->profile->leaks & ~norm->leaks & ~forbidden; fresh != 0;
         fresh &= fresh - 1)
        deviates(decision, GUARD_RULE_LEAK, GUARD_LOCATION_BODY, (uint32_t)__builtin_ctz(fresh),
                 norm->strength[GUARD_RULE_LEAK], norm->exchanges, norm->clients);
}

void gd_rules_answer(struct gd_decision *decision, const struct gd_decision *request)
{
    status(decision, request);
    leaks(decision);
}
