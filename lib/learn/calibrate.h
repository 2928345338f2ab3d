/* SPDX-License-Identifier: Apache-2.0 */
/* Second-order calibration: how often each kind of rule would have fired on the traffic that taught
 * it, pooled over all places that are alike, and what a firing therefore proves.
 * docs/internals/learn.md has the formulas. The one step between what was measured and a rule's
 * strength: to be replaced as a whole. */
#ifndef GD_LEARN_CALIBRATE_H
#define GD_LEARN_CALIBRATE_H

#include <guard/verdict.h>

/* What a place holds, by the dominant type of its values: places of one family are alike. */
enum gd_family {
    GD_FAMILY_REQUEST = 0, /* no value: paths, names, bodies */
    GD_FAMILY_NUMBER = 1,
    GD_FAMILY_ID = 2,
    GD_FAMILY_WORD = 3,
    GD_FAMILY_TEXT = 4,
    GD_FAMILY_STRUCTURE = 5,
    GD_FAMILY_VALUES =
        6, /* families of parameters; those of headers and cookies follow in the same order */
    GD_FAMILY_COUNT = 12,
};

/* ORDERED: epoch by epoch, each judged by what was seen before it. LEFT_OUT: each unit judged by
 * what all others taught. The first sees change, the second sees all of the evidence; the worse of
 * the two counts. */
enum gd_estimate { GD_ESTIMATE_ORDERED = 0, GD_ESTIMATE_LEFT_OUT = 1, GD_ESTIMATE_COUNT = 2 };

enum {
    GD_TRIAL = 1024,      /* trials are counted in 1/1024 of an independent record */
    GD_SIZES = 33,        /* places are alike when their trials have the same log2 */
    GD_STRENGTH_MAX = 600 /* hundredths of -log10 p: nothing is surer than one in a million */
};

struct gd_measure {
    uint64_t trials; /* in 1/GD_TRIAL */
    uint64_t fires;  /* units */
};

struct gd_pools {
    struct gd_measure all[GD_ESTIMATE_COUNT][GUARD_RULE_COUNT];
    struct gd_measure sizes[GD_ESTIMATE_COUNT][GUARD_RULE_COUNT][GD_SIZES];
    struct gd_measure families[GD_ESTIMATE_COUNT][GUARD_RULE_COUNT][GD_FAMILY_COUNT][GD_SIZES];
};

/* What one place measured itself. */
struct gd_own {
    struct gd_measure measures[GD_ESTIMATE_COUNT][GUARD_RULE_COUNT];
};

/* log2 of whole trials, 0..GD_SIZES-1. */
uint32_t gd_size_of(uint64_t trials);
void gd_pools_add(struct gd_pools *pools, enum gd_estimate estimate, enum guard_rule rule,
                  enum gd_family family, uint32_t size, struct gd_measure measure);
/* Hundredths of -log10 of the rate at which the rule fires on benign traffic at a place with
 * `trials`. */
uint16_t gd_strength(const struct gd_pools *pools, enum guard_rule rule, enum gd_family family,
                     uint64_t trials, const struct gd_own *own);
/* The same of all places together: for one that has measured nothing. */
uint16_t gd_pool_strength(const struct gd_pools *pools, enum guard_rule rule);
/* Hundredths of -log10 of (fires + 1) / (trials + 1). */
uint16_t gd_rate_strength(struct gd_measure measure);
/* The place's own bound of the rate in parts per million, LEFT_OUT: (fires + 1) / (trials + 1). */
uint32_t gd_own_bound(const struct gd_own *own, enum guard_rule rule);

#endif
