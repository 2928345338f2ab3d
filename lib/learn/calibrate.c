/* SPDX-License-Identifier: Apache-2.0 */
/* Five hundred clean values of one parameter prove one in five hundred; five hundred of each of a
 * thousand alike parameters prove far more. Rates are shrunk from the coarsest pool to the finest
 * and at last to the place itself. */
#include "learn/calibrate.h"

/* Rates assumed of a service that has proved nothing yet. Guesses on the safe side, not fitted to
 * any data: with none of them a rule reaches the strength that blocks at the default budget. */
static const double prior_rates[GUARD_RULE_COUNT] = {
    [GUARD_RULE_PATH] = 0.1,          [GUARD_RULE_METHOD] = 0.02,
    [GUARD_RULE_CONTENT_TYPE] = 0.02, [GUARD_RULE_NAME] = 0.1,
    [GUARD_RULE_MISSING] = 0.1,       [GUARD_RULE_CHARACTER] = 0.02,
    [GUARD_RULE_ALPHABET] = 0.1,      [GUARD_RULE_TRANSITION] = 0.2,
    [GUARD_RULE_TRANSITIONS] = 0.05,  [GUARD_RULE_TYPE] = 0.05,
    [GUARD_RULE_LENGTH] = 0.1,        [GUARD_RULE_LENGTH_FAR] = 0.02,
    [GUARD_RULE_SHORT] = 0.1,         [GUARD_RULE_DIGITS] = 0.1,
    [GUARD_RULE_SPECIALS] = 0.05,     [GUARD_RULE_LITERAL] = 0.1,
    [GUARD_RULE_ITEMS] = 0.1,         [GUARD_RULE_DEPTH] = 0.02,
    [GUARD_RULE_FAULT] = 0.01,        [GUARD_RULE_SIZE] = 0.1,
    [GUARD_RULE_CLIENT] = 0.1,        [GUARD_RULE_STATUS] = 0.1,
    [GUARD_RULE_LATENCY] = 0.02,      [GUARD_RULE_LEAK] = 0.005,
    [GUARD_RULE_DESTINATION] = 0.02,  [GUARD_RULE_ITEMS_FAR] = 0.02,
    [GUARD_RULE_SIZE_FAR] = 0.02,     [GUARD_RULE_LIKENESS] = 0.01,
};

uint32_t gd_size_of(uint64_t trials)
{
    uint64_t whole = trials / GD_TRIAL;
    uint32_t size = whole == 0 ? 0 : (uint32_t)(63 - __builtin_clzll(whole));
    return size < GD_SIZES ? size : GD_SIZES - 1;
}

static void add(struct gd_measure *into, struct gd_measure measure)
{
    into->trials += measure.trials;
    into->fires += measure.fires;
}

void gd_pools_add(struct gd_pools *pools, enum gd_estimate estimate, enum guard_rule rule,
                  enum gd_family family, uint32_t size, struct gd_measure measure)
{
    add(&pools->all[estimate][rule], measure);
    add(&pools->sizes[estimate][rule][size], measure);
    add(&pools->families[estimate][rule][family][size], measure);
}

/* Posterior mean of a rate whose prior is worth one firing. */
static double shrink(double prior, struct gd_measure measure)
{
    return ((double)measure.fires + 1) / ((double)measure.trials / GD_TRIAL + 1 / prior);
}

/* An epoch is judged by what came before it, so a place's last ones stand one size below the place.
 */
static struct gd_measure pooled(const struct gd_measure sizes[GD_SIZES], enum gd_estimate estimate,
                                uint32_t size)
{
    struct gd_measure sum = sizes[size];
    if (estimate == GD_ESTIMATE_ORDERED && size > 0)
        add(&sum, sizes[size - 1]);
    return sum;
}

static double estimate_rate(const struct gd_pools *pools, enum gd_estimate estimate,
                            enum guard_rule rule, enum gd_family family, uint32_t size,
                            struct gd_measure own)
{
    struct gd_measure all = pools->all[estimate][rule];
    double rate = shrink(prior_rates[rule], all);
    rate = shrink(rate, pooled(pools->sizes[estimate][rule], estimate, size));
    rate = shrink(rate, pooled(pools->families[estimate][rule][family], estimate, size));
    rate = shrink(rate, own);
    /* The same trials were used at each level: together they prove no more than their number. */
    double floor = 1 / ((double)all.trials / GD_TRIAL + 1);
    /* A place that fires by itself isn't excused by others that don't. */
    double alone = ((double)own.fires - 0.5) / ((double)own.trials / GD_TRIAL + 1);
    rate = rate > floor ? rate : floor;
    return rate > alone ? rate : alone;
}

/* floor(-100 log10(rate)) without libm, whose last digit differs between machines. */
static uint16_t hundredths(double rate)
{
    const double step = 1.0232929922807541; /* 10^0.01 */
    uint32_t strength = 0;
    if (!(rate > 0))
        return GD_STRENGTH_MAX;
    for (double left = 1 / rate; left >= step && strength < GD_STRENGTH_MAX; strength++)
        left /= step;
    return (uint16_t)strength;
}

uint16_t gd_strength(const struct gd_pools *pools, enum guard_rule rule, enum gd_family family,
                     uint64_t trials, const struct gd_own *own)
{
    double worst = 0;
    uint32_t size = gd_size_of(trials);
    for (uint32_t i = 0; i < GD_ESTIMATE_COUNT; i++) {
        double rate =
            estimate_rate(pools, (enum gd_estimate)i, rule, family, size, own->measures[i][rule]);
        worst = rate > worst ? rate : worst;
    }
    return hundredths(worst);
}

uint16_t gd_pool_strength(const struct gd_pools *pools, enum guard_rule rule)
{
    double worst = 0;
    for (uint32_t i = 0; i < GD_ESTIMATE_COUNT; i++) {
        double rate = shrink(prior_rates[rule], pools->all[i][rule]);
        if (pools->all[i][rule].trials > 0 && rate > worst)
            worst = rate;
    }
    return hundredths(worst > 0 ? worst : prior_rates[rule]);
}

uint16_t gd_rate_strength(struct gd_measure measure)
{
    return hundredths(((double)measure.fires + 1) / ((double)measure.trials / GD_TRIAL + 1));
}

uint32_t gd_own_bound(const struct gd_own *own, enum guard_rule rule)
{
    struct gd_measure measure = own->measures[GD_ESTIMATE_LEFT_OUT][rule];
    return (uint32_t)(1e6 * ((double)measure.fires + 1) / ((double)measure.trials / GD_TRIAL + 1));
}
