/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods of a service have a gate whose guardd reports here, as those say with each question
 * for policies, and as aggregators and other roots tell it on. Only such a pod can be withdrawn by
 * an order: one that nobody stands beside, or that was made up, spends no budget.
 *
 * Each claim is kept by who makes it, so that nobody takes another's over: two who claim the same
 * pod stand beside each other, and where they don't say the same neither is believed. */
#ifndef GUARDD_PODS_GATES_H
#define GUARDD_PODS_GATES_H

#include "common/pods/withdrawals.h"

enum {
    POD_GATES_MAX = 4096,           /* of a service */
    POD_GATES_OF_ONE = 512,         /* of those, that one token may speak for */
    POD_GATES_LIVE_MS = 120 * 1000, /* each asks again within 45 s */
    POD_GATES_TELL_MS = 30 * 1000,  /* between two words of one to who is above or beside us */
};

/* Names by their hash: it is only asked whether a pod is there. */
struct pod_gate {
    uint64_t pod;
    uint64_t by;    /* who says it */
    uint64_t obeys; /* the withdrawal; 0: none */
    uint64_t seen_ms;
    uint64_t told_ms;                /* when it was told on; 0: it is to be */
    bool attested;                   /* a cluster said that it is the pod's own token */
    bool ours;                       /* said here, so that it is told on from here */
    bool again;                      /* somebody else claims the pod as well, and counts for it */
    char uid[POD_ORDER_UID_MAX + 1]; /* "": not known */
};

struct pod_gates {
    struct pod_gate *list;
    uint32_t count, room;
    uint64_t looked_ms;  /* when it was asked what is to be told on */
    uint64_t sending_ms; /* told_ms of what is on its way */
    uint64_t warned_ms;  /* when people were told that a claim is odd */
};

/* What was said of one gate. */
struct pod_gate_claim {
    uint64_t pod, by, obeys, seen_ms;
    const char *uid;
    bool attested;
    bool trusted; /* may speak for as many as there is room for */
    bool ours;
};

enum pod_gate_answer {
    POD_GATE_TAKEN,
    POD_GATE_CONTESTED, /* taken, while somebody else claims the pod as well: told at the first */
    POD_GATE_TOO_MANY,  /* who says it speaks for POD_GATES_OF_ONE others */
    POD_GATE_FULL,
    POD_GATE_ANSWERS,
};

void pod_gates_free(struct pod_gates *gates);
const char *pod_gate_answer_name(enum pod_gate_answer answer);
/* The hashes of a pod's names, of a withdrawal ("": 0) and of a reporter. */
uint64_t pod_gate_pod(const char *name_space, const char *pod);
uint64_t pod_gate_order(const char *id);
uint64_t pod_gate_by(const char *reporter);
/* Those that were silent for POD_GATES_LIVE_MS make room; what is older than what is known of the
 * same changes nothing. */
enum pod_gate_answer pod_gates_seen(struct pod_gates *gates, const struct pod_gate_claim *claim,
                                    uint64_t now_ms);
/* Whether one was seen lately, and has the uid where both are known. uid: "": any. */
bool pod_gates_has(const struct pod_gates *gates, const char *name_space, const char *pod,
                   const char *uid, uint64_t now_ms);
/* The uid of the one that was seen lately; "": none was, or it isn't known, or not sure. */
const char *pod_gates_uid(const struct pod_gates *gates, const char *name_space, const char *pod,
                          uint64_t now_ms);
/* Whether all who speak for it say that it follows this withdrawal. */
bool pod_gates_obey(const struct pod_gates *gates, const char *name_space, const char *pod,
                    const char *uid, const char *id, uint64_t now_ms);
/* Pods seen lately. */
uint32_t pod_gates_count(const struct pod_gates *gates, uint64_t now_ms);
/* Whether it is to be told on now: it is new, changed, or wasn't told for a while. */
bool pod_gate_due(const struct pod_gate *gate, uint64_t now_ms);

#endif
