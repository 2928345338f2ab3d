/* SPDX-License-Identifier: Apache-2.0 */
/* `guard eval curve`: how many exchanges have to be learned. */
#include "command.h"
#include "eval_modes.h"
#include "eval_report.h"
#include "eval_svg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t steps[] = {30, 100, 300, 1000, 3000, 10000, 30000, 100000, 300000};
enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

struct point {
    uint64_t learned; /* most exchanges of one service */
    struct eval_tally tally;
    int ready;
    int services;
};

static bool measure(const struct eval_job *job, const struct eval_set *set, uint64_t learn,
                    struct point *out)
{
    struct eval_settings settings = job->settings;
    struct eval_run run;
    settings.learn_max = learn;
    settings.one_column = true;
    settings.baseline = false;
    settings.modsecurity = NULL;
    settings.alphas[0] = eval_headline(&job->settings);
    settings.alpha_count = 1;
    bool good = eval_run(&run, &settings, set, set->name);
    *out = (struct point){.services = run.service_count};
    for (int i = 0; good && i < run.service_count; i++) {
        const struct eval_service *service = run.services[i];
        out->learned = service->trained > out->learned ? service->trained : out->learned;
        out->ready += service->ready;
    }
    if (good)
        out->tally = eval_run_pool(&run, run.shipped);
    eval_run_close(&run);
    return good;
}

struct curve {
    const struct eval_job *job;
    const struct eval_set *set;
    struct point points[STEPS];
    int count;
};

static void write_json(void *ctx, struct json_writer *json)
{
    const struct curve *curve = ctx;
    json_open(json, NULL, '{');
    json_text(json, "set", curve->set->name);
    json_number(json, "alpha", eval_headline(&curve->job->settings));
    json_open(json, "curve", '[');
    for (int i = 0; i < curve->count; i++) {
        const struct point *point = &curve->points[i];
        json_open(json, NULL, '{');
        json_integer(json, "learned", (int64_t)point->learned);
        json_number(json, "tpr", eval_rate(point->tally.attacks));
        json_number(json, "fpr", eval_rate(point->tally.benign));
        json_number(json, "fpr_distinct", eval_rate(point->tally.distinct));
        json_integer(json, "ready", point->ready);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void print_text(const struct curve *curve)
{
    char alpha[16];
    printf("%s: rates by the newest exchanges learned of each service (alpha %s; percent)\n"
           "   learned     TPR     FPR  FPR of distinct unseen  services ready\n",
           curve->set->name, eval_alpha_text(eval_headline(&curve->job->settings), alpha));
    for (int i = 0; i < curve->count; i++) {
        const struct point *point = &curve->points[i];
        printf("%10" PRIu64 " %7.2f %7.2f %23.2f  %d of %d\n", point->learned,
               100 * eval_rate(point->tally.attacks), 100 * eval_rate(point->tally.benign),
               100 * eval_rate(point->tally.distinct), point->ready, point->services);
    }
}

static bool plot(const struct curve *curve, struct eval_plot *plot)
{
    char name[80];
    plot->line_count = 0;
    plot->logarithmic = true;
    plot->x_label = "exchanges learned of each service";
    plot->y_label = "share blocked";
    snprintf(plot->title, sizeof(plot->title), "%.60s: learning curve", curve->set->name);
    struct eval_line *attacks = eval_plot_line(plot, "attacks (TPR)");
    struct eval_line *benign = eval_plot_line(plot, "benign (FPR)");
    struct eval_line *distinct = eval_plot_line(plot, "benign, distinct");
    for (int i = 0; i < curve->count; i++) {
        const struct point *point = &curve->points[i];
        eval_line_add(attacks, (double)point->learned, eval_rate(point->tally.attacks));
        eval_line_add(benign, (double)point->learned, eval_rate(point->tally.benign));
        eval_line_add(distinct, (double)point->learned, eval_rate(point->tally.distinct));
    }
    snprintf(name, sizeof(name), "%.60s-curve", curve->set->name);
    return eval_plot_write(plot, curve->job->svg, name);
}

static bool follow(struct curve *curve)
{
    for (int i = 0; i < STEPS; i++) {
        struct point *point = &curve->points[curve->count];
        if (curve->job->settings.learn_max > 0 && steps[i] > curve->job->settings.learn_max)
            break;
        if (!measure(curve->job, curve->set, steps[i], point))
            return false;
        curve->count++;
        if (point->learned < steps[i])
            break; /* that was all there is */
    }
    return true;
}

int eval_curve(struct eval_job *job)
{
    struct eval_plot *paper = calloc(1, sizeof(*paper));
    bool good = paper != NULL || complain(0, "no memory") != 0;
    for (int i = 0; good && i < job->sets.count; i++) {
        struct curve curve = {.job = job, .set = &job->sets.sets[i]};
        good = follow(&curve);
        if (good && job->json)
            good = eval_json_print(write_json, &curve);
        else if (good)
            print_text(&curve);
        if (good && job->svg != NULL)
            good = plot(&curve, paper);
    }
    free(paper);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
