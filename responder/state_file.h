/* SPDX-License-Identifier: Apache-2.0 */
/* Telling guardd of the books, so that people see why nothing is done: its
 * pods/responder/state.json, replaced when something changed, and given a new time now and then as
 * a sign of life. Nothing is ever read from it. */
#ifndef RESPONDER_STATE_FILE_H
#define RESPONDER_STATE_FILE_H

#include "common/pods/responder_state.h"

struct responder;

/* All zeros is one that has told nothing yet. */
struct state_file {
    bool stale;       /* the books changed */
    uint64_t beat_ms; /* by a clock that nobody sets; 0: never */
    uint64_t told;    /* a checksum of what was told; 0: nothing */
    bool complained;
};

/* What it says now. */
void state_file_fill(const struct responder *responder, bool running, struct responder_state *out,
                     uint64_t now_ms);
/* Tells what changed; costs nothing when nothing did. */
void state_file_tick(struct responder *responder, uint64_t now_ms, uint64_t clock_ms);
/* That it has ended, and let all go. */
void state_file_end(struct responder *responder, uint64_t now_ms);

#endif
