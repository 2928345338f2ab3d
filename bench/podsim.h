/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of guard-podsim: parameters, random numbers, one service's life, and the counts. */
#ifndef GUARD_BENCH_PODSIM_H
#define GUARD_BENCH_PODSIM_H

#include <guard/pods.h>

enum { PODSIM_SIZES = 7, PODSIM_ATTACKS = 11, PODSIM_RETURNS = 3 };

enum { PODSIM_MINER = 6, PODSIM_TAKEN = 7 }; /* of the attacks */

/* One member for each name in podsim.params. */
struct podsim_params {
    double services, days, interval;
    double replicas[PODSIM_SIZES];
    double usual_min, usual_max;
    double rollouts_per_day, rollout_changes, rollout_canary, canary_time, rollout_step;
    double autoscaled, restarts;
    double jobs_leader, job_every_days_max, job_exec, jobs_all;
    double rare_single, rare_double, rare_by_request;
    double crash_reporters, crashes, crashes_by_request, unpackers;
    double sessions, session_hard, session_unseen, approve_after, approved;
    double requests_per_day, requests_spread, alpha, response_findings, call_findings, endpoints;
    double release_findings, sticky;
    double scans, scan_time, scan_findings, scan_requests, scan_single, scan_double;
    double broken_clients, broken_time, broken_findings, broken_single, burst_response;
    double beside, places_max, volume, volume_spread, noise_min, noise_max, skew, skew_balanced;
    double leader_heavy, leader_times;
    double backup_leader, backup_all, backup_days, backup_time, backup_times;
    double exports, export_bytes, export_spread, export_time, export_deviates;
    double body_changes, body_spread, surges, surge_times;
    double lossy, sidecar_only, in_flight, early;
    double intrusions_per_1000_days, poisoned, returns, gate_sees;
    double taken_bytes, taken_spread, taken_at_once, taken_hour, taken_day;
};

/* name=value of a parameter; GUARD_E_SYNTAX, GUARD_E_RANGE. */
GUARD_MUST_USE enum guard_rc podsim_set(struct podsim_params *params, const char *assignment,
                                        struct guard_err *err);
/* All parameters, each once. */
GUARD_MUST_USE enum guard_rc podsim_load(struct podsim_params *params, const char *path,
                                         struct guard_err *err);
/* name=value of a rule of the decision. */
GUARD_MUST_USE enum guard_rc podsim_rule(struct guard_pod_rules *rules, const char *assignment,
                                         struct guard_err *err);

/* SplitMix64: every seed is as good as any other. */
struct podsim_random {
    uint64_t state;
};
uint64_t podsim_next(struct podsim_random *random);
double podsim_share(struct podsim_random *random); /* 0 <= x < 1 */
bool podsim_happens(struct podsim_random *random, double share);
uint64_t podsim_below(struct podsim_random *random, uint64_t bound);
double podsim_wait(struct podsim_random *random, double mean); /* exponential */
double podsim_normal(struct podsim_random *random);
/* The greatest of so many normal ones. */
double podsim_most(struct podsim_random *random, double count);

/* What happened last in a pod that was no intrusion. */
enum podsim_cause {
    PODSIM_NOTHING,
    PODSIM_ROLLOUT,
    PODSIM_JOB,
    PODSIM_RARE,
    PODSIM_CRASH,
    PODSIM_SESSION,
    PODSIM_START,
    PODSIM_TRANSFER, /* a backup or an export */
    PODSIM_SCAN,
    PODSIM_BROKEN, /* a client whose requests deviate */
    PODSIM_SURGE,
    PODSIM_CHANCE,  /* a false finding of the gate */
    PODSIM_RELEASE, /* findings on answers that a release changed */
    PODSIM_CAUSES,
};
/* What an alert rests on. */
enum podsim_group {
    PODSIM_NEW,    /* what the pod did: new, and no hard sign */
    PODSIM_HARD,   /* among it a hard sign */
    PODSIM_AMOUNT, /* how much it did of something */
    PODSIM_VOLUME, /* how much it sent to a place, perhaps with amounts besides */
    PODSIM_GATE,   /* what the gate found, alone */
    PODSIM_BOTH,   /* what the gate found, and any of the others */
    PODSIM_GROUPS,
};

/* To a place that is usual, in usual ways: only how much it is tells of it. */
bool podsim_takes(uint32_t attack);
const char *podsim_cause_name(enum podsim_cause cause);

struct podsim_counts {
    double pod_days; /* in which a replacement would be a false one that may happen */
    uint64_t services, records;
    uint64_t alerts, changes;                      /* about what was no intrusion */
    uint64_t others[PODSIM_GROUPS][PODSIM_CAUSES]; /* both of these, by what happened */
    uint64_t false_replacements;
    uint64_t intrusions, found, replaced; /* found within an hour on the pod */
    uint64_t by_kind[PODSIM_ATTACKS], found_by_kind[PODSIM_ATTACKS],
        replaced_by_kind[PODSIM_ATTACKS];
    uint64_t poisoned, poisoned_found;
    uint64_t returns[PODSIM_RETURNS], returns_told[PODSIM_RETURNS]; /* first, second, ... */
    uint64_t causes[PODSIM_CAUSES];                                 /* of false replacements */
};

/* The index-th service from its first day to its last; adds to counts. */
GUARD_MUST_USE enum guard_rc podsim_live(const struct podsim_params *params,
                                         const struct guard_pod_rules *rules, uint64_t seed,
                                         uint32_t index, bool trace, struct podsim_counts *counts,
                                         struct guard_err *err);

/* A name that ends with the number. Digits stand for any number in what is learned: it has letters
 * only. */
void podsim_spell(char *to, size_t size, const char *before, uint64_t number);

/* Adds the counts of one run to those of others. */
void podsim_add(struct podsim_counts *to, const struct podsim_counts *counts);
/* 95 % limits: of a count that is Poisson distributed, of a share. */
void podsim_poisson(uint64_t count, double *low, double *high);
void podsim_wilson(uint64_t good, uint64_t of, double *low, double *high);
void podsim_print_head(void);
void podsim_print(const struct podsim_counts *counts, const char *label);
void podsim_print_whole(const struct podsim_counts *counts);
/* Found intrusions of those who do anything but take data in usual ways, and of how many. */
uint64_t podsim_found_new(const struct podsim_counts *counts, uint64_t *of);
/* GUARD_E_STATE: the file has other counts; these are printed. */
GUARD_MUST_USE enum guard_rc podsim_expect(const struct podsim_counts *counts, const char *path,
                                           struct guard_err *err);

#endif
