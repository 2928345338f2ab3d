/* SPDX-License-Identifier: Apache-2.0 */
/* What was judged of things: by people, and by the learner, which holds off what a replica was to
 * be replaced for. */
#include "pods/profile.h"

static const struct gd_pod_judged *find_judged(const struct guard_pods *pods, uint64_t id,
                                               uint32_t *at)
{
    uint32_t low = 0, high = pods->judged_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pods->judged[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return low < pods->judged_count && pods->judged[low].id == id ? &pods->judged[low] : NULL;
}

enum guard_pod_review gd_pods_review(const struct guard_pods *pods, uint64_t id)
{
    uint32_t at;
    const struct gd_pod_judged *judged = find_judged(pods, id, &at);
    return judged == NULL ? GUARD_POD_UNJUDGED : (enum guard_pod_review)judged->review;
}

/* People before the learner; then the later; of two at one time the stricter. */
bool gd_pod_outranks(const struct gd_pod_judged *a, const struct gd_pod_judged *b)
{
    bool held = a->review == GUARD_POD_HELD;
    if (held != (b->review == GUARD_POD_HELD))
        return !held;
    return a->time_ms > b->time_ms || (a->time_ms == b->time_ms && a->review > b->review);
}

static bool has_room(const struct guard_pods *pods, bool held)
{
    return held ? pods->held_count < GD_POD_HELD_MAX
                : pods->judged_count - pods->held_count < GD_POD_JUDGED_MAX;
}

/* Room for one more; false: no memory. */
static bool grow(struct guard_pods *pods)
{
    if (pods->judged_count < pods->judged_cap)
        return true;
    uint32_t wanted = pods->judged_cap < 8 ? 8 : 2 * pods->judged_cap;
    struct gd_pod_judged *more = gd_pool_get_unset(&pods->pool, wanted * sizeof(*more));
    if (more == NULL)
        return false;
    if (pods->judged_count > 0)
        memcpy(more, pods->judged, pods->judged_count * sizeof(*more));
    gd_pool_put(&pods->pool, pods->judged, pods->judged_cap * sizeof(*more));
    pods->judged = more;
    pods->judged_cap = wanted;
    return true;
}

enum guard_rc gd_pods_set_review(struct guard_pods *pods, const struct gd_pod_judged *judged)
{
    uint32_t at;
    bool held = judged->review == GUARD_POD_HELD;
    bool known = find_judged(pods, judged->id, &at) != NULL;
    if (known && !gd_pod_outranks(judged, &pods->judged[at]))
        return GUARD_OK;
    bool was_held = known && pods->judged[at].review == GUARD_POD_HELD;
    if ((!known || was_held != held) && !has_room(pods, held))
        return GUARD_E_LIMIT;
    if (!known) {
        if (!grow(pods))
            return GUARD_E_NOMEM;
        memmove(pods->judged + at + 1, pods->judged + at,
                (pods->judged_count - at) * sizeof(*pods->judged));
        pods->judged_count++;
    }
    pods->held_count += held;
    pods->held_count -= was_held;
    pods->judged[at] = *judged;
    return GUARD_OK;
}

enum guard_rc guard_pods_judge(struct guard_pods *pods, uint64_t id, enum guard_pod_review review,
                               uint64_t now_ms)
{
    if (pods->broken)
        return GUARD_E_STATE;
    if (id == 0 || review > GUARD_POD_REFUSED)
        return GUARD_E_RANGE;
    const struct gd_pod_judged judged = {id, now_ms, (uint8_t)review};
    return gd_pods_set_review(pods, &judged);
}

/* Amounts are compared with peers each time, and never become normal by being seen. */
static bool counts(const struct guard_pod_evidence *evidence)
{
    return evidence->with == 0 && !evidence->session && evidence->kind < GUARD_POD_AMOUNT;
}

enum guard_rc gd_pods_hold(struct guard_pods *pods, const struct guard_pod_verdict *verdict,
                           uint64_t now_ms)
{
    for (uint32_t i = 0; i < verdict->count; i++) {
        const struct guard_pod_evidence *evidence = &verdict->evidence[i];
        for (uint32_t j = 0; j < GUARD_POD_NAMES && counts(evidence); j++) {
            const struct gd_pod_judged judged = {evidence->names[j], now_ms, GUARD_POD_HELD};
            if (judged.id == 0)
                break;
            /* Without room nothing more becomes normal anyway: gd_pod_promote. */
            if (gd_pods_set_review(pods, &judged) == GUARD_E_NOMEM)
                return GUARD_E_NOMEM;
        }
    }
    return GUARD_OK;
}
