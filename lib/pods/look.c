/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of a profile. */
#include "pods/profile.h"

void guard_pods_stats(const struct guard_pods *pods, const struct guard_pod_rules *rules,
                      struct guard_pods_stats *out)
{
    *out = (struct guard_pods_stats){
        .name_space = gd_pods_name_space(pods),
        .workload = gd_pods_workload(pods),
        .container = gd_pods_container(pods),
        .records = pods->records,
        .incomplete = pods->incomplete,
        .refused = pods->refused,
        .first_ms = pods->first_ms,
        .last_ms = pods->last_ms,
        .replicas = pods->replica_count,
        .known = pods->entry_count,
        .held = pods->held_count,
        .ready = gd_pods_ready(pods, rules),
    };
    for (uint32_t i = 0; i < pods->replica_count; i++)
        out->days += gd_pod_replica_days(pods->replicas[i]);
    for (uint32_t i = 0; i < pods->entry_count; i++)
        out->normal += pods->entries[i]->normal &&
                       (rules->hard_kinds >> pods->entries[i]->kind & 1) == 0 &&
                       gd_pods_review(pods, pods->entries[i]->hash) != GUARD_POD_HELD;
}

static bool is_alone(const struct gd_pod_entry *entry, uint32_t tag)
{
    bool narrow = entry->aspect == GD_POD_WHOLE || entry->aspect == GD_POD_NAMED;
    return narrow && entry->tag_count == 1 && entry->tags[0] == tag;
}

static uint32_t alone_of(const struct guard_pods *pods, uint32_t tag)
{
    uint32_t alone = 0;
    for (uint32_t i = 0; i < pods->entry_count; i++)
        alone += is_alone(pods->entries[i], tag);
    return alone;
}

bool guard_pods_replica(const struct guard_pods *pods, uint32_t index, uint64_t live_since_ms,
                        struct guard_pod_replica *out)
{
    if (index >= pods->replica_count)
        return false;
    const struct gd_pod_replica *replica = pods->replicas[index];
    *out = (struct guard_pod_replica){
        .pod = gd_pod_name(replica),
        .template_hash = gd_pod_template(replica),
        .image = gd_pod_image(replica),
        .node = gd_pod_node(replica),
        .first_ms = replica->first_ms,
        .last_ms = replica->last_ms,
        .started_ms = replica->started_ms,
        .records = replica->records,
        .incomplete = replica->incomplete,
        .blind = ~replica->covered & ((1u << GUARD_POD_KINDS) - 1),
        .alone = alone_of(pods, replica->tag),
        .live = replica->last_ms >= live_since_ms,
        .amounts_ms = replica->rates_ms,
        .amounts_known = replica->rates_known,
    };
    memcpy(out->amounts, replica->rates, sizeof(out->amounts));
    return true;
}

bool guard_pods_known(const struct guard_pods *pods, uint32_t index, struct guard_pod_known *out)
{
    if (index >= pods->entry_count)
        return false;
    const struct gd_pod_entry *entry = pods->entries[index];
    const struct guard_pod_feature feature = gd_pod_entry_feature(entry);
    *out = (struct guard_pod_known){
        .id = entry->hash,
        .kind = entry->kind,
        .startup = entry->startup,
        .normal = entry->normal,
        .review = gd_pods_review(pods, entry->hash),
        .replicas = gd_bottom_estimate(entry->tags, entry->tag_count, GD_POD_TAGS),
        .count = entry->count,
        .first_ms = entry->first_ms,
        .last_ms = entry->last_ms,
        .volume = entry->sender_count > 1 ? entry->senders[1].bytes : 0,
    };
    (void)guard_pod_feature_text(&feature, out->text, sizeof(out->text));
    return true;
}

bool guard_pods_alone(const struct guard_pods *pods, uint32_t replica, uint32_t *at,
                      struct guard_pod_known *out)
{
    if (replica >= pods->replica_count)
        return false;
    while (*at < pods->entry_count) {
        uint32_t index = (*at)++;
        if (is_alone(pods->entries[index], pods->replicas[replica]->tag))
            return guard_pods_known(pods, index, out);
    }
    return false;
}
