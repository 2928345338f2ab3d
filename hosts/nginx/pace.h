/* SPDX-License-Identifier: Apache-2.0 */
/* When one direction of a stream is judged. Judging costs as much as the exchange has fields, so
 * that it is rationed: a client can't buy much of it with little. At each read event while there is
 * credit, which one that floods us runs out of; then after so many bytes, or when there is credit
 * again. */
#ifndef GUARD_GATE_PACE_H
#define GUARD_GATE_PACE_H

#include <ngx_config.h>
#include <ngx_core.h>

enum {
    GATE_PACE_MS = 8, /* the time that one check is worth */
    GATE_PACE_ENDLESS = 0x7fffffff,
};

struct gate_pace {
    size_t limit;     /* bytes inspected; what comes beyond changes no verdict */
    size_t fed;       /* bytes, counted to a little beyond the limit */
    size_t unchecked; /* bytes since the last check */
    size_t gap;       /* bytes that make one due without credit */
    ngx_uint_t credit;
    ngx_msec_t refilled;
};

enum gate_due { GATE_DUE_NONE, GATE_DUE_NOW, GATE_DUE_LATER };

/* limit GATE_PACE_ENDLESS: streams of messages have limits for each, and none for all. */
void gate_pace_begin(struct gate_pace *pace, size_t limit);
void gate_pace_feed(struct gate_pace *pace, size_t len);
/* NOW takes it for done. LATER: in GATE_PACE_MS, or with what comes next. */
enum gate_due gate_pace_due(struct gate_pace *pace);

#endif
