/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a profile, in the order of its tables. docs/internals/pod-learning.md */
#include "pods/profile.h"

#include "base/wire.h"

#include <guard/crypto.h>

enum {
    MAGIC = 0x50504c47, /* "GLPP" */
    VERSION_FIRST = 1,
    VERSION_VOLUMES = 2,
    HEAD = 1024,
    REPLICA = 1024, /* bytes of one at most */
    ENTRY = 1024,
    JUDGED = 24,
    INTERVAL = 64,
    AMOUNT = 8,
};

uint32_t gd_pods_amounts_of(uint16_t version)
{
    return version == VERSION_FIRST ? GD_POD_AMOUNTS_FIRST : GUARD_POD_AMOUNTS;
}

static bool has_later_amounts(const struct guard_pods *pods)
{
    for (uint32_t amount = GD_POD_AMOUNTS_FIRST; amount < GUARD_POD_AMOUNTS; amount++) {
        for (uint32_t bucket = 0; bucket < GD_BUCKETS; bucket++) {
            if (pods->amounts[amount][bucket] != 0)
                return true;
        }
    }
    return false;
}

uint16_t gd_pods_version(const struct guard_pods *pods)
{
    if (has_later_amounts(pods))
        return VERSION_VOLUMES;
    for (uint32_t i = 0; i < pods->replica_count; i++) {
        if (pods->replicas[i]->rates_known >> GD_POD_AMOUNTS_FIRST != 0)
            return VERSION_VOLUMES;
    }
    for (uint32_t i = 0; i < pods->entry_count; i++) {
        if (pods->entries[i]->sender_count > 0)
            return VERSION_VOLUMES;
    }
    return VERSION_FIRST;
}

/* --- writing --- */

static void put_replica(struct gd_writer *writer, const struct gd_pod_replica *replica,
                        uint16_t version)
{
    gd_put_u32(writer, replica->tag);
    gd_put_u32(writer, replica->covered);
    gd_put_varint(writer, replica->first_ms);
    gd_put_varint(writer, replica->last_ms);
    gd_put_varint(writer, replica->started_ms);
    gd_put_varint(writer, replica->named_ms);
    gd_put_varint(writer, replica->records);
    gd_put_varint(writer, replica->incomplete);
    gd_put_varint(writer, replica->days);
    gd_put_varint(writer, replica->day_last);
    gd_put_varint(writer, replica->rates_ms);
    gd_put_varint(writer, replica->rates_known);
    for (uint32_t i = 0; i < gd_pods_amounts_of(version); i++)
        gd_put_varint(writer, replica->rates[i]);
    gd_put_string(writer, gd_pod_name(replica));
    gd_put_string(writer, gd_pod_template(replica));
    gd_put_string(writer, gd_pod_image(replica));
    gd_put_string(writer, gd_pod_node(replica));
}

static void put_entry(struct gd_writer *writer, const struct gd_pod_entry *entry, uint16_t version)
{
    gd_put_u64(writer, entry->hash);
    gd_put_u8(writer, entry->kind);
    gd_put_u8(writer, entry->aspect);
    gd_put_u8(writer, (uint8_t)(entry->normal | entry->startup << 1));
    gd_put_varint(writer, entry->first_ms);
    gd_put_varint(writer, entry->last_ms);
    gd_put_varint(writer, entry->count);
    gd_put_varint(writer, entry->told_ms);
    gd_put_string(writer, gd_span(entry->address, entry->address_len));
    gd_put_u8(writer, entry->transport);
    gd_put_u16(writer, entry->port);
    gd_put_varint(writer, entry->user);
    gd_put_u8(writer, entry->tag_count);
    for (uint32_t i = 0; i < entry->tag_count; i++)
        gd_put_u32(writer, entry->tags[i]);
    gd_put_u8(writer, entry->variety_count);
    for (uint32_t i = 0; i < entry->variety_count; i++)
        gd_put_u32(writer, entry->variety[i]);
    gd_put_string(writer, gd_span(entry->text, entry->text_len));
    gd_put_string(writer, gd_span(entry->text + entry->text_len, entry->detail_len));
    if (version < VERSION_VOLUMES)
        return;
    gd_put_varint(writer, entry->volumes);
    gd_put_u8(writer, entry->sender_count);
    for (uint32_t i = 0; i < entry->sender_count; i++) {
        gd_put_u32(writer, entry->senders[i].tag);
        gd_put_varint(writer, entry->senders[i].bytes);
    }
}

static void put_amounts(struct gd_writer *writer, const struct guard_pods *pods, uint16_t version)
{
    for (uint32_t rate = 0; rate < gd_pods_amounts_of(version); rate++) {
        uint32_t used = 0;
        for (uint32_t bucket = 0; bucket < GD_BUCKETS; bucket++)
            used += pods->amounts[rate][bucket] != 0;
        gd_put_varint(writer, used);
        for (uint32_t bucket = 0; bucket < GD_BUCKETS; bucket++) {
            if (pods->amounts[rate][bucket] == 0)
                continue;
            gd_put_u8(writer, (uint8_t)bucket);
            gd_put_varint(writer, pods->amounts[rate][bucket]);
        }
    }
}

static void put_intervals(struct gd_writer *writer, const struct gd_intervals *intervals)
{
    gd_put_varint(writer, intervals->count);
    for (uint32_t i = 0; i < intervals->count; i++) {
        const struct gd_interval *interval = &intervals->items[i];
        gd_put_u64(writer, interval->producer);
        gd_put_u64(writer, interval->incarnation);
        gd_put_varint(writer, interval->first);
        gd_put_varint(writer, interval->last);
        gd_put_varint(writer, interval->count);
        gd_put_varint(writer, interval->time_ms);
    }
}

static void put_profile(struct gd_writer *writer, const struct guard_pods *pods)
{
    uint16_t version = gd_pods_version(pods);
    gd_put_u32(writer, MAGIC);
    gd_put_u16(writer, version);
    gd_put_bytes(writer, gd_span(pods->key_id, sizeof(pods->key_id)));
    gd_put_string(writer, gd_pods_name_space(pods));
    gd_put_string(writer, gd_pods_workload(pods));
    gd_put_string(writer, gd_pods_container(pods));
    gd_put_varint(writer, pods->records);
    gd_put_varint(writer, pods->incomplete);
    gd_put_varint(writer, pods->refused);
    gd_put_varint(writer, pods->first_ms);
    gd_put_varint(writer, pods->last_ms);
    put_intervals(writer, &pods->intervals);
    put_amounts(writer, pods, version);
    gd_put_varint(writer, pods->replica_count);
    for (uint32_t i = 0; i < pods->replica_count; i++)
        put_replica(writer, pods->replicas[i], version);
    gd_put_varint(writer, pods->entry_count);
    for (uint32_t i = 0; i < pods->entry_count; i++)
        put_entry(writer, pods->entries[i], version);
    gd_put_varint(writer, pods->judged_count);
    for (uint32_t i = 0; i < pods->judged_count; i++) {
        gd_put_u64(writer, pods->judged[i].id);
        gd_put_varint(writer, pods->judged[i].time_ms);
        gd_put_u8(writer, pods->judged[i].review);
    }
}

enum guard_rc guard_pods_encode(const struct guard_pods *pods, uint8_t **out, size_t *len,
                                struct guard_err *err)
{
    struct gd_writer writer;
    if (pods->broken)
        return guard_fail(err, GUARD_E_STATE, "the profile ran out of memory before");
    size_t size = HEAD + (size_t)pods->intervals.count * INTERVAL +
                  (size_t)GUARD_POD_AMOUNTS * GD_BUCKETS * AMOUNT +
                  (size_t)pods->replica_count * REPLICA + (size_t)pods->entry_count * ENTRY +
                  (size_t)pods->judged_count * JUDGED + GUARD_DIGEST_BYTES;
    uint8_t *bytes = pods->alloc.alloc(pods->alloc.ctx, size);
    if (bytes == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to write a pod profile");
    gd_writer_init(&writer, bytes, size - GUARD_DIGEST_BYTES);
    put_profile(&writer, pods);
    guard_digest(bytes + writer.len, gd_span(bytes, writer.len));
    *out = bytes;
    *len = writer.len + GUARD_DIGEST_BYTES;
    return GUARD_OK;
}
