/* SPDX-License-Identifier: Apache-2.0 */
/* From the open pile of a service to a delta in the spool. The store has the pile before it is
 * closed, the spool has it before the store forgets it, and it isn't sent before the store has: so
 * whenever this is killed, each record is in exactly one delta. */
#ifndef GUARDD_TREE_OUTBOX_H
#define GUARDD_TREE_OUTBOX_H

#include <guard/types.h>

struct service;
struct services;

/* At start, of all services of the store. */
GUARD_MUST_USE enum guard_rc outbox_load(struct services *services, struct guard_err *err);
/* Of one that is new. */
GUARD_MUST_USE enum guard_rc outbox_open(struct services *services, struct service *service,
                                         struct guard_err *err);
/* A record, or a pile of a child, came into the open pile. Nothing at a node without parent. */
void outbox_observed(struct services *services, struct service *service, uint64_t now_ms);
/* Inside the transaction that saves the service. */
GUARD_MUST_USE enum guard_rc outbox_save(struct services *services, const struct service *service,
                                         struct guard_err *err);
/* Whether there is something to close. all: whatever isn't empty. */
bool outbox_due(const struct services *services, uint64_t now_ms, bool all);
/* Closes it. Everything must have been saved just before, and is to be saved behind it. */
void outbox_close(struct services *services, uint64_t now_ms, bool all);

#endif
