/* SPDX-License-Identifier: Apache-2.0 */
/* The constants of the decision. docs/guide/pods.md has what they do in the simulator. */
#include <guard/pods.h>

void guard_pod_rules_default(struct guard_pod_rules *out)
{
    *out = (struct guard_pod_rules){
        .alert_at = 1.0,
        .replace_at = 6.0,
        .hard_kinds = guard_pod_hard_kinds(),
        .window_ms = 10 * 60 * 1000,
        .live_ms = 15 * 60 * 1000,
        .learn_ms = 3600 * 1000,
        .learn_replicas = 3,
        .settle_ms = 3600 * 1000,
        .grace_ms = 3600 * 1000,
        .independence = GUARD_POD_OBSERVERS,
    };
    const double weights[GUARD_POD_EVIDENCE_KINDS] = {
        [GUARD_POD_DESTINATION] = 1.0, [GUARD_POD_LISTEN] = 1.0,   [GUARD_POD_EXEC] = 1.0,
        [GUARD_POD_USER] = 1.0,        [GUARD_POD_WRITE] = 1.0,    [GUARD_POD_SECRET] = 1.0,
        [GUARD_POD_DNS] = 0.5,         [GUARD_POD_DROPPED] = 1.0,  [GUARD_POD_MEMFD] = 1.0,
        [GUARD_POD_ROOT] = 1.0,        [GUARD_POD_OUTBOUND] = 0.7, [GUARD_POD_RESPONSE] = 0.7,
        [GUARD_POD_REQUEST] = 0.5,     [GUARD_POD_AMOUNT] = 0.7,   [GUARD_POD_VOLUME] = 0.7,
    };
    for (uint32_t i = 0; i < GUARD_POD_EVIDENCE_KINDS; i++)
        out->weights[i] = weights[i];
}

static bool within(double value, double low, double high)
{
    return value >= low && value <= high; /* false for what is no number */
}

enum guard_rc guard_pod_rules_check(const struct guard_pod_rules *rules, struct guard_err *err)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    for (uint32_t i = 0; i < GUARD_POD_EVIDENCE_KINDS; i++) {
        if (!within(rules->weights[i], 0, 10))
            return guard_fail(err, GUARD_E_RANGE, "the weight of %s is 0 to 10",
                              i == GUARD_POD_AMOUNT ? "amount"
                              : i == GUARD_POD_VOLUME
                                  ? "volume"
                                  : guard_pod_kind_name((enum guard_pod_kind)i));
    }
    if (!within(rules->alert_at, 0, 100) || !within(rules->replace_at, 0, 1000))
        return guard_fail(err, GUARD_E_RANGE, "alert_at is 0 to 100, replace_at 0 to 1000");
    if ((rules->hard_kinds >> GUARD_POD_KINDS) != 0 ||
        (rules->hard_kinds >> GUARD_POD_REQUEST & 1) != 0)
        return guard_fail(err, GUARD_E_RANGE, "kinds that can't act alone: 0x%x",
                          rules->hard_kinds);
    if (rules->window_ms < 1000 || rules->window_ms > DAY_MS)
        return guard_fail(err, GUARD_E_RANGE, "window_ms is 1 s to 1 day");
    if (rules->learn_replicas < 1 || rules->independence > GUARD_POD_CLASSES)
        return guard_fail(err, GUARD_E_RANGE, "learn_replicas is at least 1");
    return GUARD_OK;
}
