/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of what a detector did to the exchanges of a service, and the rates made of them. */
#ifndef GUARD_CLI_EVAL_TALLY_H
#define GUARD_CLI_EVAL_TALLY_H

#include "common/eval_interval.h"
#include "eval_label.h"

#include <stddef.h>

/* What a detector said of one exchange: whether it blocks, and the place that it names first. */
struct eval_said {
    bool block;
    struct guard_span location;
    struct guard_span name;
    bool placed;
};

struct eval_share {
    uint64_t hits;
    uint64_t of;
};

struct eval_tally {
    struct eval_share attacks;
    struct eval_share benign;
    struct eval_share distinct; /* benign requests that neither training nor the test had before */
    struct eval_share lookalikes;
    struct eval_share clients; /* benign clients, blocked at least once */
    uint64_t flagged;          /* blocked attacks of which the label tells the parameter */
    uint64_t placed;           /* of these, those where the verdict names a place at all */
    uint64_t right;            /* of these, those where that is the changed place */
};

/* fresh: the request is distinct. */
void eval_tally_add(struct eval_tally *tally, const struct eval_label *label,
                    const struct eval_said *said, bool fresh);
void eval_tally_sum(struct eval_tally *sum, const struct eval_tally *other);

/* 0 without trials: see eval_share.of. */
double eval_rate(struct eval_share share);
struct eval_interval eval_share_interval(struct eval_share share);

/* Over services: the mean, and the mean of the worst tenth (one at least). NAN without any. */
struct eval_spread {
    double mean;
    double worst;
    int services;
};
/* tallies are count services' of one detector, stride bytes apart. False positives are worst when
 * high, detection when low. */
struct eval_spread eval_spread_attacks(const struct eval_tally *tallies, size_t stride, int count);
struct eval_spread eval_spread_benign(const struct eval_tally *tallies, size_t stride, int count);
struct eval_spread eval_spread_distinct(const struct eval_tally *tallies, size_t stride, int count);
/* Of (true positive rate + true negative rate) / 2. */
struct eval_spread eval_spread_balanced(const struct eval_tally *tallies, size_t stride, int count);

#endif
