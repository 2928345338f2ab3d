/* SPDX-License-Identifier: Apache-2.0 */
/* Features gathered for the next record. Few are new in an interval, so they are compared one by
 * one. */
#include "common/pods/gather.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES_FIRST = 16, TEXTS_FIRST = 2048 };

static struct guard_span at(const struct pod_gather *gather, uint32_t offset, size_t len)
{
    return (struct guard_span){len > 0 ? gather->texts + offset : NULL, len};
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static struct guard_span cut(struct guard_span text, size_t max)
{
    return (struct guard_span){text.ptr, text.len < max ? text.len : max};
}

static bool equal(const struct pod_gather *gather, const struct pod_gathered *entry,
                  const struct guard_pod_feature *feature)
{
    const struct guard_pod_feature *has = &entry->feature;
    return has->kind == feature->kind && has->flags == feature->flags &&
           has->port == feature->port && has->transport == feature->transport &&
           has->user == feature->user && has->address_len == feature->address_len &&
           memcmp(has->address, feature->address, has->address_len) == 0 &&
           same(at(gather, entry->text, has->text.len), feature->text) &&
           same(at(gather, entry->detail, has->detail.len), feature->detail);
}

static bool make_room(struct pod_gather *gather, size_t texts)
{
    if (gather->count == gather->capacity) {
        uint32_t capacity = gather->capacity > 0 ? gather->capacity * 2 : ENTRIES_FIRST;
        struct pod_gathered *more =
            realloc(gather->entries, capacity * sizeof(struct pod_gathered));
        if (more == NULL)
            return false;
        gather->entries = more;
        gather->capacity = capacity;
    }
    if (gather->texts == NULL || gather->texts_len + texts > gather->texts_capacity) {
        uint32_t capacity = gather->texts_capacity > 0 ? gather->texts_capacity : TEXTS_FIRST;
        while (capacity < gather->texts_len + texts)
            capacity *= 2;
        uint8_t *more = realloc(gather->texts, capacity);
        if (more == NULL)
            return false;
        gather->texts = more;
        gather->texts_capacity = capacity;
    }
    return true;
}

static uint32_t keep(struct pod_gather *gather, struct guard_span text)
{
    uint32_t offset = gather->texts_len;
    if (text.len > 0)
        memcpy(gather->texts + offset, text.ptr, text.len);
    gather->texts_len += (uint32_t)text.len;
    return offset;
}

enum guard_rc pod_gather_add(struct pod_gather *gather, const struct guard_pod_feature *feature,
                             uint64_t tag, uint32_t sensor_kind)
{
    struct guard_pod_feature bounded = *feature;
    bounded.text = cut(feature->text, GUARD_POD_TEXT_MAX);
    bounded.detail = cut(feature->detail, GUARD_POD_TEXT_MAX);
    bounded.request = (struct guard_span){NULL, 0};
    for (uint32_t i = 0; i < gather->count; i++) {
        struct pod_gathered *entry = &gather->entries[i];
        if (!equal(gather, entry, &bounded))
            continue;
        entry->feature.count += bounded.count;
        entry->feature.bytes_out += bounded.bytes_out;
        entry->feature.bytes_in += bounded.bytes_in;
        return GUARD_OK;
    }
    size_t texts = bounded.text.len + bounded.detail.len;
    if (gather->count == GUARD_POD_FEATURES_MAX || gather->texts_len + texts > POD_GATHER_TEXTS_MAX)
        return GUARD_E_LIMIT;
    if (!make_room(gather, texts))
        return GUARD_E_NOMEM;
    gather->entries[gather->count++] =
        (struct pod_gathered){.feature = bounded,
                              .tag = tag,
                              .sensor_kind = sensor_kind,
                              .text = keep(gather, bounded.text),
                              .detail = keep(gather, bounded.detail)};
    return GUARD_OK;
}

uint32_t pod_gather_features(const struct pod_gather *gather, struct guard_pod_feature *out)
{
    for (uint32_t i = 0; i < gather->count; i++) {
        const struct pod_gathered *entry = &gather->entries[i];
        out[i] = entry->feature;
        out[i].text = at(gather, entry->text, entry->feature.text.len);
        out[i].detail = at(gather, entry->detail, entry->feature.detail.len);
    }
    return gather->count;
}

void pod_gather_clear(struct pod_gather *gather)
{
    if (gather->capacity > ENTRIES_FIRST || gather->texts_capacity > TEXTS_FIRST)
        pod_gather_free(gather);
    gather->count = 0;
    gather->texts_len = 0;
}

void pod_gather_free(struct pod_gather *gather)
{
    free(gather->entries);
    free(gather->texts);
    *gather = (struct pod_gather){0};
}
