/* SPDX-License-Identifier: Apache-2.0 */
/* What `guard eval` can show: the report card, and curves of one question each. */
#ifndef GUARD_CLI_EVAL_MODES_H
#define GUARD_CLI_EVAL_MODES_H

#include "eval_release.h"
#include "eval_run.h"

struct eval_job {
    struct eval_settings settings;
    struct eval_sets sets;
    bool json;
    const char *svg; /* folder for plots, or NULL */
    uint64_t seed;
    uint64_t release; /* exchanges of a service before a made release of it; 0: none */
    enum eval_release release_kind;
    const char *modsecurity_skipped;
};

/* Exit statuses. */
int eval_card(struct eval_job *job);
int eval_curve(struct eval_job *job);
int eval_poison(struct eval_job *job);
int eval_disarm(struct eval_job *job);
int eval_drift(struct eval_job *job);
int eval_merge(struct eval_job *job);

#endif
