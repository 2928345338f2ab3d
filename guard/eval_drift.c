/* SPDX-License-Identifier: Apache-2.0 */
/* `guard eval drift`: the training traffic as a stream; what was learned so far judges the next
 * window before it is learned, too. A release shows as a hump. */
#include "command.h"
#include "eval_attacks.h"
#include "eval_label.h"
#include "eval_modes.h"
#include "eval_report.h"
#include "eval_svg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 500, ATTACKS_PER_WINDOW = 50 };
/* As guardd's. */
static const uint64_t release_window_ms = UINT64_C(6) * 3600 * 1000;

struct window {
    uint64_t learned;
    struct eval_share benign;
    struct eval_share attacks;          /* of one client */
    struct eval_share declared;         /* benign ones, were the release declared */
    struct eval_share declared_attacks; /* in requests of the release */
    uint32_t elements;                  /* trusted */
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
    struct eval_share declared[EVAL_SERVICES_MAX];
    uint64_t new_until_ms[EVAL_SERVICES_MAX]; /* of the release; 0: there was none yet */
    char target[EVAL_RELEASE_TARGET];
    int services;
};

static bool is_released(const struct drifting *drifting, const struct eval_service *service)
{
    return drifting->job->release > 0 && service->trained >= drifting->job->release;
}

static void release(void *ctx, struct eval_run *run, struct eval_service *service,
                    struct guard_exchange *exchange)
{
    struct drifting *drifting = ctx;
    int at = eval_service_index(run, service);
    if (!is_released(drifting, service))
        return;
    if (drifting->new_until_ms[at] == 0)
        drifting->new_until_ms[at] = exchange->time_ms + release_window_ms;
    eval_release_apply(drifting->job->release_kind, service->trained, drifting->target, exchange);
}

static bool blocked(struct drifting *drifting, const struct eval_run *run,
                    const struct eval_service *service, const struct guard_exchange *exchange)
{
    struct guard_txn *txn = NULL;
    const struct guard_verdict *verdict = traffic_judge(
        &drifting->room, service->policies[run->shipped], service->span, exchange, false, &txn);
    return verdict != NULL && verdict->decision == GUARD_BLOCK;
}

/* As a gate that knows of the release judges it, while that is new. */
static bool blocked_declared(struct drifting *drifting, const struct eval_run *run,
                             const struct eval_service *service,
                             const struct guard_exchange *exchange)
{
    uint64_t until_ms = drifting->new_until_ms[eval_service_index(run, service)];
    drifting->room.shadow = exchange->time_ms < until_ms;
    bool result = blocked(drifting, run, service, exchange);
    drifting->room.shadow = false;
    return result;
}

/* What the release no longer sends is where the attack was: there is none any more. */
static bool is_dropped(struct drifting *drifting, int at, int index,
                       const struct guard_exchange *exchange)
{
    struct eval_label label;
    const struct eval_attacks *attacks = drifting->attacks;
    const struct eval_attack *attack = &attacks->of[at][index % attacks->count[at]];
    const struct guard_span name = eval_release_drops(drifting->job->release_kind, exchange);
    return name.len > 0 &&
           eval_label_read(&label, (struct guard_span){attack->line, attack->len},
                           &drifting->attacks->arena) &&
           eval_span_is(label.location, "query") && eval_span_same(label.param, name);
}

static bool try_attacks(struct drifting *drifting, const struct eval_run *run,
                        const struct eval_service *service, int at,
                        const struct guard_exchange *when, struct window *window)
{
    bool released = is_released(drifting, service);
    struct eval_attacks *attacks = drifting->attacks;
    for (int i = 0; i < ATTACKS_PER_WINDOW && attacks->count[at] > 0; i++) {
        struct guard_exchange exchange;
        int index = (int)(eval_random(&attacks->state) % (uint64_t)attacks->count[at]);
        if (!eval_attacks_read(attacks, at, index, 0, when, &exchange))
            return false;
        window->attacks.of++;
        window->attacks.hits += blocked(drifting, run, service, &exchange);
        if (!released || is_dropped(drifting, at, index, &exchange))
            continue;
        eval_release_apply(drifting->job->release_kind, (uint64_t)i, drifting->target, &exchange);
        window->declared_attacks.of++;
        window->declared_attacks.hits += blocked_declared(drifting, run, service, &exchange);
    }
    return true;
}

static bool close_window(struct drifting *drifting, struct eval_run *run,
                         struct eval_service *service, int at, const struct guard_exchange *when)
{
    if (drifting->current[at].of > 0 && drifting->counts[at] < EVAL_PLOT_POINTS_MAX) {
        struct window *window = &drifting->windows[at][drifting->counts[at]++];
        *window = (struct window){.learned = service->trained,
                                  .benign = drifting->current[at],
                                  .declared = drifting->declared[at],
                                  .elements = service->elements};
        if (!try_attacks(drifting, run, service, at, when, window))
            return false;
    }
    drifting->current[at] = drifting->declared[at] = (struct eval_share){0, 0};
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
        if (is_released(drifting, service)) {
            drifting->declared[at].of++;
            drifting->declared[at].hits += blocked_declared(drifting, run, service, exchange);
        }
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
            json_integer(json, "elements", window->elements);
            if (window->declared.of > 0) {
                json_integer(json, "declared_blocked", (int64_t)window->declared.hits);
                json_number(json, "declared_fpr", eval_rate(window->declared));
                json_number(json, "declared_tpr", eval_rate(window->declared_attacks));
            }
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
           "  %-28s %10s %9s %10s %8s %12s%s\n",
           drifting->set->name, WINDOW,
           eval_alpha_text(eval_headline(&drifting->job->settings), alpha), "service", "learned",
           "elements", "blocked", "FPR, %", "attacks, %",
           drifting->job->release > 0 ? "   declared: blocked, attacks, %" : "");
    for (int i = 0; i < drifting->services; i++) {
        for (int k = 0; k < drifting->counts[i]; k++) {
            const struct window *window = &drifting->windows[i][k];
            printf("  %-28s %10" PRIu64 " %9" PRIu32 " %10" PRIu64 " %8.2f %12.2f",
                   drifting->names[i], window->learned, window->elements, window->benign.hits,
                   100 * eval_rate(window->benign), 100 * eval_rate(window->attacks));
            if (window->declared.of > 0)
                printf(" %19" PRIu64 " %10.2f", window->declared.hits,
                       100 * eval_rate(window->declared_attacks));
            printf("\n");
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
    run.changing_fn = release;
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
