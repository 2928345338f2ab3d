/* SPDX-License-Identifier: Apache-2.0 */
/* See histogram.h and <guard/histogram.h>. */
#include "learn/histogram.h"

#include "base/arena.h"
#include "sketch/bucket.h"

_Static_assert((int)GUARD_BUCKET_CLIENTS_MAX == (int)GD_TAGS_MAX,
               "clients are told apart by their tags");
_Static_assert((int)GUARD_BUCKETS_MAX >= (int)GD_BUCKETS, "a number has no more buckets");

static const struct {
    const char *name;
    const char *unit;
} numbers[GUARD_NUMBER_COUNT] = {
    {"length", "bytes"},        {"shortest", "bytes"},    {"digits", "characters"},
    {"specials", "characters"}, {"items", "items"},       {"body", "bytes"},
    {"depth", "levels"},        {"time", "milliseconds"},
};

const char *guard_number_name(enum guard_number number)
{
    return (unsigned)number < GUARD_NUMBER_COUNT ? numbers[number].name : "?";
}

const char *guard_number_unit(enum guard_number number)
{
    return (unsigned)number < GUARD_NUMBER_COUNT ? numbers[number].unit : "?";
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t guard_histogram_exchanges(const struct guard_histogram *histogram)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < histogram->count; i++)
        sum = plus(sum, histogram->buckets[i].exchanges);
    return sum;
}

uint64_t guard_histogram_beyond(const struct guard_histogram *histogram, enum guard_end end,
                                uint32_t limit)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < histogram->count; i++) {
        const struct guard_bucket *bucket = &histogram->buckets[i];
        if (end == GUARD_END_UPPER ? bucket->lower > limit : bucket->upper < limit)
            sum = plus(sum, bucket->exchanges);
    }
    return sum;
}

/* Of `all` the smallest number that is `per_mille` thousandths of it, without multiplying what may
 * be large. */
static uint64_t share(uint64_t all, uint32_t per_mille)
{
    if (per_mille >= 1000)
        return all;
    return all / 1000 * per_mille + (all % 1000 * per_mille + 999) / 1000;
}

uint32_t guard_histogram_quantile(const struct guard_histogram *histogram, uint32_t per_mille)
{
    uint64_t wanted = share(guard_histogram_exchanges(histogram), per_mille);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < histogram->count; i++) {
        sum = plus(sum, histogram->buckets[i].exchanges);
        if (sum >= wanted)
            return histogram->buckets[i].upper;
    }
    return 0;
}

static struct guard_bucket bucket_of(enum guard_number number, const struct gd_cell *element)
{
    uint32_t code = (uint32_t)element->code;
    bool exact = number == GUARD_NUMBER_DEPTH;
    return (struct guard_bucket){.lower = exact ? code : gd_bucket_lower(code),
                                 .upper = exact ? code : gd_bucket_upper(code),
                                 .exchanges = element->count,
                                 .clients = element->tag_count};
}

enum guard_rc gd_histogram_write(struct guard_histogram *out, enum guard_number number,
                                 const struct gd_groups *elements, uint64_t records,
                                 struct guard_arena *arena)
{
    uint32_t count = elements->count < GUARD_BUCKETS_MAX ? elements->count : GUARD_BUCKETS_MAX;
    out->count = 0;
    out->without = records;
    if (count == 0)
        return GUARD_OK;
    out->buckets = gd_arena_get(arena, count * sizeof(*out->buckets));
    if (out->buckets == NULL)
        return GUARD_E_NOMEM;
    while (out->count < count) {
        out->buckets[out->count] = bucket_of(number, &elements->items[out->count].sum);
        out->count++;
    }
    uint64_t counted = guard_histogram_exchanges(out);
    out->without = records > counted ? records - counted : 0;
    return GUARD_OK;
}

bool gd_histogram_same(const struct guard_histogram *a, const struct guard_histogram *b)
{
    if (a->count != b->count || a->without != b->without)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct guard_bucket *left = &a->buckets[i], *right = &b->buckets[i];
        if (left->lower != right->lower || left->exchanges != right->exchanges ||
            left->clients != right->clients)
            return false;
    }
    return true;
}
