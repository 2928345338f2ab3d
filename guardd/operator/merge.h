/* SPDX-License-Identifier: Apache-2.0 */
/* The Guardian that holds for a service of the cluster: what its object says, what its namespace
 * and the cluster say where that says nothing, and nothing below the cluster's floor. */
#ifndef GUARDD_OPERATOR_MERGE_H
#define GUARDD_OPERATOR_MERGE_H

#include "common/document.h"

#include <guard/guardian.h>

/* Each NULL when there is none. */
struct merge_parts {
    const struct document_node *spec;      /* of the Guardian */
    const struct document_node *namespace; /* spec of the namespace's GuardianDefault */
    const struct document_node *cluster;   /* spec of the ClusterGuardian */
};

/* *guardian and *text (canonical) live in the arena. Fails with the path of the member that is
 * wrong, "spec.configured.endpoints[0].path: ...": GUARD_E_SYNTAX, GUARD_E_RANGE, GUARD_E_LIMIT,
 * GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc merge_guardian(struct guard_guardian *guardian,
                                            struct guard_span *text, struct guard_span service,
                                            const struct merge_parts *parts,
                                            struct guard_arena *arena, struct guard_err *err);
/* The same of a document that was in force before, instead of a spec: it goes on, raised to
 * the floor of today. */
GUARD_MUST_USE enum guard_rc merge_last(struct guard_guardian *guardian, struct guard_span *text,
                                        struct guard_span last, const struct merge_parts *parts,
                                        struct guard_arena *arena, struct guard_err *err);
/* Whether the specs of the namespace's defaults or of the cluster's can be used, as what they are
 * for; else the member that is wrong. */
GUARD_MUST_USE enum guard_rc merge_check(const struct merge_parts *parts, struct guard_err *err);

#endif
