/* SPDX-License-Identifier: Apache-2.0 */
/* The responder's configuration and its ledger: whatever the bytes, what is read is within its
 * bounds, and what is complained of has its place. The first byte says which. */
#include "responder/ledger.h"

#include "common/file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_workload(const struct workload_cfg *workload)
{
    struct guard_err err;
    check(workload->name_space != NULL && workload->workload != NULL);
    check(guard_pod_budget_check(&workload->budget, &err) == GUARD_OK);
    for (int step = 0; step < GUARD_POD_STEPS; step++) {
        const struct step_cfg *one = &workload->steps[step];
        check(one->command == NULL || one->command[0][0] == '/');
        check(step != GUARD_POD_REMOVE || (workload->plan.steps >> step & 1) == 0 ||
              (one->command != NULL) + one->kill + one->evict == 1);
        check(one->label_count <= CONFIG_LABELS_MAX);
        for (uint32_t i = 0; i < one->label_count; i++)
            check(pod_label_valid(&one->labels[i]));
    }
}

static void run_config(struct guard_span input)
{
    static struct responder_cfg cfg;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    if (config_parse(&cfg, "c", input, &arena, &err) == GUARD_OK) {
        check(cfg.state[0] == '/' && cfg.guard[0] == '/' && cfg.cgroup_root[0] == '/');
        check(cfg.allow_count <= CONFIG_ALLOW_MAX && cfg.workload_count <= CONFIG_WORKLOADS_MAX);
        for (uint32_t i = 0; i < cfg.workload_count; i++)
            check_workload(&cfg.workloads[i]);
    } else {
        check(strncmp(err.text, "c:", 2) == 0);
    }
    guard_arena_reset(&arena);
}

static void run_ledger(struct guard_span input)
{
    static struct ledger ledger;
    struct guard_err err;
    if (ledger_parse(&ledger, "/nonexistent", input, &err) != GUARD_OK)
        return;
    check(ledger.workload_count <= CONFIG_WORKLOADS_MAX && ledger.handled_count <= HANDLED_MAX &&
          ledger.trace_count <= TRACES_MAX && ledger.begun_count <= BEGUN_MAX);
    for (uint32_t i = 0; i < ledger.handled_count; i++)
        check(ledger_was_handled(&ledger, ledger.handled[i].id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        (data[0] % 2 == 0 ? run_config : run_ledger)((struct guard_span){data + 1, size - 1});
    return 0;
}
