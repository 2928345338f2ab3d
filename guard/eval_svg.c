/* SPDX-License-Identifier: Apache-2.0 */
/* A plot is a few paths and texts: written by hand, it needs no library and no script to be seen.
 */
#include "eval_svg.h"

#include "command.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { WIDTH = 760, HEIGHT = 420, LEFT = 70, RIGHT = 200, TOP = 44, BOTTOM = 56 };

static const char *const colours[EVAL_PLOT_LINES_MAX] = {
    "#1b7fbd", "#d9622b", "#3d9a50", "#9a63c2", "#b3892b", "#c24a6e", "#5f8a8b", "#808080"};

struct eval_line *eval_plot_line(struct eval_plot *plot, const char *label)
{
    if (plot->line_count == EVAL_PLOT_LINES_MAX)
        return NULL;
    struct eval_line *line = &plot->lines[plot->line_count++];
    line->count = 0;
    snprintf(line->label, sizeof(line->label), "%s", label);
    return line;
}

void eval_line_add(struct eval_line *line, double x, double y)
{
    if (line == NULL || line->count == EVAL_PLOT_POINTS_MAX || !isfinite(x) || !isfinite(y))
        return;
    line->x[line->count] = x;
    line->y[line->count++] = y;
}

struct frame {
    double low;
    double high;
    bool logarithmic;
};

static double scaled(const struct frame *frame, double x)
{
    return frame->logarithmic ? log10(x > 0 ? x : 1) : x;
}

static double place_x(const struct frame *frame, double x)
{
    double share = (scaled(frame, x) - frame->low) / (frame->high - frame->low);
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double place_y(double y)
{
    return HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM);
}

static struct frame frame_of(const struct eval_plot *plot)
{
    struct frame frame = {INFINITY, -INFINITY, plot->logarithmic};
    for (int i = 0; i < plot->line_count; i++) {
        for (int k = 0; k < plot->lines[i].count; k++) {
            double x = scaled(&frame, plot->lines[i].x[k]);
            frame.low = x < frame.low ? x : frame.low;
            frame.high = x > frame.high ? x : frame.high;
        }
    }
    if (!(frame.low < frame.high)) {
        frame.low = isfinite(frame.low) ? frame.low - 0.5 : 0;
        frame.high = frame.low + 1;
    }
    return frame;
}

static void text(FILE *out, double x, double y, const char *anchor, int size, const char *words)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">", x, y, anchor,
            size);
    for (; *words != '\0'; words++) {
        if (*words == '<')
            fputs("&lt;", out);
        else if (*words == '>')
            fputs("&gt;", out);
        else if (*words == '&')
            fputs("&amp;", out);
        else
            fputc((unsigned char)*words < 0x20 ? ' ' : *words, out);
    }
    fputs("</text>\n", out);
}

static void draw_y_axis(FILE *out)
{
    for (int tenth = 0; tenth <= 10; tenth += 2) {
        char words[16];
        double y = place_y(tenth / 10.0);
        fprintf(
            out,
            "<path d=\"M%d %.1fH%d\" stroke=\"#808080\" stroke-opacity=\"%s\" fill=\"none\"/>\n",
            LEFT, y, WIDTH - RIGHT, tenth == 0 ? "1" : "0.3");
        snprintf(words, sizeof(words), "%d %%", tenth * 10);
        text(out, LEFT - 8, y + 4, "end", 12, words);
    }
}

static void draw_x_axis(FILE *out, const struct frame *frame)
{
    for (int i = 0; i <= 4; i++) {
        char words[32];
        double at = frame->low + i * (frame->high - frame->low) / 4;
        double x = frame->logarithmic ? pow(10, at) : at;
        double place = LEFT + i * (WIDTH - LEFT - RIGHT) / 4.0;
        fprintf(out, "<path d=\"M%.1f %dv6\" stroke=\"#808080\" fill=\"none\"/>\n", place,
                HEIGHT - BOTTOM);
        snprintf(words, sizeof(words), x >= 100 ? "%.0f" : "%.3g", x);
        text(out, place, HEIGHT - BOTTOM + 20, "middle", 12, words);
    }
}

static void draw_line(FILE *out, const struct frame *frame, const struct eval_line *line, int index)
{
    fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" d=\"", colours[index]);
    for (int k = 0; k < line->count; k++)
        fprintf(out, "%s%.1f %.1f", k == 0 ? "M" : "L", place_x(frame, line->x[k]),
                place_y(line->y[k]));
    fputs("\"/>\n", out);
    for (int k = 0; k < line->count && line->count <= 40; k++)
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
                place_x(frame, line->x[k]), place_y(line->y[k]), colours[index]);
    double y = TOP + 10 + 20 * index;
    fprintf(out, "<path d=\"M%d %.1fh18\" stroke=\"%s\" stroke-width=\"3\" fill=\"none\"/>\n",
            WIDTH - RIGHT + 14, y, colours[index]);
    text(out, WIDTH - RIGHT + 38, y + 4, "start", 12, line->label);
}

static void draw(FILE *out, const struct eval_plot *plot)
{
    struct frame frame = frame_of(plot);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" fill=\"#808080\" role=\"img\">\n"
            "<title>",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    for (const char *at = plot->title; *at != '\0'; at++)
        fputc(*at == '<' || *at == '&' || *at == '>' ? ' ' : *at, out);
    fputs("</title>\n", out);
    text(out, LEFT, 24, "start", 15, plot->title);
    draw_y_axis(out);
    draw_x_axis(out, &frame);
    text(out, LEFT, TOP - 8, "start", 12, plot->y_label);
    text(out, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12, "middle", 12, plot->x_label);
    for (int i = 0; i < plot->line_count; i++)
        draw_line(out, &frame, &plot->lines[i], i);
    fputs("</svg>\n", out);
}

bool eval_plot_write(const struct eval_plot *plot, const char *folder, const char *name)
{
    char path[4096];
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return complain(0, "%s: %s", folder, strerror(errno)) != 0;
    snprintf(path, sizeof(path), "%s/%s.svg", folder, name);
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return complain(0, "%s: %s", path, strerror(errno)) != 0;
    draw(out, plot);
    bool good = ferror(out) == 0;
    return (fclose(out) == 0 && good) || complain(0, "%s: can't be written", path) != 0;
}
