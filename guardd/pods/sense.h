/* SPDX-License-Identifier: Apache-2.0 */
/* The unprivileged sensor: guardd beside the container it watches, in its network namespace, tells
 * where it connects to, what it listens on and what it uses. docs/internals/pod-sensors.md */
#ifndef GUARDD_PODS_SENSE_H
#define GUARDD_PODS_SENSE_H

#include <guard/pod.h>

struct alerts;
struct sense;
struct services;

/* Whether spec, "workload=cart,pod=cart-1,...", says who is watched: workload and pod are needed;
 * namespace, container, service, image, hash, uid, node, cgroup (the directory of its control
 * group), processes (yes: the containers share a process namespace with guardd's), records (the
 * directory for them) and interval (of records, in seconds) may be said. err names what is wrong.
 * GUARD_E_SYNTAX, GUARD_E_RANGE. */
GUARD_MUST_USE enum guard_rc sense_check(const char *spec, struct guard_err *err);
/* Records go to "<state>/pods" unless spec says where. services are borrowed: which of those that
 * gates tell of is the pod's. GUARD_E_IO, GUARD_E_NOMEM and what
 * sense_check says. */
GUARD_MUST_USE enum guard_rc sense_open(struct sense **out, const char *spec, const char *state,
                                        const struct services *services, struct alerts *alerts,
                                        struct guard_err *err);
/* Every now and then, at least each second; bounded work. sense may be NULL. */
void sense_tick(struct sense *sense, uint64_t now_ms);
/* Tells what it has. */
void sense_close(struct sense *sense, uint64_t now_ms);

#endif
