/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on the request or the response as a whole. */
#include "decide/decide.h"
#include "profile/record.h"

static void deviates(struct gd_decision *decision, enum guard_rule rule, uint32_t detail,
                     uint32_t expected)
{
    const struct gd_policy_endpoint *endpoint = decision->endpoint;
    bool body = rule == GUARD_RULE_SIZE || rule == GUARD_RULE_SIZE_FAR || rule == GUARD_RULE_DEPTH;
    struct gd_candidate candidate = {.rule = rule,
                                     .location = body ? GUARD_LOCATION_BODY : GUARD_LOCATION_NONE,
                                     .field = GD_NO_FIELD,
                                     .known = GD_POLICY_NONE,
                                     .group = GD_GROUP_NONE,
                                     .detail = detail,
                                     .expected = expected,
                                     .values = endpoint->exchanges,
                                     .clients = endpoint->clients,
                                     .strength = endpoint->strength[rule],
                                     .configured =
                                         (endpoint->configured >> (unsigned)rule & 1) != 0};
    gd_candidate_add(decision, &candidate);
}

/* Frames of a connection have no type. What comes may still turn out to be what is usual here. */
static bool has_untyped_body(const struct gd_decision *decision)
{
    const struct gd_profile *profile = decision->profile;
    return profile->body_bytes > 0 && profile->body_kind != GUARD_BODY_WEBSOCKET &&
           !(decision->partial && profile->body_kind == GUARD_BODY_NONE);
}

static bool media_known(const struct gd_decision *decision)
{
    const struct gd_policy_endpoint *endpoint = decision->endpoint;
    const struct gd_profile *profile = decision->profile;
    /* No type is a deviation only beside a body, where there is one else. */
    if (profile->media_type.len == 0 && (endpoint->media.count == 0 || !has_untyped_body(decision)))
        return true;
    for (uint32_t i = 0; i < endpoint->media.count; i++) {
        if (gd_span_equal(gd_policy_span(decision->policy,
                                         decision->policy->media[endpoint->media.first + i]),
                          profile->media_type))
            return true;
    }
    return false;
}

/* Of responses nobody asks what they read like. */
static bool asks_likeness(const struct gd_decision *decision)
{
    return !decision->profile->answer &&
           decision->policy->header->strength[GUARD_RULE_LIKENESS] != 0;
}

void gd_rules_faults(struct gd_decision *decision, uint32_t location, uint64_t found)
{
    const struct gd_common *common = &decision->common;
    /* Where the path doesn't fit, as if there were no endpoint: what is known in the service. */
    const struct gd_policy_endpoint *endpoint =
        decision->misfit_limit == UINT16_MAX ? decision->endpoint : NULL;
    bool shared = location == GUARD_LOCATION_NONE || location == GUARD_LOCATION_HEADER ||
                  location == GUARD_LOCATION_COOKIE || location == GUARD_LOCATION_CLIENT;
    if (endpoint == NULL && !common->known)
        return;
    uint64_t known = endpoint == NULL ? common->faults[location] : endpoint->faults[location];
    uint16_t strength = endpoint == NULL ? common->strength[GUARD_RULE_FAULT]
                                         : endpoint->strength[GUARD_RULE_FAULT];
    if (shared && endpoint != NULL && common->known) {
        known |= common->faults[location];
        if (common->strength[GUARD_RULE_FAULT] > strength)
            strength = common->strength[GUARD_RULE_FAULT];
    }
    for (found &= ~known; found != 0; found &= found - 1) {
        uint32_t fault = (uint32_t)__builtin_ctzll(found);
        uint16_t degree = asks_likeness(decision) ? gd_fault_degree(fault) : 0;
        struct gd_candidate candidate = {
            .rule = GUARD_RULE_FAULT,
            .location = (enum guard_location)location,
            .field = GD_NO_FIELD,
            .known = GD_POLICY_NONE,
            .group = GD_GROUP_FAULT + location,
            .detail = fault,
            .extra = degree,
            .alike = degree > 0,
            .values = endpoint != NULL ? endpoint->exchanges : common->exchanges,
            .clients = endpoint != NULL ? endpoint->clients : common->clients,
            .strength = strength};
        gd_candidate_add(decision, &candidate);
    }
}

/* The client as the learner knows it: a subject is the head of its digest. */
static uint32_t client_code(const struct gd_policy_header *header,
                            const struct guard_client *client)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    struct guard_client known = *client;
    if (client->unit == GUARD_UNIT_SUBJECT && client->subject.len > 0) {
        guard_digest(digest, client->subject);
        known.subject = gd_span(digest, GD_SUBJECT_DIGEST);
    }
    return gd_policy_client(header->client_key, &known);
}

static void client(struct gd_decision *decision)
{
    const struct guard_policy *policy = decision->policy;
    const struct gd_policy_header *header = policy->header;
    const struct guard_client *who = &decision->profile->client;
    if (who->unit == GUARD_UNIT_ANONYMOUS || (who->address_len == 0 && who->subject.len == 0))
        return;
    uint32_t code = client_code(header, who);
    uint32_t low = 0;
    uint32_t high = header->sections[GD_SECTION_CLIENTS].count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (policy->clients[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < header->sections[GD_SECTION_CLIENTS].count && policy->clients[low] == code)
        return;
    struct gd_candidate candidate = {.rule = GUARD_RULE_CLIENT,
                                     .location = GUARD_LOCATION_CLIENT,
                                     .field = GD_NO_FIELD,
                                     .known = GD_POLICY_NONE,
                                     .group = GD_GROUP_NONE,
                                     .expected = header->sections[GD_SECTION_CLIENTS].count,
                                     .values = header->exchanges,
                                     .clients = header->clients,
                                     .strength = header->strength[GUARD_RULE_CLIENT]};
    gd_candidate_add(decision, &candidate);
}

static enum guard_rule size_rule(const struct gd_policy_endpoint *endpoint, uint32_t bytes)
{
    bool far = bytes / 2 > endpoint->body_max && endpoint->strength[GUARD_RULE_SIZE_FAR] != 0;
    return far ? GUARD_RULE_SIZE_FAR : GUARD_RULE_SIZE;
}

void gd_rules_message(struct gd_decision *decision)
{
    const struct gd_policy_endpoint *endpoint = decision->endpoint;
    const struct gd_profile *profile = decision->profile;
    if (endpoint != NULL) {
        if (endpoint->flags & GD_ENDPOINT_FORBIDDEN)
            deviates(decision, GUARD_RULE_METHOD, 0, 0);
        if (endpoint->strength[GUARD_RULE_CONTENT_TYPE] != 0 && !media_known(decision))
            deviates(decision, GUARD_RULE_CONTENT_TYPE, 0, 0);
        if (profile->body_bytes > endpoint->body_max)
            deviates(decision, size_rule(endpoint, profile->body_bytes), profile->body_bytes,
                     endpoint->body_max);
        if (profile->depth > endpoint->depth_max)
            deviates(decision, GUARD_RULE_DEPTH, profile->depth, endpoint->depth_max);
    }
    uint32_t locations = gd_profile_is_faulty(profile) ? GUARD_LOCATION_COUNT : 0;
    for (uint32_t i = 0; i < locations; i++) {
        if (profile->faults[i] != 0)
            gd_rules_faults(decision, i, profile->faults[i]);
    }
    if (!profile->answer && (decision->policy->header->flags & GD_POLICY_CLIENTS_CLOSED) != 0)
        client(decision);
}
