/* SPDX-License-Identifier: Apache-2.0 */
/* `guard eval poison` and `guard eval disarm`: what attacks in the training traffic cost. All of it
 * is learned as if nothing was blocked, which is the attacker's best case. */
#include "command.h"
#include "eval_attacks.h"
#include "eval_modes.h"
#include "eval_report.h"
#include "eval_svg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISARM_CLIENTS = 50, DISARM_EPOCHS = 20, SCENARIOS_MAX = 10 };

struct scenario {
    const char *name;
    double share; /* of the training traffic; 0: one of each client in each epoch */
    uint32_t clients;
    bool creep; /* from what is nearest to benign to what is farthest */
    uint64_t sent;
    struct eval_tally tally;
};

struct poisoning {
    const struct eval_job *job;
    const struct eval_set *set;
    struct eval_attacks *attacks;
    struct scenario *scenario;
    struct scenario scenarios[SCENARIOS_MAX];
    int count;
    const char *mode;
    struct eval_tally clean;
    int sent[EVAL_SERVICES_MAX];
};

static bool inject(struct poisoning *poisoning, struct eval_run *run, struct eval_service *service,
                   int at, const struct guard_exchange *when)
{
    const struct scenario *scenario = poisoning->scenario;
    struct eval_attacks *attacks = poisoning->attacks;
    int sent = poisoning->sent[at]++;
    int index = sent;
    if (scenario->creep) {
        double expected = scenario->share * (double)attacks->trained[at];
        double progress = expected > 1 ? (double)sent / expected : 0;
        index = (int)((progress < 1 ? progress : 0.999) * attacks->count[at]);
    }
    return eval_attacks_learn(attacks, run, service, index, (uint32_t)sent % scenario->clients,
                              when);
}

static bool before_learning(void *ctx, struct eval_run *run, struct eval_service *service,
                            const struct guard_exchange *exchange)
{
    struct poisoning *poisoning = ctx;
    const struct scenario *scenario = poisoning->scenario;
    int at = eval_service_index(run, service);
    double done = (double)service->trained + 1;
    double due = scenario->share * done;
    if (scenario->share == 0) {
        double all = (double)poisoning->attacks->trained[at];
        due = DISARM_CLIENTS * (double)(int)(done * DISARM_EPOCHS / (all > 0 ? all : 1));
    }
    if (poisoning->attacks->count[at] == 0)
        return true;
    while (poisoning->sent[at] < (int)due) {
        if (!inject(poisoning, run, service, at, exchange))
            return false;
    }
    return true;
}

static bool play(struct poisoning *poisoning, struct scenario *scenario)
{
    struct eval_settings settings = eval_attacks_settings(&poisoning->job->settings);
    struct eval_run run;
    memset(poisoning->sent, 0, sizeof(poisoning->sent));
    poisoning->scenario = scenario;
    if (scenario->creep)
        eval_attacks_sort(poisoning->attacks);
    else
        eval_attacks_shuffle(poisoning->attacks);
    bool good = eval_run_open(&run, &settings, poisoning->set);
    run.learning_fn = before_learning;
    run.ctx = poisoning;
    good = good && eval_run_learn(&run, scenario->name) && eval_run_compile(&run) &&
           eval_run_judge(&run, scenario->name);
    if (good)
        scenario->tally = eval_run_pool(&run, run.shipped);
    for (int i = 0; i < EVAL_SERVICES_MAX; i++)
        scenario->sent += (uint64_t)poisoning->sent[i];
    eval_run_close(&run);
    return good;
}

static double lost(const struct poisoning *poisoning, const struct scenario *scenario)
{
    return eval_rate(poisoning->clean.attacks) - eval_rate(scenario->tally.attacks);
}

static void write_json(void *ctx, struct json_writer *json)
{
    const struct poisoning *poisoning = ctx;
    json_open(json, NULL, '{');
    json_text(json, "set", poisoning->set->name);
    json_number(json, "alpha", eval_headline(&poisoning->job->settings));
    json_integer(json, "attacks", (int64_t)poisoning->clean.attacks.of);
    json_number(json, "clean_tpr", eval_rate(poisoning->clean.attacks));
    json_number(json, "clean_fpr", eval_rate(poisoning->clean.benign));
    json_open(json, poisoning->mode, '[');
    for (int i = 0; i < poisoning->count; i++) {
        const struct scenario *scenario = &poisoning->scenarios[i];
        json_open(json, NULL, '{');
        json_text(json, "scenario", scenario->name);
        json_number(json, "share", scenario->share);
        json_integer(json, "clients", scenario->clients);
        json_integer(json, "attacks_learned", (int64_t)scenario->sent);
        json_number(json, "tpr", eval_rate(scenario->tally.attacks));
        json_number(json, "fpr", eval_rate(scenario->tally.benign));
        json_number(json, "points_lost", 100 * lost(poisoning, scenario));
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void print_text(const struct poisoning *poisoning)
{
    char alpha[16];
    printf("%s: attacks among the training traffic (alpha %s; percent)\n"
           "  %-28s %8s %8s %8s %12s\n  %-28s %8d %8.2f %8.2f\n",
           poisoning->set->name, eval_alpha_text(eval_headline(&poisoning->job->settings), alpha),
           "scenario", "learned", "TPR", "FPR", "points lost", "none", 0,
           100 * eval_rate(poisoning->clean.attacks), 100 * eval_rate(poisoning->clean.benign));
    for (int i = 0; i < poisoning->count; i++) {
        const struct scenario *scenario = &poisoning->scenarios[i];
        printf("  %-28s %8" PRIu64 " %8.2f %8.2f %12.2f\n", scenario->name, scenario->sent,
               100 * eval_rate(scenario->tally.attacks), 100 * eval_rate(scenario->tally.benign),
               100 * lost(poisoning, scenario));
    }
}

static bool plot(const struct poisoning *poisoning)
{
    char name[96];
    struct eval_plot *paper = calloc(1, sizeof(*paper));
    if (paper == NULL)
        return complain(0, "no memory") != 0;
    paper->x_label = "attacks among the training traffic (percent)";
    paper->y_label = "attacks blocked (TPR)";
    snprintf(paper->title, sizeof(paper->title), "%.60s: poisoning", poisoning->set->name);
    static const struct {
        const char *label;
        uint32_t clients;
        bool creep;
    } kinds[] = {{"one client", 1, false},
                 {"20 clients", 20, false},
                 {"one client, creeping", 1, true},
                 {"20 clients, creeping", 20, true}};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        struct eval_line *line = eval_plot_line(paper, kinds[k].label);
        eval_line_add(line, 0, eval_rate(poisoning->clean.attacks));
        for (int i = 0; i < poisoning->count; i++) {
            const struct scenario *scenario = &poisoning->scenarios[i];
            if (scenario->clients == kinds[k].clients && scenario->creep == kinds[k].creep)
                eval_line_add(line, 100 * scenario->share, eval_rate(scenario->tally.attacks));
        }
    }
    snprintf(name, sizeof(name), "%.60s-%s", poisoning->set->name, poisoning->mode);
    bool good = eval_plot_write(paper, poisoning->job->svg, name);
    free(paper);
    return good;
}

static int play_all(struct eval_job *job, const char *mode, const struct scenario *scenarios,
                    int count)
{
    bool good = true;
    struct poisoning *poisoning = calloc(1, sizeof(*poisoning));
    struct eval_attacks *attacks = calloc(1, sizeof(*attacks));
    for (int i = 0; poisoning != NULL && attacks != NULL && good && i < job->sets.count; i++) {
        *poisoning = (struct poisoning){.job = job,
                                        .set = &job->sets.sets[i],
                                        .attacks = attacks,
                                        .mode = mode,
                                        .count = count};
        memcpy(poisoning->scenarios, scenarios, (size_t)count * sizeof(*scenarios));
        good = eval_attacks_open(attacks, &job->settings, poisoning->set, job->seed,
                                 &poisoning->clean);
        for (int k = 0; good && k < count; k++)
            good = play(poisoning, &poisoning->scenarios[k]);
        if (good && job->json)
            good = eval_json_print(write_json, poisoning);
        else if (good)
            print_text(poisoning);
        if (good && job->svg != NULL)
            good = plot(poisoning);
        eval_attacks_close(attacks);
    }
    good = good && poisoning != NULL && attacks != NULL;
    free(poisoning);
    free(attacks);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

int eval_poison(struct eval_job *job)
{
    static const struct scenario scenarios[] = {
        {.name = "0.1 % by one client", .share = 0.001, .clients = 1},
        {.name = "1 % by one client", .share = 0.01, .clients = 1},
        {.name = "5 % by one client", .share = 0.05, .clients = 1},
        {.name = "0.1 % by 20 clients", .share = 0.001, .clients = 20},
        {.name = "1 % by 20 clients", .share = 0.01, .clients = 20},
        {.name = "5 % by 20 clients", .share = 0.05, .clients = 20},
        {.name = "1 % creeping, one client", .share = 0.01, .clients = 1, .creep = true},
        {.name = "1 % creeping, 20 clients", .share = 0.01, .clients = 20, .creep = true},
    };
    return play_all(job, "poison", scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}

int eval_disarm(struct eval_job *job)
{
    static const struct scenario scenarios[] = {
        {.name = "50 clients, 20 epochs", .share = 0, .clients = DISARM_CLIENTS}};
    return play_all(job, "disarm", scenarios, 1);
}
