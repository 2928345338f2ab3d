/* SPDX-License-Identifier: Apache-2.0 */
/* From path and method to the endpoint: literal segments first, then typed wildcards, then any,
 * then a rest; a branch that leads nowhere is left again, within a budget. When none leads
 * anywhere, once more with typed wildcards open to values that no route is named by. */
#include "decide/decide.h"

enum { VISITS_MAX = 128 };

/* On the way here. */
struct way {
    uint64_t wildcards; /* bit per segment that a wildcard took */
    uint64_t misfits;   /* of these, those whose type the segment isn't of */
    uint32_t left_at;   /* the node whose children the first of them isn't among */
};

struct walk {
    struct gd_decision *decision;
    const struct guard_policy *policy;
    const struct gd_profile *profile;
    uint32_t visits;
    uint64_t values; /* bit per segment that may be a misfit */
    struct way way;
    uint32_t endpoint; /* GD_POLICY_NONE: none so far */
    uint32_t pending;  /* a pending endpoint */
    uint32_t other;    /* node of the path with other methods */
    struct way other_way;
    bool methods_said; /* a person listed the methods of one of them */
    uint32_t stuck;    /* the node farthest on the way */
    uint32_t stuck_at; /* its number of segments */
};

static uint32_t segment_types(const struct gd_segment *segment)
{
    if (segment->text.len < 3)
        return 0;
    switch (segment->text.ptr[1]) {
    case 'i':
        return 1u << GUARD_TYPE_INT;
    case 'u':
        return 1u << GUARD_TYPE_UUID;
    case 'h':
        return 1u << GUARD_TYPE_HEX;
    case 'd':
        return 1u << GUARD_TYPE_DATE;
    case 'e':
        return 1u << GUARD_TYPE_EMAIL;
    case 't':
        return 1u << GUARD_TYPE_TOKEN;
    default:
        return 0;
    }
}

static bool method_is(const struct gd_policy_endpoint *endpoint, struct guard_span method)
{
    if (endpoint->flags & GD_ENDPOINT_ANY_METHOD)
        return true;
    return gd_span_equal(gd_span(endpoint->method, endpoint->method_len), method);
}

/* The path ends here. True when the endpoint is found. */
static bool arrive(struct walk *walk, uint32_t index)
{
    const struct gd_policy_node *node = &walk->policy->nodes[index];
    for (uint32_t i = node->endpoint_first; i < node->endpoint_first + node->endpoint_count; i++) {
        const struct gd_policy_endpoint *endpoint = &walk->policy->endpoints[i];
        if (!method_is(endpoint, walk->profile->method))
            continue;
        if (!(endpoint->flags & GD_ENDPOINT_PENDING)) {
            walk->endpoint = i;
            return true;
        }
        if (walk->pending == GD_POLICY_NONE)
            walk->pending = i;
    }
    walk->methods_said |= (node->flags & GD_NODE_METHODS_SAID) != 0;
    if (node->endpoint_count > 0 && walk->other == GD_POLICY_NONE) {
        walk->other = index;
        walk->other_way = walk->way;
    }
    return false;
}

/* What the segment was before its type took its place: a person may have named it. */
static struct guard_span literal_of(const struct walk *walk, uint32_t at)
{
    const struct gd_profile *profile = walk->profile;
    const struct gd_segment *segment = &profile->segments[at];
    if (!segment->typed || at >= profile->field_count ||
        profile->fields[at].location != GUARD_LOCATION_PATH)
        return segment->text;
    return profile->fields[at].sample;
}

/* Whether the wildcard, a child of node, takes the segment. */
static bool take(struct walk *walk, uint32_t index, uint32_t at,
                 const struct gd_policy_node *wildcard)
{
    const struct gd_segment *segment = &walk->profile->segments[at];
    if ((wildcard->flags & GD_NODE_REST) != 0) {
        walk->way.wildcards |= ~UINT64_C(0) << at;
        return true;
    }
    bool fits =
        wildcard->types == 0 || (segment->typed && (wildcard->types & segment_types(segment)) != 0);
    /* Where new segments prove nothing, neither does this one. */
    if (!fits && ((walk->values >> at & 1) == 0 || walk->policy->nodes[index].strength_path == 0))
        return false;
    if (!fits && walk->way.misfits == 0)
        walk->way.left_at = index;
    walk->way.misfits |= (uint64_t)!fits << at;
    walk->way.wildcards |= UINT64_C(1) << at;
    return true;
}

static bool visit(struct walk *walk, uint32_t index, uint32_t at)
{
    const struct gd_policy_node *node = &walk->policy->nodes[index];
    if (walk->visits++ >= VISITS_MAX)
        return false;
    if (walk->stuck == GD_POLICY_NONE || at > walk->stuck_at) {
        walk->stuck = index;
        walk->stuck_at = at;
    }
    if (at == walk->profile->segment_count)
        return arrive(walk, index);
    if (node->literal_count > 0) {
        uint32_t child = gd_policy_find(walk->policy, index, GD_KEY_NODE, literal_of(walk, at));
        if (child != GD_POLICY_NONE && visit(walk, child, at + 1))
            return true;
    }
    for (uint32_t i = 0; i < node->wildcard_count; i++) {
        uint32_t child = node->child_first + node->literal_count + i;
        const struct gd_policy_node *wildcard = &walk->policy->nodes[child];
        struct way before = walk->way;
        if (take(walk, index, at, wildcard) &&
            ((wildcard->flags & GD_NODE_REST) != 0 ? arrive(walk, child)
                                                   : visit(walk, child, at + 1)))
            return true;
        walk->way = before;
    }
    return false;
}

static void path_unknown(struct walk *walk)
{
    struct gd_decision *decision = walk->decision;
    const struct gd_policy_node *node = &walk->policy->nodes[walk->stuck];
    bool destination = walk->profile->outbound && walk->stuck_at == 0;
    struct gd_candidate candidate = {.rule = destination ? GUARD_RULE_DESTINATION : GUARD_RULE_PATH,
                                     .location = GUARD_LOCATION_PATH,
                                     .field = GD_NO_FIELD,
                                     .known = GD_POLICY_NONE,
                                     .group = GD_GROUP_NONE,
                                     .detail = walk->stuck_at,
                                     .values = node->exchanges,
                                     .clients =
                                         walk->stuck == 0 ? walk->policy->header->clients : 0,
                                     .strength = node->strength_path};
    if (walk->stuck_at < walk->profile->segment_count) {
        if (walk->stuck_at < walk->profile->field_count &&
            walk->profile->fields[walk->stuck_at].location == GUARD_LOCATION_PATH)
            candidate.field = walk->stuck_at;
    } else if (candidate.strength == 0) {
        candidate.strength = node->strength_method;
    }
    gd_candidate_add(decision, &candidate);
}

/* The segment is a value, but in none of those places that were learned it is known. */
static void misfit(const struct walk *walk)
{
    const struct gd_policy_node *node = &walk->policy->nodes[walk->way.left_at];
    uint32_t at = (uint32_t)__builtin_ctzll(walk->way.misfits);
    struct gd_candidate candidate = {.rule = GUARD_RULE_PATH,
                                     .location = GUARD_LOCATION_PATH,
                                     .field = at,
                                     .known = GD_POLICY_NONE,
                                     .group = at,
                                     .detail = at,
                                     .values = node->exchanges,
                                     .strength = node->strength_path};
    walk->decision->strength_path = node->strength_path;
    walk->decision->misfit_limit = gd_misfit_limit(walk->decision, node->strength_path);
    gd_candidate_add(walk->decision, &candidate);
}

/* So many at least. */
static uint32_t clients_at(const struct guard_policy *policy, const struct gd_policy_node *node)
{
    uint32_t clients = 0;
    for (uint32_t i = node->endpoint_first; i < node->endpoint_first + node->endpoint_count; i++)
        clients = policy->endpoints[i].clients > clients ? policy->endpoints[i].clients : clients;
    return clients;
}

static void values_of_others(const struct walk *walk)
{
    struct gd_decision *decision = walk->decision;
    if (!decision->values_only)
        return;
    const struct gd_policy_node *node = &walk->policy->nodes[walk->other];
    decision->methods_at = walk->other;
    decision->wildcards = walk->other_way.wildcards;
    decision->template_text =
        gd_policy_span(walk->policy, walk->policy->endpoints[node->endpoint_first].template_text);
}

static void method_unknown(struct walk *walk)
{
    const struct gd_policy_node *node = &walk->policy->nodes[walk->other];
    struct gd_candidate candidate = {.rule = GUARD_RULE_METHOD,
                                     .location = GUARD_LOCATION_NONE,
                                     .field = GD_NO_FIELD,
                                     .known = GD_POLICY_NONE,
                                     .group = GD_GROUP_NONE,
                                     .values = node->exchanges,
                                     .clients = clients_at(walk->policy, node),
                                     .strength = node->strength_method,
                                     .configured = walk->methods_said};
    if (walk->methods_said)
        candidate.strength = GD_POLICY_CERTAIN;
    walk->decision->template_text =
        gd_policy_span(walk->policy, walk->policy->endpoints[node->endpoint_first].template_text);
    gd_candidate_add(walk->decision, &candidate);
    values_of_others(walk);
}

static void endpoint_pending(struct walk *walk)
{
    const struct gd_policy_endpoint *endpoint = &walk->policy->endpoints[walk->pending];
    const struct gd_policy_node *node = &walk->policy->nodes[endpoint->node];
    bool path = (node->flags & GD_NODE_PENDING) != 0 && node->parent != GD_POLICY_NONE;
    if (path)
        node = &walk->policy->nodes[node->parent];
    struct gd_candidate candidate = {.rule = path ? GUARD_RULE_PATH : GUARD_RULE_METHOD,
                                     .location = path ? GUARD_LOCATION_PATH : GUARD_LOCATION_NONE,
                                     .field = GD_NO_FIELD,
                                     .known = GD_POLICY_NONE,
                                     .group = GD_GROUP_NONE,
                                     .detail = walk->profile->segment_count,
                                     .values = node->exchanges,
                                     .clients = path ? 0 : clients_at(walk->policy, node),
                                     .strength = path ? node->strength_path : node->strength_method,
                                     .pending = true};
    walk->decision->template_text = gd_policy_span(walk->policy, endpoint->template_text);
    gd_candidate_add(walk->decision, &candidate);
}

static void found(const struct walk *walk)
{
    struct gd_decision *decision = walk->decision;
    decision->endpoint_index = walk->endpoint;
    decision->endpoint = &walk->policy->endpoints[walk->endpoint];
    decision->template_text = gd_policy_span(walk->policy, decision->endpoint->template_text);
    decision->wildcards = walk->way.wildcards;
    if (walk->way.misfits != 0)
        misfit(walk);
}

/* The second walk, open to misfits, which leaves no trace when it leads nowhere either. */
static bool found_misfit(const struct walk *walk)
{
    struct walk again = {.decision = walk->decision,
                         .policy = walk->policy,
                         .profile = walk->profile,
                         .values = gd_misfit_segments(walk->profile),
                         .endpoint = GD_POLICY_NONE,
                         .pending = GD_POLICY_NONE,
                         .other = GD_POLICY_NONE,
                         .stuck = GD_POLICY_NONE};
    if (again.values == 0)
        return false;
    if (visit(&again, 0, 0)) {
        found(&again);
        return true;
    }
    if (!walk->decision->values_only || again.other == GD_POLICY_NONE)
        return false;
    again.way = again.other_way;
    values_of_others(&again);
    misfit(&again);
    return true;
}

void gd_walk(struct gd_decision *decision)
{
    struct walk walk = {.decision = decision,
                        .policy = decision->policy,
                        .profile = decision->profile,
                        .endpoint = GD_POLICY_NONE,
                        .pending = GD_POLICY_NONE,
                        .other = GD_POLICY_NONE,
                        .stuck = GD_POLICY_NONE};
    if (visit(&walk, 0, 0))
        found(&walk);
    else if (walk.methods_said)
        method_unknown(&walk);
    else if (walk.pending != GD_POLICY_NONE)
        endpoint_pending(&walk);
    else if (walk.other != GD_POLICY_NONE)
        method_unknown(&walk);
    else if (!found_misfit(&walk))
        path_unknown(&walk);
}
