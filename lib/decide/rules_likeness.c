/* SPDX-License-Identifier: Apache-2.0 */
/* What reads like an attack where nothing did so far. Novel alone, or like an attack where such
 * text is normal, isn't more than it was; both together are. docs/internals/likeness.md */
#include "decide/decide.h"
#include "detect/likeness.h"

/* Something else deviates in the same value, and nobody sent it before. */
static bool deviates(const struct gd_decision *decision, uint32_t group)
{
    for (uint32_t i = 0; i < decision->candidate_count; i++) {
        if (decision->candidates[i].group == group && !decision->candidates[i].pending)
            return true;
    }
    return false;
}

/* Of these classes the one of the strongest construct, if it is among them. */
static enum guard_construct shown(uint32_t construct, uint32_t classes)
{
    enum guard_likeness own = guard_construct_likeness((enum guard_construct)construct);
    if (own < GUARD_LIKENESS_COUNT && (classes >> (unsigned)own & 1) != 0)
        return (enum guard_construct)construct;
    return GUARD_CONSTRUCT_NONE;
}

/* Names aren't learned as what they read like: nothing is measured of them, and they are never
 * stronger than what is assumed. */
enum { NAME_MOST = 200, NAMES_MAX = 64 };

struct reads {
    uint32_t index; /* of the field */
    uint32_t known; /* of the policy, or GD_POLICY_NONE */
    uint32_t classes;
    uint32_t construct;
    bool beside; /* something else deviates */
    bool pending;
    bool name; /* of the field, not its value */
};

static void add(struct gd_decision *decision, const struct reads *reads)
{
    uint32_t index = reads->index, known_index = reads->known, classes = reads->classes;
    const struct gd_policy_header *header = decision->policy->header;
    const struct gd_policy_field *known =
        known_index == GD_POLICY_NONE ? NULL : &decision->policy->fields[known_index];
    enum guard_construct strongest = shown(reads->construct, classes);
    uint32_t degree = strongest != GUARD_CONSTRUCT_NONE ? guard_construct_degree(strongest)
                                                        : (uint32_t)GUARD_LIKENESS_LEVEL;
    struct gd_candidate candidate = {
        .rule = GUARD_RULE_LIKENESS,
        .location = decision->profile->fields[index].location,
        .field = index,
        .known = known_index,
        .group = index,
        .detail = strongest,
        .expected = (uint32_t)__builtin_ctz(classes),
        .values = known != NULL ? known->values : header->exchanges,
        .clients = known != NULL ? known->clients : header->clients,
        .strength = known != NULL ? known->strength[GUARD_RULE_LIKENESS]
                                  : header->strength[GUARD_RULE_LIKENESS],
        .extra = reads->beside && !reads->pending ? (uint16_t)degree : 0,
        .alike = true,
        .pending = reads->pending};
    if (candidate.location == GUARD_LOCATION_PATH &&
        candidate.strength > header->strength_attack_like)
        candidate.strength = header->strength_attack_like;
    if (reads->name && candidate.strength > NAME_MOST)
        candidate.strength = NAME_MOST;
    if (strongest != GUARD_CONSTRUCT_NONE)
        candidate.expected = guard_construct_likeness(strongest);
    gd_candidate_add(decision, &candidate);
}

static void read_name(struct gd_decision *decision, uint32_t index)
{
    struct gd_likeness likeness;
    if (decision->profile->answer || decision->names_read++ >= NAMES_MAX)
        return;
    gd_likeness_of_name(decision->profile->fields[index].name, decision->profile->likeness_without,
                        &likeness);
    const struct reads reads = {.index = index,
                                .known = GD_POLICY_NONE,
                                .classes = likeness.classes,
                                .construct = likeness.construct,
                                .beside = true,
                                .name = true};
    if (likeness.classes != 0)
        add(decision, &reads);
}

void gd_rules_likeness(struct gd_decision *decision, uint32_t index, uint32_t known_index)
{
    const struct gd_summary *summary = &decision->profile->fields[index].summary;
    struct reads reads = {.index = index,
                          .known = known_index,
                          .classes = summary->likeness,
                          .construct = summary->construct};
    if (known_index != GD_POLICY_NONE) {
        const struct gd_policy_field *known = &decision->policy->fields[known_index];
        uint32_t unseen = reads.classes & ~(uint32_t)known->likeness;
        uint32_t fresh = unseen & ~(uint32_t)known->pending_likeness;
        reads.classes = fresh != 0 ? fresh : unseen;
        reads.pending = fresh == 0;
        /* Where no other rule can speak nothing says that the value is as others are. */
        reads.beside = known->strength[GUARD_RULE_CHARACTER] == 0 || deviates(decision, index);
    } else {
        reads.beside = true;
    }
    if (reads.classes != 0)
        add(decision, &reads);
    else if (decision->policy->header->strength[GUARD_RULE_LIKENESS] != 0)
        read_name(decision, index);
}
