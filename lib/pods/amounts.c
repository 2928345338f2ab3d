/* SPDX-License-Identifier: Apache-2.0 */
/* How much replicas do, per minute: against their peers of now by median and median deviation, and
 * against all minutes there were. */
#include "pods/profile.h"

enum {
    PEERS_MAX = 128,
    PEERS_MIN = 3,
    MINUTES_MIN = 100,
    ALONE_MIN = 500,
    SHORTEST_MS = 5000,
    DEVIATIONS = 6,
    /* Of so many intervals less than one is as much: at a sensor's ten seconds those of eleven days
     * of a replica. One in a thousand came by chance each three hours. */
    SELDOM = 100000,
};

/* Less than that is never unusual: bytes, bytes, connections, microseconds, bytes, microseconds,
 * requests, bytes, bytes, bytes of a request. */
static const uint32_t floors[GUARD_POD_AMOUNTS] = {1 << 20, 1 << 20, 30,      6000000, 128 << 20,
                                                   6000000, 600,     1 << 20, 1 << 20, 1 << 18};

static uint32_t per_minute(const struct guard_pod_record *record, uint32_t rate)
{
    enum { MINUTE_MS = 60000 };
    uint64_t interval = record->until_ms - record->from_ms;
    uint64_t value = record->rates[rate];
    if (rate != GUARD_POD_MEMORY_BYTES && interval > 0)
        value = value > UINT64_MAX / MINUTE_MS ? UINT64_MAX : value * MINUTE_MS / interval;
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* What goes out without any request counts as if there had been one. */
static uint32_t per_request(const struct guard_pod_record *record)
{
    uint64_t requests = record->rates[GUARD_POD_REQUESTS];
    uint64_t value = record->rates[GUARD_POD_CALLS_OUT] / (requests > 0 ? requests : 1);
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

bool gd_pod_amount(const struct guard_pod_record *record, uint32_t amount, uint32_t *value)
{
    const uint32_t both = 1u << GUARD_POD_CALLS_OUT | 1u << GUARD_POD_REQUESTS;
    bool ratio = amount == GUARD_POD_BYTES_PER_REQUEST;
    uint32_t needs = ratio ? both : 1u << amount;
    *value = 0;
    if ((record->rates_known & needs) != needs)
        return false;
    *value = ratio ? per_request(record) : per_minute(record, amount);
    return true;
}

bool gd_pod_tells_minutes(const struct guard_pod_record *record)
{
    return record->until_ms - record->from_ms >= SHORTEST_MS;
}

bool gd_pod_has_amounts(const struct guard_pod_record *record)
{
    return gd_pod_tells_minutes(record) && record->rates_known != 0;
}

void gd_pods_learn_amounts(struct guard_pods *pods, struct gd_pod_replica *replica,
                           const struct guard_pod_record *record)
{
    if (!gd_pod_has_amounts(record))
        return;
    bool newer = record->until_ms >= replica->rates_ms;
    if (newer) {
        replica->rates_ms = record->until_ms;
        replica->rates_known = 0;
    }
    for (uint32_t rate = 0; rate < GUARD_POD_AMOUNTS; rate++) {
        uint32_t value;
        bool known = gd_pod_amount(record, rate, &value);
        if (newer) {
            replica->rates[rate] = value;
            replica->rates_known |= (uint32_t)known << rate;
        }
        if (known) {
            uint32_t *minutes = &pods->amounts[rate][gd_bucket(value)];
            *minutes += *minutes < UINT32_MAX;
        }
    }
}

static void insert(uint32_t *values, uint32_t count, uint32_t value)
{
    uint32_t at = count;
    for (; at > 0 && values[at - 1] > value; at--)
        values[at] = values[at - 1];
    values[at] = value;
}

/* Sorted; how many. */
static uint32_t peers(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                      uint32_t rate, uint64_t live_since_ms, uint32_t values[PEERS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pods->replica_count && count < PEERS_MAX; i++) {
        const struct gd_pod_replica *other = pods->replicas[i];
        if (other == replica || (other->rates_known >> rate & 1) == 0 ||
            other->rates_ms < live_since_ms)
            continue;
        insert(values, count++, other->rates[rate]);
    }
    return count;
}

/* Without enough peers only what is twice as much as ever is unusual. */
static bool beyond_all(const struct guard_pods *pods, uint32_t rate, uint32_t value,
                       uint64_t minutes)
{
    enum { OCTAVE = 4 };
    uint32_t highest = GD_BUCKETS;
    while (highest > 0 && pods->amounts[rate][highest - 1] == 0)
        highest--;
    return minutes >= ALONE_MIN && gd_bucket(value) >= highest - 1 + OCTAVE;
}

/* Above the median of the peers by more than six of their deviations. */
static bool beyond_peers(const uint32_t *values, uint32_t count, uint32_t value)
{
    uint32_t distances[PEERS_MAX];
    uint32_t median = values[count / 2];
    for (uint32_t i = 0; i < count; i++)
        insert(distances, i, values[i] > median ? values[i] - median : median - values[i]);
    /* 1.4826: of a normal distribution's deviation; a quarter: what few peers can't tell. */
    double deviation = 1.4826 * distances[count / 2];
    deviation = deviation > 0.25 * median ? deviation : 0.25 * median;
    return value > median + DEVIATIONS * deviation;
}

bool gd_pods_amount_unusual(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                            uint32_t rate, uint32_t value, uint64_t live_since_ms,
                            uint64_t *as_much, uint64_t *minutes)
{
    uint32_t values[PEERS_MAX];
    *as_much = *minutes = 0;
    if (value < floors[rate])
        return false;
    for (uint32_t bucket = 0; bucket < GD_BUCKETS; bucket++) {
        *minutes += pods->amounts[rate][bucket];
        *as_much += bucket >= gd_bucket(value) ? pods->amounts[rate][bucket] : 0;
    }
    if (*minutes < MINUTES_MIN || *as_much * SELDOM >= *minutes)
        return false;
    uint32_t count = peers(pods, replica, rate, live_since_ms, values);
    return count < PEERS_MIN ? beyond_all(pods, rate, value, *minutes)
                             : beyond_peers(values, count, value);
}
