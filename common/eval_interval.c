/* SPDX-License-Identifier: Apache-2.0 */
/* The incomplete beta function by its continued fraction (Lentz's method), inverted by bisection:
 * slow and exact, which suits a report. */
#include "common/eval_interval.h"

#include <math.h>
#include <stdbool.h>

enum { TERMS_MAX = 4000, HALVINGS = 80 };

static double away_from_zero(double value)
{
    return fabs(value) > 1e-300 ? value : 1e-300;
}

static double continued_fraction(double a, double b, double x)
{
    double c = 1.0;
    double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
    double result = d;
    for (int m = 1; m < TERMS_MAX; m++) {
        double terms[] = {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                          -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))};
        for (int i = 0; i < 2; i++) {
            d = 1 / away_from_zero(1 + terms[i] * d);
            c = away_from_zero(1 + terms[i] / c);
            result *= d * c;
        }
        if (fabs(d * c - 1) < 1e-14)
            break;
    }
    return result;
}

double eval_beta(double a, double b, double x)
{
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    bool mirrored = x > (a + 1) / (a + b + 2);
    if (mirrored) {
        double swap = a;
        a = b;
        b = swap;
        x = 1 - x;
    }
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    double result = front * continued_fraction(a, b, x) / a;
    return mirrored ? 1 - result : result;
}

static double quantile(double share, double a, double b)
{
    double low = 0;
    double high = 1;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (low + high) / 2;
        if (eval_beta(a, b, middle) < share)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

struct eval_interval eval_interval(uint64_t hits, uint64_t trials)
{
    double k = (double)hits;
    double n = (double)trials;
    struct eval_interval interval = {0, 1};
    if (hits > 0)
        interval.low = quantile(0.025, k, n - k + 1);
    if (hits < trials)
        interval.high = quantile(0.975, k + 1, n - k);
    return interval;
}
