/* SPDX-License-Identifier: Apache-2.0 */
/* How much a replica sends for an hour. A minute that is full says nothing where others have such
 * minutes, too; most of an hour's windows do: exports and backups fill one or two. What a replica
 * sends is compared with what it sent before, and that with how the others changed meanwhile, so
 * that neither the time of the day nor who always sends more counts. */
#include "pods/profile.h"

#include <stdio.h>

enum {
    WINDOW_MS = 10 * 60 * 1000,
    HOUR = 6,     /* windows that are judged */
    HOUR_MIN = 5, /* of them known */
    MOST_OF = 4,  /* of them must be as high */
    BEFORE_MIN = 6,
    UNIT = 1024,
    FLOOR = 64,   /* of them in a window: less is as good as nothing */
    LEAST = 1024, /* less is never unusual */
};

/* Buckets, four to an octave, by which an hour must be higher. */
enum {
    TIMES = 4,       /* twice as much */
    TIMES_ALONE = 8, /* where nobody tells what the time of the day is */
};

static const uint32_t all_windows = (1u << GD_POD_WINDOWS) - 1;

/* --- counting --- */

static uint64_t window_of(const struct guard_pod_record *record)
{
    return (record->until_ms - 1) / WINDOW_MS;
}

static bool knows(const struct guard_pod_record *record, uint32_t what)
{
    static const uint32_t needs[GD_POD_FLOW_KINDS] = {1u << GUARD_POD_BYTES_OUT,
                                                      1u << GUARD_POD_CALLS_OUT};
    return gd_pod_tells_minutes(record) && (record->rates_known & needs[what]) != 0;
}

static uint32_t kind_of(const struct gd_pod_flow *flow)
{
    return flow->hash == 0 ? GD_POD_FLOW_ALL : GD_POD_FLOW_PLACE;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Of a whole window. */
static uint8_t bucket_of(uint64_t bytes, uint32_t covered_ms)
{
    uint64_t units = bytes / UNIT;
    if (covered_ms > 0)
        units = units > UINT64_MAX / WINDOW_MS ? UINT64_MAX : units * WINDOW_MS / covered_ms;
    units = units < FLOOR ? FLOOR : units > UINT32_MAX ? UINT32_MAX : units;
    return (uint8_t)gd_bucket((uint32_t)units);
}

/* What isn't known of skipped windows is marked in the mask. */
static void close_flow(struct gd_pod_flow *flow, uint32_t covered_ms, uint64_t by)
{
    uint8_t bucket = bucket_of(flow->bytes, covered_ms);
    if (by >= GD_POD_WINDOWS) {
        memset(flow->past, (int)bucket_of(0, 0), sizeof(flow->past));
    } else {
        memmove(flow->past + by, flow->past, GD_POD_WINDOWS - by);
        memset(flow->past, bucket, by);
    }
    flow->bytes = 0;
}

static uint32_t close_mask(uint32_t known, uint32_t covered_ms, uint64_t by)
{
    uint32_t last = covered_ms >= WINDOW_MS / 2;
    return by > GD_POD_WINDOWS ? 0 : (known << by | last << (by - 1)) & all_windows;
}

static bool is_small(const struct gd_pod_flow *flow)
{
    for (uint32_t i = 0; i < GD_POD_WINDOWS; i++) {
        if (flow->past[i] > bucket_of(0, 0))
            return false;
    }
    return true;
}

static void close_windows(struct gd_pod_flows *flows, uint64_t window)
{
    uint64_t by = window - flows->window;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < flows->count; i++) {
        struct gd_pod_flow *flow = &flows->items[i];
        close_flow(flow, flows->covered_ms[kind_of(flow)], by);
        if (!is_small(flow))
            flows->items[kept++] = *flow;
    }
    flows->count = kept;
    for (uint32_t i = 0; i < GD_POD_FLOW_KINDS; i++) {
        flows->known[i] = close_mask(flows->known[i], flows->covered_ms[i], by);
        flows->covered_ms[i] = 0;
    }
    flows->window = window;
}

bool gd_pod_flows_turn(struct gd_pod_replica *replica, const struct guard_pod_record *record)
{
    struct gd_pod_flows *flows = replica->flows;
    bool told = knows(record, GD_POD_FLOW_ALL) || knows(record, GD_POD_FLOW_PLACE);
    if (flows == NULL || !told || window_of(record) <= flows->window)
        return false;
    close_windows(flows, window_of(record));
    return true;
}

static uint64_t weight(const struct gd_pod_flow *flow)
{
    return add(flow->bytes, (uint64_t)gd_bucket_lower(flow->past[0]) * UNIT);
}

/* Of many places those are kept that get most. */
static struct gd_pod_flow *flow_of(struct gd_pod_flows *flows, uint64_t hash, uint64_t bytes)
{
    struct gd_pod_flow *least = NULL;
    for (uint32_t i = 0; i < flows->count; i++) {
        struct gd_pod_flow *flow = &flows->items[i];
        if (flow->hash == hash)
            return flow;
        if (flow->hash != 0 && (least == NULL || weight(flow) < weight(least)))
            least = flow;
    }
    if (flows->count < GD_POD_FLOWS_MAX)
        least = &flows->items[flows->count++];
    else if (least == NULL || weight(least) >= bytes)
        return NULL;
    least->hash = hash;
    least->bytes = 0;
    memset(least->past, (int)bucket_of(0, 0), sizeof(least->past));
    return least;
}

void gd_pod_flow_add(struct gd_pod_replica *replica, const struct guard_pod_record *record,
                     uint64_t hash, uint64_t bytes)
{
    struct gd_pod_flows *flows = replica->flows;
    if (flows == NULL || flows->window != window_of(record) || bytes == 0 ||
        !knows(record, hash == 0 ? GD_POD_FLOW_ALL : GD_POD_FLOW_PLACE))
        return;
    struct gd_pod_flow *flow = flow_of(flows, hash, bytes);
    if (flow != NULL)
        flow->bytes = add(flow->bytes, bytes);
}

enum guard_rc gd_pod_flows_cover(struct guard_pods *pods, struct gd_pod_replica *replica,
                                 const struct guard_pod_record *record)
{
    uint64_t lasts = record->until_ms - record->from_ms;
    for (uint32_t i = 0; i < GD_POD_FLOW_KINDS; i++) {
        if (!knows(record, i))
            continue;
        if (replica->flows == NULL) {
            replica->flows = gd_pool_get(&pods->pool, sizeof(*replica->flows));
            if (replica->flows == NULL)
                return GUARD_E_NOMEM;
            replica->flows->window = window_of(record);
        }
        struct gd_pod_flows *flows = replica->flows;
        if (flows->window != window_of(record))
            continue;
        uint64_t covered = add(flows->covered_ms[i], lasts);
        flows->covered_ms[i] = covered > UINT32_MAX ? UINT32_MAX : (uint32_t)covered;
    }
    gd_pod_flow_add(replica, record, 0, record->rates[GUARD_POD_BYTES_OUT]);
    return GUARD_OK;
}

/* --- judging --- */

static void insert(uint8_t *values, uint32_t count, uint8_t value)
{
    uint32_t at = count;
    for (; at > 0 && values[at - 1] < value; at--)
        values[at] = values[at - 1];
    values[at] = value;
}

/* Those of some windows that are known, the highest first; how many. */
static uint32_t sorted(const struct gd_pod_flow *flow, uint32_t known, uint32_t first,
                       uint32_t last, uint8_t values[GD_POD_WINDOWS])
{
    uint32_t count = 0;
    for (uint32_t i = first; i < last; i++) {
        if ((known >> i & 1) != 0)
            insert(values, count++, flow->past[i]);
    }
    return count;
}

struct change {
    uint32_t now, before; /* buckets */
    bool beyond;          /* all but the highest window before */
};

/* False: too little is known. */
static bool change_of(const struct gd_pod_flow *flow, uint32_t known, struct change *out)
{
    uint8_t hour[GD_POD_WINDOWS], before[GD_POD_WINDOWS];
    uint32_t count = sorted(flow, known, HOUR, GD_POD_WINDOWS, before);
    if (sorted(flow, known, 0, HOUR, hour) < HOUR_MIN || count < BEFORE_MIN)
        return false;
    *out = (struct change){hour[MOST_OF - 1], before[count / 2], hour[MOST_OF - 1] > before[1]};
    return true;
}

static uint64_t hour_of(const struct gd_pod_flow *flow)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < HOUR; i++)
        bytes += (uint64_t)gd_bucket_lower(flow->past[i]) * UNIT;
    return bytes;
}

static const struct gd_pod_flow *find(const struct gd_pod_flows *flows, uint64_t hash)
{
    for (uint32_t i = 0; i < flows->count; i++) {
        if (flows->items[i].hash == hash)
            return &flows->items[i];
    }
    return NULL;
}

/* How another's flow changed until that window, which it may not have ended yet, or left behind. */
static bool change_until(const struct gd_pod_flows *flows, uint64_t hash, uint64_t window,
                         struct change *change, uint64_t *hour)
{
    const struct gd_pod_flow *found = find(flows, hash);
    struct gd_pod_flow flow = {.hash = hash};
    uint32_t kind = kind_of(&flow), known = flows->known[kind];
    memset(flow.past, (int)bucket_of(0, 0), sizeof(flow.past));
    flow = found == NULL ? flow : *found;
    if (flows->window + 1 == window) {
        close_flow(&flow, flows->covered_ms[kind], 1);
        known = close_mask(known, flows->covered_ms[kind], 1);
    } else if (flows->window == window + 1) {
        memmove(flow.past, flow.past + 1, GD_POD_WINDOWS - 1);
        known >>= 1;
    } else if (flows->window != window) {
        return false;
    }
    *hour = hour_of(&flow);
    return change_of(&flow, known, change);
}

/* Buckets by which half of the others rose, and what they sent at most. */
static uint32_t others_rose(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                            uint64_t hash, struct gd_pod_flow_finding *out)
{
    uint32_t rose[GD_BUCKETS] = {0}, above = 0, rise = GD_BUCKETS;
    for (uint32_t i = 0; i < pods->replica_count; i++) {
        const struct gd_pod_flows *flows = pods->replicas[i]->flows;
        struct change change;
        uint64_t hour;
        if (pods->replicas[i] == replica || flows == NULL ||
            !change_until(flows, hash, replica->flows->window, &change, &hour))
            continue;
        out->others++;
        out->most = hour > out->most ? hour : out->most;
        rose[change.now > change.before ? change.now - change.before : 0]++;
    }
    while (rise > 0 && 2 * above < out->others)
        above += rose[--rise];
    return out->others == 0 ? 0 : rise;
}

static bool is_unusual(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                       const struct gd_pod_flow *flow, struct gd_pod_flow_finding *out)
{
    struct change change;
    *out = (struct gd_pod_flow_finding){.hash = flow->hash, .bytes = hour_of(flow)};
    if (!change_of(flow, replica->flows->known[kind_of(flow)], &change) || !change.beyond ||
        change.now < gd_bucket(LEAST) || change.now < change.before + TIMES)
        return false;
    uint32_t rise = others_rose(pods, replica, flow->hash, out);
    out->before = (uint64_t)HOUR * gd_bucket_lower(change.before) * UNIT;
    return change.now >= change.before + rise + (out->others > 0 ? TIMES : TIMES_ALONE);
}

bool gd_pod_flow_next(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                      uint32_t *at, struct gd_pod_flow_finding *out)
{
    while (*at < replica->flows->count) {
        if (is_unusual(pods, replica, &replica->flows->items[(*at)++], out))
            return true;
    }
    return false;
}

void gd_pod_flow_text(const struct gd_pod_flow_finding *finding, const char *where, char *out,
                      size_t size)
{
    char much[24], before[24], most[24];
    gd_pod_bytes_text(much, finding->bytes);
    gd_pod_bytes_text(before, finding->before);
    gd_pod_bytes_text(most, finding->most);
    if (finding->others == 0)
        (void)snprintf(out, size, "sent %s in an hour%s, %s before", much, where, before);
    else
        (void)snprintf(out, size, "sent %s in an hour%s, %s before, %u others %s at most", much,
                       where, before, finding->others, most);
}
