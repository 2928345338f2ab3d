/* SPDX-License-Identifier: Apache-2.0 */
/* How evidence is combined. Weights are priors on where attacks lie, in hundredths of a decade:
 * novel syntax, new destinations of calls and extreme lengths are worth more of the false alarm
 * budget than lengths just beyond a border and new letters (weighted p-values, Genovese, Roeder and
 * Wasserman). What a score is worth is measured (learn/scale.h), so weights can't inflate it. */
#include "policy/evidence.h"

#include <stdbool.h>

enum { OTHERS_MAX = 10 };

static int weight_of(enum guard_rule rule)
{
    if (rule == GUARD_RULE_CHARACTER || rule == GUARD_RULE_DESTINATION)
        return 100;
    if (rule == GUARD_RULE_TRANSITIONS || rule == GUARD_RULE_LENGTH_FAR ||
        rule == GUARD_RULE_ITEMS_FAR || rule == GUARD_RULE_SIZE_FAR || rule == GUARD_RULE_FAULT)
        return 50;
    if (rule == GUARD_RULE_ALPHABET || rule == GUARD_RULE_SHORT || rule == GUARD_RULE_LENGTH)
        return -50;
    return 0;
}

uint16_t gd_rule_weighted(enum guard_rule rule, uint16_t strength)
{
    int weighted = (int)strength + weight_of(rule);
    return (uint16_t)(weighted < 0 ? 0 : weighted > UINT16_MAX ? UINT16_MAX : weighted);
}

uint16_t gd_fault_degree(uint32_t fault)
{
    switch (fault) {
    case GUARD_FAULT_OVERLONG: /* no encoder writes it */
        return 300;
    case GUARD_FAULT_NUL:
    case GUARD_FAULT_DOT_SEGMENT: /* clients remove them before they send (RFC 3986, 5.2.4) */
        return 200;
    default: /* what is encoded twice, or a separator that is, is how an address is a value */
        return 0;
    }
}

static bool first_of_group(const struct gd_evidence *evidence, uint32_t index)
{
    if (evidence[index].group == GD_EVIDENCE_ALONE)
        return true;
    for (uint32_t i = 0; i < index; i++) {
        if (evidence[i].group == evidence[index].group)
            return false;
    }
    return true;
}

uint32_t gd_evidence_score(const struct gd_evidence *evidence, uint32_t count)
{
    uint32_t hundredth_sum = 0; /* in hundredths of the score's unit */
    uint32_t others = 0;
    if (count == 0)
        return 0;
    for (uint32_t i = 1; i < count; i++) {
        if (!first_of_group(evidence, i))
            hundredth_sum += evidence[i].weighted * 5u;
        else if (others++ < OTHERS_MAX)
            hundredth_sum += evidence[i].weighted * 10u;
    }
    return evidence[0].weighted + hundredth_sum / 100;
}
