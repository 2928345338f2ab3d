/* SPDX-License-Identifier: Apache-2.0 */
/* How often what is told before its time makes a file of its own. Files are bounded in number: a
 * pod that makes hard signs without end would fill them in minutes, and nothing more would be told
 * of any pod. */
#ifndef PODWATCH_PACE_H
#define PODWATCH_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_limits {
    uint32_t at_once;   /* files of an interval that are made at once */
    uint32_t gap_ms;    /* between those behind them */
    uint32_t files_max; /* of an interval, however long it is */
};
/* Of hard signs, and of what else is new: neither takes files from the other. */
extern const struct pace_limits pace_hard, pace_news;

struct pace {
    const struct pace_limits *limits;
    uint64_t last_ms;
    uint32_t files;  /* in this interval */
    uint64_t waited; /* how often something urgent waited for another, since the start */
};

/* Whether a file may be made now; counts it, or that it had to wait. now_ms never goes back. */
bool pace_allows(struct pace *pace, uint64_t now_ms);
void pace_interval(struct pace *pace);

#endif
