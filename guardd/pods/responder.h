/* SPDX-License-Identifier: Apache-2.0 */
/* What the responder says of its books: read as it changes, shown to people who ask why nothing is
 * done. guardd acts on none of it. */
#ifndef GUARDD_PODS_RESPONDER_H
#define GUARDD_PODS_RESPONDER_H

#include "common/json_writer.h"
#include "common/pods/responder_state.h"

struct pod_responder {
    const char *dir;               /* guardd's state directory; borrowed */
    struct responder_state *state; /* NULL: no responder ever said anything, or what it says can't
                                      be read */
    uint64_t seen_ms;              /* its last sign of life */
    uint64_t looked_ms;
    uint64_t stamp; /* of the file that was read; 0: none */
    bool complained;
};

/* Reads what changed, once a second. */
void pod_responder_tick(struct pod_responder *responder, uint64_t now_ms);
void pod_responder_close(struct pod_responder *responder);

/* Workloads that are stopped, pods that are contained; 0 of a responder that doesn't live. */
uint32_t pod_responder_stopped(const struct pod_responder *responder, uint64_t now_ms);
uint32_t pod_responder_contained(const struct pod_responder *responder, uint64_t now_ms);

/* Whether a responder that lives is stopped for the workload. responder may be NULL. */
enum pod_going { POD_GOING_UNKNOWN, POD_GOING_ON, POD_GOING_STOPPED };
enum pod_going pod_responder_going(const struct pod_responder *responder, const char *name_space,
                                   const char *workload, uint64_t now_ms);

/* "responder": {...} or null. responder may be NULL. */
void pod_responder_json(struct json_writer *json, const struct pod_responder *responder,
                        uint64_t now_ms);
/* The same of one workload, of which so many replicas live. */
void pod_responder_workload_json(struct json_writer *json, const struct pod_responder *responder,
                                 struct guard_span name_space, struct guard_span workload,
                                 uint32_t replicas, uint64_t now_ms);

#endif
