/* SPDX-License-Identifier: Apache-2.0 */
/* Steps by the API server: each is a function of a child, which may wait. All can be done again:
 * none touches a pod of another uid, and what was done already is as good. */
#ifndef RESPONDER_CLUSTER_STEPS_H
#define RESPONDER_CLUSTER_STEPS_H

#include "actor.h"

/* Goes on with the response's step, which step_by_cluster says is one of these. */
enum acted cluster_act(const struct responder_cfg *cfg, struct response *response,
                       char detail[ACTED_TEXT_MAX + 1], uint64_t now_ms);
/* What would be done. */
const char *cluster_plan(const struct step_cfg *step);

#endif
