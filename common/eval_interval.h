/* SPDX-License-Identifier: Apache-2.0 */
/* Exact intervals for shares. Written here because the packaged library that has them (GSL) is
 * under another licence than Guard. */
#ifndef GUARD_COMMON_EVAL_INTERVAL_H
#define GUARD_COMMON_EVAL_INTERVAL_H

#include <stdint.h>

struct eval_interval {
    double low;
    double high;
};

/* The regularized incomplete beta function, a and b > 0. */
double eval_beta(double a, double b, double x);
/* Clopper and Pearson's interval for hits of trials at a level of 95 %; 0 to 1 without trials. */
struct eval_interval eval_interval(uint64_t hits, uint64_t trials);

#endif
