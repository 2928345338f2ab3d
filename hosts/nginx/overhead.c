/* SPDX-License-Identifier: Apache-2.0 */
/* The gate's own time, by a sample. */
#include "overhead.h"

#include "counters.h"

#include <time.h>

_Static_assert((int)GATE_COUNT_OVERHEAD_NS == (int)GATE_COUNT_OVERHEAD + GATE_OVERHEAD_BUCKETS,
               "a count for each bucket");

static const uint64_t bounds_ns[GATE_OVERHEAD_BUCKETS] = {
    10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000, UINT64_MAX,
};

uint64_t gate_overhead_bound_ns(int bucket)
{
    return bounds_ns[bucket];
}

void gate_overhead_choose(gate_exchange_t *exchange)
{
    static ngx_uint_t turn;
    exchange->measured = turn++ % GATE_OVERHEAD_EACH == 0;
}

uint64_t gate_overhead_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t gate_overhead_begin(const gate_exchange_t *exchange)
{
    return exchange->measured ? gate_overhead_now_ns() : 0;
}

void gate_overhead_end(gate_exchange_t *exchange, uint64_t begun_ns)
{
    if (exchange->measured)
        exchange->overhead_ns += gate_overhead_now_ns() - begun_ns;
}

void gate_overhead_count(const gate_exchange_t *exchange)
{
    int bucket = 0;
    if (!exchange->measured)
        return;
    while (exchange->overhead_ns > bounds_ns[bucket])
        bucket++;
    gate_count(exchange->service, (enum gate_count)(GATE_COUNT_OVERHEAD + bucket));
    gate_count_add(exchange->service, GATE_COUNT_OVERHEAD_NS, (int64_t)exchange->overhead_ns);
}
