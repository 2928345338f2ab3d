/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the pod records that sensors lay down in STATE/pods, learns and judges them, and removes
 * the files once what was learned is saved: a record that comes again after a kill is known by its
 * sequence. docs/internals/pod-learning.md */
#ifndef GUARDD_PODS_INTAKE_H
#define GUARDD_PODS_INTAKE_H

#include "tell.h"

struct pod_intake;

/* GUARD_E_NOMEM; GUARD_E_IO: orders are wanted, and there is no folder for them. services must
 * outlive it and shows its cases and orders as long. */
GUARD_MUST_USE enum guard_rc pod_intake_open(struct pod_intake **out, struct services *services,
                                             enum pod_orders_mode orders, uint64_t now_ms,
                                             struct guard_err *err);
/* Bounded work: true when there is more to do now. intake may be NULL here and below. */
bool pod_intake_tick(struct pod_intake *intake, uint64_t now_ms);
/* Inside the caller's transaction: what changed, if it is due (a profile may have megabytes) or
 * all is wanted. */
GUARD_MUST_USE enum guard_rc pod_intake_save(struct pod_intake *intake, bool all, uint64_t now_ms,
                                             struct guard_err *err);
/* After the commit: the files that were learned are removed. */
void pod_intake_saved(struct pod_intake *intake);
/* The transaction failed. */
void pod_intake_unsaved(struct pod_intake *intake);
void pod_intake_close(struct pod_intake *intake);

#endif
