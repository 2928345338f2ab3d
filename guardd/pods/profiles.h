/* SPDX-License-Identifier: Apache-2.0 */
/* What the replicas of a service's workloads normally do: a profile for each (namespace, workload,
 * container), kept in the store as a note of the service. docs/internals/pod-learning.md */
#ifndef GUARDD_PODS_PROFILES_H
#define GUARDD_PODS_PROFILES_H

#include <guard/pod_response.h>

struct json_writer;
struct service;
struct services;
struct store;

enum { POD_PROFILES_MAX = 16, POD_SERVICE_SESSIONS_MAX = 64 }; /* of a service */

enum { POD_KEPT_DAYS = 90 }; /* then what wasn't seen is forgotten */

/* Why a record wasn't learned. */
enum pod_refusal {
    POD_REFUSED_AHEAD = 0,   /* its end is in the time to come */
    POD_REFUSED_OLD = 1,     /* longer ago than anything is kept */
    POD_REFUSED_NOBODY = 2,  /* the sensor doesn't know whose it is */
    POD_REFUSED_SERVICE = 3, /* no service can have its name, or there are too many */
    POD_REFUSED_OTHER = 4,   /* too many workloads or replicas, no memory */
    POD_REFUSED_FOREIGN = 5, /* a child of the tree spoke of a pod that isn't its to speak for */
    POD_REFUSED_FLOOD = 6,   /* a child sent more than it may */
    POD_REFUSALS = 7,
};

/* Since guardd started. */
struct pod_counts {
    uint64_t files, damaged_files;
    uint64_t records; /* learned, or only judged; without those that came again */
    uint64_t repeated;
    uint64_t refused[POD_REFUSALS];
    uint64_t refused_day[POD_REFUSALS]; /* on which it was said last that a record was */
    uint64_t alerts;
    uint64_t decisions[GUARD_POD_REPLACE + 1]; /* that were told, by what they were */
    uint64_t ends[GUARD_POD_USELESS + 1];      /* of orders */
};

struct service_pod_session {
    char name_space[GUARD_POD_NAME_MAX + 1], pod[GUARD_POD_NAME_MAX + 1];
    uint64_t until_ms;
};

/* All zeros is one without any. */
struct service_pods {
    uint32_t count;
    bool changed;         /* since it was saved */
    uint64_t dropped_day; /* on which what is old was forgotten last */
    uint32_t session_count;
    uint64_t decisions_stamp; /* of the file that was read; 0: none */
    uint32_t decisions_of;    /* profiles that had them */
    struct guard_pods *list[POD_PROFILES_MAX];
    struct service_pod_session sessions[POD_SERVICE_SESSIONS_MAX];
};

/* Judges the record, and learns it. GUARD_E_LIMIT: the service has too many workloads, or the
 * workload too many replicas although the old ones were forgotten; GUARD_E_NOMEM: the workload is
 * begun anew; and what guard_pods_observe says. */
GUARD_MUST_USE enum guard_rc pods_observe(struct service *service,
                                          const struct guard_pod_rules *rules,
                                          const struct guard_pod_record *record,
                                          struct guard_pod_verdict *verdict, struct guard_err *err);
/* Forgets, once a day, what wasn't seen for 90 days. */
void pods_forget_old(struct service_pods *pods, uint64_t now_ms);
/* Counts it, and says it once a day for each reason, by guardd's clock: those of records are what
 * is in doubt. reporter: who sent it; "": our own sensors. */
void pod_refuse(struct services *services, const struct guard_pod_record *record,
                enum pod_refusal refusal, const char *why, const char *reporter, uint64_t now_ms);
/* "ahead", "old", ... */
const char *pod_refusal_name(enum pod_refusal refusal);
/* "pods": {...} of guardd: the counts. */
void pod_counts_status(struct json_writer *json, const struct pod_counts *counts);
/* "pods": [...] of the service: what is known of each workload, and of its replicas. */
void pods_status(struct json_writer *json, const struct service *service);
/* "blind": [...]: the names of the kinds whose bit is set, which no sensor sees. */
void pods_write_blind(struct json_writer *json, uint32_t blind);

/* --- judgements.c --- */

/* Changed decisions of people are read and given to all profiles. */
void pods_watch_decisions(struct services *services);
/* Whether somebody said to debug in the pod at that time. */
bool pods_in_session(const struct service_pods *pods, const struct guard_pod_identity *id,
                     uint64_t from_ms);

/* --- profiles_note.c --- */

/* The bytes that are kept; *out is malloc'd. GUARD_E_LIMIT: more than 64 MiB; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc pods_note_write(const struct service_pods *pods, uint8_t **out,
                                             size_t *len, struct guard_err *err);
/* Hostile input, into one without any; key: the service's. GUARD_E_SYNTAX, GUARD_E_VERSION,
 * GUARD_E_LIMIT, GUARD_E_NOMEM and what guard_pods_decode says: pods is without any then, too. */
GUARD_MUST_USE enum guard_rc pods_note_read(struct service_pods *pods,
                                            const uint8_t key[GUARD_KEY_BYTES],
                                            struct guard_span note, struct guard_err *err);
void pods_free(struct service_pods *pods);

/* --- profiles_store.c --- */

/* Inside the caller's transaction: what changed since the last one. */
GUARD_MUST_USE enum guard_rc pods_save(struct store *store, struct service *service,
                                       struct guard_err *err);
GUARD_MUST_USE enum guard_rc pods_drop(struct store *store, const struct service *service,
                                       struct guard_err *err);
/* What the store has of the service takes the place of what is in memory; NULL: of all services.
 * What is damaged is told of and is as if it had never been. */
GUARD_MUST_USE enum guard_rc pods_load(struct services *services, struct service *service,
                                       struct guard_err *err);

#endif
