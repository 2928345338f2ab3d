/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate beside a container found becomes records of its pod: requests that deviated and
 * reached it, responses of it and calls that it made. It is what a replacement needs besides what a
 * sensor saw: neither can be made by the other. */
#ifndef GUARDD_PODS_GATE_FINDINGS_H
#define GUARDD_PODS_GATE_FINDINGS_H

#include "sense_spec.h"

enum {
    GATE_FINDINGS_MAX = 64,        /* of a record */
    GATE_FINDINGS_EACH = 16,       /* of one rule and endpoint, with the ids of their exchanges */
    GATE_FINDINGS_FOLD_MS = 10000, /* what was told so lately waits for the next record */
};

struct document_node;
struct gate_findings;

/* Records go to the directory dir; spec is borrowed. GUARD_E_IO, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gate_findings_open(struct gate_findings **out,
                                                const struct sense_spec *spec, const char *dir,
                                                uint64_t now_ms, struct guard_err *err);
/* An alert of a gate beside us, which may say anything: requests and responses count if they are of
 * the pod's service, calls of any, and a request that was blocked doesn't, since it never reached
 * the pod. Of one rule and endpoint what is more than GATE_FINDINGS_EACH until the next record is
 * folded into the last of them, which then has the latest id and time; what is more than
 * GATE_FINDINGS_MAX is dropped and counted. */
void gate_findings_take(void *findings, const struct document_node *alert);
/* Writes what waits: at the pace of news if some of it wasn't told for GATE_FINDINGS_FOLD_MS, or
 * there is no more room, else that long after the last record. findings may be NULL. */
void gate_findings_tick(struct gate_findings *findings, uint64_t now_ms);
/* Writes what waits. findings may be NULL. */
void gate_findings_close(struct gate_findings *findings, uint64_t now_ms);

#endif
