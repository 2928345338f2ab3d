/* SPDX-License-Identifier: Apache-2.0 */
/* The score of what deviates in one message. policy/evidence.c combines; here evidence without
 * support is kept from blocking alone. */
#include "decide/decide.h"

/* Strongest first. */
static void put(struct gd_evidence evidence[GD_CANDIDATES], uint32_t count, struct gd_evidence one)
{
    uint32_t at = count;
    for (; at > 0 && evidence[at - 1].weighted < one.weighted; at--)
        evidence[at] = evidence[at - 1];
    evidence[at] = one;
}

uint16_t gd_score(const struct gd_candidate *candidates, uint32_t count, bool alike,
                  uint16_t threshold)
{
    struct gd_evidence evidence[GD_CANDIDATES] = {{0}};
    bool supported = false;
    uint32_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t weighted = candidates[i].weighted;
        if (!alike && candidates[i].rule == GUARD_RULE_LIKENESS)
            continue;
        if (!alike)
            weighted -= candidates[i].extra < weighted ? candidates[i].extra : weighted;
        put(evidence, len++, (struct gd_evidence){candidates[i].group, (uint16_t)weighted});
        supported |= !candidates[i].pending;
    }
    uint32_t score = gd_evidence_score(evidence, len);
    if (len > 0 && !supported && score >= threshold)
        score = threshold > 0 ? threshold - 1u : 0;
    return (uint16_t)(score > UINT16_MAX ? UINT16_MAX : score);
}
