/* SPDX-License-Identifier: Apache-2.0 */
/* The first ones at once, then one in a while. */
#include "pace.h"

bool pace_allows(struct pace *pace, uint64_t now_ms)
{
    bool soon = pace->files >= PACE_AT_ONCE && now_ms - pace->last_ms < PACE_GAP_MS;
    if (soon || pace->files >= PACE_FILES_MAX) {
        pace->waited++;
        return false;
    }
    pace->files++;
    pace->last_ms = now_ms;
    return true;
}

void pace_interval(struct pace *pace)
{
    pace->files = 0;
}
