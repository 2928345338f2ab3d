/* SPDX-License-Identifier: Apache-2.0 */
/* See intervals.h. */
#include "learn/intervals.h"

#include <string.h>

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_sources(const struct gd_interval *a, const struct gd_interval *b)
{
    int order = compare_numbers(a->producer, b->producer);
    return order != 0 ? order : compare_numbers(a->incarnation, b->incarnation);
}

int gd_interval_compare(const struct gd_interval *a, const struct gd_interval *b)
{
    int order = compare_sources(a, b);
    return order != 0 ? order : compare_numbers(a->first, b->first);
}

/* First item that ends behind the start of `interval` or belongs to a later source. */
static uint32_t seek(const struct gd_intervals *intervals, const struct gd_interval *interval)
{
    uint32_t low = 0, high = intervals->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct gd_interval *item = &intervals->items[middle];
        int order = compare_sources(item, interval);
        if (order < 0 || (order == 0 && item->last < interval->first))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool touches(const struct gd_intervals *intervals, uint32_t at,
                    const struct gd_interval *interval)
{
    return at < intervals->count && compare_sources(&intervals->items[at], interval) == 0 &&
           intervals->items[at].first <= interval->last;
}

struct census {
    uint32_t outside;
    uint32_t inside;
    uint32_t across;
};

/* How the items of `part` lie to those of `whole`. */
static struct census count_inside(const struct gd_intervals *whole, const struct gd_intervals *part,
                                  struct gd_interval *where)
{
    struct census census = {0, 0, 0};
    for (uint32_t i = 0; i < part->count; i++) {
        const struct gd_interval *interval = &part->items[i];
        uint32_t at = seek(whole, interval);
        if (!touches(whole, at, interval)) {
            census.outside++;
        } else if (whole->items[at].first <= interval->first &&
                   whole->items[at].last >= interval->last) {
            census.inside++;
        } else {
            census.across++;
        }
        if (touches(whole, at, interval))
            *where = *interval;
    }
    return census;
}

enum gd_relation gd_intervals_relate(const struct gd_intervals *first,
                                     const struct gd_intervals *second, struct gd_interval *where)
{
    struct gd_interval ignored;
    struct census forth = count_inside(first, second, where);
    struct census back = count_inside(second, first, &ignored);
    bool contained = forth.outside == 0 && forth.across == 0;
    bool contains = back.outside == 0 && back.across == 0;
    if (contained && contains)
        return GD_RELATION_EQUAL;
    if (contained)
        return GD_RELATION_CONTAINED;
    if (forth.inside == 0 && forth.across == 0)
        return GD_RELATION_DISJOINT;
    return contains ? GD_RELATION_CONTAINS : GD_RELATION_PARTIAL;
}

static bool adjacent(const struct gd_interval *a, const struct gd_interval *b)
{
    return compare_sources(a, b) == 0 && a->last + 1 == b->first;
}

static void join(struct gd_interval *into, const struct gd_interval *from)
{
    into->last = from->last;
    into->count += from->count;
    into->time_ms = into->time_ms > from->time_ms ? into->time_ms : from->time_ms;
}

enum guard_rc gd_intervals_unite(struct gd_pool *pool, struct gd_intervals *out,
                                 const struct gd_intervals *first,
                                 const struct gd_intervals *second)
{
    uint32_t total = first->count + second->count;
    *out = (struct gd_intervals){.cap = total};
    if (total == 0)
        return GUARD_OK;
    out->items = gd_pool_get(pool, total * sizeof(*out->items));
    if (out->items == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0, j = 0; i < first->count || j < second->count;) {
        bool left =
            j == second->count ||
            (i < first->count && gd_interval_compare(&first->items[i], &second->items[j]) < 0);
        const struct gd_interval *next = left ? &first->items[i++] : &second->items[j++];
        if (out->count > 0 && adjacent(&out->items[out->count - 1], next))
            join(&out->items[out->count - 1], next);
        else
            out->items[out->count++] = *next;
    }
    if (out->count <= GD_INTERVALS_MAX)
        return GUARD_OK;
    gd_intervals_fini(pool, out);
    return GUARD_E_LIMIT;
}

/* The last item of the source, or NULL; *at is where a new last one belongs. */
static struct gd_interval *last_of(const struct gd_intervals *intervals, uint64_t producer,
                                   uint64_t incarnation, uint32_t *at)
{
    struct gd_interval probe = {
        .producer = producer, .incarnation = incarnation, .first = UINT64_MAX};
    *at = seek(intervals, &probe);
    if (*at < intervals->count && compare_sources(&intervals->items[*at], &probe) == 0)
        ++*at; /* it ends at the very last sequence */
    if (*at == 0 || compare_sources(&intervals->items[*at - 1], &probe) != 0)
        return NULL;
    return &intervals->items[*at - 1];
}

uint64_t gd_intervals_position(const struct gd_intervals *intervals, uint64_t producer,
                               uint64_t incarnation)
{
    uint32_t at;
    const struct gd_interval *last = last_of(intervals, producer, incarnation, &at);
    return last == NULL ? 0 : last->last;
}

enum guard_rc gd_intervals_check(const struct gd_intervals *intervals,
                                 const struct guard_source *source)
{
    uint32_t at;
    const struct gd_interval *last = last_of(intervals, source->producer, source->incarnation, &at);
    if (last != NULL)
        return source->sequence <= last->last ? GUARD_E_REPLAY : GUARD_OK;
    return intervals->count >= GD_INTERVALS_MAX ? GUARD_E_LIMIT : GUARD_OK;
}

static enum guard_rc grow(struct gd_pool *pool, struct gd_intervals *intervals)
{
    uint32_t cap = intervals->cap < 4 ? 4 : 2 * intervals->cap;
    struct gd_interval *items = gd_pool_get(pool, cap * sizeof(*items));
    if (items == NULL)
        return GUARD_E_NOMEM;
    if (intervals->count > 0)
        memcpy(items, intervals->items, intervals->count * sizeof(*items));
    gd_pool_put(pool, intervals->items, intervals->cap * sizeof(*items));
    intervals->items = items;
    intervals->cap = cap;
    return GUARD_OK;
}

enum guard_rc gd_intervals_add(struct gd_pool *pool, struct gd_intervals *intervals,
                               const struct guard_source *source, uint64_t time_ms)
{
    GUARD_TRY(gd_intervals_check(intervals, source));
    uint32_t at;
    struct gd_interval *last = last_of(intervals, source->producer, source->incarnation, &at);
    if (last != NULL) {
        last->last = source->sequence;
        last->count++;
        last->time_ms = last->time_ms > time_ms ? last->time_ms : time_ms;
        return GUARD_OK;
    }
    if (intervals->count == intervals->cap)
        GUARD_TRY(grow(pool, intervals));
    memmove(intervals->items + at + 1, intervals->items + at,
            (intervals->count - at) * sizeof(*intervals->items));
    intervals->items[at] = (struct gd_interval){
        source->producer, source->incarnation, source->sequence, source->sequence, 1, time_ms};
    intervals->count++;
    return GUARD_OK;
}

void gd_intervals_forget(struct gd_intervals *intervals, uint64_t before_ms)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < intervals->count; i++) {
        if (intervals->items[i].time_ms == 0 || intervals->items[i].time_ms >= before_ms)
            intervals->items[kept++] = intervals->items[i];
    }
    intervals->count = kept;
}

void gd_intervals_fini(struct gd_pool *pool, struct gd_intervals *intervals)
{
    gd_pool_put(pool, intervals->items, intervals->cap * sizeof(*intervals->items));
    *intervals = (struct gd_intervals){.items = NULL};
}
