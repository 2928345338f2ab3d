/* SPDX-License-Identifier: Apache-2.0 */
/* What comes down from a parent, before it reaches a file that gates read: only what the root
 * signed, for this service, and newer than what is in place. Gates check all of it again. */
#ifndef GUARDD_TREE_DOWNLOAD_H
#define GUARDD_TREE_DOWNLOAD_H

#include <guard/types.h>

struct service;
struct services;

/* What lies in the state directory already, at start or of a new service. */
void download_open(struct services *services, struct service *service);
/* A policy. False after an alarm: what is in place stays. */
bool download_policy(struct services *services, struct service *service, struct guard_span bytes);
/* A table of verdicts on clients. GUARD_E_REPLAY: older than the one in place; GUARD_E_IO,
 * GUARD_E_LIMIT: it can't be written; GUARD_E_NOMEM; else it isn't the root's, for this service. */
enum guard_rc download_verdicts(struct services *services, struct service *service,
                                struct guard_span bytes, struct guard_err *err);
/* What the tag "GENERATION-VERDICTS-WITHDRAWALS" of a policy says is offered beside it; a parent
 * that has no withdrawals says nothing of them. */
void download_tag(struct service *service, const char *etag);
/* What the parent's answers say of a service beside what was asked: whether it is young, what is
 * done with clients, and since when its withdrawals are as they are. */
struct document_node;
void download_controls(struct service *service, const struct document_node *answer);
void download_answer(struct service *service, struct guard_span body);

#endif
