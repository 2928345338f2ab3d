/* SPDX-License-Identifier: Apache-2.0 */
/* A path segment that isn't of the type that the wildcard at its place stands for: "1' or 1=1" at
 * {int}. Who wrote it meant the wildcard, not a route, so it is judged as the wildcard's value; but
 * the learner put every segment of another type elsewhere before it measured that value, so what it
 * measured there mustn't prove more than how often new segments come. */
#include "decide/decide.h"

enum {
    /* -100 log10 0.02: how many of the new segments hold syntax isn't measured at a place; this is
     * what the learner assumes of a service of which it knows nothing (GUARD_RULE_CHARACTER). What
     * many clients mistype and the service refuses is measured, and limits it. */
    SYNTAX_PRIOR = 170,
};

uint64_t gd_misfit_segments(const struct gd_profile *profile)
{
    uint64_t segments = 0;
    uint32_t count = profile->segment_count < profile->field_count ? profile->segment_count
                                                                   : profile->field_count;
    for (uint32_t i = 0; i < count && i < 64; i++) {
        const struct gd_field *field = &profile->fields[i];
        if (field->location == GUARD_LOCATION_PATH &&
            (field->summary.classes & gd_syntax_classes) != 0)
            segments |= UINT64_C(1) << i;
    }
    return segments;
}

uint16_t gd_misfit_limit(const struct gd_decision *decision, uint16_t strength_path)
{
    uint16_t mistyped = decision->policy->header->strength_mistyped;
    uint32_t limit = (uint32_t)strength_path + SYNTAX_PRIOR;
    return (uint16_t)(limit < mistyped ? limit : mistyped);
}

struct gd_candidate gd_misfit_limited(const struct gd_decision *decision,
                                      const struct gd_candidate *candidate)
{
    /* Measured in the whole service; and the new segment itself. */
    const uint32_t shared =
        1u << GUARD_LOCATION_HEADER | 1u << GUARD_LOCATION_COOKIE | 1u << GUARD_LOCATION_CLIENT;
    struct gd_candidate limited = *candidate;
    if ((shared >> (unsigned)candidate->location & 1) != 0 || candidate->rule == GUARD_RULE_PATH ||
        candidate->rule == GUARD_RULE_FAULT)
        return limited;
    /* A person's template doesn't stand for this path, so what it says isn't violated. */
    limited.configured = false;
    uint32_t most = decision->misfit_limit;
    /* What clients mistype doesn't read like an attack; how often it does is a limit of its own. */
    if (candidate->rule == GUARD_RULE_LIKENESS)
        most = (uint32_t)decision->strength_path + SYNTAX_PRIOR;
    if (limited.strength > most)
        limited.strength = (uint16_t)most;
    return limited;
}
