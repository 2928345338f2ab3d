/* SPDX-License-Identifier: Apache-2.0 */
/* Finds each field of the exchange in the policy; names that aren't there, and those that are
 * missing. */
#include "decide/normal.h"

#include "base/arena.h"
#include "profile/memo.h"

enum {
    NAME_OFF = 0xfffffffe
}; /* not to be judged: below an unknown name, or without an endpoint */

static bool is_of_body(enum guard_location location)
{
    return location != GUARD_LOCATION_PATH && location != GUARD_LOCATION_QUERY;
}

static void unknown(struct gd_decision *decision, uint32_t index)
{
    const struct gd_policy_endpoint *endpoint = decision->endpoint;
    const struct gd_field *field = &decision->profile->fields[index];
    const struct gd_policy_field *parent = NULL;
    if (field->parent != GD_NO_FIELD)
        parent = &decision->policy->fields[decision->known[field->parent]];
    bool shared =
        field->location == GUARD_LOCATION_HEADER || field->location == GUARD_LOCATION_COOKIE;
    struct gd_candidate candidate = {.rule = GUARD_RULE_NAME,
                                     .location = field->location,
                                     .field = index,
                                     .known = GD_POLICY_NONE,
                                     .group = index};
    if (shared) {
        candidate.values = decision->common.exchanges;
        candidate.clients = decision->common.clients;
        candidate.strength = decision->common.strength[GUARD_RULE_NAME];
    } else if ((endpoint->flags & GD_ENDPOINT_UNSEEN) != 0 && is_of_body(field->location) &&
               (endpoint->flags & GD_ENDPOINT_CLOSED) == 0) {
        return;
    } else if (endpoint->flags & GD_ENDPOINT_CLOSED) {
        candidate.configured = true;
        candidate.strength = GD_POLICY_CERTAIN;
    } else if (parent != NULL) {
        candidate.values = parent->values;
        candidate.clients = parent->clients;
        candidate.strength = parent->flags & GD_FIELD_OPEN ? 0 : parent->strength[GUARD_RULE_NAME];
    } else {
        candidate.values = endpoint->exchanges;
        candidate.clients = endpoint->clients;
        candidate.strength = endpoint->strength[GUARD_RULE_NAME];
    }
    gd_candidate_add(decision, &candidate);
    gd_rules_likeness(decision, index, GD_POLICY_NONE);
}

/* Below an unknown name or path nothing is known of a value; literal segments are templates. */
static __attribute__((noinline)) void off(struct gd_decision *decision, uint32_t index)
{
    if (decision->profile->fields[index].location != GUARD_LOCATION_PATH ||
        decision->endpoint == NULL)
        gd_rules_likeness(decision, index, GD_POLICY_NONE);
}

/* An endpoint's own header or cookie. */
static __attribute__((noinline)) const struct gd_policy_slot *
find_own(const struct gd_decision *decision, const struct gd_field *field)
{
    return gd_policy_lookup(decision->policy, decision->endpoint_index, field->location,
                            field->name);
}

static void count_members(struct gd_decision *decision, const struct gd_field *field,
                          const struct gd_policy_field *known)
{
    const uint32_t containers = 1u << GUARD_TYPE_OBJECT | 1u << GUARD_TYPE_ARRAY;
    if (field->summary.types & containers)
        decision->required += known->required.count;
    if (known->shadow != GD_POLICY_NONE)
        decision->found += decision->policy->fields[known->shadow].flags & GD_FIELD_REQUIRED;
}

/* What the loop over the fields asks of the decision again and again. */
struct scope {
    const struct guard_policy *policy;
    const uint32_t *known;
    uint64_t wildcards;
    uint32_t endpoint; /* GD_POLICY_NONE without one */
    uint32_t common;   /* owner of headers and cookies */
    bool common_known;
    bool own_headers;
    struct guard_memo *memo; /* of headers, while their owner is `common` */
};

/* A header that was found under this policy before, with the same features, and in which nothing
 * deviated. */
static inline const struct gd_policy_field *
find_remembered(const struct scope *scope, const struct gd_memo_header *place, uint32_t *known)
{
    if (place == NULL || place->policy != scope->policy->identity || place->owner != scope->common)
        return NULL;
    *known = place->known;
    return &scope->policy->fields[place->known];
}

static inline void remember(const struct scope *scope, struct gd_memo_header *place, uint32_t known)
{
    if (place == NULL)
        return;
    place->policy = scope->policy->identity;
    place->owner = scope->common;
    place->known = known;
}

/* The slot of the field in the policy; or NULL and in *why GD_POLICY_NONE for an unknown one,
 * NAME_OFF. */
static inline __attribute__((always_inline)) const struct gd_policy_slot *
find(const struct gd_decision *decision, const struct scope *scope, const struct gd_field *field,
     uint32_t *why)
{
    const uint32_t shared = 1u << GUARD_LOCATION_HEADER | 1u << GUARD_LOCATION_COOKIE;
    uint32_t owner = scope->endpoint;
    uint32_t kind = field->location;
    *why = NAME_OFF;
    if (1u << kind & shared) {
        owner = scope->common;
        if (!scope->common_known)
            return NULL;
        if (scope->own_headers) {
            const struct gd_policy_slot *own = find_own(decision, field);
            if (own != NULL)
                return own;
        }
    } else if (owner == GD_POLICY_NONE) {
        return NULL;
    } else if (field->parent != GD_NO_FIELD) {
        owner = scope->known[field->parent];
        kind = GD_KEY_MEMBER;
        if (owner >= NAME_OFF)
            return NULL;
    } else if (kind == GUARD_LOCATION_PATH) {
        size_t index = (size_t)(field - decision->profile->fields);
        return index < 64 && (scope->wildcards >> index & 1)
                   ? gd_policy_lookup(scope->policy, owner, kind, field->name)
                   : NULL;
    }
    *why = GD_POLICY_NONE;
    return gd_policy_lookup(scope->policy, owner, kind, field->name);
}

static void missing(struct gd_decision *decision, const uint64_t *seen,
                    struct gd_policy_range range)
{
    for (uint32_t i = range.first; i < range.first + range.count; i++) {
        uint32_t index = decision->policy->required[i];
        const struct gd_policy_field *known = &decision->policy->fields[index];
        if (seen[index / 64] >> (index & 63) & 1)
            continue;
        /* What has no body doesn't lack what is in it. */
        if (decision->bodyless && known->location != GUARD_LOCATION_HEADER &&
            known->location != GUARD_LOCATION_COOKIE)
            continue;
        struct gd_candidate candidate = {
            .rule = GUARD_RULE_MISSING,
            .location = (enum guard_location)known->location,
            .field = GD_NO_FIELD,
            .known = index,
            .group = GD_GROUP_NONE,
            .values = known->values,
            .clients = known->clients,
            .strength = known->strength[GUARD_RULE_MISSING],
            .configured = (known->configured >> (unsigned)GUARD_RULE_MISSING & 1) != 0};
        gd_candidate_add(decision, &candidate);
    }
}

/* The counts say that names are missing: which ones. */
static void find_missing(struct gd_decision *decision)
{
    const struct guard_policy *policy = decision->policy;
    const struct gd_profile *profile = decision->profile;
    size_t words = policy->field_count / 64 + 1;
    uint64_t *seen = gd_arena_get(decision->arena, words * sizeof(*seen));
    if (seen == NULL) {
        gd_rules_faults(decision, GUARD_LOCATION_NONE, UINT64_C(1) << GUARD_FAULT_MEMORY);
        return;
    }
    memset(seen, 0, words * sizeof(*seen));
    for (uint32_t i = 0; i < profile->field_count; i++) {
        uint32_t known = decision->known[i];
        if (known >= NAME_OFF)
            continue;
        seen[known / 64] |= UINT64_C(1) << (known & 63);
        uint32_t shadow = policy->fields[known].shadow;
        if (shadow != GD_POLICY_NONE)
            seen[shadow / 64] |= UINT64_C(1) << (shadow & 63);
    }
    missing(decision, seen, decision->common.required);
    if (decision->endpoint != NULL && decision->common.owner != decision->endpoint_index)
        missing(decision, seen, decision->endpoint->required);
    for (uint32_t i = 0; i < profile->field_count; i++) {
        const uint32_t containers = 1u << GUARD_TYPE_OBJECT | 1u << GUARD_TYPE_ARRAY;
        if (decision->known[i] < NAME_OFF && (profile->fields[i].summary.types & containers))
            missing(decision, seen, policy->fields[decision->known[i]].required);
    }
}

/* A stream is looked at again and again: what it took once serves the next time, too. */
static bool reserve_known(struct gd_decision *decision, uint32_t count)
{
    if (decision->known_cap != 0 && decision->known_cap >= count)
        return true;
    uint32_t cap = decision->partial ? 2 * count + 16 : count + 1;
    decision->known = gd_arena_get(decision->arena, cap * sizeof(*decision->known));
    decision->known_cap = decision->known == NULL ? 0 : cap;
    return decision->known != NULL;
}

void gd_rules_fields(struct gd_decision *decision)
{
    const struct gd_profile *profile = decision->profile;
    if (!reserve_known(decision, profile->field_count)) {
        gd_rules_faults(decision, GUARD_LOCATION_NONE, UINT64_C(1) << GUARD_FAULT_MEMORY);
        return;
    }
    decision->found = 0;
    decision->required = decision->common.required.count;
    struct scope scope = {.policy = decision->policy,
                          .known = decision->known,
                          .wildcards = decision->wildcards,
                          .endpoint = GD_POLICY_NONE,
                          .common = decision->common.owner,
                          .common_known = decision->common.known,
                          .memo = profile->memo};
    if (decision->endpoint != NULL) {
        if (decision->endpoint_index != decision->common.owner)
            decision->required += decision->endpoint->required.count;
        scope.endpoint = decision->endpoint_index;
        scope.own_headers = (decision->endpoint->flags & GD_ENDPOINT_HEADERS) != 0;
    }
    if (scope.own_headers || !scope.common_known)
        scope.memo = NULL;
    uint32_t found = 0;
    uint32_t *known_index = decision->known;
    const struct gd_field *end = profile->fields + profile->field_count;
    for (const struct gd_field *field = profile->fields; field < end; field++, known_index++) {
        struct gd_memo_header *place = gd_memo_place(scope.memo, &field->summary);
        const struct gd_policy_field *known = find_remembered(&scope, place, known_index);
        if (known != NULL) {
            found += known->flags & GD_FIELD_REQUIRED;
            continue;
        }
        const struct gd_policy_slot *slot = find(decision, &scope, field, known_index);
        if (slot == NULL) {
            if (*known_index == GD_POLICY_NONE)
                unknown(decision, (uint32_t)(field - profile->fields));
            else if (field->summary.likeness != 0)
                off(decision, (uint32_t)(field - profile->fields));
            continue;
        }
        *known_index = slot->value;
        known = gd_policy_slot_field(scope.policy, slot);
        found += known->flags & GD_FIELD_REQUIRED;
        if (known->flags & GD_FIELD_COUNTS)
            count_members(decision, field, known);
        if (!gd_field_is_normal(scope.policy, known, field, decision->memo))
            gd_rules_field(decision, (uint32_t)(field - profile->fields), slot->value);
        else if ((known->flags & GD_FIELD_COUNTS) == 0)
            remember(&scope, place, slot->value);
    }
    decision->found += found;
    /* When not all features are here, nothing can be said of what isn't. */
    if (decision->found < decision->required && !profile->cut && !decision->partial)
        find_missing(decision);
}
