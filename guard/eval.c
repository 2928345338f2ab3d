/* SPDX-License-Identifier: Apache-2.0 */
/* `guard eval`: how well a service is protected, measured on labelled traffic. */
#include "command.h"
#include "eval_left_out.h"
#include "eval_modes.h"
#include "eval_modsecurity.h"
#include "eval_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_TRAIN,
    OPTION_BENIGN,
    OPTION_ATTACKS,
    OPTION_ALPHA,
    OPTION_SUPPORT,
    OPTION_LEARN,
    OPTION_BASELINE,
    OPTION_MODULE,
    OPTION_FORMAT,
    OPTION_SVG,
    OPTION_SEED,
    OPTION_RELEASE,
    OPTION_RELEASE_KIND
};

static const struct option_spec options[] = {
    {"train", "FILE", "benign traffic to learn from; may be repeated"},
    {"benign", "FILE", "benign traffic to judge; may be repeated"},
    {"attacks", "FILE", "attacks to judge; may be repeated"},
    {"alpha", "A,...", "false blocks per request, up to four (default 1e-2,1e-3,1e-4)"},
    {"support", "N", "as of guard learn (default 4)"},
    {"learn", "N", "learn only the newest N exchanges of each service"},
    {"baseline", "minmax|modsecurity|none",
     "what stands beside Guard (default minmax); modsecurity has minmax beside it, too"},
    {"modsecurity-module", "FILE", "nginx's module of ModSecurity (default where Debian has it)"},
    {"format", "text|json", "for people or for programs (default text)"},
    {"svg", "DIR", "write plots there"},
    {"seed", "N", "of what is drawn at random (default 1)"},
    {"release", "N", "drift: after N exchanges there is a release of each service"},
    {"release-kind", "parameter|missing|content-type|status",
     "what it changes (default parameter: each request gets one that was never there)"},
    {NULL, NULL, NULL},
};

static const struct {
    const char *name;
    int (*run)(struct eval_job *job);
} modes[] = {
    {"card", eval_card},     {"curve", eval_curve}, {"poison", eval_poison},
    {"disarm", eval_disarm}, {"drift", eval_drift}, {"merge", eval_merge},
};

struct carding {
    struct eval_run *run;
    const struct eval_report_notes *notes;
};

static void write_card(void *ctx, struct json_writer *json)
{
    struct carding *carding = ctx;
    eval_report_json(carding->run, carding->notes, json);
}

int eval_card(struct eval_job *job)
{
    struct eval_report_notes notes = {.modsecurity_skipped = job->modsecurity_skipped};
    job->settings.left_out = true;
    for (int i = 0; i < job->sets.count; i++) {
        struct eval_run run;
        struct carding carding = {&run, &notes};
        bool good = eval_run(&run, &job->settings, &job->sets.sets[i], job->sets.sets[i].name) &&
                    eval_left_out(&run) && eval_report_digest(&run);
        if (good && job->json)
            good = eval_json_print(write_card, &carding);
        else if (good)
            eval_report_text(&run, &notes, stdout);
        if (good && job->svg != NULL)
            good = eval_report_plot(&run, job->svg);
        eval_run_close(&run);
        if (!good)
            return EXIT_FAILED;
    }
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}

static bool parse_alphas(struct eval_settings *settings, const char *text)
{
    settings->alpha_count = 0;
    for (const char *at = text; *at != '\0';) {
        char *end = NULL;
        double alpha = strtod(at, &end);
        if (end == at || (*end != ',' && *end != '\0') || !(alpha >= 1e-9 && alpha <= 0.1) ||
            settings->alpha_count == EVAL_ALPHAS_MAX)
            return complain(0, "--alpha is one to four numbers from 1e-9 to 0.1 with commas") != 0;
        settings->alphas[settings->alpha_count++] = alpha;
        at = *end == ',' ? end + 1 : end;
    }
    return settings->alpha_count > 0 || complain(0, "--alpha names none") != 0;
}

static bool parse_number(const char *name, const char *text, uint64_t low, uint64_t high,
                         uint64_t *out)
{
    char *end = NULL;
    if (text == NULL)
        return true;
    *out = strtoull(text, &end, 10);
    return (end != text && *end == '\0' && text[0] != '-' && *out >= low && *out <= high) ||
           complain(0, "--%s must be a number from %llu to %llu", name, (unsigned long long)low,
                    (unsigned long long)high) != 0;
}

static bool parse_baseline(struct eval_job *job, const char *text, bool *modsecurity)
{
    job->settings.baseline = text == NULL || strcmp(text, "none") != 0;
    *modsecurity = text != NULL && strcmp(text, "modsecurity") == 0;
    return text == NULL || strcmp(text, "minmax") == 0 || strcmp(text, "none") == 0 ||
           *modsecurity || complain(0, "--baseline is minmax, modsecurity or none") != 0;
}

static bool parse(struct eval_job *job, const struct arguments *arguments, bool *modsecurity)
{
    const char *const *values = arguments->values;
    const char *format = values[OPTION_FORMAT];
    const char *alphas = values[OPTION_ALPHA];
    uint64_t support = 4;
    job->seed = 1;
    job->svg = values[OPTION_SVG];
    job->json = format != NULL && strcmp(format, "json") == 0;
    if (format != NULL && !job->json && strcmp(format, "text") != 0)
        return complain(0, "--format is text or json") != 0;
    bool good =
        parse_alphas(&job->settings, alphas != NULL ? alphas : "1e-2,1e-3,1e-4") &&
        parse_number("support", values[OPTION_SUPPORT], 1, 4, &support) &&
        parse_number("learn", values[OPTION_LEARN], 1, UINT64_MAX, &job->settings.learn_max) &&
        parse_number("seed", values[OPTION_SEED], 0, UINT64_MAX, &job->seed) &&
        parse_number("release", values[OPTION_RELEASE], 1, UINT64_MAX, &job->release) &&
        parse_baseline(job, values[OPTION_BASELINE], modsecurity);
    if (values[OPTION_RELEASE_KIND] != NULL &&
        !eval_release_read(values[OPTION_RELEASE_KIND], &job->release_kind))
        return complain(0, "--release-kind is parameter, missing, content-type or status") != 0;
    job->settings.support = (uint32_t)support;
    return good;
}

static bool gather(struct eval_job *job, const struct arguments *arguments, int first)
{
    for (int i = 0; i < arguments->given_count; i++) {
        const struct given_option *given = &arguments->given[i];
        if (given->option > OPTION_ATTACKS)
            continue;
        enum eval_role role = given->option == OPTION_TRAIN    ? EVAL_TRAIN
                              : given->option == OPTION_BENIGN ? EVAL_BENIGN
                                                               : EVAL_ATTACKS;
        if (!eval_sets_add(&job->sets, given->value, role))
            return false;
    }
    for (int i = first; i < arguments->count; i++) {
        if (!eval_sets_open(&job->sets, arguments->operands[i]))
            return false;
    }
    return eval_sets_complete(&job->sets);
}

static int run_mode(struct eval_job *job, const struct arguments *arguments, int mode, int first,
                    bool modsecurity)
{
    char why[256];
    const char *module = arguments->values[OPTION_MODULE];
    if (!gather(job, arguments, first))
        return EXIT_FAILED;
    if (modsecurity) {
        job->settings.modsecurity =
            eval_modsecurity_open(module != NULL ? module : EVAL_MODSECURITY_MODULE, why);
        job->modsecurity_skipped = job->settings.modsecurity == NULL ? why : NULL;
    }
    int status = modes[mode].run(job);
    eval_modsecurity_close(job->settings.modsecurity);
    return status;
}

static int run(const struct arguments *arguments)
{
    struct eval_job *job = calloc(1, sizeof(*job));
    bool modsecurity = false;
    int mode = 0;
    int first = 0;
    if (job == NULL)
        return complain(EXIT_FAILED, "no memory");
    for (int i = 0; arguments->count > 0 && i < (int)(sizeof(modes) / sizeof(modes[0])); i++) {
        if (strcmp(arguments->operands[0], modes[i].name) == 0) {
            mode = i;
            first = 1;
        }
    }
    int status = EXIT_USAGE;
    if (arguments->count == first && arguments->given_count == 0)
        complain(0, "no data given: folders, manifests or files, or --train, --benign, --attacks");
    else if (parse(job, arguments, &modsecurity))
        status = run_mode(job, arguments, mode, first, modsecurity);
    eval_sets_free(&job->sets);
    free(job);
    return status;
}

const struct command command_eval = {
    .name = "eval",
    .usage = "[card|curve|poison|disarm|drift|merge] [DATASET...]",
    .operands = "FILE...",
    .summary = "measure detection on labelled traffic",
    .details =
        "DATASET is a folder, a manifest.json, or a file of exchange JSONL. What is learned and "
        "what is judged is told by the\n"
        "names of files (train, learn; test-benign, attacks, transplant, ...), by the options, or "
        "by the labels' \"split\".\n"
        "Learns and judges as guard learn and guard check do; labels are read for scoring only. "
        "Without a mode: the report card.\n"
        "curve: rates by the number of exchanges learned. poison: attacks among the training "
        "traffic. disarm: many clients, an\n"
        "attack of each in each epoch. drift: learning goes on while it judges. merge: k gates "
        "learn, in any order, with repeats.",
    .options = options,
    .run = run,
};
