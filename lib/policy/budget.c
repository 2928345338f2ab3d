/* SPDX-License-Identifier: Apache-2.0 */
/* See budget.h. An exchange is blocked in one of several ways; each gets a share of the budget, and
 * what a way can't use goes to the others (weighted Bonferroni). */
#include "policy/budget.h"

#include <guard/policy.h>

#include <math.h>
#include <string.h>

static const double step = 1.0232929922807541; /* 10^0.01 */

/* Where responses were seen to deviate a quarter is theirs; attacks lie in requests. */
static const double share_answers = 0.25;
/* A quarter of the requests' is for those that read like attacks, so that a benign outlier in shape
 * doesn't excuse them. Most is left for attacks that read like none. */
static const double share_alike = 0.25;

/* round(100 * -log10(rate)), without a mathematics library, so that it is the same everywhere: a
 * hundred steps of 10^-0.01 to a decade. */
static uint16_t hundredths_of(double rate)
{
    uint32_t hundredths = 0;
    for (; rate <= 0.1 && hundredths < 9000; rate *= 10)
        hundredths += 100;
    /* half a step more, so that it rounds */
    for (double at = rate * 1.0115794542598986; at < 1.0 && hundredths < 9900; at *= step)
        hundredths++;
    return (uint16_t)hundredths;
}

static double rate_of(uint16_t hundredths)
{
    double rate = 1;
    for (uint32_t i = 0; i < hundredths; i++)
        rate /= step;
    return rate;
}

/* The score that so few benign exchanges reach: the first of the scale that proves as much, between
 * two points in proportion. */
static uint16_t score_of(const uint16_t scale[GUARD_SCALE_POINTS], double rate)
{
    uint16_t asked = hundredths_of(rate);
    if (scale[GUARD_SCALE_POINTS - 1] == 0) /* nothing was measured: scores mean what they say */
        return asked;
    for (uint32_t i = 1; i < GUARD_SCALE_POINTS; i++) {
        if (scale[i] < asked)
            continue;
        if (scale[i - 1] >= asked)
            return (uint16_t)((i - 1) * GUARD_SCALE_STEP);
        uint32_t part = (uint32_t)(asked - scale[i - 1]) * GUARD_SCALE_STEP;
        uint32_t size = (uint32_t)(scale[i] - scale[i - 1]);
        return (uint16_t)((i - 1) * GUARD_SCALE_STEP + (part + size - 1) / size);
    }
    uint32_t rest = (uint32_t)asked - scale[GUARD_SCALE_POINTS - 1];
    return (uint16_t)((GUARD_SCALE_POINTS - 1) * GUARD_SCALE_STEP + rest);
}

/* Did any exchange reach any score? */
static bool is_measured(const uint16_t scale[GUARD_SCALE_POINTS])
{
    return scale[GUARD_SCALE_POINTS - 1] > 0 && scale[1] != GUARD_SCALE_STEP;
}

enum { FEW = 3 }; /* fewer aren't measured */

/* Requests that read like attacks get their share, the others what these leave: no more of them can
 * be blocked than there are. */
static double spend_alike(struct gd_policy_header *header, const struct guard_model *model,
                          double alpha)
{
    const uint16_t *alike = model->scale[GUARD_SCALE_ALIKE];
    double share = alpha * share_alike;
    double most = FEW / ((double)model->exchanges + 1);
    if (is_measured(alike))
        most = rate_of(alike[1]);
    header->threshold_alike = score_of(alike, share);
    return alpha - (share < most ? share : most);
}

void gd_budget_spend(struct gd_policy_header *header, const struct guard_model *model, double alpha,
                     bool likeness)
{
    uint16_t whole = hundredths_of(alpha);
    header->threshold = header->threshold_alike = header->threshold_answer = whole;
    header->threshold_time = header->threshold_client = whole;
    if (model == NULL || model->scale[GUARD_SCALE_REQUESTS][GUARD_SCALE_POINTS - 1] == 0)
        return;
    bool shared = model->answer_count > 0 && is_measured(model->scale[GUARD_SCALE_ANSWERS]);
    double requests = shared ? alpha * (1 - share_answers) : alpha;
    header->threshold_answer =
        score_of(model->scale[GUARD_SCALE_ANSWERS], shared ? alpha * share_answers : alpha);
    if (likeness)
        requests = spend_alike(header, model, requests);
    header->threshold = score_of(model->scale[GUARD_SCALE_REQUESTS], requests);
}

/* So many events at most are to be expected where `count` were seen, said wrongly once in twenty:
 * the upper limit of a Poisson mean as Wilson and Hilferty approximate it, rounded up. */
static double limit_of(double count)
{
    static const double quantile = 1.65; /* 1.6449: what the approximation is short of is in it */
    double seen = count + 1;
    double root = 1 - 1 / (9 * seen) + quantile / (3 * sqrt(seen));
    return seen * root * root * root;
}

void guard_budget_proved(const struct guard_model *model, double alpha,
                         struct guard_budget_proof *out)
{
    *out = (struct guard_budget_proof){.expected = 1, .at_most = 1};
    if (model == NULL || model->scale[GUARD_SCALE_REQUESTS][GUARD_SCALE_POINTS - 1] == 0)
        return;
    /* The worse of all exchanges and of the newest half counts; beyond the last few the scale goes
     * on without a measure. */
    double trials = (double)model->exchanges / 2 + 1;
    double events = alpha * trials - 1;
    if (events < FEW)
        events = FEW;
    if (limit_of(events) >= trials)
        return;
    out->expected = (events + 1) / trials;
    out->at_most = limit_of(events) / trials;
}

void guard_budget_thresholds(const struct guard_model *model, double alpha,
                             struct guard_thresholds *out)
{
    struct gd_policy_header header = {.version = 0};
    gd_budget_spend(&header, model, alpha, true);
    *out =
        (struct guard_thresholds){header.threshold, header.threshold_alike, header.threshold_answer,
                                  header.threshold_time, header.threshold_client};
}
