/* SPDX-License-Identifier: Apache-2.0 */
/* Measures how often each rule would have fired on the pile's own traffic, in both ways of
 * calibrate.h. */
#ifndef GD_LEARN_MEASURE_H
#define GD_LEARN_MEASURE_H

#include "learn/firings.h"

#include <guard/model.h>

/* Records of a place by epoch, and how many independent trials one of them is worth. */
struct gd_exposure {
    uint64_t epochs[GD_EPOCHS_MAX];
    uint64_t records;
    uint64_t counted;    /* records, of an epoch at most epoch_most */
    uint64_t epoch_most; /* ten for each client: more prove nothing */
    uint32_t clients;
    uint32_t worth; /* of one counted record, in 1/GD_TRIAL */
};

/* Records of one client resemble each other: m of them count as m / (1 + (m - 1) / 10) (Kish's
 * design effect with an intra-client correlation of 0.1), so a client is never worth more than ten.
 */
void gd_exposure_init(struct gd_exposure *exposure, const uint64_t epochs[GD_EPOCHS_MAX],
                      uint32_t clients);
/* All trials, in 1/GD_TRIAL. */
uint64_t gd_exposure_trials(const struct gd_exposure *exposure);

/* A place where rules fire: what it was exposed to and what it measured. */
struct gd_place {
    struct gd_exposure exposure;
    enum gd_family family;
    bool answer;    /* of responses: they have a meter of their own */
    bool unknown;   /* without support: what it measured says nothing of it */
    uint32_t owner; /* places of one exchange: an endpoint or response, 0 for the service */
    uint32_t order; /* distinct for each place, in the order of making */
    struct gd_own own;
};

/* A unit would have met an element here that nobody else vouches for. */
struct gd_mark {
    const struct gd_place *place;
    uint32_t tag;
    uint32_t weight; /* records, in 1/GD_MARK */
    uint32_t recent; /* of these in recent epochs */
    enum guard_rule rule;
    uint16_t degree; /* of what it reads like; 0: like no attack */
};

enum { GD_MARK = 16 };

struct gd_marks_block;
struct gd_marks {
    struct gd_marks_block *blocks; /* newest first */
    uint32_t count;
    uint32_t recent_epochs;  /* bits: the newest that hold half of the records, */
    uint64_t recent_records; /* and these */
    uint64_t records;        /* of all epochs, of each client ten in an epoch at most */
};

struct gd_meter {
    struct gd_trust trust;
    struct gd_pools *pools;     /* trials, and the firings that no unit is known of */
    struct gd_firings *firings; /* all others, until they are settled */
    struct gd_marks *marks;     /* what single units brought, by exchange */
    struct guard_arena *arena;
};

/* An element that was never seen fires: units that brought at least `least` new ones. Elements for
 * which `applies` is false are left out (NULL: none). GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_measure_set(const struct gd_meter *meter, struct gd_place *place,
                                            enum guard_rule rule, const struct gd_groups *elements,
                                            bool (*applies)(const struct gd_cell *element),
                                            uint32_t least);
/* Which numbers a rule of limits is about: those beyond the limit at this end, with a `factor` of 2
 * only those beyond twice the limit (buckets), and none below `least`. */
struct gd_beyond {
    enum gd_end end;
    uint32_t factor;
    uint32_t least;
};

/* A number beyond all before fires. */
GUARD_MUST_USE enum guard_rc gd_measure_tail(const struct gd_meter *meter, struct gd_place *place,
                                             enum guard_rule rule, const struct gd_groups *elements,
                                             const struct gd_beyond *beyond);
/* A record of `whole` without this place fires when all before had it; MISSING. */
void gd_measure_missing(const struct gd_meter *meter, struct gd_place *place,
                        const struct gd_exposure *whole);
/* The place's strength for the rule, after everything was measured. */
uint16_t gd_place_strength(const struct gd_meter *meter, const struct gd_place *place,
                           enum guard_rule rule);

enum { GD_REQUIRED_MIN = 30 }; /* records before a name can be called required */

#endif
