/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the rules, what happens with candidates, and what the mode lets the host do. */
#include "decide/decide.h"

#include "base/arena.h"
#include "decide/exceptions.h"

static uint16_t weight(const struct gd_candidate *candidate, uint16_t strength)
{
    uint32_t weighted = gd_rule_weighted(candidate->rule, strength) + (uint32_t)candidate->extra;
    return (uint16_t)(weighted < UINT16_MAX ? weighted : UINT16_MAX);
}

/* What is covered by an exception never pushes out what isn't. */
static bool outranks(const struct gd_candidate *a, const struct gd_candidate *b)
{
    bool covered_a = a->exception != GD_NO_EXCEPTION;
    bool covered_b = b->exception != GD_NO_EXCEPTION;
    return covered_a != covered_b ? covered_b : a->weighted > b->weighted;
}

void gd_candidate_add(struct gd_decision *decision, const struct gd_candidate *candidate)
{
    uint16_t threshold = decision->verdict.threshold;
    struct gd_candidate limited;
    if (decision->values_only && !candidate->configured && !gd_options_value(candidate))
        return;
    if (decision->misfit_limit != UINT16_MAX) {
        limited = gd_misfit_limited(decision, candidate);
        candidate = &limited;
    }
    uint16_t strength = candidate->strength;
    if (strength == 0)
        return;
    if (candidate->pending) {
        strength /= 2;
        if (strength >= threshold)
            strength = (uint16_t)(threshold > 0 ? threshold - 1 : 0);
    }
    decision->verdict.finding_total++;
    struct gd_candidate added = *candidate;
    added.strength = strength;
    added.weighted = weight(candidate, strength);
    added.exception = gd_exception_of(decision, candidate);
    if (decision->candidate_count < GD_CANDIDATES) {
        decision->candidates[decision->candidate_count++] = added;
        return;
    }
    uint32_t weakest = 0;
    for (uint32_t i = 1; i < GD_CANDIDATES; i++) {
        if (outranks(&decision->candidates[weakest], &decision->candidates[i]))
            weakest = i;
    }
    if (outranks(&added, &decision->candidates[weakest]))
        decision->candidates[weakest] = added;
}

/* That a request is malformed counts more the more it reads like an evasion, but doesn't say where
 * it lies as well as a value does. */
static uint32_t telling(const struct gd_candidate *candidate)
{
    return candidate->weighted -
           (candidate->rule == GUARD_RULE_FAULT ? (uint32_t)candidate->extra : 0);
}

/* For people: stronger evidence first; then what names a place rather than the whole request; then
 * in the order of discovery. */
static bool is_told_first(const struct gd_candidate *a, const struct gd_candidate *b)
{
    if (telling(a) != telling(b))
        return telling(a) > telling(b);
    bool place_a = a->field != GD_NO_FIELD || a->known != GD_POLICY_NONE;
    bool place_b = b->field != GD_NO_FIELD || b->known != GD_POLICY_NONE;
    return place_a && !place_b;
}

static void sort(struct gd_candidate *candidates, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct gd_candidate moved = candidates[i];
        uint32_t at = i;
        for (; at > 0 && is_told_first(&moved, &candidates[at - 1]); at--)
            candidates[at] = candidates[at - 1];
        candidates[at] = moved;
    }
}

static enum guard_decision conclude(const struct gd_decision *decision)
{
    const struct guard_verdict *verdict = &decision->verdict;
    bool configured = false;
    bool notable = false;
    for (uint32_t i = 0; i < decision->candidate_count; i++) {
        configured |= decision->candidates[i].configured;
        notable |= decision->candidates[i].strength + 100 >= verdict->threshold;
    }
    if (configured)
        return GUARD_BLOCK;
    if (decision->exempt && !decision->values_only)
        return GUARD_PASS;
    if (verdict->score >= verdict->threshold)
        return GUARD_BLOCK;
    return notable ? GUARD_ALERT : GUARD_PASS;
}

static enum guard_decision act(enum guard_decision decision, uint32_t mode)
{
    if (mode == GUARD_MODE_OBSERVE)
        return GUARD_PASS;
    return mode == GUARD_MODE_ALERT && decision == GUARD_BLOCK ? GUARD_ALERT : decision;
}

static bool reads_like_attack(const struct gd_decision *decision)
{
    for (uint32_t i = 0; i < decision->candidate_count; i++) {
        if (decision->candidates[i].alike && !decision->candidates[i].pending)
            return true;
    }
    return false;
}

/* What reads like an attack has a budget of its own, and is blocked by that or as anything is that
 * reads like nothing. */
static void score(struct gd_decision *decision)
{
    struct guard_verdict *verdict = &decision->verdict;
    const struct gd_candidate *candidates = decision->candidates;
    const uint32_t count = decision->candidate_count;
    const uint16_t threshold = decision->policy->header->threshold_alike;
    verdict->score = gd_score(candidates, count, false, verdict->threshold);
    if (!reads_like_attack(decision))
        return;
    uint16_t alike = gd_score(candidates, count, true, threshold);
    if (alike < threshold && verdict->score >= verdict->threshold)
        return;
    verdict->score = alike;
    verdict->threshold = threshold;
}

static void weigh(struct gd_decision *decision)
{
    struct guard_verdict *verdict = &decision->verdict;
    score(decision);
    verdict->decision = conclude(decision);
    if (verdict->decision == GUARD_BLOCK)
        gd_judge_novel(decision);
}

/* The strongest that is covered; GD_CANDIDATES: none is. */
static uint32_t first_covered(const struct gd_decision *decision)
{
    for (uint32_t i = 0; i < decision->candidate_count; i++) {
        if (decision->candidates[i].exception != GD_NO_EXCEPTION)
            return i;
    }
    return GD_CANDIDATES;
}

/* Behind those that no exception covers, which are what blocks and explain it. */
static void tell_covered_last(struct gd_decision *decision, const struct gd_candidate *all,
                              uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].exception != GD_NO_EXCEPTION)
            decision->candidates[decision->candidate_count++] = all[i];
    }
}

/* What no exception covers is judged as if it were all that there is. Does that not block, nothing
 * does, but all of it is told. */
static void judge_excepted(struct gd_decision *decision, uint16_t threshold)
{
    struct guard_verdict *verdict = &decision->verdict;
    const uint32_t covered = first_covered(decision);
    if (covered == GD_CANDIDATES)
        return;
    const struct guard_verdict all = *verdict;
    const uint32_t count = decision->candidate_count;
    struct gd_candidate kept[GD_CANDIDATES];
    memcpy(kept, decision->candidates, count * sizeof(kept[0]));
    decision->candidate_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept[i].exception == GD_NO_EXCEPTION)
            decision->candidates[decision->candidate_count++] = kept[i];
    }
    verdict->finding_total -= count - decision->candidate_count;
    verdict->threshold = threshold;
    verdict->novel = verdict->released = false;
    verdict->novel_count = 0;
    weigh(decision);
    if (verdict->decision == GUARD_BLOCK) {
        *verdict = all;
        tell_covered_last(decision, kept, count);
        return;
    }
    verdict->decision = GUARD_ALERT;
    verdict->exception = gd_exception_id(decision, kept[covered].exception);
    verdict->score = all.score;
    verdict->threshold = all.threshold;
    verdict->finding_total = all.finding_total;
    memcpy(decision->candidates, kept, count * sizeof(kept[0]));
    decision->candidate_count = count;
}

void gd_judge(struct gd_decision *decision, uint32_t mode)
{
    struct guard_verdict *verdict = &decision->verdict;
    const uint16_t threshold = verdict->threshold;
    sort(decision->candidates, decision->candidate_count);
    weigh(decision);
    if (verdict->decision == GUARD_BLOCK)
        judge_excepted(decision, threshold);
    verdict->action = act(verdict->decision, mode);
    /* Nobody is told of it, and it is judged again. */
    if (decision->partial && verdict->action == GUARD_PASS)
        return;
    for (uint32_t i = 0; i < decision->candidate_count && i < GUARD_FINDINGS_MAX; i++)
        gd_finding_fill(decision, i);
    verdict->finding_count = decision->candidate_count < GUARD_FINDINGS_MAX
                                 ? decision->candidate_count
                                 : (uint32_t)GUARD_FINDINGS_MAX;
}

/* False: there is nothing to decide with. */
static bool begin(struct gd_decision *decision, const struct gd_deciding *deciding,
                  const struct gd_profile *profile)
{
    const struct guard_policy *policy = deciding->policy;
    struct guard_verdict *verdict = &decision->verdict;
    verdict->decision = verdict->action = GUARD_PASS;
    verdict->score = verdict->threshold = 0;
    verdict->novel = verdict->released = false;
    verdict->novel_count = 0;
    verdict->finding_count = verdict->finding_total = 0;
    verdict->exception = gd_span(NULL, 0);
    decision->template_text = gd_span(NULL, 0);
    decision->policy = policy;
    decision->profile = profile;
    decision->endpoint = NULL;
    decision->candidate_count = 0;
    decision->names_read = 0;
    decision->misfit_limit = UINT16_MAX;
    decision->values_only = false;
    decision->methods_at = GD_POLICY_NONE;
    decision->partial = deciding->partial;
    decision->shadow = deciding->shadow;
    decision->bodyless = false;
    decision->mode = GUARD_MODE_OBSERVE;
    decision->asked = profile;
    decision->scope = deciding->scope;
    decision->now_ms = deciding->now_ms;
    decision->exceptions_known = false;
    if (policy == NULL)
        return false;
    verdict->threshold = policy->header->threshold;
    decision->arena = deciding->arena;
    decision->memo = deciding->memo;
    return true;
}

void gd_decide(struct gd_decision *decision, const struct gd_deciding *deciding,
               const struct gd_profile *profile)
{
    if (!begin(decision, deciding, profile))
        return;
    const struct gd_policy_header *header = deciding->policy->header;
    decision->part = profile->outbound ? GUARD_PART_OUTBOUND : GUARD_PART_REQUEST;
    decision->exempt = gd_profile_exempt(profile);
    decision->values_only = gd_profile_values_only(profile);
    decision->common =
        (struct gd_common){true,           GD_POLICY_NONE,    header->required, header->strength,
                           header->faults, header->exchanges, header->clients};
    gd_walk(decision);
    gd_rules_message(decision);
    gd_rules_fields(decision);
    uint32_t mode = decision->endpoint != NULL ? decision->endpoint->mode : header->request_mode;
    if (decision->methods_at != GD_POLICY_NONE)
        mode = gd_rules_options(decision);
    decision->mode = mode;
    if (decision->candidate_count > 0)
        gd_judge(decision, mode);
}

/* What the service answers with in this class of status; NULL: never seen. */
static const struct gd_policy_endpoint *answer_at(const struct guard_policy *policy,
                                                  const uint32_t answers[GD_POLICY_ANSWERS],
                                                  uint32_t status, uint32_t *index)
{
    uint32_t cls = status / 100;
    *index = cls >= 1 && cls <= GD_POLICY_ANSWERS ? answers[cls - 1] : (uint32_t)GD_POLICY_NONE;
    return *index == GD_POLICY_NONE ? NULL : &policy->endpoints[*index];
}

/* The norm of a response's body: by the endpoint, or by the service when the request failed; else
 * what a person says of every response. */
static const struct gd_policy_endpoint *own_norm(const struct gd_decision *request, uint32_t status,
                                                 uint32_t *index)
{
    const struct guard_policy *policy = request->policy;
    const struct gd_policy_endpoint *norm = NULL;
    if (request->endpoint != NULL && request->misfit_limit == UINT16_MAX)
        norm = answer_at(policy, request->endpoint->answers, status, index);
    if (norm != NULL)
        return norm;
    return answer_at(policy, status >= 400 ? policy->header->answers : policy->header->others,
                     status, index);
}

uint32_t gd_answer_mode(const struct gd_decision *request, uint32_t status)
{
    uint32_t index;
    const struct gd_policy_endpoint *norm = own_norm(request, status, &index);
    return norm != NULL ? norm->mode : request->policy->header->response_mode;
}

/* The norms of a response: headers by the service, the rest by the endpoint, or by the service
 * when the request failed. */
static void find_norms(struct gd_decision *decision, const struct gd_decision *request)
{
    const struct guard_policy *policy = decision->policy;
    const uint32_t status = decision->profile->status;
    uint32_t index;
    const struct gd_policy_endpoint *whole =
        answer_at(policy, policy->header->answers, status, &index);
    decision->common = (struct gd_common){.known = whole != NULL, .owner = index};
    if (whole != NULL)
        decision->common = (struct gd_common){
            true,          index, whole->required, whole->strength, whole->faults, whole->exchanges,
            whole->clients};
    decision->endpoint = own_norm(request, status, &decision->endpoint_index);
}

static bool is_bodyless(uint32_t status, const struct gd_profile *request)
{
    enum { NO_CONTENT = 204, RESET_CONTENT = 205, PARTIAL_CONTENT = 206, NOT_MODIFIED = 304 };
    return status < 200 || status == NO_CONTENT || status == RESET_CONTENT ||
           status == PARTIAL_CONTENT || status == NOT_MODIFIED ||
           gd_span_equal(request->method, GUARD_SPAN_LITERAL("HEAD"));
}

void gd_decide_answer(struct gd_decision *decision, const struct gd_deciding *deciding,
                      const struct gd_profile *profile, const struct gd_decision *request)
{
    if (!begin(decision, deciding, profile))
        return;
    decision->part =
        request->part == GUARD_PART_OUTBOUND ? GUARD_PART_OUTBOUND : GUARD_PART_RESPONSE;
    decision->verdict.threshold = deciding->policy->header->threshold_answer;
    decision->exempt = request->exempt;
    decision->asked = request->profile;
    decision->template_text = request->template_text;
    /* A policy that took force in between knows other endpoints. */
    if (request->policy != decision->policy)
        return;
    decision->mode = gd_answer_mode(request, profile->status);
    decision->bodyless = is_bodyless(profile->status, request->profile);
    find_norms(decision, request);
    gd_rules_answer(decision, request);
    gd_rules_message(decision);
    gd_rules_fields(decision);
    if (decision->candidate_count > 0)
        gd_judge(decision, decision->mode);
}

uint32_t gd_deadline_ms(const struct gd_decision *request)
{
    enum { NOTABLE = 100 };
    const struct gd_policy_endpoint *endpoint = request->endpoint;
    if (request->policy == NULL || endpoint == NULL || request->exempt ||
        endpoint->latency_max == 0 || endpoint->time_mode == GUARD_MODE_OBSERVE ||
        endpoint->strength[GUARD_RULE_LATENCY] + NOTABLE < request->policy->header->threshold_time)
        return UINT32_MAX;
    uint32_t limit = endpoint->latency_max <= UINT32_MAX / 4
                         ? GUARD_LATE_FACTOR * endpoint->latency_max
                         : (uint32_t)UINT32_MAX / 2;
    return limit > GUARD_LATE_LEAST_MS ? limit : GUARD_LATE_LEAST_MS;
}

void gd_decide_late(struct gd_decision *decision, const struct gd_decision *request,
                    uint32_t waited_ms, uint64_t now_ms)
{
    const struct gd_policy_endpoint *endpoint = request->endpoint;
    const struct gd_deciding deciding = {.policy = request->policy,
                                         .memo = request->memo,
                                         .arena = request->arena,
                                         .scope = request->scope,
                                         .now_ms = now_ms};
    if (!begin(decision, &deciding, request->profile) || endpoint == NULL)
        return;
    decision->verdict.threshold = deciding.policy->header->threshold_time;
    decision->part =
        request->part == GUARD_PART_OUTBOUND ? GUARD_PART_OUTBOUND : GUARD_PART_RESPONSE;
    decision->exempt = request->exempt;
    decision->template_text = request->template_text;
    const struct gd_candidate candidate = {.rule = GUARD_RULE_LATENCY,
                                           .field = GD_NO_FIELD,
                                           .known = GD_POLICY_NONE,
                                           .group = GD_GROUP_NONE,
                                           .detail = waited_ms,
                                           .expected = endpoint->latency_max,
                                           .values = endpoint->exchanges,
                                           .clients = endpoint->clients,
                                           .strength = endpoint->strength[GUARD_RULE_LATENCY]};
    gd_candidate_add(decision, &candidate);
    if (decision->candidate_count > 0)
        gd_judge(decision, endpoint->time_mode);
    /* Unlike other parts, time is never cut unless a person said so: not even in mode block. */
    if (endpoint->time_mode == GUARD_MODE_BLOCK)
        return;
    decision->verdict.exception = gd_span(NULL, 0);
    if (decision->verdict.decision == GUARD_BLOCK)
        decision->verdict.decision = GUARD_ALERT;
}
