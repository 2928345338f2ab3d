/* SPDX-License-Identifier: Apache-2.0 */
/* The report card as a plot: what each column blocks of the attacks, and the last one of the
 * benign requests, by alpha. */
#include "eval_report.h"

#include "command.h"
#include "eval_svg.h"

#include <stdlib.h>

static void add_line(struct eval_plot *plot, const struct eval_run *run, enum eval_column column,
                     const char *label, bool benign)
{
    struct eval_line *line = NULL;
    for (int i = 0; i < run->detector_count; i++) {
        struct eval_tally pool = eval_run_pool(run, i);
        struct eval_share share = benign ? pool.benign : pool.attacks;
        if (run->detectors[i].column != column || share.of == 0)
            continue;
        line = line == NULL ? eval_plot_line(plot, label) : line;
        eval_line_add(line, run->detectors[i].alpha, eval_rate(share));
    }
}

bool eval_report_plot(const struct eval_run *run, const char *folder)
{
    char name[80];
    struct eval_plot *plot = calloc(1, sizeof(*plot));
    if (plot == NULL)
        return complain(0, "no memory") != 0;
    plot->logarithmic = true;
    plot->x_label = "alpha";
    plot->y_label = "share blocked";
    snprintf(plot->title, sizeof(plot->title), "%.60s: report card", run->set->name);
    for (enum eval_column column = EVAL_NOVELTY; column <= EVAL_SIGNATURES; column++)
        add_line(plot, run, column,
                 column == EVAL_LEFT_OUT ? "own class left out" : eval_column_name(column), false);
    add_line(plot, run, run->detectors[run->shipped].column, "benign (FPR)", true);
    snprintf(name, sizeof(name), "%.60s-card", run->set->name);
    bool good = eval_plot_write(plot, folder, name);
    free(plot);
    return good;
}
