/* SPDX-License-Identifier: Apache-2.0 */
/* Where lines for people go: to a terminal, or into an answer. */
#ifndef GUARD_COMMON_LINE_SINK_H
#define GUARD_COMMON_LINE_SINK_H

struct line_sink {
    void (*line)(void *ctx, const char *text); /* text lives until it returns; no line's end */
    void *ctx;
};

#endif
