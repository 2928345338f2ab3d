/* SPDX-License-Identifier: Apache-2.0 */
/* Features gathered for the next record, one behind the other in blocks. Few are new in an
 * interval, so they are compared one by one. */
#include "common/pods/gather.h"

#include <string.h>

enum { ALIGN = 8 };

/* Its text and its detail lie behind it. */
struct gathered {
    struct pod_gather_tag tag;
    uint64_t count, bytes_out, bytes_in, first_ms;
    uint32_t flags, user;
    uint16_t port, text_len, detail_len;
    uint8_t kind, transport, address_len;
    uint8_t address[16];
};
_Static_assert(sizeof(struct gathered) + 2 * (size_t)GUARD_POD_TEXT_MAX + ALIGN <=
                   sizeof(((struct pod_block *)NULL)->bytes),
               "the longest fits into a block");

static size_t size_of(size_t text_len, size_t detail_len)
{
    return (sizeof(struct gathered) + text_len + detail_len + ALIGN - 1) / ALIGN * ALIGN;
}

static struct guard_span text_of(const struct gathered *entry)
{
    const uint8_t *texts = (const uint8_t *)(entry + 1);
    return (struct guard_span){entry->text_len > 0 ? texts : NULL, entry->text_len};
}

static struct guard_span detail_of(const struct gathered *entry)
{
    const uint8_t *texts = (const uint8_t *)(entry + 1);
    return (struct guard_span){entry->detail_len > 0 ? texts + entry->text_len : NULL,
                               entry->detail_len};
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static struct guard_span cut(struct guard_span text)
{
    return (struct guard_span){text.ptr,
                               text.len < GUARD_POD_TEXT_MAX ? text.len : GUARD_POD_TEXT_MAX};
}

static bool equal(const struct gathered *entry, const struct guard_pod_feature *feature)
{
    return entry->kind == (uint8_t)feature->kind && entry->flags == feature->flags &&
           entry->port == feature->port && entry->transport == feature->transport &&
           entry->user == feature->user && entry->address_len == feature->address_len &&
           memcmp(entry->address, feature->address, entry->address_len) == 0 &&
           same(text_of(entry), feature->text) && same(detail_of(entry), feature->detail);
}

static struct gathered *find(const struct pod_gather *gather,
                             const struct guard_pod_feature *feature)
{
    for (struct pod_block *block = gather->first; block != NULL; block = block->next)
        for (size_t at = 0; at < block->used;) {
            struct gathered *entry = (struct gathered *)(void *)(block->bytes + at);
            if (equal(entry, feature))
                return entry;
            at += size_of(entry->text_len, entry->detail_len);
        }
    return NULL;
}

static bool add_block(struct pod_gather *gather, struct pod_room *room)
{
    struct pod_block *block = pod_room_take(room, gather->blocks);
    if (block == NULL)
        return false;
    if (gather->last != NULL)
        gather->last->next = block;
    else
        gather->first = block;
    gather->last = block;
    gather->blocks++;
    return true;
}

static void append(struct pod_gather *gather, const struct guard_pod_feature *feature,
                   struct pod_gather_tag tag)
{
    struct pod_block *block = gather->last;
    struct gathered *entry = (struct gathered *)(void *)(block->bytes + block->used);
    *entry = (struct gathered){.tag = tag,
                               .count = feature->count > 0 ? feature->count : 1,
                               .bytes_out = feature->bytes_out,
                               .bytes_in = feature->bytes_in,
                               .first_ms = feature->first_ms,
                               .flags = feature->flags,
                               .user = feature->user,
                               .port = feature->port,
                               .text_len = (uint16_t)feature->text.len,
                               .detail_len = (uint16_t)feature->detail.len,
                               .kind = (uint8_t)feature->kind,
                               .transport = feature->transport,
                               .address_len = feature->address_len};
    memcpy(entry->address, feature->address, sizeof(entry->address));
    uint8_t *texts = (uint8_t *)(entry + 1);
    if (feature->text.len > 0)
        memcpy(texts, feature->text.ptr, feature->text.len);
    if (feature->detail.len > 0)
        memcpy(texts + feature->text.len, feature->detail.ptr, feature->detail.len);
    block->used += size_of(feature->text.len, feature->detail.len);
    gather->count++;
}

enum guard_rc pod_gather_add(struct pod_gather *gather, struct pod_room *room,
                             const struct guard_pod_feature *feature, struct pod_gather_tag tag)
{
    struct guard_pod_feature bounded = *feature;
    bounded.text = cut(feature->text);
    bounded.detail = cut(feature->detail);
    struct gathered *entry = find(gather, &bounded);
    if (entry != NULL) {
        entry->count += bounded.count;
        entry->bytes_out += bounded.bytes_out;
        entry->bytes_in += bounded.bytes_in;
        return GUARD_OK;
    }
    if (gather->count == GUARD_POD_FEATURES_MAX)
        return GUARD_E_LIMIT;
    size_t size = size_of(bounded.text.len, bounded.detail.len);
    bool fits = gather->last != NULL && gather->last->used + size <= sizeof(gather->last->bytes);
    if (!fits && !add_block(gather, room))
        return GUARD_E_NOMEM;
    append(gather, &bounded, tag);
    return GUARD_OK;
}

static struct guard_pod_feature feature_of(const struct gathered *entry)
{
    struct guard_pod_feature feature = {.kind = (enum guard_pod_kind)entry->kind,
                                        .flags = entry->flags,
                                        .text = text_of(entry),
                                        .detail = detail_of(entry),
                                        .address_len = entry->address_len,
                                        .port = entry->port,
                                        .transport = entry->transport,
                                        .user = entry->user,
                                        .count = entry->count,
                                        .bytes_out = entry->bytes_out,
                                        .bytes_in = entry->bytes_in,
                                        .first_ms = entry->first_ms};
    memcpy(feature.address, entry->address, sizeof(feature.address));
    return feature;
}

uint32_t pod_gather_features(const struct pod_gather *gather, struct guard_pod_feature *out,
                             struct pod_gather_tag *tags)
{
    uint32_t count = 0;
    for (struct pod_block *block = gather->first; block != NULL; block = block->next)
        for (size_t at = 0; at < block->used; count++) {
            const struct gathered *entry = (const struct gathered *)(void *)(block->bytes + at);
            out[count] = feature_of(entry);
            if (tags != NULL)
                tags[count] = entry->tag;
            at += size_of(entry->text_len, entry->detail_len);
        }
    return count;
}

void pod_gather_clear(struct pod_gather *gather, struct pod_room *room)
{
    pod_room_give(room, gather->first);
    *gather = (struct pod_gather){0};
}
