/* SPDX-License-Identifier: Apache-2.0 */
/* The weightings: the pool, the mean of services, the worst tenth of them. */
#include "eval_tally.h"

#include <math.h>
#include <stdlib.h>

enum { SERVICES_MAX = 1024 };

static void count(struct eval_share *share, bool hit)
{
    share->of++;
    share->hits += hit;
}

void eval_tally_add(struct eval_tally *tally, const struct eval_label *label,
                    const struct eval_said *said, bool fresh)
{
    if (!label->attack) {
        if (eval_span_is(label->class_name, "lookalike")) {
            count(&tally->lookalikes, said->block);
            return;
        }
        count(&tally->benign, said->block);
        if (fresh)
            count(&tally->distinct, said->block);
        return;
    }
    count(&tally->attacks, said->block);
    if (!said->block || !label->param_known)
        return;
    tally->flagged++;
    tally->placed += said->placed;
    tally->right += said->placed && eval_label_names(label, said->location, said->name);
}

static void add_share(struct eval_share *sum, struct eval_share other)
{
    sum->hits += other.hits;
    sum->of += other.of;
}

void eval_tally_sum(struct eval_tally *sum, const struct eval_tally *other)
{
    add_share(&sum->attacks, other->attacks);
    add_share(&sum->benign, other->benign);
    add_share(&sum->distinct, other->distinct);
    add_share(&sum->lookalikes, other->lookalikes);
    add_share(&sum->clients, other->clients);
    sum->flagged += other->flagged;
    sum->placed += other->placed;
    sum->right += other->right;
}

double eval_rate(struct eval_share share)
{
    return share.of == 0 ? 0 : (double)share.hits / (double)share.of;
}

struct eval_interval eval_share_interval(struct eval_share share)
{
    return eval_interval(share.hits, share.of);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static struct eval_spread spread(double *values, int count, bool low_is_worst)
{
    struct eval_spread result = {NAN, NAN, count};
    if (count == 0)
        return result;
    int tenth = (count + 9) / 10;
    qsort(values, (size_t)count, sizeof(*values), compare);
    result.mean = result.worst = 0;
    for (int i = 0; i < count; i++) {
        result.mean += values[i] / count;
        bool in_tenth = low_is_worst ? i < tenth : i >= count - tenth;
        result.worst += in_tenth ? values[i] / tenth : 0;
    }
    return result;
}

static const struct eval_tally *tally_at(const struct eval_tally *tallies, size_t stride, int index)
{
    return (const struct eval_tally *)((const char *)tallies + stride * (size_t)index);
}

/* offset: of the share in a tally. */
static struct eval_spread spread_of(const struct eval_tally *tallies, size_t stride, int count,
                                    size_t offset, bool low_is_worst)
{
    double values[SERVICES_MAX];
    int found = 0;
    for (int i = 0; i < count && found < SERVICES_MAX; i++) {
        const char *tally = (const char *)tally_at(tallies, stride, i);
        struct eval_share share = *(const struct eval_share *)(tally + offset);
        if (share.of > 0)
            values[found++] = eval_rate(share);
    }
    return spread(values, found, low_is_worst);
}

struct eval_spread eval_spread_attacks(const struct eval_tally *tallies, size_t stride, int count)
{
    return spread_of(tallies, stride, count, offsetof(struct eval_tally, attacks), true);
}

struct eval_spread eval_spread_benign(const struct eval_tally *tallies, size_t stride, int count)
{
    return spread_of(tallies, stride, count, offsetof(struct eval_tally, benign), false);
}

struct eval_spread eval_spread_distinct(const struct eval_tally *tallies, size_t stride, int count)
{
    return spread_of(tallies, stride, count, offsetof(struct eval_tally, distinct), false);
}

struct eval_spread eval_spread_balanced(const struct eval_tally *tallies, size_t stride, int count)
{
    double values[SERVICES_MAX];
    int found = 0;
    for (int i = 0; i < count && found < SERVICES_MAX; i++) {
        const struct eval_tally *tally = tally_at(tallies, stride, i);
        if (tally->attacks.of > 0 && tally->benign.of > 0)
            values[found++] = (eval_rate(tally->attacks) + 1 - eval_rate(tally->benign)) / 2;
    }
    return spread(values, found, true);
}
