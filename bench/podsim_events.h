/* SPDX-License-Identifier: Apache-2.0 */
/* What is to come in a service's life, the next first. */
#ifndef GUARD_BENCH_PODSIM_EVENTS_H
#define GUARD_BENCH_PODSIM_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

enum { PODSIM_EVENTS = 8192 };

enum podsim_event_kind {
    RECORD, /* of a slot, each interval */
    USUAL_TOLD,
    ROLLOUT,
    ROLL_SLOT,
    SCALE,
    RESTART,
    JOB,
    RARE,
    CRASH,
    SESSION,
    GATE_FINDING,
    RELEASE_FINDING, /* on a response: of a pod with new bodies, or to a broken client */
    DETAIL,          /* a short interval of a slot */
    EXPORT,
    BACKUP,
    SURGE,
    SCAN,
    BROKEN,
    BRANCH, /* never taken before, by a request of a client that scans */
    INTRUSION,
    RETURN, /* of an intruder whose pod was replaced */
    BEACON, /* of the poisoned pod */
    APPROVE,
};

struct podsim_event {
    double time; /* seconds from the start */
    enum podsim_event_kind kind;
    uint32_t slot;
    uint64_t what;
};

struct podsim_events {
    struct podsim_event heap[PODSIM_EVENTS];
    uint32_t count;
    bool overflowed; /* something wasn't simulated: the run is worth nothing */
};

void podsim_push(struct podsim_events *events, const struct podsim_event *event);
/* There must be one. */
struct podsim_event podsim_pop(struct podsim_events *events);

#endif
