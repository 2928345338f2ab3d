/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the rules, what happens with candidates, and what the mode lets the host do. */
#include "decide/decide.h"

#include "base/arena.h"

static void slot_put(struct gd_candidate *slot, const struct gd_candidate *candidate,
                     uint16_t strength)
{
    *slot = *candidate;
    slot->strength = strength;
    slot->weighted = gd_rule_weighted(candidate->rule, strength);
}

void gd_candidate_add(struct gd_decision *decision, const struct gd_candidate *candidate)
{
    uint16_t threshold = decision->verdict.threshold;
    struct gd_candidate limited;
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
    if (decision->candidate_count < GD_CANDIDATES) {
        slot_put(&decision->candidates[decision->candidate_count++], candidate, strength);
        return;
    }
    uint32_t weakest = 0;
    for (uint32_t i = 1; i < GD_CANDIDATES; i++) {
        if (decision->candidates[i].weighted < decision->candidates[weakest].weighted)
            weakest = i;
    }
    if (gd_rule_weighted(candidate->rule, strength) > decision->candidates[weakest].weighted)
        slot_put(&decision->candidates[weakest], candidate, strength);
}

/* Stronger evidence first; then what names a place rather than the whole request; then in the order
 * of discovery. */
static bool before(const struct gd_candidate *a, const struct gd_candidate *b)
{
    if (a->weighted != b->weighted)
        return a->weighted > b->weighted;
    bool place_a = a->field != GD_NO_FIELD || a->known != GD_POLICY_NONE;
    bool place_b = b->field != GD_NO_FIELD || b->known != GD_POLICY_NONE;
    return place_a && !place_b;
}

static void sort(struct gd_candidate *candidates, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct gd_candidate moved = candidates[i];
        uint32_t at = i;
        for (; at > 0 && before(&moved, &candidates[at - 1]); at--)
            candidates[at] = candidates[at - 1];
        candidates[at] = moved;
    }
}

/* OPTIONS and ACME challenges come from programs that nobody trains: learned rules don't block
 * them. */
static bool is_exempt(const struct gd_profile *profile)
{
    if (gd_span_equal(profile->method, GUARD_SPAN_LITERAL("OPTIONS")))
        return true;
    return profile->segment_count >= 2 &&
           gd_span_equal(profile->segments[0].text, GUARD_SPAN_LITERAL(".well-known")) &&
           gd_span_equal(profile->segments[1].text, GUARD_SPAN_LITERAL("acme-challenge"));
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
    if (configured || (verdict->score >= verdict->threshold && !is_exempt(decision->profile)))
        return GUARD_BLOCK;
    return notable || verdict->score >= verdict->threshold ? GUARD_ALERT : GUARD_PASS;
}

static enum guard_decision act(enum guard_decision decision, uint32_t mode)
{
    if (mode == GUARD_MODE_OBSERVE)
        return GUARD_PASS;
    return mode == GUARD_MODE_ALERT && decision == GUARD_BLOCK ? GUARD_ALERT : decision;
}

static void judge(struct gd_decision *decision)
{
    struct guard_verdict *verdict = &decision->verdict;
    uint32_t mode = decision->endpoint != NULL ? decision->endpoint->mode
                                               : decision->policy->header->request_mode;
    sort(decision->candidates, decision->candidate_count);
    verdict->score = gd_score(decision->candidates, decision->candidate_count, verdict->threshold);
    verdict->decision = conclude(decision);
    verdict->action = act(verdict->decision, mode);
    for (uint32_t i = 0; i < decision->candidate_count && i < GUARD_FINDINGS_MAX; i++)
        gd_finding_fill(decision, &decision->candidates[i],
                        &verdict->findings[verdict->finding_count++]);
}

void gd_decide(struct gd_decision *decision, const struct guard_policy *policy,
               const struct gd_profile *profile, struct gd_hash_memo *memo,
               struct guard_arena *arena)
{
    struct guard_verdict *verdict = &decision->verdict;
    verdict->decision = verdict->action = GUARD_PASS;
    verdict->score = verdict->threshold = 0;
    verdict->finding_count = verdict->finding_total = 0;
    decision->template_text = gd_span(NULL, 0);
    if (policy == NULL)
        return;
    verdict->threshold = policy->header->threshold;
    decision->policy = policy;
    decision->profile = profile;
    decision->arena = arena;
    decision->memo = memo;
    decision->endpoint = NULL;
    decision->misfit_limit = UINT16_MAX;
    decision->candidate_count = 0;
    gd_walk(decision);
    gd_rules_request(decision);
    gd_rules_fields(decision);
    if (decision->candidate_count > 0)
        judge(decision);
}
