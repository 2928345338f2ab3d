/* SPDX-License-Identifier: Apache-2.0 */
/* See deadline.h. */
#include "learn/deadline.h"

#include "sketch/bucket.h"

static bool is_stream(struct guard_span media)
{
    const struct guard_span streams[] = {GUARD_SPAN_LITERAL("text/event-stream"),
                                         GUARD_SPAN_LITERAL("application/grpc")};
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        if (media.len >= streams[i].len && memcmp(media.ptr, streams[i].ptr, streams[i].len) == 0)
            return true;
    }
    return false;
}

/* An endpoint that was seen to stream, upgrade or poll takes what time it takes. */
static bool takes_any_time(const struct gd_draft *draft, const struct gd_draft_endpoint *endpoint)
{
    const struct gd_groups *answers = &endpoint->kinds[GD_KIND_ANSWER];
    for (uint32_t i = 0; i < answers->count; i++) {
        struct gd_groups media;
        if (answers->items[i].sum.code == 1 ||
            gd_group_children(&media, &answers->items[i], GD_KIND_MEDIA, draft->arena) != GUARD_OK)
            return true;
        for (uint32_t j = 0; j < media.count; j++) {
            if (is_stream(media.items[j].sum.text))
                return true;
        }
    }
    return false;
}

struct gd_deadline gd_deadline(const struct gd_draft *draft,
                               const struct gd_draft_endpoint *endpoint)
{
    enum { BOUND_MS = 30 * 1000 };
    const struct gd_groups *latencies = &endpoint->kinds[GD_KIND_LATENCY];
    struct gd_tail tail = gd_tail(&draft->meter.trust, latencies, GD_END_HIGH);
    if (latencies->count == 0)
        return (struct gd_deadline){0, "times"};
    if (!tail.supported)
        return (struct gd_deadline){0, "times of enough clients in two epochs"};
    if (takes_any_time(draft, endpoint))
        return (struct gd_deadline){0, "a bound: it streams"};
    if (gd_bucket_upper(tail.limit) > BOUND_MS)
        return (struct gd_deadline){0, "a bound: it takes more than 30 s"};
    uint32_t most = gd_bucket_upper(tail.limit);
    return (struct gd_deadline){most > 0 ? most : 1, ""};
}
