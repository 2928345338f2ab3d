/* SPDX-License-Identifier: Apache-2.0 */
/* What is normal for a replica: what enough of the others do. */
#include "pods/profile.h"

#include <math.h>

enum { SHARE = 5, /* a fifth of the replicas */ SUPPORT = 2, VARIED = 2, WIDE = GD_POD_VARIETY };

static bool is_live(const struct gd_pod_view *view, const struct gd_pod_replica *replica)
{
    return replica->last_ms + view->rules->live_ms >= view->now_ms;
}

static bool same_template(const struct gd_pod_replica *a, const struct gd_pod_replica *b)
{
    return gd_span_equal(gd_pod_template(a), gd_pod_template(b));
}

bool gd_pods_ready(const struct guard_pods *pods, const struct guard_pod_rules *rules)
{
    uint32_t replicas = 0, days = 0;
    if (pods->records == 0 || pods->last_ms - pods->first_ms < rules->learn_ms)
        return false;
    for (uint32_t i = 0; i < pods->replica_count; i++) {
        replicas += pods->replicas[i]->records > 0;
        days += gd_pod_replica_days(pods->replicas[i]);
    }
    return replicas >= rules->learn_replicas || days >= rules->learn_replicas;
}

static void count_other(struct gd_pod_view *view, const struct gd_pod_replica *other)
{
    view->live += is_live(view, other);
    if (same_template(other, view->replica)) {
        view->same++;
        view->same_old += other->last_ms - other->first_ms >= view->rules->grace_ms;
    }
    uint32_t days = gd_pod_replica_days(other);
    for (uint32_t kind = 0; kind < GUARD_POD_KINDS; kind++)
        view->days[kind] += (other->covered >> kind & 1) != 0 ? days : 0;
}

void gd_pod_view_init(struct gd_pod_view *view, const struct guard_pods *pods,
                      const struct guard_pod_rules *rules, const struct gd_pod_replica *replica,
                      uint64_t now_ms)
{
    *view =
        (struct gd_pod_view){.pods = pods, .rules = rules, .replica = replica, .now_ms = now_ms};
    for (uint32_t i = 0; i < pods->replica_count; i++) {
        const struct gd_pod_replica *other = pods->replicas[i];
        if (other != replica && other->records > 0)
            count_other(view, other);
    }
    view->ready = gd_pods_ready(pods, rules);
}

bool gd_pod_has_tag(const struct gd_pod_entry *entry, uint32_t tag)
{
    for (uint32_t i = 0; i < entry->tag_count; i++) {
        if (entry->tags[i] == tag)
            return true;
    }
    return false;
}

uint32_t gd_pod_others_with(const struct gd_pod_view *view, const struct gd_pod_entry *entry)
{
    uint32_t with = gd_bottom_estimate(entry->tags, entry->tag_count, GD_POD_TAGS);
    return with - (with > 0 && gd_pod_has_tag(entry, view->replica->tag));
}

/* --- becoming normal --- */

/* Replicas of one set, and those of them that did it. Beyond its capacity an entry holds the lowest
 * tags: there it is compared with the replicas of tags as low. */
struct share {
    uint32_t with;
    uint32_t of;
};

static struct share share_of(const struct gd_pod_view *view, const struct gd_pod_entry *entry,
                             bool live)
{
    struct share share = {0, 0};
    bool full = entry->tag_count == GD_POD_TAGS;
    uint32_t ceiling = full ? entry->tags[GD_POD_TAGS - 1] : UINT32_MAX;
    for (uint32_t i = 0; i < view->pods->replica_count; i++) {
        const struct gd_pod_replica *replica = view->pods->replicas[i];
        if (replica->tag > ceiling)
            break;
        bool member = live ? is_live(view, replica) : same_template(replica, view->replica);
        if (!member || (replica->covered >> entry->kind & 1) == 0)
            continue;
        share.of++;
        share.with += gd_pod_has_tag(entry, replica->tag);
    }
    return share;
}

static bool enough(struct share share)
{
    return share.with >= SUPPORT && share.with * SHARE >= share.of;
}

/* A sign of misuse doesn't become usual by being seen in many: intruders come back. */
static bool is_hard(const struct guard_pod_rules *rules, uint32_t kind)
{
    return (rules->hard_kinds >> kind & 1) != 0;
}

void gd_pod_promote(const struct gd_pod_view *view, struct gd_pod_entry *entry)
{
    if (entry->normal || entry->tag_count < SUPPORT || is_hard(view->rules, entry->kind) ||
        view->now_ms < entry->first_ms + view->rules->settle_ms ||
        view->pods->held_count >= GD_POD_HELD_MAX ||
        gd_pods_review(view->pods, entry->hash) == GUARD_POD_HELD)
        return;
    entry->normal = enough(share_of(view, entry, true)) || enough(share_of(view, entry, false));
}

/* --- being normal --- */

static bool covers(const struct gd_pod_entry *entry)
{
    if (entry->aspect == GD_POD_GROUP)
        return entry->variety_count >= VARIED;
    if (entry->aspect == GD_POD_ANYWHERE)
        return entry->variety_count >= WIDE;
    return true;
}

/* What people and the learner judged of anything that it is known by. */
struct judged {
    bool approved, refused, held;
};

static struct judged judged_of(const struct guard_pods *pods, const struct gd_pod_key *keys,
                               uint32_t count)
{
    struct judged judged = {.approved = false};
    for (uint32_t i = 0; i < count && pods->judged_count > 0; i++) {
        enum guard_pod_review review = gd_pods_review(pods, keys[i].hash);
        judged.approved |= review == GUARD_POD_APPROVED;
        judged.refused |= review == GUARD_POD_REFUSED;
        judged.held |= review == GUARD_POD_HELD;
    }
    return judged;
}

bool gd_pod_held(const struct guard_pods *pods, const struct gd_pod_key *keys, uint32_t count)
{
    const struct judged judged = judged_of(pods, keys, count);
    return judged.held && !judged.approved;
}

bool gd_pod_normal(const struct guard_pods *pods, const struct guard_pod_rules *rules,
                   const struct gd_pod_key *keys, uint32_t count)
{
    const struct judged judged = judged_of(pods, keys, count);
    bool normal = false;
    if (judged.approved || judged.refused || judged.held)
        return judged.approved && !judged.refused;
    for (uint32_t i = 0; i < count && !normal; i++) {
        const struct gd_pod_entry *entry = gd_pods_find(pods, keys[i].hash, NULL);
        normal = entry != NULL && entry->normal && covers(entry) && !is_hard(rules, entry->kind);
    }
    return normal;
}

bool gd_pod_vouched(const struct guard_pods *pods, const struct guard_pod_rules *rules,
                    const struct guard_pod_feature *feature)
{
    enum { UDP = 17 };
    struct gd_pod_key keys[GD_POD_KEYS];
    struct guard_pod_feature resolver = {
        .kind = GUARD_POD_DESTINATION, .transport = UDP, .port = GD_POD_DNS_PORT};
    if ((feature->flags & GUARD_POD_ANSWERED) == 0)
        return true;
    if (feature->detail.len > sizeof(resolver.address))
        return false;
    resolver.address_len = (uint8_t)feature->detail.len;
    memcpy(resolver.address, feature->detail.ptr, feature->detail.len);
    /* By its address alone: a prefix has room for others that answer. */
    for (int startup = 0; startup < 2; startup++) {
        if (gd_pod_keys(pods, &resolver, startup != 0, keys) > 0 &&
            gd_pod_normal(pods, rules, keys, 1))
            return true;
    }
    return false;
}

double gd_pod_strength(const struct guard_pod_rules *rules, uint32_t kind, uint32_t with,
                       uint32_t days)
{
    double strength = -rules->weights[kind] * log(((double)with + 0.5) / ((double)days + 1));
    return strength > 0 ? strength : 0;
}
