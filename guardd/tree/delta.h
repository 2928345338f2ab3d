/* SPDX-License-Identifier: Apache-2.0 */
/* What a node with a parent has of a service: the pile that is open, whose records no closed delta
 * has, and up to where the closed ones go. */
#ifndef GUARDD_TREE_DELTA_H
#define GUARDD_TREE_DELTA_H

#include <guard/pile.h>

enum {
    DELTA_SOURCES_MAX = 4096,
    /* An open pile is closed before its time at: half of what a share may have. */
    DELTA_CELLS_MAX = 8192,
    DELTA_CLIENTS_MAX = 1024,
    DELTA_EXCHANGES_MAX = 500000,
    DELTA_INTERVALS_MAX = 1024,
};

/* The last record of a source in closed deltas. */
struct delta_source {
    uint64_t producer;
    uint64_t incarnation;
    uint64_t sequence;
};

struct delta {
    struct delta_source *sources; /* one for each producer */
    uint32_t count;
    uint32_t cap;
    uint64_t number;    /* of the open one; 0 at a node without parent, else from 1 */
    uint64_t committed; /* those below are closed for sure: they may be sent */
    uint64_t due_ms;    /* when the open one is closed; 0: it is empty */
    uint32_t looked;    /* records since its size was looked at */
};

void delta_free(struct delta *delta);
/* The last record of the source that a closed delta has; 0: none. */
uint64_t delta_position(const struct delta *delta, uint64_t producer, uint64_t incarnation);
/* Makes room for closing the pile. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc delta_reserve(struct delta *delta, const struct guard_pile *pile);
/* The open pile, for which there is room, is closed: what it holds counts as such, the next one is
 * open. */
void delta_close(struct delta *delta, const struct guard_pile *pile);
/* For the store. *out is malloc'd. */
GUARD_MUST_USE enum guard_rc delta_encode(const struct delta *delta, uint8_t **out, size_t *len);
/* Into one that is all zeros. GUARD_E_SYNTAX, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc delta_decode(struct delta *delta, struct guard_span bytes);
/* Whether an open pile is so large that it is closed before its time. */
bool delta_full(const struct guard_pile *pile);

#endif
