/* SPDX-License-Identifier: Apache-2.0 */
/* Plots of rates as SVG: lines over a linear or logarithmic axis, in colours that can be read on
 * light and on dark grounds. */
#ifndef GUARD_CLI_EVAL_SVG_H
#define GUARD_CLI_EVAL_SVG_H

#include <stdbool.h>

enum { EVAL_PLOT_POINTS_MAX = 256, EVAL_PLOT_LINES_MAX = 8 };

struct eval_line {
    char label[64];
    double x[EVAL_PLOT_POINTS_MAX];
    double y[EVAL_PLOT_POINTS_MAX]; /* shares, 0 to 1 */
    int count;
};

struct eval_plot {
    char title[128];
    const char *x_label;
    const char *y_label;
    bool logarithmic; /* the x axis; every x is above 0 */
    struct eval_line lines[EVAL_PLOT_LINES_MAX];
    int line_count;
};

/* A new line; NULL when there are enough. */
struct eval_line *eval_plot_line(struct eval_plot *plot, const char *label);
/* What is beyond EVAL_PLOT_POINTS_MAX is left out. */
void eval_line_add(struct eval_line *line, double x, double y);
/* Writes folder/name.svg, making the folder. False after a message. */
bool eval_plot_write(const struct eval_plot *plot, const char *folder, const char *name);

#endif
