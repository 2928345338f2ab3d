/* SPDX-License-Identifier: Apache-2.0 */
/* What the responder says of its books, and what is asked of it: whatever the bytes, what is read
 * is within its bounds, can be reckoned with, and is written and read the same again. The first
 * byte says which. */
#include "common/pods/responder_state.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void reckon(const struct responder_workload *of)
{
    static const uint64_t times[] = {0, UINT64_C(1764000000000), UINT64_C(253402300799999)};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct guard_pod_budget_look look;
        guard_pod_budget_look(&of->budget, &of->cfg, of->replicas_max, times[i], &look);
        check(look.allowed > 0 && look.spent <= GUARD_POD_BUDGET_HISTORY);
        check(look.pause_until_ms == 0 || look.pause_until_ms >= of->budget.last_ms);
        (void)guard_pod_budget_until(&of->budget, &of->cfg, of->replicas_max, times[i]);
    }
}

static void run_state(struct guard_span input)
{
    static struct responder_state state, again;
    static char text[RESPONDER_STATE_BYTES_MAX];
    struct guard_err err;
    size_t len = 0;
    if (responder_state_read(&state, input, &err) != GUARD_OK) {
        check(state.workload_count == 0 && state.contained_count == 0);
        return;
    }
    check(state.workload_count <= RESPONDER_WORKLOADS_MAX &&
          state.contained_count <= RESPONDER_CONTAINED_MAX);
    for (uint32_t i = 0; i < state.workload_count; i++) {
        reckon(&state.workloads[i]);
        /* A number of six digits is what is written. */
        state.workloads[i].cfg.share = 0.25;
    }
    check(responder_state_write(&state, text, sizeof(text), &len, &err) == GUARD_OK);
    check(responder_state_read(&again, (struct guard_span){(uint8_t *)text, len}, &err) ==
          GUARD_OK);
    check(memcmp(&state, &again, sizeof(state)) == 0);
}

static void run_resume(struct guard_span input)
{
    struct pod_resume resume, again;
    char text[POD_RESUME_BYTES_MAX];
    struct guard_err err;
    size_t len = 0;
    if (pod_resume_read(&resume, input, &err) != GUARD_OK) {
        check(resume.id[0] == '\0' && resume.workload[0] == '\0');
        return;
    }
    check(pod_resume_write(&resume, text, sizeof(text), &len, &err) == GUARD_OK);
    check(pod_resume_read(&again, (struct guard_span){(uint8_t *)text, len}, &err) == GUARD_OK);
    check(memcmp(&resume, &again, sizeof(resume)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        (data[0] % 2 == 0 ? run_state : run_resume)((struct guard_span){data + 1, size - 1});
    return 0;
}
