/* SPDX-License-Identifier: Apache-2.0 */
/* How what is known of pods' gates goes on: an aggregator tells its parent in its summaries, roots
 * that share a database tell each other. docs/internals/pod-orders.md */
#ifndef GUARDD_PODS_GATES_TOLD_H
#define GUARDD_PODS_GATES_TOLD_H

#include "gates.h"

#include "common/json_writer.h"

enum { GATES_TOLD_MAX = 512 }; /* in one document; the rest follows in the next */

struct document_node;
struct service;
struct services;

/* What a guardd said of the gate beside it, or somebody for it: kept, and people are told of what
 * is odd. who: the reporter, pod: its name where it is known. */
void gates_note(struct services *services, struct service *service,
                const struct pod_gate_claim *claim, const char *who, const char *pod);
/* Whether some are to be told on; looks once a second. */
bool gates_due(struct service *service, uint64_t now_ms);
/* Those as an array "gates", as far as there is room; returns how many. */
uint32_t gates_write(struct service *service, struct json_writer *json, uint64_t now_ms);
/* They came, or are told again. */
void gates_sent(struct service *service, bool good);
/* The array "gates" of a summary's document: hostile. Only who is named by --whole-piles speaks for
 * others than itself. */
void gates_take(struct services *services, struct service *service, const char *reporter,
                const struct document_node *root);
/* The same of a document that came to another root so long ago. */
void gates_hear(struct services *services, struct service *service, const char *reporter,
                const struct document_node *root, uint64_t age_ms);
/* A root's word to the others that share its database, for its next transaction. */
void gates_share(struct services *services, uint64_t now_ms);

#endif
