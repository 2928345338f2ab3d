/* SPDX-License-Identifier: Apache-2.0 */
/* How much goes to one destination. Of the replicas that sent most in a minute those that sent most
 * are kept: what two of them did is usual, as it is of everything else, so that one that sends all
 * it finds while it is learned makes nothing usual. */
#include "pods/profile.h"

#include <stdio.h>

enum {
    VOLUMES_LONELY_MIN = 500,
    FLOOR = 1 << 20, /* bytes of a minute that are never unusual */
    TIMES = 2,       /* what is usual */
};

uint64_t gd_pod_volume(const struct guard_pod_record *record,
                       const struct guard_pod_feature *feature)
{
    enum { MINUTE_MS = 60000 };
    uint64_t interval = record->until_ms - record->from_ms;
    if (feature->bytes_out == 0 || !gd_pod_tells_minutes(record))
        return 0;
    uint64_t volume = feature->bytes_out > UINT64_MAX / MINUTE_MS
                          ? UINT64_MAX / MINUTE_MS
                          : feature->bytes_out * MINUTE_MS / interval;
    return volume > 0 ? volume : 1;
}

/* Of two that sent the same any order will do that is the same for everybody. */
static bool before(const struct gd_pod_sender *a, const struct gd_pod_sender *b)
{
    return a->bytes > b->bytes || (a->bytes == b->bytes && a->tag < b->tag);
}

static void keep(struct gd_pod_entry *entry, struct gd_pod_sender sender)
{
    uint32_t at = 0;
    while (at < entry->sender_count && entry->senders[at].tag != sender.tag)
        at++;
    if (at < entry->sender_count) {
        if (entry->senders[at].bytes >= sender.bytes)
            return;
    } else if (entry->sender_count < GD_POD_SENDERS) {
        entry->sender_count++;
    } else {
        at = GD_POD_SENDERS - 1;
        if (!before(&sender, &entry->senders[at]))
            return;
    }
    for (; at > 0 && before(&sender, &entry->senders[at - 1]); at--)
        entry->senders[at] = entry->senders[at - 1];
    entry->senders[at] = sender;
}

void gd_pod_volume_learn(struct gd_pod_entry *entry, uint32_t tag, uint64_t volume)
{
    if (volume == 0)
        return;
    entry->volumes += entry->volumes < UINT64_MAX;
    keep(entry, (struct gd_pod_sender){tag, volume});
}

void gd_pod_volumes_unite(struct gd_pod_entry *into, const struct gd_pod_entry *other,
                          bool disjoint)
{
    for (uint32_t i = 0; i < other->sender_count; i++)
        keep(into, other->senders[i]);
    if (!disjoint)
        into->volumes = into->volumes > other->volumes ? into->volumes : other->volumes;
    else if (__builtin_add_overflow(into->volumes, other->volumes, &into->volumes))
        into->volumes = UINT64_MAX;
}

bool gd_pod_volume_unusual(const struct gd_pod_entry *entry, uint32_t tag, uint64_t volume,
                           uint32_t *with, uint64_t *usual)
{
    uint64_t most[2] = {0, 0}; /* of others */
    uint32_t others = 0;
    *with = 0;
    *usual = 0;
    if (volume < FLOOR || entry->volumes < GD_POD_VOLUMES_MIN)
        return false;
    for (uint32_t i = 0; i < entry->sender_count; i++) {
        if (entry->senders[i].tag == tag)
            continue;
        if (others < 2)
            most[others++] = entry->senders[i].bytes;
        *with += entry->senders[i].bytes >= volume;
    }
    if (others > 0)
        *usual = most[others - 1];
    else if (entry->sender_count > 0 && entry->volumes >= VOLUMES_LONELY_MIN)
        *usual = entry->senders[0].bytes; /* its own */
    return *usual > 0 && volume / TIMES > *usual;
}

void gd_pod_bytes_text(char out[24], uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    uint32_t unit = 0;
    uint64_t tenths = 0;
    for (; bytes >= 1000; unit++) {
        tenths = bytes % 1000 / 100;
        bytes /= 1000;
    }
    if (unit > 0 && bytes < 10)
        (void)snprintf(out, 24, "%u.%u %s", (unsigned)bytes, (unsigned)tenths, units[unit]);
    else
        (void)snprintf(out, 24, "%u %s", (unsigned)bytes, units[unit]);
}

void gd_pod_volume_text(const struct guard_pod_feature *feature, uint64_t volume, uint64_t usual,
                        char *out, size_t size)
{
    char where[112], much[24], other[24];
    static const char connects[] = "connects to ";
    (void)guard_pod_feature_text(feature, where, sizeof(where));
    gd_pod_bytes_text(much, volume);
    gd_pod_bytes_text(other, usual);
    (void)snprintf(out, size, "sends %s a minute to %s, usual are %s at most", much,
                   where + sizeof(connects) - 1, other);
}

uint64_t gd_pod_volume_id(const struct gd_pod_entry *entry)
{
    uint64_t id = entry->hash ^ UINT64_C(0x564f4c554d450000);
    return id > GUARD_POD_AMOUNTS ? id : entry->hash;
}

bool gd_pod_senders_valid(const struct gd_pod_entry *entry)
{
    for (uint32_t i = 0; i < entry->sender_count; i++) {
        if (entry->senders[i].tag == 0 || entry->senders[i].bytes == 0 ||
            (i > 0 && !before(&entry->senders[i - 1], &entry->senders[i])))
            return false;
        for (uint32_t j = 0; j < i; j++) {
            if (entry->senders[j].tag == entry->senders[i].tag)
                return false;
        }
    }
    return (entry->sender_count == 0) == (entry->volumes == 0);
}
