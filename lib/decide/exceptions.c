/* SPDX-License-Identifier: Apache-2.0 */
/* See exceptions.h. Whatever can't be said for sure is not covered: what blocks must not depend on
 * a path, a name or a time that nobody knows. */
#include "decide/exceptions.h"

#include "base/arena.h"

_Static_assert(GUARD_EXCEPTIONS_MAX <= 64, "one bit for each");

static struct guard_span text_at(const struct guard_policy *policy, struct gd_policy_range range,
                                 uint32_t index)
{
    return gd_policy_span(policy, policy->exception_texts[range.first + index]);
}

/* '*' stands for any bytes: a star takes as little as possible, and only the last one is tried
 * anew, so that the work is at most the product of both lengths, which are short. */
static bool name_fits(struct guard_span pattern, struct guard_span name)
{
    size_t at = 0, i = 0, star = SIZE_MAX, from = 0;
    while (i < name.len) {
        if (at < pattern.len && pattern.ptr[at] == '*') {
            star = at++;
            from = i;
        } else if (at < pattern.len && pattern.ptr[at] == name.ptr[i]) {
            at++;
            i++;
        } else if (star != SIZE_MAX) {
            at = star + 1;
            i = ++from;
        } else {
            return false;
        }
    }
    while (at < pattern.len && pattern.ptr[at] == '*')
        at++;
    return at == pattern.len;
}

static bool listed(const struct guard_policy *policy, struct gd_policy_range range,
                   struct guard_span text)
{
    for (uint32_t i = 0; i < range.count; i++) {
        if (gd_span_equal(text_at(policy, range, i), text))
            return true;
    }
    return range.count == 0;
}

static bool named(const struct guard_policy *policy, struct gd_policy_range names,
                  struct guard_span name)
{
    for (uint32_t i = 0; i < names.count; i++) {
        if (name_fits(text_at(policy, names, i), name))
            return true;
    }
    return names.count == 0;
}

/* A path that servers may read in another way fits only where both ways do. */
static bool endpoint_fits(const struct guard_policy *policy, struct gd_policy_range endpoints,
                          const struct gd_patch_scope *paths)
{
    for (uint32_t i = 0; i < endpoints.count; i++) {
        struct guard_span one = text_at(policy, endpoints, i);
        if (gd_template_fits(one, paths->path) && gd_template_fits(one, paths->plain))
            return true;
    }
    return endpoints.count == 0;
}

static bool prefix_fits(const struct gd_exception_client *prefix, const struct guard_client *client)
{
    const uint32_t whole = prefix->bits / 8;
    const uint32_t rest = prefix->bits % 8;
    if (client->address_len != prefix->address_len ||
        memcmp(client->address, prefix->address, whole) != 0)
        return false;
    return rest == 0 || (client->address[whole] ^ prefix->address[whole]) >> (8 - rest) == 0;
}

static bool client_fits(const struct guard_policy *policy, struct gd_policy_range clients,
                        const struct guard_client *client)
{
    for (uint32_t i = 0; i < clients.count; i++) {
        if (prefix_fits(&policy->exception_clients[clients.first + i], client))
            return true;
    }
    return clients.count == 0;
}

/* The destination of a call is its path's first segment, as templates show it. */
static struct guard_span outbound_path(const struct gd_profile *asked, struct guard_span path,
                                       struct guard_arena *arena)
{
    if (asked->segment_count == 0 || path.len == 0)
        return gd_span(NULL, 0);
    struct guard_span host = asked->segments[0].text;
    uint8_t *out = gd_arena_get(arena, 1 + host.len + path.len);
    if (out == NULL)
        return gd_span(NULL, 0);
    out[0] = '/';
    memcpy(out + 1, host.ptr, host.len);
    memcpy(out + 1 + host.len, path.ptr, path.len);
    return gd_span(out, 1 + host.len + path.len);
}

void gd_exception_scope(struct gd_patch_scope *scope, const struct gd_profile *asked,
                        struct guard_span method, struct guard_span target,
                        struct guard_arena *arena)
{
    scope->method = method;
    gd_patch_scope_path(scope, target, arena);
    if (asked->outbound) {
        scope->path = outbound_path(asked, scope->path, arena);
        scope->plain = outbound_path(asked, scope->plain, arena);
    }
}

/* However far ahead it is dated, it never has more than the longest time before it. */
static bool is_its_time(const struct gd_exception_entry *entry, uint64_t now_ms)
{
    const uint64_t longest = UINT64_C(86400000) * GUARD_EXCEPTION_DAYS_MAX;
    return now_ms != 0 && now_ms < entry->expires_ms && entry->expires_ms - now_ms <= longest;
}

/* Of the exchange, whatever deviates in it. */
static bool in_scope(const struct gd_decision *decision, const struct gd_exception_entry *entry)
{
    const struct guard_policy *policy = decision->policy;
    const struct gd_patch_scope *scope = decision->scope;
    return is_its_time(entry, decision->now_ms) && listed(policy, entry->methods, scope->method) &&
           client_fits(policy, entry->clients, &decision->asked->client) &&
           endpoint_fits(policy, entry->endpoints, scope);
}

static uint64_t in_force(struct gd_decision *decision)
{
    const struct guard_policy *policy = decision->policy;
    if (decision->exceptions_known)
        return decision->exceptions;
    decision->exceptions_known = true;
    decision->exceptions = 0;
    for (uint32_t i = 0; i < policy->exception_count; i++) {
        if (in_scope(decision, &policy->exceptions[i]))
            decision->exceptions |= UINT64_C(1) << i;
    }
    return decision->exceptions;
}

static bool is_asked(const struct gd_decision *decision)
{
    return decision->policy != NULL && decision->policy->exception_count > 0 &&
           decision->asked != NULL && decision->scope != NULL;
}

static bool names_rule(const struct gd_exception_entry *entry, enum guard_rule rule)
{
    return (entry->rules[(unsigned)rule / 64] >> (unsigned)rule % 64 & 1) != 0;
}

static bool covers(const struct gd_exception_entry *entry, enum guard_rule rule,
                   enum guard_location location)
{
    bool any = (entry->rules[0] | entry->rules[1]) == 0;
    return entry->patches.count == 0 && (any || names_rule(entry, rule)) &&
           (entry->locations == 0 || (entry->locations >> (unsigned)location & 1) != 0);
}

uint32_t gd_exception_of(struct gd_decision *decision, const struct gd_candidate *candidate)
{
    uint8_t room[GD_FINDING_NAME_MAX];
    struct guard_span name = {NULL, 0};
    bool name_known = false;
    if (!is_asked(decision))
        return GD_NO_EXCEPTION;
    for (uint64_t left = in_force(decision); left != 0; left &= left - 1) {
        const uint32_t index = (uint32_t)__builtin_ctzll(left);
        const struct gd_exception_entry *entry = &decision->policy->exceptions[index];
        if (!covers(entry, candidate->rule, candidate->location))
            continue;
        if (entry->names.count > 0 && !name_known) {
            name = gd_finding_name(decision, candidate, room);
            name_known = true;
        }
        /* One that was cut may be another. */
        if (entry->names.count == 0 ||
            (name.len < GD_FINDING_NAME_MAX && named(decision->policy, entry->names, name)))
            return index;
    }
    return GD_NO_EXCEPTION;
}

uint32_t gd_exception_of_patch(struct gd_decision *decision, struct guard_span id)
{
    if (!is_asked(decision))
        return GD_NO_EXCEPTION;
    for (uint64_t left = in_force(decision); left != 0; left &= left - 1) {
        const uint32_t index = (uint32_t)__builtin_ctzll(left);
        const struct gd_policy_range patches = decision->policy->exceptions[index].patches;
        if (patches.count > 0 && listed(decision->policy, patches, id))
            return index;
    }
    return GD_NO_EXCEPTION;
}

uint32_t gd_exception_of_client(struct gd_decision *decision)
{
    if (!is_asked(decision))
        return GD_NO_EXCEPTION;
    for (uint64_t left = in_force(decision); left != 0; left &= left - 1) {
        const uint32_t index = (uint32_t)__builtin_ctzll(left);
        const struct gd_exception_entry *entry = &decision->policy->exceptions[index];
        if (names_rule(entry, GUARD_RULE_CLIENT_VERDICT) && entry->names.count == 0 &&
            covers(entry, GUARD_RULE_CLIENT_VERDICT, GUARD_LOCATION_CLIENT))
            return index;
    }
    return GD_NO_EXCEPTION;
}

struct guard_span gd_exception_id(const struct gd_decision *decision, uint32_t index)
{
    return index == GD_NO_EXCEPTION
               ? gd_span(NULL, 0)
               : gd_policy_span(decision->policy, decision->policy->exceptions[index].id);
}
