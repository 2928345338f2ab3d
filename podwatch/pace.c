/* SPDX-License-Identifier: Apache-2.0 */
/* The first ones at once, then one in a while. */
#include "pace.h"

const struct pace_limits pace_hard = {.at_once = 4, .gap_ms = 2000, .files_max = 32};
const struct pace_limits pace_news = {.at_once = 1, .gap_ms = 1000, .files_max = 6};

bool pace_allows(struct pace *pace, uint64_t now_ms)
{
    const struct pace_limits *limits = pace->limits;
    bool soon = pace->files >= limits->at_once && now_ms - pace->last_ms < limits->gap_ms;
    if (soon || pace->files >= limits->files_max) {
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
