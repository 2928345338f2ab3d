/* SPDX-License-Identifier: Apache-2.0 */
/* Support by distinct units: one client, however loud, teaches nothing. */
#include "learn/trust.h"

#include "learn/review.h"
#include "sketch/kmv.h"

enum { RECORDS_PENDING = 3 }; /* without a client */

/* As gd_cell_weight, which stops where trust begins, but of all tags. */
static uint32_t full_weight(const struct gd_cell *sum)
{
    uint32_t weight = 0;
    for (uint32_t i = 0; i < sum->tag_count; i++)
        weight += (sum->tags[i] & 1) != 0 ? GD_WEIGHT_STRONG : GD_WEIGHT_WEAK;
    return weight;
}

static uint32_t weak_units(const struct gd_cell *sum)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sum->tag_count; i++)
        count += (sum->tags[i] & 1) == 0;
    return count;
}

uint32_t gd_units(const struct gd_cell *sum)
{
    return gd_bottom_estimate(sum->tags, sum->tag_count, GD_TAGS_MAX);
}

uint64_t gd_records(const struct gd_cell *sum)
{
    uint64_t most = (uint64_t)gd_units(sum) * GD_UNIT_WORTH;
    return sum->count < most ? sum->count : most;
}

bool gd_supported(const struct gd_trust *trust, const struct gd_cell *sum)
{
    return gd_cell_weight(sum) >= trust->weight &&
           (uint32_t)__builtin_popcount(sum->epochs) >= trust->epochs_min;
}

bool gd_vouched(const struct gd_trust *trust, const struct gd_cell *sum)
{
    return gd_cell_weight(sum) >= trust->weight ||
           (trust->anonymous && weak_units(sum) >= RECORDS_PENDING);
}

bool gd_trusted(const struct gd_trust *trust, const struct gd_cell *sum)
{
    if ((sum->review & GD_REVIEW_REFUSED) != 0)
        return false;
    if ((sum->review & GD_REVIEW_ACCEPTED) != 0)
        return true;
    return gd_supported(trust, sum) ||
           ((sum->review & GD_REVIEW_WAIVED) != 0 && gd_vouched(trust, sum));
}

bool gd_pending(const struct gd_trust *trust, const struct gd_cell *sum)
{
    if ((sum->review & GD_REVIEW_REFUSED) != 0)
        return false;
    return !gd_trusted(trust, sum) && gd_vouched(trust, sum);
}

bool gd_borderline(const struct gd_trust *trust, const struct gd_cell *sum)
{
    /* A unit can't vouch for itself by others: it is known when it came back. */
    if (sum->kind == GD_KIND_CLIENT)
        return sum->count < 2 || (uint32_t)__builtin_popcount(sum->epochs) < trust->epochs_min;
    if ((sum->review & GD_REVIEW_ACCEPTED) != 0 && (sum->review & GD_REVIEW_REFUSED) == 0)
        return false;
    if (!gd_trusted(trust, sum))
        return true;
    /* A full list of tags stands for more units than it names. */
    bool complete = sum->tag_count < GD_TAGS_MAX || sum->count <= GD_TAGS_MAX;
    return complete && full_weight(sum) <= trust->weight;
}

bool gd_unheard(const struct gd_trust *trust, const struct gd_cell *sum)
{
    if (sum->kind == GD_KIND_CLIENT)
        return gd_borderline(trust, sum);
    if ((sum->review & (GD_REVIEW_ACCEPTED | GD_REVIEW_REFUSED)) != 0)
        return false;
    if (sum->tag_count == GD_TAGS_MAX && sum->count > GD_TAGS_MAX)
        return false;
    if (trust->anonymous)
        return weak_units(sum) <= RECORDS_PENDING && full_weight(sum) <= trust->weight;
    return full_weight(sum) <= trust->weight + (GD_WEIGHT_STRONG - 1);
}

struct gd_tail gd_tail(const struct gd_trust *trust, const struct gd_groups *elements,
                       enum gd_end end)
{
    struct gd_tail tail = {0};
    struct gd_cell sum = {0};
    for (uint32_t i = 0; i < elements->count; i++) {
        uint32_t at = end == GD_END_HIGH ? elements->count - 1 - i : i;
        const struct gd_cell *element = &elements->items[at].sum;
        gd_sum_add(&sum, element);
        if (!tail.supported && gd_trusted(trust, &sum)) {
            tail.supported = true;
            tail.limit = (uint32_t)element->code;
            tail.pending = i;
        }
        if (!gd_borderline(trust, &sum))
            break;
        tail.borderline = i + 1;
    }
    return tail;
}
