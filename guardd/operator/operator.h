/* SPDX-License-Identifier: Apache-2.0 */
/* guardd in a cluster: Guardians are objects there, which become the files that guardd reads, and
 * what became of them is their status. Of several operators the holder of a Lease does it.
 * docs/adr/0019-operator.md, docs/internals/kubernetes.md */
#ifndef GUARDD_OPERATOR_OPERATOR_H
#define GUARDD_OPERATOR_OPERATOR_H

#include "pace.h"

#include "guardd/service.h"

struct cluster_operator;
struct alerts;

/* where: "in-cluster" or a kubeconfig's path. What isn't there yet is tried again: only what is
 * wrong with where fails. */
GUARD_MUST_USE enum guard_rc operator_open(struct cluster_operator **out, const char *where,
                                           const struct operator_pace *pace,
                                           struct services *services, struct alerts *alerts,
                                           struct guard_err *err);
/* Does what is due; true: there is more, at once. It looks at each object: for some ten times in a
 * second. NULL: nothing. */
bool operator_tick(struct cluster_operator *cluster);
/* Between ticks: takes what the cluster and gates answered, and asks on. True: a tick has something
 * to do now. */
bool operator_run(struct cluster_operator *cluster);
/* Readable when there is something to do; -1 for NULL. */
int operator_fd(const struct cluster_operator *cluster);
uint32_t operator_wait_ms(const struct cluster_operator *cluster, uint32_t max);
/* Gives its Lease up, and ends. */
void operator_close(struct cluster_operator *cluster);

#endif
