/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying out one order: the steps' machine is asked, the actor acts, and before and behind each
 * step the ledger is written, so that a kill is found again where it struck. */
#ifndef RESPONDER_RESPONSE_H
#define RESPONDER_RESPONSE_H

#include "actor.h"
#include "mailbox.h"
#include "state_file.h"

struct responder {
    struct responder_cfg cfg;
    struct mailbox mailbox;
    struct actor actor;
    struct ledger ledger;
    char broken[256]; /* why nothing is done: the ledger can't be read or written; "" */
    bool stopped;     /* by a person's file */
    struct state_file state_file;
};

/* The ledger is written, or nothing is done any more. False then. */
bool responder_save(struct responder *responder);
/* A line of an order that has no response: it is refused. */
void responder_refuse(struct responder *responder, const char *id, const char *detail);

/* --- response.c --- */

/* A new one in room, which is all zeros; cfg is that of its workload. */
void response_begin(struct response *room, const struct pod_order *order,
                    const struct workload_cfg *cfg, bool dry_run, uint64_t now_ms);
/* After a start: what was contained is so again, or the response ends. */
void response_resume(struct responder *responder, struct response *response, uint64_t now_ms);
/* Goes on as far as it can without waiting. */
void response_run(struct responder *responder, struct response *response, uint64_t now_ms);
/* Another pod of its workload does the same. */
void response_see_others(struct response *response);

/* --- intake.c --- */

/* Looks at the orders that lie there, and takes or refuses each. */
void intake_look(struct responder *responder, uint64_t now_ms);
/* Workloads that people let go on ("DIR/resume/NAMESPACE.WORKLOAD"), and whether all is stopped
 * ("DIR/stop"). */
void intake_look_at_people(struct responder *responder);

#endif
