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
};

static enum guard_rc run(const struct options *options, struct podsim_counts *counts,
                         struct guard_err *err)
{
    memset(counts, 0, sizeof(*counts));
    for (uint32_t i = 0; i < (uint32_t)options->params.services; i++)
        GUARD_TRY(podsim_live(&options->params, &options->rules, options->seed, i, counts, err));
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
    for (uint32_t i = 0; i < sizeof(to->causes) / sizeof(to->causes[0]); i++)
        to->causes[i] += counts->causes[i];
}

/* --- printing --- */

static double rate(double count, double of)
{
    return of > 0 ? count / of : 0;
}

void podsim_print(const struct podsim_counts *counts, const char *label)
{
    double low, high, found_low, found_high;
    podsim_poisson(counts->false_replacements, &low, &high);
    podsim_wilson(counts->found, counts->intrusions, &found_low, &found_high);
    printf("| %s | %.2f | %llu | %.2f (%.2f-%.2f) | %.1f %% (%.1f-%.1f) | %.1f %% | %.2f |\n",
           label, counts->pod_days / 1e6, (unsigned long long)counts->false_replacements,
           1e6 * rate((double)counts->false_replacements, counts->pod_days),
           1e6 * rate(low, counts->pod_days), 1e6 * rate(high, counts->pod_days),
           100 * rate((double)counts->found, (double)counts->intrusions), 100 * found_low,
           100 * found_high, 100 * rate((double)counts->replaced, (double)counts->intrusions),
           1000 * rate((double)(counts->alerts + counts->changes), counts->pod_days));
    (void)fflush(stdout);
}

static void print_head(void)
{
    printf("| run | million pod-days | false replacements | per million pod-days (95 %%) | "
           "intrusions found (95 %%) | replaced | other alerts per 1,000 pod-days |\n"
           "|---|--:|--:|--:|--:|--:|--:|\n");
}

void podsim_print_whole(const struct podsim_counts *counts)
{
    static const char *const attacks[PODSIM_ATTACKS] = {"shell that calls home",
                                                        "dropper",
                                                        "program without a file",
                                                        "stolen secret",
                                                        "forged call",
                                                        "web shell",
                                                        "miner",
                                                        "much data to known places",
                                                        "within the process"};
    static const char *const causes[] = {"nothing", "rollout",   "job",  "rare branch",
                                         "crash",   "debugging", "start"};
    printf("\n| intrusion | happened | found | replaced |\n|---|--:|--:|--:|\n");
    for (uint32_t i = 0; i < PODSIM_ATTACKS; i++)
        printf("| %s | %llu | %llu | %llu |\n", attacks[i], (unsigned long long)counts->by_kind[i],
               (unsigned long long)counts->found_by_kind[i],
               (unsigned long long)counts->replaced_by_kind[i]);
    printf("| there before learning | %llu | %llu | |\n", (unsigned long long)counts->poisoned,
           (unsigned long long)counts->poisoned_found);
    for (uint32_t i = 0; i < PODSIM_RETURNS; i++)
        printf("| comes back, time %u | %llu | %llu | |\n", i + 1,
               (unsigned long long)counts->returns[i], (unsigned long long)counts->returns_told[i]);
    for (uint32_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (counts->causes[i] > 0)
            printf("false replacements after %s: %llu\n", causes[i],
                   (unsigned long long)counts->causes[i]);
    }
    printf("%llu records of %llu services\n", (unsigned long long)counts->records,
           (unsigned long long)counts->services);
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
    {"features without request ids", "in_flight=0", NULL},
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
    calm.params.intrusions_per_1000_days = 200;
    GUARD_TRY(run(&calm, &again, err));
    if (again.intrusions < 20 || again.found * 10 < again.intrusions * 8 || again.replaced == 0)
        return guard_fail(err, GUARD_E_STATE, "%llu of %llu intrusions found, %llu replaced",
                          (unsigned long long)again.found, (unsigned long long)again.intrusions,
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
        if (strcmp(argv[i], "--seed") == 0)
            options->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--runs") == 0)
            options->runs = (uint32_t)strtoul(value, NULL, 10);
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

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .runs = 1};
    struct podsim_counts counts;
    struct guard_err err = {""};
    guard_pod_rules_default(&options.rules);
    /* Records come once in an interval here, so that a replica is live that long. */
    options.rules.live_ms = 90 * 60 * 1000;
    if (argc < 2) {
        fprintf(stderr,
                "usage: %s PARAMS [--seed N] [--set NAME=VALUE] [--rule NAME=VALUE] "
                "[--runs N] [--sweep] [--check]\n",
                argv[0]);
        return 2;
    }
    enum guard_rc rc = podsim_load(&options.params, argv[1], &err);
    if (rc == GUARD_OK)
        rc = parse(&options, argc, argv, &err);
    if (rc == GUARD_OK)
        print_head();
    if (rc == GUARD_OK)
        rc = run_all(&options, true, &counts, &err);
    if (rc == GUARD_OK && options.sweep)
        rc = sweep(&options, &err);
    if (rc == GUARD_OK && options.check)
        rc = check(&options, &counts, &err);
    if (rc == GUARD_OK)
        podsim_print_whole(&counts);
    if (rc != GUARD_OK)
        fprintf(stderr, "guard-podsim: %s\n", err.text);
    return rc == GUARD_OK ? 0 : 1;
}
