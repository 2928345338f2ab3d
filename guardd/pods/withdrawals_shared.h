/* SPDX-License-Identifier: Apache-2.0 */
/* Roots that share a database have one list of a service's withdrawals: it is changed there first,
 * by whoever knows its newest revision, and becomes each root's file behind that. So two of them
 * can't spend a budget twice, and no root ever shows its children a text that another one's takes
 * back. docs/adr/0015-shared-decisions.md */
#ifndef GUARDD_PODS_WITHDRAWALS_SHARED_H
#define GUARDD_PODS_WITHDRAWALS_SHARED_H

#include <guard/types.h>

struct service;
struct services;

/* All of these do nothing where the database is one guardd's alone. */

/* Takes the newest one. GUARD_E_IO: the database is away; and as withdrawals_place. */
GUARD_MUST_USE enum guard_rc withdrawals_refresh(struct services *services, struct service *service,
                                                 struct guard_err *err);
/* The text becomes the next revision. GUARD_E_STATE: another root was first, take that one;
 * GUARD_E_IO: nobody knows, or the database is away. */
GUARD_MUST_USE enum guard_rc withdrawals_offer(struct services *services, struct service *service,
                                               struct guard_span text, const char *by,
                                               const char *why, struct guard_err *err);
/* Of the tick that compares documents: the newest revision there is `head`, 0: there is none. */
void withdrawals_attend(struct services *services, struct service *service, uint64_t head);

#endif
