/* SPDX-License-Identifier: Apache-2.0 */
/* How Knative Security-Guard describes a value: counts of kinds of characters, and which special
 * ones. Of knative_guardian.c. */
#ifndef GUARD_COMMON_KNATIVE_VALUE_H
#define GUARD_COMMON_KNATIVE_VALUE_H

#include "common/document.h"

#include <guard/guardian.h>

/* What a value's description says that a criterion can't; each is told once for all values. */
enum knative_loss {
    KNATIVE_LOSS_SEQUENCES, /* how often kinds of characters alternate */
    KNATIVE_LOSS_BLOCKS,    /* which blocks of Unicode */
    KNATIVE_LOSS_LEAST,     /* so many at least, or gaps between ranges */
    KNATIVE_LOSS_COUNTS,    /* how many of a kind: only their sum is held */
    KNATIVE_LOSS_PAIRS,     /* comments, 0x */
    KNATIVE_LOSS_SATURATED, /* counts end at 255: no bound */
    KNATIVE_LOSS_COUNT
};
struct knative_losses {
    const struct document_node *first[KNATIVE_LOSS_COUNT];
    uint32_t counts[KNATIVE_LOSS_COUNT];
};

const char *knative_loss_text(enum knative_loss loss);
/* Absent, `null`, `~` and the empty list say the same: none. */
bool knative_none(const struct document_node *node);
/* The greatest number that a limit (3), a count ([{min: 0, max: 3}]) or nothing allows; -1: it is
 * none of these. *least: a lower bound or a gap is said. */
int64_t knative_most(const struct document_node *node, bool *least);
/* Characters and the greatest length. GUARD_E_SYNTAX (*bad: where) when it is no description. */
GUARD_MUST_USE enum guard_rc knative_value(struct guard_criterion *out,
                                           const struct document_node *node,
                                           struct knative_losses *losses,
                                           const struct document_node **bad);

#endif
