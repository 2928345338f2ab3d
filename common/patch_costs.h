/* SPDX-License-Identifier: Apache-2.0 */
/* What patches cost, as the gates beside a state directory told it: the lines of rings/<id>.counts
 * that are of patches. Hostile input, as all that gates write. */
#ifndef GUARD_COMMON_PATCH_COSTS_H
#define GUARD_COMMON_PATCH_COSTS_H

#include "common/state.h"

#include <guard/guardian.h>

enum {
    PATCH_COSTS_GATES_MAX = 64,
    PATCH_COSTS_LINES_MAX = 8192, /* of a gate; more are left out */
    PATCH_COSTS_GATE_CHARS = 16,
};

struct patch_cost {
    uint64_t tried; /* how often its conditions were held against a message */
    uint64_t held;  /* of these: they held */
    uint64_t bytes; /* that they looked at */
    uint64_t timed; /* of tried: those whose time is known */
    uint64_t timed_ns;
};

/* A line. gate: its id, in hexadecimal. */
typedef void patch_cost_told(void *ctx, const char *gate, struct guard_span service,
                             struct guard_span patch, const struct patch_cost *cost);

/* age_ms: files that weren't written for longer are of gates that are gone, and left out; 0: none
 * is. Gates that can't be read are left out. */
void patch_costs_read(const char *state, uint64_t now_ms, uint64_t age_ms, patch_cost_told *told,
                      void *ctx);
/* Adds up, over all gates that there are files of, the costs of one service's patches; out has one
 * for each patch, and is cleared. */
void patch_costs_of(const char *state, struct guard_span service, const struct guard_patch *patches,
                    uint32_t count, struct patch_cost *out);
struct json_writer;
/* As the member "cost" of an object that is open. */
void patch_cost_json(struct json_writer *json, const struct patch_cost *cost);

#endif
