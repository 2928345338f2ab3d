/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a service's withdrawals and its file, for those who change it: people and orders. */
#ifndef GUARDD_PODS_WITHDRAWALS_TABLE_H
#define GUARDD_PODS_WITHDRAWALS_TABLE_H

#include "withdrawals.h"

/* For so long what was begun counts: budget and age of orders are those of a responder that says
 * nothing else. */
enum { WITHDRAWALS_WINDOW_MS = 600 * 1000 };

/* Who changes something, and why. */
struct withdrawals_author {
    const char *by, *why;
};

bool withdrawal_in_force(const struct pod_withdrawal *one, uint64_t now_ms);
/* table may be NULL; NULL: none has the id. */
struct pod_withdrawal *withdrawals_find(struct pod_withdrawals *table, const char *id);
/* The one in force of a pod. Who is withdrawn is named by its names: it is one pod, whatever is
 * known of its uid. */
struct pod_withdrawal *withdrawals_of_pod(struct pod_withdrawals *table, const struct pod_self *pod,
                                          uint64_t now_ms);
/* The table without those that are over and count for nothing any more, to be changed; NULL: no
 * memory. */
struct pod_withdrawals *withdrawals_copy(const struct service *service, uint64_t now_ms);
/* Signs the copy and lays it down; it is the service's then, or freed. GUARD_E_STATE: another root
 * changed it meanwhile; GUARD_E_IO, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc withdrawals_issue(struct services *services, struct service *service,
                                               struct pod_withdrawals *copy,
                                               const struct withdrawals_author *author,
                                               uint64_t now_ms, struct guard_err *err);
/* Ends the one with the id, which is in the table. As withdrawals_issue. */
GUARD_MUST_USE enum guard_rc withdrawals_end(struct services *services, struct service *service,
                                             const char *id,
                                             const struct withdrawals_author *author,
                                             uint64_t now_ms, struct guard_err *err);
/* Writes what is in force and couldn't be written. */
void withdrawals_put_again(const struct services *services, struct service *service);
/* People are told once, until it goes well again. */
void withdrawals_tell_failing(struct service *service, const struct guard_err *err);
void withdrawals_tell_written(struct service *service);

#endif
