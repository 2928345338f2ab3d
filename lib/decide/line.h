/* SPDX-License-Identifier: Apache-2.0 */
/* A line of text for people and terminals, cut to its room. Text that clients chose can't break out
 * of it: control characters, direction marks and bytes that aren't UTF-8 become '.'. */
#ifndef GD_DECIDE_LINE_H
#define GD_DECIDE_LINE_H

#include "base/span.h"

struct gd_line {
    char *out;
    size_t cap;
    size_t len;
    bool full;
};

void gd_line_init(struct gd_line *line, char *out, size_t cap);
/* Our own text. */
void gd_line_string(struct gd_line *line, const char *string);
/* Anybody's text. */
void gd_line_text(struct gd_line *line, struct guard_span text);
/* With commas between thousands. */
void gd_line_number(struct gd_line *line, uint32_t number);
/* 10^(-strength / 100), rounded up to one digit: "2e-6". */
void gd_line_rate(struct gd_line *line, uint16_t strength);
/* Terminates; returns the length without the NUL. */
size_t gd_line_end(struct gd_line *line);

#endif
