/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the bytes of a profile: whatever they say is held to the bounds that learning keeps. */
#include "pods/profile.h"

#include "base/wire.h"

#include <guard/crypto.h>

enum { MAGIC = 0x50504c47, VERSION_FIRST = 1, VERSION_VOLUMES = 2 };

static uint32_t get_number(struct gd_reader *reader, uint32_t max)
{
    uint64_t value = gd_get_varint(reader);
    reader->failed |= value > max;
    return reader->failed ? 0 : (uint32_t)value;
}

/* Sorted, distinct, at most max. */
static uint8_t get_tags(struct gd_reader *reader, uint32_t *out, uint32_t max)
{
    uint32_t count = gd_get_u8(reader);
    reader->failed |= count > max;
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        out[i] = gd_get_u32(reader);
        reader->failed |= i > 0 && out[i] <= out[i - 1];
    }
    return (uint8_t)(reader->failed ? 0 : count);
}

/* --- replicas --- */

static enum guard_rc get_replica(struct gd_reader *reader, struct guard_pods *pods, uint32_t at,
                                 uint16_t version)
{
    uint32_t tag = gd_get_u32(reader);
    if (tag == 0 || (at > 0 && pods->replicas[at - 1]->tag >= tag))
        return GUARD_E_SYNTAX;
    struct gd_pod_replica *replica = gd_pods_add_replica(pods, at, tag);
    if (replica == NULL)
        return GUARD_E_NOMEM;
    replica->covered = gd_get_u32(reader);
    replica->first_ms = gd_get_varint(reader);
    replica->last_ms = gd_get_varint(reader);
    replica->started_ms = gd_get_varint(reader);
    replica->named_ms = gd_get_varint(reader);
    replica->records = gd_get_varint(reader);
    replica->incomplete = gd_get_varint(reader);
    replica->days = gd_get_varint(reader);
    replica->day_last = get_number(reader, UINT32_MAX);
    replica->rates_ms = gd_get_varint(reader);
    replica->rates_known = get_number(reader, (1u << gd_pods_amounts_of(version)) - 1);
    for (uint32_t i = 0; i < gd_pods_amounts_of(version); i++)
        replica->rates[i] = get_number(reader, UINT32_MAX);
    const struct gd_pod_names names = {.pod = gd_get_string(reader, GUARD_POD_NAME_MAX),
                                       .template_hash = gd_get_string(reader, GUARD_POD_HASH_MAX),
                                       .image = gd_get_string(reader, GUARD_POD_IMAGE_MAX),
                                       .node = gd_get_string(reader, GUARD_POD_NAME_MAX)};
    /* Without its lowest bit there is no last day. */
    if (reader->failed || replica->covered >> GUARD_POD_KINDS != 0 ||
        replica->first_ms > replica->last_ms || (replica->days != 0 && (replica->days & 1) == 0) ||
        (replica->days == 0 && replica->day_last != 0) || gd_pod_tag(pods, names.pod) != tag)
        return GUARD_E_SYNTAX;
    return gd_pods_name(pods, replica, &names);
}

/* --- things --- */

static void get_key(struct gd_reader *reader, struct gd_pod_key *key)
{
    struct guard_span address = gd_get_string(reader, sizeof(key->address));
    memset(key->address, 0, sizeof(key->address));
    if (address.len > 0)
        memcpy(key->address, address.ptr, address.len);
    key->address_len = (uint8_t)address.len;
    key->transport = gd_get_u8(reader);
    key->port = gd_get_u16(reader);
    key->user = get_number(reader, UINT32_MAX);
}

static void get_texts(struct gd_reader *reader, struct gd_pod_key *key)
{
    struct guard_span text = gd_get_string(reader, GUARD_POD_TEXT_MAX);
    struct guard_span detail = gd_get_string(reader, GUARD_POD_TEXT_MAX);
    if (text.len > 0)
        memcpy(key->text, text.ptr, text.len);
    if (detail.len > 0)
        memcpy(key->detail, detail.ptr, detail.len);
    key->text_len = (uint16_t)text.len;
    key->detail_len = (uint16_t)detail.len;
}

/* Whoever could write another hash could call one thing by the name of another. */
static bool is_genuine(const struct guard_pods *pods, struct gd_pod_key *key)
{
    uint64_t hash = key->hash;
    gd_pod_key_seal(pods, key);
    return key->hash == hash && key->kind < GUARD_POD_KINDS && key->kind != GUARD_POD_REQUEST &&
           key->aspect < GD_POD_ASPECTS &&
           (key->address_len == 0 || key->address_len == 4 || key->address_len == 16);
}

static void get_senders(struct gd_reader *reader, struct gd_pod_entry *entry)
{
    entry->volumes = gd_get_varint(reader);
    entry->sender_count = gd_get_u8(reader);
    reader->failed |= entry->sender_count > GD_POD_SENDERS;
    for (uint32_t i = 0; i < entry->sender_count && !reader->failed; i++) {
        entry->senders[i].tag = gd_get_u32(reader);
        entry->senders[i].bytes = gd_get_varint(reader);
    }
    reader->failed |= reader->failed || !gd_pod_senders_valid(entry);
}

static enum guard_rc get_entry(struct gd_reader *reader, struct guard_pods *pods, uint32_t at,
                               uint16_t version)
{
    struct gd_pod_key key;
    struct gd_pod_entry head = {.hash = gd_get_u64(reader)};
    if (head.hash == 0 || (at > 0 && pods->entries[at - 1]->hash >= head.hash))
        return GUARD_E_SYNTAX;
    key.hash = head.hash;
    key.variant = 0;
    key.kind = gd_get_u8(reader);
    key.aspect = gd_get_u8(reader);
    uint8_t flags = gd_get_u8(reader);
    key.startup = (flags & 2) != 0;
    head.first_ms = gd_get_varint(reader);
    head.last_ms = gd_get_varint(reader);
    head.count = gd_get_varint(reader);
    head.told_ms = gd_get_varint(reader);
    get_key(reader, &key);
    head.tag_count = get_tags(reader, head.tags, GD_POD_TAGS);
    head.variety_count = get_tags(reader, head.variety, GD_POD_VARIETY);
    get_texts(reader, &key);
    if (version >= VERSION_VOLUMES)
        get_senders(reader, &head);
    if (reader->failed || flags > 3 || head.first_ms > head.last_ms || head.tag_count == 0 ||
        !is_genuine(pods, &key))
        return GUARD_E_SYNTAX;
    struct gd_pod_entry *entry = gd_pods_add(pods, at, &key);
    if (entry == NULL)
        return GUARD_E_NOMEM;
    entry->normal = (flags & 1) != 0;
    entry->first_ms = head.first_ms;
    entry->last_ms = head.last_ms;
    entry->count = head.count;
    entry->told_ms = head.told_ms;
    entry->tag_count = head.tag_count;
    entry->variety_count = head.variety_count;
    memcpy(entry->tags, head.tags, sizeof(entry->tags));
    memcpy(entry->variety, head.variety, sizeof(entry->variety));
    entry->volumes = head.volumes;
    entry->sender_count = head.sender_count;
    memcpy(entry->senders, head.senders, sizeof(entry->senders));
    return GUARD_OK;
}

/* --- the rest --- */

static void get_amounts(struct gd_reader *reader, struct guard_pods *pods, uint16_t version)
{
    for (uint32_t rate = 0; rate < gd_pods_amounts_of(version); rate++) {
        uint32_t used = get_number(reader, GD_BUCKETS);
        for (uint32_t i = 0, before = 0; i < used && !reader->failed; i++) {
            uint32_t bucket = gd_get_u8(reader);
            reader->failed |= bucket >= GD_BUCKETS || (i > 0 && bucket <= before);
            before = bucket;
            uint32_t minutes = get_number(reader, UINT32_MAX);
            reader->failed |= minutes == 0;
            if (!reader->failed)
                pods->amounts[rate][bucket] = minutes;
        }
    }
}

static enum guard_rc get_intervals(struct gd_reader *reader, struct guard_pods *pods)
{
    struct gd_intervals *intervals = &pods->intervals;
    uint32_t count = get_number(reader, GD_INTERVALS_MAX);
    if (reader->failed || count == 0)
        return reader->failed ? GUARD_E_SYNTAX : GUARD_OK;
    intervals->items = gd_pool_get(&pods->pool, count * sizeof(*intervals->items));
    if (intervals->items == NULL)
        return GUARD_E_NOMEM;
    intervals->cap = count;
    for (uint32_t i = 0; i < count; i++) {
        struct gd_interval *item = &intervals->items[i];
        item->producer = gd_get_u64(reader);
        item->incarnation = gd_get_u64(reader);
        item->first = gd_get_varint(reader);
        item->last = gd_get_varint(reader);
        item->count = gd_get_varint(reader);
        item->time_ms = gd_get_varint(reader);
        const struct gd_interval *before = i == 0 ? NULL : item - 1;
        bool ordered = before == NULL || gd_interval_compare(before, item) < 0;
        bool apart = before == NULL || before->producer != item->producer ||
                     before->incarnation != item->incarnation || before->last + 1 < item->first;
        if (reader->failed || item->first == 0 || item->last < item->first || item->count == 0 ||
            item->count - 1 > item->last - item->first || !ordered || !apart)
            return GUARD_E_SYNTAX;
        intervals->count = i + 1;
    }
    return GUARD_OK;
}

static enum guard_rc get_judged(struct gd_reader *reader, struct guard_pods *pods)
{
    uint32_t count = get_number(reader, GD_POD_JUDGED_MAX + GD_POD_HELD_MAX);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        struct gd_pod_judged judged = {.id = gd_get_u64(reader)};
        judged.time_ms = gd_get_varint(reader);
        judged.review = gd_get_u8(reader);
        if (reader->failed || judged.id == 0 || judged.review > GUARD_POD_HELD ||
            (i > 0 && judged.id <= pods->judged[i - 1].id))
            return GUARD_E_SYNTAX;
        GUARD_TRY(gd_pods_set_review(pods, &judged));
    }
    return GUARD_OK;
}

static enum guard_rc get_profile(struct gd_reader *reader, struct guard_pods *pods,
                                 uint16_t version)
{
    pods->records = gd_get_varint(reader);
    pods->incomplete = gd_get_varint(reader);
    pods->refused = gd_get_varint(reader);
    pods->first_ms = gd_get_varint(reader);
    pods->last_ms = gd_get_varint(reader);
    if (pods->first_ms > pods->last_ms)
        return GUARD_E_SYNTAX;
    GUARD_TRY(get_intervals(reader, pods));
    get_amounts(reader, pods, version);
    uint32_t count = get_number(reader, UINT32_MAX);
    if (count > pods->replicas_max)
        return GUARD_E_LIMIT;
    for (uint32_t i = 0; i < count; i++)
        GUARD_TRY(get_replica(reader, pods, i, version));
    count = get_number(reader, UINT32_MAX);
    if (count > pods->known_max)
        return GUARD_E_LIMIT;
    for (uint32_t i = 0; i < count; i++)
        GUARD_TRY(get_entry(reader, pods, i, version));
    GUARD_TRY(get_judged(reader, pods));
    gd_pods_count_alone(pods);
    /* One way to say it. */
    return gd_reader_done(reader) && gd_pods_version(pods) == version ? GUARD_OK : GUARD_E_SYNTAX;
}

static enum guard_rc open_bytes(struct gd_reader *reader, struct guard_span bytes,
                                uint16_t *version, struct guard_err *err)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    if (bytes.len <= GUARD_DIGEST_BYTES)
        return guard_fail(err, GUARD_E_SYNTAX, "these bytes are no pod profile");
    struct guard_span content = gd_span_head(bytes, bytes.len - GUARD_DIGEST_BYTES);
    gd_reader_init(reader, content);
    if (gd_get_u32(reader) != MAGIC)
        return guard_fail(err, GUARD_E_SYNTAX, "these bytes are no pod profile");
    *version = gd_get_u16(reader);
    if (*version < VERSION_FIRST || *version > VERSION_VOLUMES)
        return guard_fail(err, GUARD_E_VERSION,
                          "a pod profile of version %u, this one reads %d to %d",
                          (unsigned)*version, VERSION_FIRST, VERSION_VOLUMES);
    guard_digest(digest, content);
    if (memcmp(digest, content.ptr + content.len, sizeof(digest)) != 0)
        return guard_fail(err, GUARD_E_CHECKSUM, "a pod profile isn't as it was written");
    return GUARD_OK;
}

enum guard_rc guard_pods_decode(struct guard_pods **out, const struct guard_pods_cfg *cfg,
                                struct guard_span bytes, struct guard_err *err)
{
    struct gd_reader reader;
    struct guard_pods *pods = NULL;
    struct guard_pods_cfg named = *cfg;
    uint16_t version = 0;
    *out = NULL;
    GUARD_TRY(open_bytes(&reader, bytes, &version, err));
    struct guard_span key_id = gd_get_bytes(&reader, sizeof(pods->key_id));
    named.name_space = gd_get_string(&reader, GUARD_POD_NAME_MAX);
    named.workload = gd_get_string(&reader, GUARD_POD_NAME_MAX);
    named.container = gd_get_string(&reader, GUARD_POD_NAME_MAX);
    if (reader.failed || named.name_space.len == 0 || named.workload.len == 0 ||
        named.container.len == 0)
        return guard_fail(err, GUARD_E_SYNTAX, "a pod profile's names are broken");
    if (cfg->workload.len > 0 && (!gd_span_equal(named.name_space, cfg->name_space) ||
                                  !gd_span_equal(named.workload, cfg->workload) ||
                                  !gd_span_equal(named.container, cfg->container)))
        return guard_fail(err, GUARD_E_FOREIGN, "a pod profile of another workload or container");
    GUARD_TRY(guard_pods_new(&pods, &named, err));
    enum guard_rc rc =
        memcmp(pods->key_id, key_id.ptr, key_id.len) == 0 ? GUARD_OK : GUARD_E_FOREIGN;
    if (rc == GUARD_OK)
        rc = get_profile(&reader, pods, version);
    if (rc != GUARD_OK) {
        guard_pods_free(pods);
        return guard_fail(err, rc,
                          rc == GUARD_E_FOREIGN ? "a pod profile of another key"
                          : rc == GUARD_E_NOMEM ? "no memory for a pod profile"
                                                : "a pod profile's tables are broken");
    }
    *out = pods;
    return GUARD_OK;
}
