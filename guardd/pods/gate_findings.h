/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate beside a container found becomes records of its pod: requests that deviated and
 * reached it, responses of it and calls that it made. It is what a replacement needs besides what a
 * sensor saw: neither can be made by the other. */
#ifndef GUARDD_PODS_GATE_FINDINGS_H
#define GUARDD_PODS_GATE_FINDINGS_H

#include "sense_spec.h"

enum { GATE_FINDINGS_MAX = 64, GATE_FINDINGS_GAP_MS = 1000 };

struct document_node;
struct gate_findings;

/* Records go to the directory dir; spec is borrowed. GUARD_E_IO, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gate_findings_open(struct gate_findings **out,
                                                const struct sense_spec *spec, const char *dir,
                                                uint64_t now_ms, struct guard_err *err);
/* An alert of a gate beside us, which may say anything: requests and responses count if they are of
 * the pod's service, calls of any, and a request that was blocked doesn't, since it never reached
 * the pod. More than GATE_FINDINGS_MAX in a second are dropped and counted. */
void gate_findings_take(void *findings, const struct document_node *alert);
/* Writes what waits, a second after the last record at the earliest. findings may be NULL. */
void gate_findings_tick(struct gate_findings *findings, uint64_t now_ms);
/* Writes what waits. findings may be NULL. */
void gate_findings_close(struct gate_findings *findings, uint64_t now_ms);

#endif
