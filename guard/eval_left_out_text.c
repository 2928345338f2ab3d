/* SPDX-License-Identifier: Apache-2.0 */
/* The table of leave-one-class-out: a line for each class and alpha. */
#include "eval_left_out_text.h"

#include "command.h"
#include "eval_left_out.h"

#include <inttypes.h>
#include <string.h>

static void print_share(struct eval_share share, FILE *out)
{
    struct eval_interval interval = eval_share_interval(share);
    if (share.of == 0)
        fprintf(out, " %24s", "-");
    else
        fprintf(out, " %8.2f [%6.2f,%6.2f]", 100 * eval_rate(share), 100 * interval.low,
                100 * interval.high);
}

static void print_rate(struct eval_share share, int width, FILE *out)
{
    if (share.of == 0)
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.2f", width, 100 * eval_rate(share));
}

static void print_line(const struct eval_run *run, const struct eval_left_out *left, int alpha,
                       FILE *out)
{
    double asked = run->settings->alphas[alpha];
    int novelty = eval_run_detector(run, EVAL_NOVELTY, asked);
    int likeness = eval_run_detector(run, EVAL_LIKENESS, asked);
    char text[16];
    fprintf(out, "  %-13s %-6s %8" PRIu64, guard_likeness_name(left->class_out),
            eval_alpha_text(asked, text), left->tallies[alpha].attacks.of);
    print_rate(eval_left_out_attacks(run, left->class_out, novelty), 12, out);
    print_rate(eval_left_out_attacks(run, left->class_out, likeness), 10, out);
    print_share(left->tallies[alpha].attacks, out);
    print_rate(eval_run_pool(run, novelty).benign, 12, out);
    print_rate(eval_run_pool(run, likeness).benign, 10, out);
    print_share(left->tallies[alpha].benign, out);
    fputc('\n', out);
}

/* Attacks that no class of likeness is for. */
static void print_others(const struct eval_run *run, FILE *out)
{
    bool any = false;
    for (int i = 0; i < run->cell_count; i++) {
        const struct eval_cell *cell = &run->cells[i];
        char key[EVAL_CELL_KEY_MAX];
        if (!cell->class_only || eval_left_out_class(cell) != GUARD_LIKENESS_COUNT)
            continue;
        fprintf(out, "%s %s (%" PRIu64 ")",
                any ? "," : "  not in it: attacks of classes that none of likeness is known for:",
                clean(key, sizeof(key), cell->key, strlen(cell->key)), cell->shares[0].of);
        any = true;
    }
    if (any)
        fputc('\n', out);
}

void eval_left_out_print(const struct eval_run *run, FILE *out)
{
    if (!run->settings->left_out || !eval_column_built(EVAL_LIKENESS))
        return;
    if (run->left_out_skipped != NULL) {
        fprintf(out, "\n  own class left out: skipped: %s\n", run->left_out_skipped);
        return;
    }
    if (run->left_out_count > 0)
        fprintf(out,
                "\n  Own class left out: learned and judged without the class of likeness that "
                "knows the attacks' grammar (percent)\n"
                "  %-13s %-6s %8s %12s %10s %24s %12s %10s %24s\n",
                "left out", "alpha", "attacks", "TPR: novelty", "+ likeness",
                "left out [95 % interval]", "FPR: novelty", "+ likeness",
                "left out [95 % interval]");
    for (int i = 0; i < run->left_out_count; i++) {
        for (int alpha = 0; alpha < run->settings->alpha_count; alpha++)
            print_line(run, &run->left_out[i], alpha, out);
    }
    print_others(run, out);
}
