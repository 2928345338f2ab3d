/* SPDX-License-Identifier: Apache-2.0 */
/* The first ones at once, then one in a while. */
#include "common/pods/pace.h"

const struct pod_pace_limits pod_pace_hard = {.at_once = 4, .gap_ms = 2000, .files_max = 32};
const struct pod_pace_limits pod_pace_news = {.at_once = 1, .gap_ms = 1000, .files_max = 6};

bool pod_pace_allows(struct pod_pace *pace, uint64_t now_ms)
{
    const struct pod_pace_limits *limits = pace->limits;
    bool soon = pace->files >= limits->at_once && now_ms - pace->last_ms < limits->gap_ms;
    if (soon || pace->files >= limits->files_max) {
        pace->waited++;
        return false;
    }
    pace->files++;
    pace->last_ms = now_ms;
    return true;
}

void pod_pace_interval(struct pod_pace *pace)
{
    pace->files = 0;
}
