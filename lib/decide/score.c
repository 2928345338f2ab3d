/* SPDX-License-Identifier: Apache-2.0 */
/* The score of what deviates in one message. policy/evidence.c combines; here evidence without
 * support is kept from blocking alone. */
#include "decide/decide.h"

uint16_t gd_score(const struct gd_candidate *candidates, uint32_t count, uint16_t threshold)
{
    struct gd_evidence evidence[GD_CANDIDATES] = {0};
    bool supported = false;
    for (uint32_t i = 0; i < count; i++) {
        evidence[i] = (struct gd_evidence){candidates[i].group, candidates[i].weighted};
        supported |= !candidates[i].pending;
    }
    uint32_t score = gd_evidence_score(evidence, count);
    if (count > 0 && !supported && score >= threshold)
        score = threshold > 0 ? threshold - 1u : 0;
    return (uint16_t)(score > UINT16_MAX ? UINT16_MAX : score);
}
