/* SPDX-License-Identifier: Apache-2.0 */
/* What is learned and what is only seen: support by distinct units in several epochs, for single
 * elements and for the limits of numbers. */
#ifndef GD_LEARN_TRUST_H
#define GD_LEARN_TRUST_H

#include "learn/fold.h"

struct gd_trust {
    uint32_t weight; /* 2 * D, in halves of a client */
    uint32_t epochs_min;
};

bool gd_trusted(const struct gd_trust *trust, const struct gd_cell *sum);
/* Not trusted, but vouched for by more than one client. What a single client did isn't pending, but
 * it still counts as a firing of the rule. Records without a client count for half: three. */
bool gd_pending(const struct gd_trust *trust, const struct gd_cell *sum);
/* It has no support, or would have none without one of its units: what this unit would have met. */
bool gd_borderline(const struct gd_trust *trust, const struct gd_cell *sum);

enum gd_end { GD_END_HIGH, GD_END_LOW };
struct gd_tail {
    bool supported;      /* false: no limit at all */
    uint32_t limit;      /* the code (a bucket, a depth) of the limit */
    uint32_t borderline; /* so many elements, from the end, lie beyond the limit or carry it with
                            too few units */
    uint32_t pending;    /* so many of them lie beyond it */
};
/* The limit that D units reach or cross, from the given end of elements sorted by code. */
struct gd_tail gd_tail(const struct gd_trust *trust, const struct gd_groups *elements,
                       enum gd_end end);

#endif
