/* SPDX-License-Identifier: Apache-2.0 */
/* How the evidence of one message is combined into its score. The learner scores the traffic that
 * taught it in the very same way, so that a score means how often harmless traffic reaches it. */
#ifndef GD_POLICY_EVIDENCE_H
#define GD_POLICY_EVIDENCE_H

#include <guard/likeness.h>
#include <guard/verdict.h>

enum { GD_EVIDENCE_ALONE = 0xffffffff }; /* a group of its own */

struct gd_evidence {
    uint32_t group;    /* what deviates in one value depends on each other */
    uint16_t weighted; /* hundredths */
};

/* Like what constructs have (likeness.h): how much more a malformed request reads like an evasion
 * than like a fault of a harmless client. 0: not at all. The degree is added to the weight of what
 * has it, of constructs where something else deviates in the same value, too. */
uint16_t gd_fault_degree(uint32_t fault);
/* The strength with the rule's weight. */
uint16_t gd_rule_weighted(enum guard_rule rule, uint16_t strength);
/* Strongest first. Hundredths of a decade. */
uint32_t gd_evidence_score(const struct gd_evidence *evidence, uint32_t count);

#endif
