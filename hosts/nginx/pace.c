/* SPDX-License-Identifier: Apache-2.0 */
/* The ration of checks. By nginx's clock, so that it costs no system call. */
#include "pace.h"

enum { CREDIT_MAX = 8, GAP_BYTES = 16 * 1024 };

void gate_pace_begin(struct gate_pace *pace, size_t limit)
{
    *pace = (struct gate_pace){
        .limit = limit, .gap = GAP_BYTES, .credit = CREDIT_MAX, .refilled = ngx_current_msec};
}

void gate_pace_feed(struct gate_pace *pace, size_t len)
{
    if (pace->fed > pace->limit)
        return;
    pace->unchecked += ngx_min(len, (size_t)GATE_PACE_ENDLESS);
    if (pace->limit != GATE_PACE_ENDLESS)
        pace->fed += ngx_min(len, pace->limit + 1 - pace->fed);
}

enum gate_due gate_pace_due(struct gate_pace *pace)
{
    if (pace->unchecked == 0)
        return GATE_DUE_NONE;
    ngx_msec_t earned = (ngx_current_msec - pace->refilled) / GATE_PACE_MS;
    pace->refilled += earned * GATE_PACE_MS;
    pace->credit = (ngx_uint_t)ngx_min(pace->credit + earned, (ngx_msec_t)CREDIT_MAX);
    if (pace->credit > 0) {
        pace->credit--;
    } else if (pace->unchecked >= pace->gap) {
        pace->gap *= 2;
    } else if (pace->fed <= pace->limit) {
        return GATE_DUE_LATER;
    }
    pace->unchecked = 0;
    return GATE_DUE_NOW;
}
