/* SPDX-License-Identifier: Apache-2.0 */
/* The steps for one pod, as a machine that is told how each went. Losing evidence doesn't stop it;
 * a replacement that isn't ready does: fewer pods that serve are worse than one that is isolated.
 */
#include <guard/pod_response.h>

const char *guard_pod_step_name(enum guard_pod_step step)
{
    static const char *const names[GUARD_POD_STEPS] = {
        "contain", "capture", "take out of service", "wait for the replacement", "remove",
        "verify",  "tell"};
    return (uint32_t)step < GUARD_POD_STEPS ? names[step] : "";
}

const char *guard_pod_end_name(enum guard_pod_end end)
{
    static const char *const names[] = {"going on", "replaced", "kept isolated", "untouched",
                                        "replacement does the same"};
    return (uint32_t)end < sizeof(names) / sizeof(names[0]) ? names[end] : "";
}

void guard_pod_plan_default(struct guard_pod_plan *out)
{
    enum { SECOND_MS = 1000, MINUTE_MS = 60 * 1000 };
    *out = (struct guard_pod_plan){
        .steps = 0,
        .dry_run = true,
        .timeout_ms = {[GUARD_POD_CONTAIN] = 5 * SECOND_MS,
                       [GUARD_POD_CAPTURE] = 10 * SECOND_MS,
                       [GUARD_POD_OUT_OF_SERVICE] = 30 * SECOND_MS,
                       [GUARD_POD_WAIT_READY] = 5 * MINUTE_MS,
                       [GUARD_POD_REMOVE] = 10 * MINUTE_MS,
                       [GUARD_POD_VERIFY] = 10 * MINUTE_MS},
        .tries_max = 5,
        .retry_ms = 10 * SECOND_MS,
    };
}

static bool wanted(const struct guard_pod_response *response, enum guard_pod_step step)
{
    return step == GUARD_POD_TELL || (response->plan.steps >> step & 1) != 0;
}

static void enter(struct guard_pod_response *response, enum guard_pod_step step, uint64_t now_ms)
{
    while (step < GUARD_POD_STEPS && !wanted(response, step))
        step++;
    response->step = step;
    response->tries = 0;
    response->since_ms = response->next_ms = now_ms;
}

void guard_pod_response_begin(struct guard_pod_response *out, const struct guard_pod_plan *plan,
                              uint64_t now_ms)
{
    *out = (struct guard_pod_response){.plan = *plan};
    enter(out, GUARD_POD_CONTAIN, now_ms);
}

static bool did(const struct guard_pod_response *response, enum guard_pod_step step)
{
    return (response->done >> step & 1) != 0;
}

/* The last thing is told, then it has ended as it went. */
static void finish(struct guard_pod_response *response)
{
    response->step = GUARD_POD_STEPS;
    if (response->end != GUARD_POD_GOING_ON)
        return;
    bool isolated = did(response, GUARD_POD_CONTAIN) || did(response, GUARD_POD_OUT_OF_SERVICE);
    response->end = did(response, GUARD_POD_REMOVE) ? GUARD_POD_REPLACED
                    : isolated                      ? GUARD_POD_KEPT
                                                    : GUARD_POD_UNTOUCHED;
}

static void fail(struct guard_pod_response *response, uint64_t now_ms)
{
    enum guard_pod_step step = response->step;
    response->failed |= 1u << step;
    switch (step) {
    case GUARD_POD_CONTAIN:
    case GUARD_POD_OUT_OF_SERVICE:
    case GUARD_POD_WAIT_READY:
    case GUARD_POD_REMOVE:
        enter(response, GUARD_POD_TELL, now_ms);
        return;
    case GUARD_POD_CAPTURE:
    case GUARD_POD_VERIFY:
        enter(response, step + 1, now_ms);
        return;
    case GUARD_POD_TELL:
    case GUARD_POD_STEPS:
        finish(response);
        return;
    }
}

static void refuse(struct guard_pod_response *response, uint64_t now_ms)
{
    uint64_t pause = response->plan.retry_ms;
    response->tries++;
    if (response->tries >= response->plan.tries_max) {
        fail(response, now_ms);
        return;
    }
    for (uint32_t i = 1; i < response->tries && pause < UINT64_C(1) << 40; i++)
        pause *= 2;
    response->next_ms = now_ms + pause;
}

static bool is_late(const struct guard_pod_response *response, uint64_t now_ms)
{
    uint64_t timeout = response->plan.timeout_ms[response->step];
    return timeout != 0 && now_ms > response->since_ms && now_ms - response->since_ms > timeout;
}

enum guard_pod_action guard_pod_response_next(struct guard_pod_response *response, uint64_t now_ms)
{
    if (response->step != GUARD_POD_STEPS && is_late(response, now_ms))
        fail(response, now_ms);
    if (response->step == GUARD_POD_STEPS)
        return GUARD_POD_ENDED;
    return now_ms < response->next_ms ? GUARD_POD_WAIT : GUARD_POD_ACT;
}

void guard_pod_response_did(struct guard_pod_response *response, enum guard_pod_outcome outcome,
                            uint64_t now_ms)
{
    if (response->step == GUARD_POD_STEPS)
        return;
    switch (outcome) {
    case GUARD_POD_LATER:
        refuse(response, now_ms);
        return;
    case GUARD_POD_FAILED:
        fail(response, now_ms);
        return;
    case GUARD_POD_SAME_AGAIN:
        response->end = GUARD_POD_USELESS;
        break;
    case GUARD_POD_DONE:
        break;
    }
    response->done |= 1u << response->step;
    if (response->step == GUARD_POD_TELL)
        finish(response);
    else
        enter(response, response->step + 1, now_ms);
}
