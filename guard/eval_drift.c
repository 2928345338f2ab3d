/* SPDX-License-Identifier: Apache-2.0 */
/* `guard eval drift`: the training traffic as a stream; what was learned so far judges the next
 * window before it is learned, too. A release shows as a hump. */
#include "command.h"
#include "eval_attacks.h"
#include "eval_modes.h"
#include "eval_report.h"
#include "eval_svg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 500, ATTACKS_PER_WINDOW = 50 };

struct window {
    uint64_t learned;
    struct eval_share benign;
    struct eval_share attacks; /* of one client */
};

struct drifting {
    const struct eval_job *job;
    const struct eval_set *set;
    struct eval_attacks *attacks;
    struct traffic_room room;
    char names[EVAL_SERVICES_MAX][136];
    struct window windows[EVAL_SERVICES_MAX][EVAL_PLOT_POINTS_MAX];
    int counts[EVAL_SERVICES_MAX];
    struct eval_share current[EVAL_SERVICES_MAX];
    int services;
};

static bool blocked(struct drifting *drifting, const struct eval_run *run,
                    const struct eval_service *service, const struct guard_exchange *exchange)
{
    struct guard_txn *txn = NULL;
    const struct guard_verdict *verdict = traffic_judge(
        &drifting->room, service->policies[run->shipped], service->span, exchange, false, &txn);
    return verdict != NULL && verdict->decision == GUARD_BLOCK;
}

static bool try_attacks(struct drifting *drifting, const struct eval_run *run,
                        const struct eval_service *service, int at,
                        const struct guard_exchange *when, struct eval_share *share)
{
    struct eval_attacks *attacks = drifting->attacks;
    for (int i = 0; i < ATTACKS_PER_WINDOW && attacks->count[at] > 0; i++) {
        struct guard_exchange exchange;
        int index = (int)(eval_random(&attacks->state) % (uint64_t)attacks->count[at]);
        if (!eval_attacks_read(attacks, at, index, 0, when, &exchange))
            return false;
        share->of++;
        share->hits += blocked(drifting, run, service, &exchange);
    }
    return true;
}

static bool close_window(struct drifting *drifting, struct eval_run *run,
                         struct eval_service *service, int at, const struct guard_exchange *when)
{
    if (drifting->current[at].of > 0 && drifting->counts[at] < EVAL_PLOT_POINTS_MAX) {
        struct window *window = &drifting->windows[at][drifting->counts[at]++];
        *window = (struct window){.learned = service->trained, .benign = drifting->current[at]};
        if (!try_attacks(drifting, run, service, at, when, &window->attacks))
            return false;
    }
    drifting->current[at] = (struct eval_share){0, 0};
    return eval_service_compile(run, service);
}

static bool before_learning(void *ctx, struct eval_run *run, struct eval_service *service,
                            const struct guard_exchange *exchange)
{
    struct drifting *drifting = ctx;
    int at = eval_service_index(run, service);
    snprintf(drifting->names[at], sizeof(drifting->names[at]), "%s", service->name);
    drifting->services = run->service_count;
    if (service->trained > 0 && service->trained % WINDOW == 0 &&
        !close_window(drifting, run, service, at, exchange))
        return false;
    if (service->policies[run->shipped] != NULL) {
        drifting->current[at].of++;
        drifting->current[at].hits += blocked(drifting, run, service, exchange);
    }
    return true;
}

static void write_json(void *ctx, struct json_writer *json)
{
    const struct drifting *drifting = ctx;
    json_open(json, NULL, '{');
    json_text(json, "set", drifting->set->name);
    json_number(json, "alpha", eval_headline(&drifting->job->settings));
    json_integer(json, "window", WINDOW);
    json_open(json, "drift", '{');
    for (int i = 0; i < drifting->services; i++) {
        json_open(json, drifting->names[i], '[');
        for (int k = 0; k < drifting->counts[i]; k++) {
            const struct window *window = &drifting->windows[i][k];
            json_open(json, NULL, '{');
            json_integer(json, "learned", (int64_t)window->learned);
            json_integer(json, "blocked", (int64_t)window->benign.hits);
            json_number(json, "fpr", eval_rate(window->benign));
            json_number(json, "tpr", eval_rate(window->attacks));
            json_close(json, '}');
        }
        json_close(json, ']');
    }
    json_close(json, '}');
    json_close(json, '}');
}

static void print_text(const struct drifting *drifting)
{
    char alpha[16];
    printf("%s: learning goes on while it judges, %d exchanges a window (alpha %s)\n"
           "  %-28s %10s %10s %8s %12s\n",
           drifting->set->name, WINDOW,
           eval_alpha_text(eval_headline(&drifting->job->settings), alpha), "service", "learned",
           "blocked", "FPR, %", "attacks, %");
    for (int i = 0; i < drifting->services; i++) {
        for (int k = 0; k < drifting->counts[i]; k++) {
            const struct window *window = &drifting->windows[i][k];
            printf("  %-28s %10" PRIu64 " %10" PRIu64 " %8.2f %12.2f\n", drifting->names[i],
                   window->learned, window->benign.hits, 100 * eval_rate(window->benign),
                   100 * eval_rate(window->attacks));
        }
    }
}

static bool plot(const struct drifting *drifting)
{
    struct eval_plot *paper = calloc(1, sizeof(*paper));
    bool good = paper != NULL || complain(0, "no memory") != 0;
    for (int i = 0; good && i < drifting->services; i++) {
        char name[160];
        paper->line_count = 0;
        paper->x_label = "exchanges learned";
        paper->y_label = "share blocked in the next window";
        snprintf(paper->title, sizeof(paper->title), "%.60s: drift", drifting->names[i]);
        struct eval_line *benign = eval_plot_line(paper, "benign (FPR)");
        struct eval_line *attacks = eval_plot_line(paper, "attacks of one client");
        for (int k = 0; k < drifting->counts[i]; k++) {
            const struct window *window = &drifting->windows[i][k];
            eval_line_add(benign, (double)window->learned, eval_rate(window->benign));
            eval_line_add(attacks, (double)window->learned, eval_rate(window->attacks));
        }
        /* A service's name is traffic's: only what suits a file's name is taken of it. */
        snprintf(name, sizeof(name), "%.40s-drift-%d", drifting->set->name, i);
        good = eval_plot_write(paper, drifting->job->svg, name);
    }
    free(paper);
    return good;
}

static bool follow(struct drifting *drifting)
{
    struct eval_settings settings = eval_attacks_settings(&drifting->job->settings);
    struct eval_tally clean;
    struct eval_run run;
    if (!eval_attacks_open(drifting->attacks, &drifting->job->settings, drifting->set,
                           drifting->job->seed, &clean))
        return false;
    bool good = eval_run_open(&run, &settings, drifting->set);
    run.learning_fn = before_learning;
    run.ctx = drifting;
    good = good && eval_run_learn(&run, drifting->set->name);
    eval_run_close(&run);
    return good;
}

int eval_drift(struct eval_job *job)
{
    struct drifting *drifting = calloc(1, sizeof(*drifting));
    struct eval_attacks *attacks = calloc(1, sizeof(*attacks));
    bool good = drifting != NULL && attacks != NULL;
    for (int i = 0; good && i < job->sets.count; i++) {
        memset(drifting, 0, sizeof(*drifting));
        drifting->job = job;
        drifting->set = &job->sets.sets[i];
        drifting->attacks = attacks;
        good = traffic_room_open(&drifting->room) && follow(drifting);
        if (good && job->json)
            good = eval_json_print(write_json, drifting);
        else if (good)
            print_text(drifting);
        if (good && job->svg != NULL)
            good = plot(drifting);
        eval_attacks_close(attacks);
        traffic_room_close(&drifting->room);
    }
    free(drifting);
    free(attacks);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
