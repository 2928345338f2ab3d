/* SPDX-License-Identifier: Apache-2.0 */
/* guard-podsim: what one machine can't show of learning from pods. Services live through days of
 * rollouts, jobs, debugging and intrusions; the real learner judges what their sensors tell. It
 * counts false replacements and intrusions found, and sweeps parameters to show where it breaks. */
#include "podsim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct podsim_params params;
    struct guard_pod_rules rules;
    uint64_t seed;
    uint32_t runs; /* each with a seed of its own: seed, seed + 1, ... */
    bool sweep;
    bool check;
    bool trace;         /* of false replacements */
    const char *expect; /* file of the counts that come; NULL: any */
};

static enum guard_rc run(const struct options *options, struct podsim_counts *counts,
                         struct guard_err *err)
{
    memset(counts, 0, sizeof(*counts));
    for (uint32_t i = 0; i < (uint32_t)options->params.services; i++)
        GUARD_TRY(podsim_live(&options->params, &options->rules, options->seed, i, options->trace,
                              counts, err));
    return GUARD_OK;
}

void podsim_add(struct podsim_counts *to, const struct podsim_counts *counts)
{
    to->pod_days += counts->pod_days;
    to->services += counts->services;
    to->records += counts->records;
    to->alerts += counts->alerts;
    to->changes += counts->changes;
    to->false_replacements += counts->false_replacements;
    to->intrusions += counts->intrusions;
    to->found += counts->found;
    to->replaced += counts->replaced;
    for (uint32_t i = 0; i < PODSIM_ATTACKS; i++) {
        to->by_kind[i] += counts->by_kind[i];
        to->found_by_kind[i] += counts->found_by_kind[i];
        to->replaced_by_kind[i] += counts->replaced_by_kind[i];
    }
    to->poisoned += counts->poisoned;
    to->poisoned_found += counts->poisoned_found;
    for (uint32_t i = 0; i < PODSIM_RETURNS; i++) {
        to->returns[i] += counts->returns[i];
        to->returns_told[i] += counts->returns_told[i];
    }
    for (uint32_t i = 0; i < PODSIM_CAUSES; i++)
        to->causes[i] += counts->causes[i];
    for (uint32_t i = 0; i < PODSIM_GROUPS; i++) {
        for (uint32_t j = 0; j < PODSIM_CAUSES; j++)
            to->others[i][j] += counts->others[i][j];
    }
}

/* --- sweeps --- */

struct variant {
    const char *label;
    const char *parameter; /* NULL: none */
    const char *rule;
};

static const struct variant variants[] = {
    {"hard signs never act alone", NULL, "hard=0"},
    {"any two kinds suffice", NULL, "classes=1"},
    {"any two kinds, least sum 3", NULL, "replace_at=3"},
    {"1 % of debug sessions not known to be one", "session_unseen=0.01", NULL},
    {"10 % of debug sessions not known to be one", "session_unseen=0.1", NULL},
    {"no debug session known to be one", "session_unseen=1", NULL},
    {"every tenth service reports crashes", "crash_reporters=0.1", NULL},
    {"deviating requests crash 100 times as often", "crashes_by_request=0.01", NULL},
    {"deviating requests crash 1,000 times as often", "crashes_by_request=0.1", NULL},
    {"two new features at once 10 times as often", "rare_double=0.002", NULL},
    {"two new features at once 100 times as often", "rare_double=0.02", NULL},
    {"ten times the budget of false alarms", "alpha=0.001", NULL},
    {"every fifth service unpacks programs at start", "unpackers=0.2", NULL},
    {"what follows a request told with its id", "in_flight=0.8", NULL},
    {"nothing told before its time", "early=0", NULL},
    {"no rare branch by a request that deviates", "rare_by_request=0", NULL},
    {"every tenth rare branch by such a request", "rare_by_request=0.1", NULL},
    {"ten times as many scans", "scans=1", NULL},
    {"clients stay at one replica everywhere", "sticky=1", NULL},
    {"every scan takes a branch never taken", "scan_single=1", NULL},
    {"ten times as many exports", "exports=0.2", NULL},
    {"every export deviates", "export_deviates=1", NULL},
    {"backups of leaders everywhere", "backup_leader=1", NULL},
    {"a leader everywhere that sends ten times as much", "leader_heavy=1", NULL},
    {"other amounts after each rollout", "body_changes=1", NULL},
    {"one rollout a day, all with changes", "rollouts_per_day=1", NULL},
    {"nobody approves anything", "approved=0", NULL},
    {"sidecar sensors only", "sidecar_only=1", NULL},
    {"a fifth of the records incomplete", "lossy=0.2", NULL},
    {"the gate sees no intrusion", "gate_sees=0", NULL},
};

static enum guard_rc sweep(const struct options *options, struct guard_err *err)
{
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        struct options changed = *options;
        struct podsim_counts counts;
        if (variants[i].parameter != NULL)
            GUARD_TRY(podsim_set(&changed.params, variants[i].parameter, err));
        if (variants[i].rule != NULL)
            GUARD_TRY(podsim_rule(&changed.rules, variants[i].rule, err));
        if (variants[i].rule != NULL && strcmp(variants[i].rule, "replace_at=3") == 0)
            changed.rules.independence = GUARD_POD_CLASSES;
        if (variants[i].parameter != NULL &&
            strcmp(variants[i].parameter, "rollouts_per_day=1") == 0)
            changed.params.rollout_changes = 1;
        GUARD_TRY(run(&changed, &counts, err));
        podsim_print(&counts, variants[i].label);
    }
    return GUARD_OK;
}

/* A line for each run, then what all of them say together. */
static enum guard_rc run_all(const struct options *options, bool print, struct podsim_counts *all,
                             struct guard_err *err)
{
    memset(all, 0, sizeof(*all));
    for (uint32_t i = 0; i < options->runs; i++) {
        struct options one = *options;
        struct podsim_counts counts;
        char label[48];
        one.seed += i;
        (void)snprintf(label, sizeof(label), "defaults, seed %llu", (unsigned long long)one.seed);
        GUARD_TRY(run(&one, &counts, err));
        if (print)
            podsim_print(&counts, label);
        podsim_add(all, &counts);
    }
    if (print && options->runs > 1)
        podsim_print(all, "all of these");
    return GUARD_OK;
}

/* What must hold of any run that is large enough to say anything: the same seed gives the same
 * counts, nothing is replaced falsely in so few days, most intrusions are found; and without
 * intrusions none is. */
static enum guard_rc check(const struct options *options, const struct podsim_counts *counts,
                           struct guard_err *err)
{
    struct options calm = *options;
    struct podsim_counts again;
    GUARD_TRY(run_all(options, false, &again, err));
    if (memcmp(&again, counts, sizeof(again)) != 0)
        return guard_fail(err, GUARD_E_STATE, "the same seed gives other counts");
    if (counts->false_replacements > 0)
        return guard_fail(err, GUARD_E_STATE, "%llu false replacements",
                          (unsigned long long)counts->false_replacements);
    calm.params.intrusions_per_1000_days = 400;
    GUARD_TRY(run(&calm, &again, err));
    uint64_t of, found = podsim_found_new(&again, &of);
    if (of < 20 || found * 10 < of * 8 || again.replaced == 0)
        return guard_fail(err, GUARD_E_STATE, "%llu of %llu intrusions found, %llu replaced",
                          (unsigned long long)found, (unsigned long long)of,
                          (unsigned long long)again.replaced);
    calm.params.intrusions_per_1000_days = calm.params.poisoned = 0;
    GUARD_TRY(run(&calm, &again, err));
    if (again.intrusions + again.found + again.poisoned_found > 0)
        return guard_fail(err, GUARD_E_STATE, "intrusions were found where there are none");
    return GUARD_OK;
}

/* --- the command line --- */

static enum guard_rc parse(struct options *options, int argc, char **argv, struct guard_err *err)
{
    for (int i = 2; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--sweep") == 0) {
            options->sweep = true;
            continue;
        }
        if (strcmp(argv[i], "--check") == 0) {
            options->check = true;
            continue;
        }
        if (strcmp(argv[i], "--trace") == 0) {
            options->trace = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0)
            options->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--runs") == 0)
            options->runs = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--expect") == 0)
            options->expect = value;
        else if (strcmp(argv[i], "--set") == 0)
            GUARD_TRY(podsim_set(&options->params, value, err));
        else if (strcmp(argv[i], "--rule") == 0)
            GUARD_TRY(podsim_rule(&options->rules, value, err));
        else
            return guard_fail(err, GUARD_E_SYNTAX, "unknown option %s", argv[i]);
        i++;
    }
    return GUARD_OK;
}

/* Records may come once in an hour here: a replica is live for longer than that. */
static void live_for(struct options *options)
{
    uint32_t least = (uint32_t)(options->params.interval * 1500);
    if (options->rules.live_ms < least)
        options->rules.live_ms = least;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .runs = 1};
    struct podsim_counts counts;
    struct guard_err err = {""};
    guard_pod_rules_default(&options.rules);
    if (argc < 2) {
        fprintf(stderr,
                "usage: %s PARAMS [--seed N] [--set NAME=VALUE] [--rule NAME=VALUE] "
                "[--runs N] [--sweep] [--check] [--trace] "
                "[--expect FILE]\n",
                argv[0]);
        return 2;
    }
    enum guard_rc rc = podsim_load(&options.params, argv[1], &err);
    if (rc == GUARD_OK)
        rc = parse(&options, argc, argv, &err);
    if (rc == GUARD_OK) {
        live_for(&options);
        podsim_print_head();
    }
    if (rc == GUARD_OK)
        rc = run_all(&options, true, &counts, &err);
    if (rc == GUARD_OK && options.sweep)
        rc = sweep(&options, &err);
    if (rc == GUARD_OK && options.check)
        rc = check(&options, &counts, &err);
    if (rc == GUARD_OK)
        podsim_print_whole(&counts);
    if (rc == GUARD_OK && options.expect != NULL)
        rc = podsim_expect(&counts, options.expect, &err);
    if (rc != GUARD_OK)
        fprintf(stderr, "guard-podsim: %s\n", err.text);
    return rc == GUARD_OK ? 0 : 1;
}
