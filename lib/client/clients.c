/* SPDX-License-Identifier: Apache-2.0 */
/* A service's norms: made, asked, written down and read again. */
#include "client/client.h"

#include "base/wire.h"
#include "profile/record.h"

enum {
    MAGIC = 0x4e434c47, /* "GLCN" */
    VERSION = 1,
    TRAILER = GUARD_DIGEST_BYTES,
    SUPPORT = 4,
};

static void derive(uint8_t *out, size_t len, const uint8_t key[GUARD_KEY_BYTES],
                   struct guard_span purpose)
{
    uint8_t derived[GUARD_KEY_BYTES];
    guard_key_derive(derived, key, purpose);
    memcpy(out, derived, len);
}

void guard_client_table_key(uint8_t out[16], const uint8_t key[GUARD_KEY_BYTES])
{
    derive(out, 16, key, GUARD_SPAN_LITERAL("client verdict"));
}

/* As when nothing was counted: the norms of the rate stand first. */
static void clear(struct guard_clients *clients)
{
    memset(clients->steps, 0, sizeof(clients->steps));
    clients->norm_count = 0;
    clients->exchanges = clients->past = 0;
    clients->past_day = 0;
    for (uint8_t tier = 0; tier < GD_CLIENT_TIERS; tier++) {
        const struct gd_client_subject subject = {.rule = GUARD_RULE_CLIENT_RATE, .tier = tier};
        (void)gd_client_norm(clients, gd_client_key(clients, &subject), &subject, 0);
        clients->rate_at[tier] = tier;
    }
}

enum guard_rc guard_clients_new(struct guard_clients **out, const struct guard_clients_cfg *cfg,
                                struct guard_err *err)
{
    *out = NULL;
    struct guard_clients *clients;
    if (cfg->service.len == 0 || cfg->service.len > sizeof(clients->service_text))
        return guard_fail(err, GUARD_E_RANGE, "a service's name has 1 to %zu bytes, not %zu",
                          sizeof(clients->service_text), cfg->service.len);
    clients = cfg->alloc.alloc(cfg->alloc.ctx, sizeof(*clients));
    if (clients == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to count clients");
    /* Norms are many: their pages are touched when they are taken. */
    memset(clients, 0, offsetof(struct guard_clients, norms));
    clients->alloc = cfg->alloc;
    clients->places = cfg->places;
    clients->support = cfg->support == 0 || cfg->support > SUPPORT ? SUPPORT : cfg->support;
    guard_arena_init(&clients->arena, &clients->alloc, GD_RECORD_ARENA + GUARD_ARENA_CHUNK);
    memcpy(clients->service_text, cfg->service.ptr, cfg->service.len);
    clients->service = gd_span(clients->service_text, cfg->service.len);
    derive(clients->key.bytes, sizeof(clients->key.bytes), cfg->key,
           GUARD_SPAN_LITERAL("client norm"));
    derive(clients->key_id, sizeof(clients->key_id), cfg->key,
           GUARD_SPAN_LITERAL("client norm id"));
    guard_client_table_key(clients->table_key, cfg->key);
    clear(clients);
    *out = clients;
    return GUARD_OK;
}

void guard_clients_free(struct guard_clients *clients)
{
    if (clients == NULL)
        return;
    struct guard_alloc alloc = clients->alloc;
    guard_arena_reset(&clients->arena);
    alloc.free(alloc.ctx, clients);
}

void guard_clients_stats(const struct guard_clients *clients, struct guard_clients_stats *out)
{
    *out = (struct guard_clients_stats){
        .exchanges = clients->exchanges,
        .clients = gd_client_norm_clients(&clients->norms[clients->rate_at[1]]),
        .pushed_out = clients->pushed_out,
        .norms = clients->norm_count,
        .untracked = clients->untracked,
    };
}

/* --- their bytes --- */

static void put_norm(struct gd_writer *writer, uint32_t key, const struct gd_client_norm *norm)
{
    gd_put_u32(writer, key);
    gd_put_u8(writer, norm->rule);
    gd_put_u8(writer, norm->tier);
    gd_put_u8(writer, norm->location);
    gd_put_u32(writer, norm->day);
    gd_put_u32(writer, norm->trials);
    gd_put_string(writer, gd_span(norm->method, norm->method_len));
    gd_put_string(writer, gd_span(norm->template_text, norm->template_len));
    gd_put_string(writer, gd_span(norm->place, norm->place_len));
    gd_put_u8(writer, norm->tag_count);
    for (uint32_t i = 0; i < norm->tag_count; i++)
        gd_put_u32(writer, norm->tags[i]);
    gd_put_u8(writer, norm->top_count);
    for (uint32_t i = 0; i < norm->top_count; i++) {
        gd_put_u32(writer, norm->top[i].tag);
        gd_put_u32(writer, norm->top[i].value);
        gd_put_u32(writer, norm->top[i].day);
    }
    for (size_t level = 0; level < GD_CLIENT_LEVELS; level++) {
        gd_put_u32(writer, norm->fired_more[level]);
        gd_put_u8(writer, norm->fired_count[level]);
        for (uint32_t i = 0; i < norm->fired_count[level]; i++) {
            gd_put_u32(writer, norm->fired[level][i].tag);
            gd_put_u32(writer, norm->fired[level][i].day);
        }
    }
}

static uint32_t steps_used(const struct guard_clients *clients)
{
    uint32_t used = 0;
    for (size_t i = 0; i < GD_CLIENT_STEPS; i++)
        used += clients->steps[i].key != 0;
    return used;
}

static void put_all(struct gd_writer *writer, const struct guard_clients *clients)
{
    gd_put_u32(writer, MAGIC);
    gd_put_u32(writer, VERSION);
    gd_put_string(writer, clients->service);
    gd_put_bytes(writer, gd_span(clients->key_id, sizeof(clients->key_id)));
    gd_put_u64(writer, clients->exchanges);
    gd_put_u64(writer, clients->past);
    gd_put_u32(writer, clients->past_day);
    gd_put_u32(writer, clients->norm_count);
    for (uint32_t i = 0; i < clients->norm_count; i++)
        put_norm(writer, clients->keys[i], &clients->norms[i]);
    gd_put_u32(writer, steps_used(clients));
    for (uint32_t i = 0; i < GD_CLIENT_STEPS; i++) {
        if (clients->steps[i].key == 0)
            continue;
        gd_put_u32(writer, i);
        gd_put_u32(writer, clients->steps[i].key);
        for (size_t at = 0; at < GD_CLIENT_STEP_TAGS; at++)
            gd_put_u32(writer, clients->steps[i].tags[at]);
    }
}

enum guard_rc guard_clients_encode(const struct guard_clients *clients, uint8_t **out, size_t *len)
{
    struct gd_writer writer;
    size_t cap =
        1024 + clients->norm_count * sizeof(struct gd_client_norm) * 2 + sizeof(clients->steps) * 2;
    *out = clients->alloc.alloc(clients->alloc.ctx, cap);
    if (*out == NULL)
        return GUARD_E_NOMEM;
    gd_writer_init(&writer, *out, cap - TRAILER);
    put_all(&writer, clients);
    if (writer.overflow) {
        clients->alloc.free(clients->alloc.ctx, *out);
        *out = NULL;
        return GUARD_E_LIMIT;
    }
    guard_digest(*out + writer.len, gd_span(*out, writer.len));
    *len = writer.len + TRAILER;
    return GUARD_OK;
}

static uint8_t get_count(struct gd_reader *reader, uint8_t max)
{
    uint8_t count = gd_get_u8(reader);
    if (count > max)
        reader->failed = true;
    return reader->failed ? 0 : count;
}

static uint8_t get_text(struct gd_reader *reader, uint8_t *to, size_t max)
{
    struct guard_span text = gd_get_string(reader, max);
    if (text.len > 0 && !reader->failed)
        memcpy(to, text.ptr, text.len);
    return reader->failed ? 0 : (uint8_t)text.len;
}

static void get_fires(struct gd_reader *reader, struct gd_client_norm *norm)
{
    for (size_t level = 0; level < GD_CLIENT_LEVELS; level++) {
        norm->fired_more[level] = gd_get_u32(reader);
        norm->fired_count[level] = get_count(reader, GD_CLIENT_FIRED);
        for (uint32_t i = 0; i < norm->fired_count[level]; i++) {
            norm->fired[level][i].tag = gd_get_u32(reader);
            norm->fired[level][i].day = gd_get_u32(reader);
        }
    }
}

static uint32_t get_norm(struct gd_reader *reader, struct gd_client_norm *norm)
{
    memset(norm, 0, sizeof(*norm));
    uint32_t key = gd_get_u32(reader);
    norm->rule = gd_get_u8(reader);
    norm->tier = gd_get_u8(reader);
    norm->location = gd_get_u8(reader);
    norm->day = gd_get_u32(reader);
    norm->trials = gd_get_u32(reader);
    if (norm->rule >= GD_CLIENT_RULES || norm->tier >= GD_CLIENT_TIERS ||
        norm->location >= GUARD_LOCATION_COUNT || key == 0)
        reader->failed = true;
    norm->method_len = get_text(reader, norm->method, sizeof(norm->method));
    norm->template_len = get_text(reader, norm->template_text, sizeof(norm->template_text));
    norm->place_len = get_text(reader, norm->place, sizeof(norm->place));
    norm->tag_count = get_count(reader, GD_CLIENT_TAGS);
    for (uint32_t i = 0; i < norm->tag_count; i++) {
        norm->tags[i] = gd_get_u32(reader);
        if (i > 0 && norm->tags[i] <= norm->tags[i - 1])
            reader->failed = true;
    }
    norm->top_count = get_count(reader, GD_CLIENT_TOP);
    for (uint32_t i = 0; i < norm->top_count; i++) {
        norm->top[i].tag = gd_get_u32(reader);
        norm->top[i].value = gd_get_u32(reader);
        norm->top[i].day = gd_get_u32(reader);
    }
    get_fires(reader, norm);
    return key;
}

static void get_steps(struct gd_reader *reader, struct guard_clients *clients)
{
    uint32_t count = gd_get_u32(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        uint32_t index = gd_get_u32(reader);
        if (index >= GD_CLIENT_STEPS) {
            reader->failed = true;
            return;
        }
        clients->steps[index].key = gd_get_u32(reader);
        for (size_t at = 0; at < GD_CLIENT_STEP_TAGS; at++)
            clients->steps[index].tags[at] = gd_get_u32(reader);
    }
}

static enum guard_rc get_all(struct gd_reader *reader, struct guard_clients *clients)
{
    if (gd_get_u32(reader) != MAGIC)
        return GUARD_E_SYNTAX;
    if (gd_get_u32(reader) != VERSION)
        return GUARD_E_VERSION;
    struct guard_span service = gd_get_string(reader, sizeof(clients->service_text));
    struct guard_span id = gd_get_bytes(reader, sizeof(clients->key_id));
    if (reader->failed)
        return GUARD_E_SYNTAX;
    if (!gd_span_equal(service, clients->service) ||
        !gd_span_equal(id, gd_span(clients->key_id, sizeof(clients->key_id))))
        return GUARD_E_FOREIGN;
    clients->exchanges = gd_get_u64(reader);
    clients->past = gd_get_u64(reader);
    clients->past_day = gd_get_u32(reader);
    uint32_t count = gd_get_u32(reader);
    if (reader->failed || count < GD_CLIENT_TIERS || count > GD_CLIENT_NORMS)
        return GUARD_E_SYNTAX;
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        uint32_t key = get_norm(reader, &clients->norms[i]);
        /* Those of the rate stand where everybody looks for them. */
        if (i < GD_CLIENT_TIERS && key != clients->keys[i])
            return GUARD_E_SYNTAX;
        clients->keys[i] = key;
    }
    clients->norm_count = count;
    get_steps(reader, clients);
    return gd_reader_done(reader) ? GUARD_OK : GUARD_E_SYNTAX;
}

enum guard_rc guard_clients_decode(struct guard_clients *clients, struct guard_span bytes)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    struct gd_reader reader;
    if (bytes.len < TRAILER)
        return GUARD_E_SYNTAX;
    struct guard_span content = gd_span_head(bytes, bytes.len - TRAILER);
    guard_digest(digest, content);
    if (memcmp(digest, bytes.ptr + content.len, TRAILER) != 0)
        return GUARD_E_CHECKSUM;
    gd_reader_init(&reader, content);
    enum guard_rc rc = get_all(&reader, clients);
    if (rc != GUARD_OK)
        clear(clients);
    return rc;
}
