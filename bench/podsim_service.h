/* SPDX-License-Identifier: Apache-2.0 */
/* One service of guard-podsim as its parts see it: its pods, what they do, what is under way. */
#ifndef GUARD_BENCH_PODSIM_SERVICE_H
#define GUARD_BENCH_PODSIM_SERVICE_H

#include "podsim.h"
#include "podsim_events.h"

enum {
    SLOTS = 160, /* pods at once at most */
    USUAL = 64,
    INTRUDERS = 256, /* of one service, that may come back */
    TOLD = 32,       /* features of one record */
    PLACES = 4,
    SAID = 128,
    SHORT = 10, /* seconds of an interval as sensors have it */
    SECOND = 1000,
    DAY = 86400,
};

/* Bytes a second to a place, until then. */
struct transfer {
    double rate, until;
    uint32_t place;
};

/* What guardd told of a pod. */
struct told {
    uint64_t id;
    uint32_t kind;
    enum guard_pod_decision decision;
    double at;
};

struct slot {
    bool alive;
    uint32_t serial; /* of its name */
    uint32_t template;
    double started;
    double intruded; /* when, < 0: not */
    uint32_t attack;
    uint32_t intruder;
    uint32_t visit; /* of its intruder: 0 is the first */
    bool counted;   /* its intrusion was found */
    bool gone;      /* its intrusion led to a replacement */
    enum podsim_cause last;
    double last_at;
    double skew;                   /* its share of the load, 1 of the mean */
    double findings, extra, until; /* a second: of a client that scans or is broken; its requests */
    struct transfer usual, taken;  /* besides what goes on */
    struct told said[SAID];        /* of this pod, the last ones */
    uint32_t said_count;           /* ever */
    double detailed;               /* each short interval is told until then */
    double stride;
    bool detailing;
};

/* A thing that pods do, made from a number. */
struct thing {
    enum guard_pod_kind kind;
    uint64_t number;
};

/* What an intruder does, to do it again. */
struct intruder {
    struct thing things[4];
    uint32_t count;
};

/* A usual destination that much goes to. */
struct place {
    struct thing thing;
    double before, now; /* bytes a second of a mean pod, of templates before one and since */
    uint32_t since;
};

/* What a record is made of. */
struct report {
    char texts[TOLD][96];
    char ids[TOLD][24];
    struct guard_pod_feature told[TOLD];
    uint32_t count;
};

struct service {
    const struct podsim_params *params;
    const struct guard_pod_rules *rules;
    struct podsim_counts *counts;
    struct podsim_random random;
    struct guard_pods *pods;
    struct guard_err *err;
    bool trace;
    struct podsim_events events;
    struct slot slots[SLOTS];
    struct intruder intruders[INTRUDERS];
    uint32_t intruder_count;
    uint32_t base;   /* replicas */
    uint32_t wanted; /* now */
    uint32_t serials;
    uint32_t template;
    uint64_t things; /* numbers given away */
    struct thing usual[USUAL];
    uint32_t usual_count;
    bool sidecar, beside, sticky;
    bool scales;
    bool unpacks;
    bool reports_crashes;
    double job_every; /* days; 0: none */
    bool job_of_all, job_runs;
    uint32_t leader;
    struct thing job[3], crash[3];
    struct place places[PLACES];
    uint32_t place_count;
    double noise;    /* of the logarithm of an interval */
    double requests; /* a second of a mean pod */
    bool leader_heavy, backup_of_all;
    double backup_every; /* days; 0: none */
    double surge_until;
    uint64_t sequence;
    uint64_t request_count;
    double now;
    enum podsim_cause found; /* why the gate found what it sent last */
    struct report sensor, gate;
};

/* --- podsim_tell.c --- */

uint64_t podsim_ms(double time);
void podsim_count(struct service *service, uint32_t at, const struct guard_pod_verdict *verdict);

/* Adds to what the sensor or the gate tells next; NULL: it doesn't see it, or there is no room. */
struct guard_pod_feature *podsim_tell(struct service *service, struct report *report,
                                      struct thing thing, double time);
/* A finding of the gate, with the id (NULL: one of its own). */
void podsim_find(struct service *service, struct thing thing, double time, const char *id);
void podsim_request_id(struct service *service, char *out, size_t size);
/* What the sensor told, with the amounts of the last short interval, then what the gate happened to
 * find about then. */
GUARD_MUST_USE enum guard_rc podsim_send(struct service *service, uint32_t at, double from);
/* What is new: before its time, if the sensor does so, and with its interval; what the gate found
 * before or after that. */
GUARD_MUST_USE enum guard_rc podsim_send_news(struct service *service, uint32_t at);
/* What the gate found. */
GUARD_MUST_USE enum guard_rc podsim_send_gate(struct service *service, uint32_t at, double until);
/* What it found before something new happens now. */
GUARD_MUST_USE enum guard_rc podsim_send_before(struct service *service, uint32_t at);
/* Adds the places that much goes to, each with the most that went there in one of so many short
 * intervals. */
void podsim_tell_places(struct service *service, uint32_t at, double intervals);

/* --- podsim_service.c --- */

void podsim_plan(struct service *service, double time, enum podsim_event_kind kind, uint32_t slot,
                 uint64_t what);
/* The next of events that come with a rate per day; 0: never. */
void podsim_plan_next(struct service *service, enum podsim_event_kind kind, double per_day);
struct thing podsim_new_thing(struct service *service, enum guard_pod_kind kind);
uint32_t podsim_live_count(const struct service *service);
uint32_t podsim_any_slot(struct service *service); /* of the live ones */
/* What happens in the slot now, and is no intrusion. */
void podsim_mark(struct service *service, uint32_t at, enum podsim_cause cause);
void podsim_restart(struct service *service, uint32_t at);
/* Tells each short interval of the slot from now on for so many seconds. */
void podsim_detail(struct service *service, uint32_t at, double seconds, double stride);
/* Things of one cause, with the request that was answered then. */
GUARD_MUST_USE enum guard_rc podsim_burst(struct service *service, uint32_t at,
                                          const struct thing *things, uint32_t count, bool deviates,
                                          uint32_t flags);

/* --- podsim_load.c --- */

void podsim_choose_load(struct service *service);
double podsim_skew(struct service *service); /* of a pod that starts */
double podsim_demand(const struct service *service, const struct slot *slot);
/* Findings of the gate that come to nothing, a second. */
double podsim_findings(const struct service *service, const struct slot *slot);
/* The mean to that place in a second, and what is told of the last short interval. */
double podsim_flow(const struct service *service, uint32_t at, uint32_t place);
void podsim_fill_rates(struct service *service, uint32_t at, struct guard_pod_record *record);
void podsim_change_bodies(struct service *service);
void podsim_plan_load(struct service *service);
/* What is of this file. */
GUARD_MUST_USE enum guard_rc podsim_happen_load(struct service *service,
                                                const struct podsim_event *event);

/* --- podsim_intrusions.c --- */

bool podsim_is_intruded(const struct service *service, const struct slot *slot);
void podsim_count_intruder(struct service *service, struct slot *slot, bool replaced);
void podsim_plan_intrusions(struct service *service);
GUARD_MUST_USE enum guard_rc podsim_happen_intrusion(struct service *service,
                                                     const struct podsim_event *event);

#endif
