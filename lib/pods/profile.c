/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a profile: made, asked, filled and forgotten. */
#include "pods/profile.h"

#include <guard/crypto.h>

/* --- making --- */

static enum guard_rc set_names(struct guard_pods *pods, const struct guard_pods_cfg *cfg,
                               struct guard_err *err)
{
    const struct guard_span names[3] = {cfg->name_space, cfg->workload, cfg->container};
    uint16_t *lens[3] = {&pods->name_space_len, &pods->workload_len, &pods->container_len};
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        if (names[i].len == 0 || names[i].len > GUARD_POD_NAME_MAX)
            return guard_fail(err, GUARD_E_RANGE,
                              "a pod profile's names have 1 to %d bytes, not %zu",
                              GUARD_POD_NAME_MAX, names[i].len);
        memcpy(pods->names + at, names[i].ptr, names[i].len);
        *lens[i] = (uint16_t)names[i].len;
        at += names[i].len;
    }
    return GUARD_OK;
}

static void derive(uint8_t *out, size_t len, const uint8_t key[GUARD_KEY_BYTES],
                   struct guard_span purpose)
{
    uint8_t derived[GUARD_KEY_BYTES];
    guard_key_derive(derived, key, purpose);
    memcpy(out, derived, len);
}

static uint32_t cap_of(uint32_t wanted, uint32_t most)
{
    return wanted == 0 || wanted > most ? most : wanted;
}

enum guard_rc guard_pods_new(struct guard_pods **out, const struct guard_pods_cfg *cfg,
                             struct guard_err *err)
{
    *out = NULL;
    struct guard_pods *pods = cfg->alloc.alloc(cfg->alloc.ctx, sizeof(*pods));
    if (pods == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a pod profile");
    memset(pods, 0, sizeof(*pods));
    pods->alloc = cfg->alloc;
    pods->known_max = cap_of(cfg->known_max, GD_POD_KNOWN_MAX);
    pods->replicas_max = cap_of(cfg->replicas_max, GD_POD_REPLICAS_MAX);
    gd_pool_init(&pods->pool, &pods->alloc);
    derive(pods->key.bytes, sizeof(pods->key.bytes), cfg->key, GUARD_SPAN_LITERAL("pods"));
    derive(pods->key_id, sizeof(pods->key_id), cfg->key, GUARD_SPAN_LITERAL("pods id"));
    enum guard_rc rc = set_names(pods, cfg, err);
    if (rc != GUARD_OK) {
        guard_pods_free(pods);
        return rc;
    }
    *out = pods;
    return GUARD_OK;
}

void guard_pods_free(struct guard_pods *pods)
{
    if (pods == NULL)
        return;
    struct guard_alloc alloc = pods->alloc;
    gd_pool_fini(&pods->pool);
    alloc.free(alloc.ctx, pods);
}

struct guard_span gd_pods_name_space(const struct guard_pods *pods)
{
    return gd_span(pods->names, pods->name_space_len);
}

struct guard_span gd_pods_workload(const struct guard_pods *pods)
{
    return gd_span(pods->names + pods->name_space_len, pods->workload_len);
}

struct guard_span gd_pods_container(const struct guard_pods *pods)
{
    return gd_span(pods->names + pods->name_space_len + pods->workload_len, pods->container_len);
}

/* --- growing arrays of the pool --- */

/* Room for one more; false: no memory. */
static bool grow(struct gd_pool *pool, void **items, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return true;
    uint32_t wanted = *cap < 8 ? 8 : 2 * *cap;
    void *more = gd_pool_get_unset(pool, wanted * size);
    if (more == NULL)
        return false;
    if (count > 0)
        memcpy(more, *items, count * size);
    gd_pool_put(pool, *items, *cap * size);
    *items = more;
    *cap = wanted;
    return true;
}

/* --- replicas --- */

uint32_t gd_pod_tag(const struct guard_pods *pods, struct guard_span pod)
{
    uint32_t tag = (uint32_t)gd_hash_keyed(&pods->key, pod);
    return tag == 0 ? 1 : tag;
}

struct gd_pod_replica *gd_pods_find_replica(const struct guard_pods *pods, uint32_t tag,
                                            uint32_t *at)
{
    uint32_t low = 0, high = pods->replica_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pods->replicas[middle]->tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    if (at != NULL)
        *at = low;
    bool found = low < pods->replica_count && pods->replicas[low]->tag == tag;
    return found ? pods->replicas[low] : NULL;
}

struct gd_pod_replica *gd_pods_add_replica(struct guard_pods *pods, uint32_t at, uint32_t tag)
{
    void *items = pods->replicas;
    if (!grow(&pods->pool, &items, pods->replica_count, &pods->replica_cap,
              sizeof(*pods->replicas)))
        return NULL;
    pods->replicas = items;
    struct gd_pod_replica *replica = gd_pool_get(&pods->pool, sizeof(*replica));
    if (replica == NULL)
        return NULL;
    replica->tag = tag;
    replica->first_ms = UINT64_MAX;
    memmove(pods->replicas + at + 1, pods->replicas + at,
            (pods->replica_count - at) * sizeof(*pods->replicas));
    pods->replicas[at] = replica;
    pods->replica_count++;
    return replica;
}

static size_t names_len(const struct gd_pod_replica *replica)
{
    return (size_t)replica->pod_len + replica->hash_len + replica->image_len + replica->node_len;
}

struct guard_span gd_pod_name(const struct gd_pod_replica *replica)
{
    return gd_span(replica->text, replica->pod_len);
}

struct guard_span gd_pod_template(const struct gd_pod_replica *replica)
{
    return gd_span(replica->text + replica->pod_len, replica->hash_len);
}

struct guard_span gd_pod_image(const struct gd_pod_replica *replica)
{
    return gd_span(replica->text + replica->pod_len + replica->hash_len, replica->image_len);
}

struct guard_span gd_pod_node(const struct gd_pod_replica *replica)
{
    return gd_span(replica->text + replica->pod_len + replica->hash_len + replica->image_len,
                   replica->node_len);
}

enum guard_rc gd_pods_name(struct guard_pods *pods, struct gd_pod_replica *replica,
                           const struct gd_pod_names *names)
{
    const struct guard_span parts[4] = {names->pod, names->template_hash, names->image,
                                        names->node};
    size_t len = 0;
    for (size_t i = 0; i < 4; i++)
        len += parts[i].len;
    uint8_t *text = gd_pool_get_unset(&pods->pool, len == 0 ? 1 : len);
    if (text == NULL)
        return GUARD_E_NOMEM;
    uint8_t *to = text;
    for (size_t i = 0; i < 4; i++) {
        if (parts[i].len > 0)
            memcpy(to, parts[i].ptr, parts[i].len);
        to += parts[i].len;
    }
    size_t old = names_len(replica);
    gd_pool_put(&pods->pool, replica->text, old == 0 ? 1 : old);
    replica->text = text;
    replica->pod_len = (uint16_t)names->pod.len;
    replica->hash_len = (uint16_t)names->template_hash.len;
    replica->image_len = (uint16_t)names->image.len;
    replica->node_len = (uint16_t)names->node.len;
    return GUARD_OK;
}

uint32_t gd_pod_replica_days(const struct gd_pod_replica *replica)
{
    return (uint32_t)__builtin_popcountll(replica->days);
}

void gd_pod_replica_see(struct gd_pod_replica *replica, uint64_t days, uint32_t day_last)
{
    if (days == 0)
        return;
    if (replica->days == 0 || day_last > replica->day_last) {
        uint32_t by = replica->days == 0 ? 0 : day_last - replica->day_last;
        replica->days = by < 64 ? replica->days << by : 0;
        replica->day_last = day_last;
    }
    uint32_t by = replica->day_last - day_last;
    replica->days |= by < 64 ? days << by : 0;
}

/* --- things --- */

struct gd_pod_entry *gd_pods_find(const struct guard_pods *pods, uint64_t hash, uint32_t *at)
{
    uint32_t low = 0, high = pods->entry_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pods->entries[middle]->hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    if (at != NULL)
        *at = low;
    bool found = low < pods->entry_count && pods->entries[low]->hash == hash;
    return found ? pods->entries[low] : NULL;
}

struct gd_pod_entry *gd_pods_add(struct guard_pods *pods, uint32_t at, const struct gd_pod_key *key)
{
    void *items = pods->entries;
    if (!grow(&pods->pool, &items, pods->entry_count, &pods->entry_cap, sizeof(*pods->entries)))
        return NULL;
    pods->entries = items;
    struct gd_pod_entry *entry = gd_pool_get(&pods->pool, sizeof(*entry));
    size_t len = (size_t)key->text_len + key->detail_len;
    uint8_t *text = entry == NULL ? NULL : gd_pool_get_unset(&pods->pool, len == 0 ? 1 : len);
    if (text == NULL)
        return NULL;
    *entry = (struct gd_pod_entry){.hash = key->hash,
                                   .first_ms = UINT64_MAX,
                                   .startup = key->startup,
                                   .kind = key->kind,
                                   .aspect = key->aspect,
                                   .address_len = key->address_len,
                                   .transport = key->transport,
                                   .port = key->port,
                                   .text_len = key->text_len,
                                   .detail_len = key->detail_len,
                                   .user = key->user,
                                   .text = text};
    memcpy(entry->address, key->address, sizeof(entry->address));
    memcpy(text, key->text, key->text_len);
    memcpy(text + key->text_len, key->detail, key->detail_len);
    memmove(pods->entries + at + 1, pods->entries + at,
            (pods->entry_count - at) * sizeof(*pods->entries));
    pods->entries[at] = entry;
    pods->entry_count++;
    return entry;
}

void gd_pod_key_of(const struct gd_pod_entry *entry, struct gd_pod_key *out)
{
    *out = (struct gd_pod_key){.hash = entry->hash,
                               .kind = entry->kind,
                               .aspect = entry->aspect,
                               .startup = entry->startup,
                               .address_len = entry->address_len,
                               .transport = entry->transport,
                               .port = entry->port,
                               .user = entry->user,
                               .text_len = entry->text_len,
                               .detail_len = entry->detail_len};
    memcpy(out->address, entry->address, sizeof(out->address));
    memcpy(out->text, entry->text, entry->text_len);
    memcpy(out->detail, entry->text + entry->text_len, entry->detail_len);
}

static void drop_entry(struct guard_pods *pods, struct gd_pod_entry *entry)
{
    size_t len = (size_t)entry->text_len + entry->detail_len;
    gd_pool_put(&pods->pool, entry->text, len == 0 ? 1 : len);
    gd_pool_put(&pods->pool, entry, sizeof(*entry));
}

static void drop_replica(struct guard_pods *pods, struct gd_pod_replica *replica)
{
    size_t len = names_len(replica);
    gd_pool_put(&pods->pool, replica->text, len == 0 ? 1 : len);
    gd_pool_put(&pods->pool, replica->open, sizeof(*replica->open));
    gd_pool_put(&pods->pool, replica->flows, sizeof(*replica->flows));
    gd_pool_put(&pods->pool, replica, sizeof(*replica));
}

/* Sensors tell of a thing once in a container's life: what a replica of late did is of late. */
static bool is_done_since(const struct guard_pods *pods, const struct gd_pod_entry *entry,
                          uint64_t before_ms)
{
    if (entry->last_ms >= before_ms)
        return true;
    for (uint32_t i = 0; i < entry->tag_count; i++) {
        const struct gd_pod_replica *replica = gd_pods_find_replica(pods, entry->tags[i], NULL);
        if (replica != NULL && replica->last_ms >= before_ms)
            return true;
    }
    return false;
}

static void close_case(struct guard_pods *pods, struct gd_pod_replica *replica)
{
    uint64_t newest = replica->open == NULL ? 0 : replica->open->session_ms;
    if (replica->open == NULL)
        return;
    for (uint32_t i = 0; i < replica->open->count; i++)
        newest = replica->open->evidence[i].seen_ms > newest ? replica->open->evidence[i].seen_ms
                                                             : newest;
    if (newest + GD_POD_DAY_MS >= pods->last_ms)
        return;
    gd_pool_put(&pods->pool, replica->open, sizeof(*replica->open));
    replica->open = NULL;
}

void gd_pods_count_alone(struct guard_pods *pods)
{
    for (uint32_t i = 0; i < pods->replica_count; i++)
        pods->replicas[i]->alone = 0;
    for (uint32_t i = 0; i < pods->entry_count; i++) {
        const struct gd_pod_entry *entry = pods->entries[i];
        struct gd_pod_replica *replica =
            entry->tag_count == 1 ? gd_pods_find_replica(pods, entry->tags[0], NULL) : NULL;
        if (replica != NULL)
            replica->alone++;
    }
}

void guard_pods_forget(struct guard_pods *pods, uint64_t before_ms)
{
    uint32_t kept = 0;
    if (pods->broken)
        return;
    for (uint32_t i = 0; i < pods->entry_count; i++) {
        if (is_done_since(pods, pods->entries[i], before_ms))
            pods->entries[kept++] = pods->entries[i];
        else
            drop_entry(pods, pods->entries[i]);
    }
    pods->entry_count = kept;
    kept = 0;
    for (uint32_t i = 0; i < pods->replica_count; i++) {
        close_case(pods, pods->replicas[i]);
        if (pods->replicas[i]->last_ms >= before_ms)
            pods->replicas[kept++] = pods->replicas[i];
        else
            drop_replica(pods, pods->replicas[i]);
    }
    pods->replica_count = kept;
    gd_pods_count_alone(pods);
    gd_intervals_forget(&pods->intervals, before_ms);
}
