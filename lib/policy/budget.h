/* SPDX-License-Identifier: Apache-2.0 */
/* How the budget of false alarms is spent: alpha becomes the scores that block. */
#ifndef GD_POLICY_BUDGET_H
#define GD_POLICY_BUDGET_H

#include <guard/model.h>

#include "policy/format.h"

/* Sets the header's thresholds so that of benign exchanges no more than alpha reach one of them, by
 * what the model's scales show. model: NULL, or without scales: a score means what it says.
 * likeness: what values read like is judged. */
void gd_budget_spend(struct gd_policy_header *header, const struct guard_model *model, double alpha,
                     bool likeness);

#endif
