/* SPDX-License-Identifier: Apache-2.0 */
/* How often what is told before its time makes a file of its own. Files are bounded in number: a
 * pod that makes hard signs without end would fill them in minutes, and nothing more would be told
 * of any pod. */
#ifndef GUARD_COMMON_PODS_PACE_H
#define GUARD_COMMON_PODS_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pod_pace_limits {
    uint32_t at_once;   /* files of an interval that are made at once */
    uint32_t gap_ms;    /* between those behind them */
    uint32_t files_max; /* of an interval, however long it is */
};
/* Of hard signs, and of what else is new: neither takes files from the other. */
extern const struct pod_pace_limits pod_pace_hard, pod_pace_news;

struct pod_pace {
    const struct pod_pace_limits *limits;
    uint64_t last_ms;
    uint32_t files;  /* in this interval */
    uint64_t waited; /* how often something urgent waited for another, since the start */
};

/* Whether a file may be made now; counts it, or that it had to wait. A clock that was set back lets
 * one more through. */
bool pod_pace_allows(struct pod_pace *pace, uint64_t now_ms);
void pod_pace_interval(struct pod_pace *pace);

#endif
