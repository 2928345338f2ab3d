/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness: an endpoint whose profile rests on too little would block what it merely hasn't met
 * yet. */
#include "learn/readiness.h"

#include <stdio.h>

enum {
    EXCHANGES_MIN = 100,
    NOVELTY_PPM = 20000, /* one in fifty: with so little that is new, fewer exchanges do */
    READY_SHARE = 20,    /* all but a twentieth of the traffic goes to ready endpoints */
    PART = 333,          /* per mille of each of the three conditions; ready is 1000 */
};

/* Every value that is still likely to be new keeps the endpoint waiting. */
static bool novelty_is_low(const struct gd_draft_endpoint *endpoint)
{
    static const enum guard_rule rules[] = {GUARD_RULE_CHARACTER, GUARD_RULE_ALPHABET,
                                            GUARD_RULE_TYPE};
    if (gd_own_bound(&endpoint->place.own, GUARD_RULE_NAME) > NOVELTY_PPM)
        return false;
    for (const struct gd_draft_field *field = endpoint->fields.first; field != NULL;
         field = field->next) {
        for (size_t i = 0; field->trusted && i < sizeof(rules) / sizeof(rules[0]); i++) {
            if (gd_own_bound(&field->place->own, rules[i]) > NOVELTY_PPM)
                return false;
        }
    }
    return true;
}

static uint32_t part(uint64_t have, uint64_t want)
{
    return have >= want ? PART : (uint32_t)(have * PART / want);
}

static void say_support(char lacks[GD_LACKS_MAX], const struct gd_cell *sum,
                        const struct gd_trust *trust)
{
    uint32_t weight = gd_cell_weight(sum);
    bool strong = false;
    for (uint32_t i = 0; i < sum->tag_count; i++)
        strong = strong || (sum->tags[i] & 1) != 0;
    if (strong)
        (void)snprintf(lacks, GD_LACKS_MAX, "%u of %u clients", weight / GD_WEIGHT_STRONG,
                       trust->weight / GD_WEIGHT_STRONG);
    else
        (void)snprintf(lacks, GD_LACKS_MAX, "%u of %u units without a client", weight,
                       trust->weight);
}

void gd_endpoint_readiness(struct gd_readiness *out, const struct gd_draft *draft,
                           const struct gd_draft_endpoint *endpoint)
{
    const struct gd_trust *trust = &draft->meter.trust;
    const struct gd_cell *sum = &endpoint->group.sum;
    uint32_t weight = gd_cell_weight(sum);
    uint32_t epochs = (uint32_t)__builtin_popcount(sum->epochs);
    uint64_t records = endpoint->place.exposure.records;
    bool enough = records >= EXCHANGES_MIN || (endpoint->trusted && novelty_is_low(endpoint));
    *out = (struct gd_readiness){.ready = endpoint->trusted && enough};
    out->progress = part(weight, trust->weight) + part(epochs, trust->epochs_min) +
                    (enough ? PART : part(records, EXCHANGES_MIN)) + out->ready;
    if (weight < trust->weight)
        say_support(out->lacks, sum, trust);
    else if (epochs < trust->epochs_min)
        (void)snprintf(out->lacks, GD_LACKS_MAX, "%u of %u epochs", epochs, trust->epochs_min);
    else if (!enough)
        (void)snprintf(out->lacks, GD_LACKS_MAX, "%u of %u exchanges", (uint32_t)records,
                       (uint32_t)EXCHANGES_MIN);
}

/* NULL: it has no support, or there was no room. */
static const struct gd_draft_endpoint *
answer_with(const struct gd_draft *draft, const struct gd_draft_endpoint *endpoint, uint64_t status)
{
    for (const struct gd_draft_endpoint *at = draft->answers; at != NULL; at = at->next) {
        if (at->answer_of == endpoint && at->group.sum.code == status)
            return at;
    }
    return NULL;
}

void gd_response_readiness(struct gd_readiness *out, const struct gd_draft *draft,
                           const struct gd_draft_endpoint *endpoint)
{
    const struct gd_group *most = NULL;
    const struct gd_groups *answers = &endpoint->kinds[GD_KIND_ANSWER];
    *out = (struct gd_readiness){.lacks = "responses"};
    for (uint32_t i = 0; i < answers->count; i++) {
        if (most == NULL || answers->items[i].sum.count > most->sum.count)
            most = &answers->items[i];
    }
    if (most == NULL)
        return;
    const struct gd_draft_endpoint *answer = answer_with(draft, endpoint, most->sum.code);
    /* What has no support has no draft. */
    const struct gd_draft_endpoint pending = {.group = *most,
                                              .place.exposure.records = most->sum.count};
    gd_endpoint_readiness(out, draft, answer != NULL ? answer : &pending);
    if (out->ready && gd_draft_lost(&endpoint->group, GD_KIND_SIZE))
        *out = (struct gd_readiness){.lacks = "bodies: they weren't recorded"};
}

void gd_service_readiness(struct guard_model *model, const struct gd_draft *draft,
                          const uint32_t *progress)
{
    uint64_t total = draft->service_place.exposure.records, ready = 0, listed = 0;
    double sum = 0;
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        uint64_t records = model->endpoints[i].exchanges;
        ready += model->endpoints[i].ready ? records : 0;
        listed += records;
        sum += (double)records * (progress[i] < 999 ? progress[i] : 999);
    }
    /* Traffic that no template stands for yet has at most what the service as a whole has. */
    const struct gd_trust *trust = &draft->meter.trust;
    uint32_t start =
        part(gd_cell_weight(&draft->service.sum), trust->weight) / 2 +
        part((uint32_t)__builtin_popcount(draft->service.sum.epochs), trust->epochs_min) / 2;
    if (total > listed)
        sum += (double)(total - listed) * start;
    model->ready = total > 0 && ready >= total - total / READY_SHARE;
    double share = total == 0 ? 0 : sum / (double)total;
    model->progress = model->ready ? 1000 : share < 999 ? (uint32_t)share : 999;
}
