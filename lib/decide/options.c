/* SPDX-License-Identifier: Apache-2.0 */
/* OPTIONS: nobody's use of it is learned, since browsers and probes send it as they like. But what
 * stands in its target are values of the requests that it asks for, and many services read them
 * before they look at the method: docs/adr/0009-options.md. */
#include "decide/normal.h"

bool gd_options_value(const struct gd_candidate *candidate)
{
    const uint32_t rules = 1u << GUARD_RULE_CHARACTER | 1u << GUARD_RULE_ALPHABET |
                           1u << GUARD_RULE_TRANSITION | 1u << GUARD_RULE_TRANSITIONS |
                           1u << GUARD_RULE_TYPE | 1u << GUARD_RULE_LENGTH |
                           1u << GUARD_RULE_LENGTH_FAR | 1u << GUARD_RULE_DIGITS |
                           1u << GUARD_RULE_SPECIALS | 1u << GUARD_RULE_LITERAL;
    return (candidate->location == GUARD_LOCATION_PATH ||
            candidate->location == GUARD_LOCATION_QUERY) &&
           candidate->known != GD_POLICY_NONE && (rules >> candidate->rule & 1) != 0;
}

/* Which of the methods is asked for isn't believed: a value is strange when all that know its name
 * say so. */
static void judge_value(struct gd_decision *decision, uint32_t index,
                        const struct gd_policy_node *node)
{
    const struct guard_policy *policy = decision->policy;
    const struct gd_field *field = &decision->profile->fields[index];
    uint32_t strange = GD_POLICY_NONE;
    for (uint32_t i = node->endpoint_first; i < node->endpoint_first + node->endpoint_count; i++) {
        if (policy->endpoints[i].flags & GD_ENDPOINT_PENDING)
            continue;
        const struct gd_policy_slot *slot =
            gd_policy_lookup(policy, i, field->location, field->name);
        if (slot == NULL)
            continue;
        if (gd_field_is_normal(policy, gd_policy_slot_field(policy, slot), field, decision->memo))
            return;
        if (strange == GD_POLICY_NONE)
            strange = slot->value;
    }
    if (strange != GD_POLICY_NONE)
        gd_rules_field(decision, index, strange);
}

uint32_t gd_rules_options(struct gd_decision *decision)
{
    const struct guard_policy *policy = decision->policy;
    const struct gd_policy_node *node = &policy->nodes[decision->methods_at];
    uint32_t mode = policy->header->request_mode;
    for (uint32_t i = node->endpoint_first; i < node->endpoint_first + node->endpoint_count; i++)
        mode = policy->endpoints[i].mode < mode ? policy->endpoints[i].mode : mode;
    for (uint32_t i = 0; i < decision->profile->field_count; i++) {
        enum guard_location location = decision->profile->fields[i].location;
        bool wild = i < 64 && (decision->wildcards >> i & 1) != 0;
        if (location == GUARD_LOCATION_QUERY || (location == GUARD_LOCATION_PATH && wild))
            judge_value(decision, i, node);
    }
    return mode;
}
