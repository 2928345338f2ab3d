/* SPDX-License-Identifier: Apache-2.0 */
/* How many pods of a workload may be touched. Who can make Guard restart pods has a lever: few at a
 * time, with growing pauses, and none at all when several look the same. */
#include <guard/pod_response.h>

enum { MINUTE_MS = 60 * 1000 };

/* Added to a time it must not reach beyond the end of counting. */
static const uint64_t longest_ms = UINT64_C(30) * 24 * 3600 * 1000;

void guard_pod_budget_default(struct guard_pod_budget_cfg *out)
{
    *out = (struct guard_pod_budget_cfg){.share = 0.1,
                                         .window_ms = 10 * MINUTE_MS,
                                         .backoff_first_ms = MINUTE_MS,
                                         .backoff_max_ms = 30 * MINUTE_MS,
                                         .calm_ms = 360 * (uint64_t)MINUTE_MS};
}

enum guard_rc guard_pod_budget_check(const struct guard_pod_budget_cfg *cfg, struct guard_err *err)
{
    if (!(cfg->share > 0 && cfg->share <= 0.5))
        return guard_fail(err, GUARD_E_RANGE, "share is more than 0 and at most 0.5");
    if (cfg->window_ms < MINUTE_MS || cfg->window_ms > longest_ms)
        return guard_fail(err, GUARD_E_RANGE, "a window of a minute to 30 days");
    if (cfg->calm_ms > longest_ms)
        return guard_fail(err, GUARD_E_RANGE, "a calm time of 30 days at most");
    if (cfg->backoff_first_ms == 0 || cfg->backoff_max_ms < cfg->backoff_first_ms ||
        cfg->calm_ms < cfg->backoff_max_ms)
        return guard_fail(err, GUARD_E_RANGE,
                          "the first pause is more than 0, the longest at least as long, and "
                          "the calm time not shorter");
    return GUARD_OK;
}

const char *guard_pod_permit_name(enum guard_pod_permit permit)
{
    static const char *const names[] = {"permitted", "stopped", "in flight",
                                        "paused",    "spent",   "too few replicas"};
    return (uint32_t)permit < sizeof(names) / sizeof(names[0]) ? names[permit] : "";
}

static uint32_t allowed(const struct guard_pod_budget_cfg *cfg, uint32_t replicas)
{
    double share = cfg->share * (double)replicas;
    uint32_t most = share < 1 ? 1 : (uint32_t)share;
    return most < GUARD_POD_BUDGET_HISTORY ? most : GUARD_POD_BUDGET_HISTORY;
}

/* Of those begun in the window: how many, and when the earliest of them leaves it. */
static uint32_t in_window(const struct guard_pod_budget *budget,
                          const struct guard_pod_budget_cfg *cfg, uint64_t now_ms, uint64_t *leaves)
{
    uint32_t held =
        budget->begun < GUARD_POD_BUDGET_HISTORY ? budget->begun : GUARD_POD_BUDGET_HISTORY;
    uint32_t count = 0;
    *leaves = UINT64_MAX;
    for (uint32_t i = 0; i < held; i++) {
        uint64_t end = budget->begun_ms[i] + cfg->window_ms;
        if (end <= now_ms)
            continue;
        count++;
        *leaves = end < *leaves ? end : *leaves;
    }
    return count;
}

static uint64_t pause_end(const struct guard_pod_budget *budget,
                          const struct guard_pod_budget_cfg *cfg, uint64_t now_ms)
{
    uint64_t pause = cfg->backoff_first_ms;
    if (budget->streak == 0 || budget->last_ms + cfg->calm_ms <= now_ms)
        return 0;
    for (uint32_t i = 1; i < budget->streak && pause < cfg->backoff_max_ms; i++)
        pause *= 2;
    return budget->last_ms + (pause < cfg->backoff_max_ms ? pause : cfg->backoff_max_ms);
}

enum guard_pod_permit guard_pod_budget_ask(const struct guard_pod_budget *budget,
                                           const struct guard_pod_budget_cfg *cfg,
                                           uint32_t replicas, uint32_t ready, uint64_t now_ms)
{
    uint64_t leaves;
    if (budget->stopped)
        return GUARD_POD_STOPPED;
    if (budget->in_flight)
        return GUARD_POD_IN_FLIGHT;
    if (ready == 0 || replicas < 2)
        return GUARD_POD_TOO_FEW;
    if (in_window(budget, cfg, now_ms, &leaves) >= allowed(cfg, replicas))
        return GUARD_POD_SPENT;
    return pause_end(budget, cfg, now_ms) > now_ms ? GUARD_POD_PAUSED : GUARD_POD_PERMITTED;
}

uint64_t guard_pod_budget_until(const struct guard_pod_budget *budget,
                                const struct guard_pod_budget_cfg *cfg, uint32_t replicas,
                                uint64_t now_ms)
{
    uint64_t leaves;
    uint64_t pause = pause_end(budget, cfg, now_ms);
    bool spent = in_window(budget, cfg, now_ms, &leaves) >= allowed(cfg, replicas);
    uint64_t until = pause > now_ms ? pause : 0;
    if (budget->stopped || budget->in_flight)
        return 0;
    return spent && leaves > until ? leaves : until;
}

void guard_pod_budget_look(const struct guard_pod_budget *budget,
                           const struct guard_pod_budget_cfg *cfg, uint32_t replicas,
                           uint64_t now_ms, struct guard_pod_budget_look *out)
{
    uint64_t leaves;
    uint64_t pause = pause_end(budget, cfg, now_ms);
    *out = (struct guard_pod_budget_look){.allowed = allowed(cfg, replicas),
                                          .spent = in_window(budget, cfg, now_ms, &leaves),
                                          .pause_until_ms = pause > now_ms ? pause : 0};
}

enum guard_rc guard_pod_budget_begin(struct guard_pod_budget *budget,
                                     const struct guard_pod_budget_cfg *cfg, uint32_t replicas,
                                     uint32_t ready, uint64_t now_ms)
{
    if (guard_pod_budget_ask(budget, cfg, replicas, ready, now_ms) != GUARD_POD_PERMITTED)
        return GUARD_E_STATE;
    if (budget->last_ms + cfg->calm_ms <= now_ms)
        budget->streak = 0;
    budget->begun_ms[budget->begun % GUARD_POD_BUDGET_HISTORY] = now_ms;
    budget->begun = budget->begun == UINT32_MAX ? GUARD_POD_BUDGET_HISTORY : budget->begun + 1;
    budget->streak += budget->streak < UINT32_MAX;
    budget->last_ms = now_ms;
    budget->in_flight = true;
    return GUARD_OK;
}

void guard_pod_budget_end(struct guard_pod_budget *budget, uint64_t now_ms)
{
    budget->in_flight = false;
    budget->last_ms = now_ms > budget->last_ms ? now_ms : budget->last_ms;
}

void guard_pod_budget_stop(struct guard_pod_budget *budget)
{
    budget->stopped = true;
}

void guard_pod_budget_resume(struct guard_pod_budget *budget)
{
    budget->stopped = false;
}
