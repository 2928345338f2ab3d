/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a workload in responder.yaml. */
#ifndef RESPONDER_CONFIG_STEPS_H
#define RESPONDER_CONFIG_STEPS_H

#include "config.h"

#include "config_values.h"

void steps_default(struct workload_cfg *workload);
/* A member of "steps" into ctx, a workload_cfg. */
enum guard_rc read_steps(const struct reading *reading, const struct document_node *member,
                         void *ctx);
/* What the steps need of each other. */
GUARD_MUST_USE enum guard_rc check_cluster_steps(const struct reading *reading,
                                                 const struct document_node *node,
                                                 const struct workload_cfg *workload);
/* Whether the API server is asked to do it. */
bool step_by_cluster(const struct step_cfg *step);

#endif
