/* SPDX-License-Identifier: Apache-2.0 */
/* What is learned and what is only seen: support by distinct units in several epochs, for single
 * elements and for the limits of numbers. */
#ifndef GD_LEARN_TRUST_H
#define GD_LEARN_TRUST_H

#include "learn/fold.h"

struct gd_review;
struct gd_trust {
    uint32_t weight; /* 2 * D, in halves of a client */
    uint32_t epochs_min;
    bool anonymous; /* there are records without a client: weak units may be anybody's, so that
                       nothing is claimed for what few of them did */
    struct gd_review *review; /* what people decided, and what waits; NULL: nothing is asked */
};

/* What people refused never is, what they accepted always; see learn/review.h. */
bool gd_trusted(const struct gd_trust *trust, const struct gd_cell *sum);
/* Whatever people said. */
bool gd_supported(const struct gd_trust *trust, const struct gd_cell *sum);
/* By D units, or by three records without a client, in however few epochs. */
bool gd_vouched(const struct gd_trust *trust, const struct gd_cell *sum);
/* Not trusted, but vouched for by D units in too few epochs, or by three records without a client.
 * What fewer than D units did is as if it had never been: were it pending it would excuse them. */
bool gd_pending(const struct gd_trust *trust, const struct gd_cell *sum);
/* It has no support, or would have none without one of its units: what this unit would have met. */
bool gd_borderline(const struct gd_trust *trust, const struct gd_cell *sum);
/* Without one of its units it would be neither trusted nor pending: this unit would have met what
 * nobody vouches for. */
bool gd_unheard(const struct gd_trust *trust, const struct gd_cell *sum);
/* Distinct units; exact below GD_TAGS_MAX. */
uint32_t gd_units(const struct gd_cell *sum);
/* Records, of each unit ten at most: one that is loud outweighs no others. */
uint64_t gd_records(const struct gd_cell *sum);

enum { GD_UNIT_WORTH = 10 }; /* records of one unit, at most, where records are weighed */

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
