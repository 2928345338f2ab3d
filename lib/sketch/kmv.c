/* SPDX-License-Identifier: Apache-2.0 */
/* See kmv.h. Sets are so small that a sorted array beats every cleverer form. */
#include "sketch/kmv.h"

#include <stdbool.h>
#include <string.h>

uint32_t gd_bottom_add(uint32_t *set, uint32_t count, uint32_t max, uint32_t value)
{
    if (count == max && (count == 0 || value >= set[count - 1]))
        return count;
    uint32_t at = count;
    while (at > 0 && set[at - 1] >= value)
        at--;
    if (at < count && set[at] == value)
        return count;
    uint32_t kept = count < max ? count : max - 1;
    memmove(set + at + 1, set + at, (kept - at) * sizeof(*set));
    set[at] = value;
    return kept + 1;
}

/* Does a full set hold all that could enter it? As a rule it does: what comes in a minute are units
 * that came before. */
static bool holds_all(const uint32_t *set, uint32_t count, const uint32_t *from,
                      uint32_t from_count)
{
    uint32_t i = 0;
    for (uint32_t j = 0; j < from_count && from[j] < set[count - 1]; j++) {
        while (set[i] < from[j])
            i++;
        if (set[i] != from[j])
            return false;
    }
    return true;
}

uint32_t gd_bottom_unite(uint32_t *set, uint32_t count, uint32_t max, const uint32_t *from,
                         uint32_t from_count)
{
    uint32_t merged[GD_BOTTOM_MAX];
    uint32_t len = 0, i = 0, j = 0;
    if (count == max && count > 0 && holds_all(set, count, from, from_count))
        return count;
    while (len < max && (i < count || j < from_count)) {
        uint32_t next = j == from_count || (i < count && set[i] <= from[j]) ? set[i] : from[j];
        i += i < count && set[i] == next;
        j += j < from_count && from[j] == next;
        merged[len++] = next;
    }
    memcpy(set, merged, len * sizeof(*set));
    return len;
}

uint32_t gd_bottom_estimate(const uint32_t *set, uint32_t count, uint32_t max)
{
    if (count < max || count == 0)
        return count;
    uint64_t span = (uint64_t)set[count - 1] + 1;
    uint64_t estimate = ((uint64_t)(count - 1) << 32) / span;
    return estimate < count ? count : estimate > UINT32_MAX ? UINT32_MAX : (uint32_t)estimate;
}
