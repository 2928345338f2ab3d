/* SPDX-License-Identifier: Apache-2.0 */
/* How long the gate itself works on an exchange. One of GATE_OVERHEAD_EACH is measured, by the
 * clock that needs no system call: the others cost a comparison. Waiting, and what nginx does
 * between our calls, isn't in it. */
#ifndef NGX_HTTP_GUARD_OVERHEAD_H
#define NGX_HTTP_GUARD_OVERHEAD_H

#include "module.h"

enum { GATE_OVERHEAD_EACH = 16, GATE_OVERHEAD_BUCKETS = 10 };

/* Whether this one is measured. */
void gate_overhead_choose(gate_exchange_t *exchange);
/* Nanoseconds of a clock; 0 for those that aren't measured. Pairs don't nest. */
uint64_t gate_overhead_begin(const gate_exchange_t *exchange);
void gate_overhead_end(gate_exchange_t *exchange, uint64_t begun_ns);
/* The exchange is over: into its service's counts. */
void gate_overhead_count(const gate_exchange_t *exchange);
/* That clock. */
uint64_t gate_overhead_now_ns(void);
/* Upper bounds of buckets, in nanoseconds; the last one has none (UINT64_MAX). */
uint64_t gate_overhead_bound_ns(int bucket);

#endif
