/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that fails on command, and counts: the ground of out-of-memory tests. The usual test runs
 * an operation with the first allocation failing, then the second, and so on until it succeeds, and
 * each time expects GUARD_E_NOMEM, no leak
 * (`live` is 0 after clean-up) and objects that are still usable. */
#ifndef GUARD_TEST_FAILING_ALLOC_H
#define GUARD_TEST_FAILING_ALLOC_H

#include <guard/types.h>

#include <stdint.h>
#include <stdlib.h>

struct failing_alloc {
    struct guard_alloc alloc; /* hand this out; the struct must not move meanwhile */
    uint64_t fail_at;         /* the allocation that fails, from 1; 0: none */
    bool fail_after;          /* all later ones fail too */
    uint64_t calls;
    uint64_t failures;
    uint64_t live; /* blocks not given back yet */
};

static inline void *failing_alloc_get(void *ctx, size_t size)
{
    struct failing_alloc *memory = ctx;
    memory->calls++;
    bool fails = memory->fail_at != 0 && (memory->calls == memory->fail_at ||
                                          (memory->fail_after && memory->calls > memory->fail_at));
    void *ptr = fails ? NULL : malloc(size == 0 ? 1 : size);
    if (ptr == NULL)
        memory->failures++;
    else
        memory->live++;
    return ptr;
}

static inline void failing_alloc_put(void *ctx, void *ptr)
{
    struct failing_alloc *memory = ctx;
    if (ptr != NULL)
        memory->live--;
    free(ptr);
}

/* fail_at counts from 1; 0 never fails. */
static inline void failing_alloc_init(struct failing_alloc *memory, uint64_t fail_at)
{
    *memory = (struct failing_alloc){
        .alloc = {memory, failing_alloc_get, failing_alloc_put},
        .fail_at = fail_at,
    };
}

/* Runs `attempt` with the 1st, 2nd, ... allocation failing, once alone and once with all later
 * ones, until it needs no further allocation. attempt returns what the operation returned and
 * cleans up after itself. Returns the number of allocations of the successful run, 0 when the
 * contract was broken: success though memory was missing is allowed only when `may_do_without`. */
static inline uint64_t failing_alloc_sweep(enum guard_rc (*attempt)(struct guard_alloc *alloc,
                                                                    void *ctx),
                                           void *ctx, bool may_do_without)
{
    for (uint64_t fail_at = 1; fail_at < 1000000; fail_at++) {
        for (int after = 0; after < 2; after++) {
            struct failing_alloc memory;
            failing_alloc_init(&memory, fail_at);
            memory.fail_after = after == 1;
            enum guard_rc rc = attempt(&memory.alloc, ctx);
            if (memory.live != 0)
                return 0;
            if (memory.failures == 0)
                return rc == GUARD_OK ? memory.calls : 0;
            if (rc != GUARD_E_NOMEM && !(may_do_without && rc == GUARD_OK))
                return 0;
        }
    }
    return 0;
}

#endif
