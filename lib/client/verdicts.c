/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verdicts on clients that guardd hands to gates: small, sorted, signed, of a size
 * known at birth. */
#include <guard/client.h>

#include "base/hash.h"
#include "base/wire.h"

enum {
    MAGIC = 0x54434c47, /* "GLCT" */
    VERSION = 2,
    SIGNED = 1,
    SERVICE_MAX = 128,
    MESSAGE_MAX = 32 + 1 + SERVICE_MAX + GUARD_DIGEST_BYTES,
};

uint64_t guard_client_code(const uint8_t key[16], const struct guard_client *client)
{
    struct gd_hash_key hash_key;
    uint8_t bytes[32];
    size_t len = 0;
    size_t prefix = client->address_len == 4 ? 3 : client->address_len == 16 ? 7 : 0;
    if (client->unit == GUARD_UNIT_SUBJECT && client->subject.len > 0) {
        bytes[len++] = (uint8_t)GUARD_UNIT_SUBJECT;
        for (size_t i = 0; i < GUARD_CLIENT_SUBJECT && i < client->subject.len; i++)
            bytes[len++] = client->subject.ptr[i];
    } else if (client->unit == GUARD_UNIT_PREFIX && prefix > 0) {
        bytes[len++] = client->address_len;
        memcpy(bytes + len, client->address, prefix);
        len += prefix;
    } else {
        return 0;
    }
    memcpy(hash_key.bytes, key, sizeof(hash_key.bytes));
    uint64_t code = gd_hash_keyed(&hash_key, gd_span(bytes, len));
    return code == 0 ? 1 : code;
}

static struct guard_span message(uint8_t out[MESSAGE_MAX], struct guard_span service,
                                 const uint8_t *digest)
{
    struct gd_writer writer;
    gd_writer_init(&writer, out, MESSAGE_MAX);
    gd_put_bytes(&writer, GUARD_SPAN_LITERAL("guard client verdicts 1"));
    gd_put_string(&writer, service);
    gd_put_bytes(&writer, gd_span(digest, GUARD_DIGEST_BYTES));
    return gd_span(out, writer.len);
}

static void put_head(struct gd_writer *writer, const struct guard_client_table *table,
                     struct guard_span service, bool sealed)
{
    static const uint8_t zeros[SERVICE_MAX];
    gd_put_u32(writer, MAGIC);
    gd_put_u16(writer, VERSION);
    gd_put_u16(writer, sealed ? SIGNED : 0);
    gd_put_u64(writer, table->issued_ms);
    gd_put_bytes(writer, gd_span(table->key, sizeof(table->key)));
    gd_put_u32(writer, table->count);
    gd_put_u32(writer, (uint32_t)service.len);
    gd_put_bytes(writer, service);
    gd_put_bytes(writer, gd_span(zeros, SERVICE_MAX - service.len));
    gd_put_u64(writer, 0);
}

enum guard_rc guard_client_table_encode(const struct guard_client_table *table,
                                        struct guard_span service, const uint8_t secret[64],
                                        uint8_t out[GUARD_CLIENT_TABLE_BYTES], size_t *len)
{
    struct gd_writer writer;
    if (service.len == 0 || service.len > SERVICE_MAX || table->count > GUARD_CLIENT_VERDICTS_MAX)
        return GUARD_E_RANGE;
    gd_writer_init(&writer, out, GUARD_CLIENT_TABLE_BYTES);
    put_head(&writer, table, service, secret != NULL);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct guard_client_verdict *verdict = &table->list[i];
        if (verdict->code == 0 || (i > 0 && verdict->code <= table->list[i - 1].code))
            return GUARD_E_RANGE;
        gd_put_u64(&writer, verdict->code);
        gd_put_u64(&writer, verdict->until_ms);
        gd_put_u32(&writer, (uint32_t)verdict->rule);
        gd_put_u32(&writer, verdict->detail);
        gd_put_u32(&writer, verdict->expected);
        gd_put_u32(&writer, 0);
    }
    uint8_t buffer[MESSAGE_MAX];
    uint8_t *digest = out + writer.len;
    guard_digest(digest, gd_span(out, writer.len));
    memset(digest + GUARD_DIGEST_BYTES, 0, GUARD_SIGNATURE_BYTES);
    if (secret != NULL)
        guard_sign(digest + GUARD_DIGEST_BYTES, message(buffer, service, digest), secret);
    *len = writer.len + GUARD_CLIENT_TABLE_TRAILER;
    return GUARD_OK;
}

static bool is_rule(uint32_t rule)
{
    return (rule >= GUARD_RULE_CLIENT_RATE && rule <= GUARD_RULE_CLIENT_SUBJECTS) ||
           rule == GUARD_RULE_CLIENT_MANUAL;
}

/* The head and the entries into out when it is given; false: no table. */
static bool read(struct gd_reader *reader, struct guard_client_table *out, struct guard_span *name)
{
    uint64_t before = 0;
    uint64_t issued = gd_get_u64(reader);
    struct guard_span key = gd_get_bytes(reader, 16);
    uint32_t count = gd_get_u32(reader);
    uint32_t name_len = gd_get_u32(reader);
    *name = gd_get_bytes(reader, SERVICE_MAX);
    if (gd_get_u64(reader) != 0 || reader->failed || count > GUARD_CLIENT_VERDICTS_MAX ||
        name_len == 0 || name_len > SERVICE_MAX)
        return false;
    *name = gd_span_head(*name, name_len);
    if (out != NULL) {
        out->issued_ms = issued;
        out->count = count;
        memcpy(out->key, key.ptr, sizeof(out->key));
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t code = gd_get_u64(reader);
        uint64_t until = gd_get_u64(reader);
        uint32_t rule = gd_get_u32(reader);
        uint32_t detail = gd_get_u32(reader);
        uint32_t expected = gd_get_u32(reader);
        if (gd_get_u32(reader) != 0 || reader->failed || code <= before || !is_rule(rule))
            return false;
        before = code;
        if (out != NULL)
            out->list[i] =
                (struct guard_client_verdict){code, until, (enum guard_rule)rule, detail, expected};
    }
    return gd_reader_done(reader);
}

enum guard_rc guard_client_table_decode(struct guard_client_table *out, struct guard_span bytes,
                                        struct guard_span service, const uint8_t *public_key)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    uint8_t buffer[MESSAGE_MAX];
    struct gd_reader reader;
    struct guard_span name;
    if (bytes.len < GUARD_CLIENT_TABLE_HEAD + GUARD_CLIENT_TABLE_TRAILER ||
        bytes.len > GUARD_CLIENT_TABLE_BYTES)
        return GUARD_E_SYNTAX;
    struct guard_span content = gd_span_head(bytes, bytes.len - GUARD_CLIENT_TABLE_TRAILER);
    gd_reader_init(&reader, content);
    if (gd_get_u32(&reader) != MAGIC)
        return GUARD_E_SYNTAX;
    if (gd_get_u16(&reader) != VERSION)
        return GUARD_E_VERSION;
    uint16_t flags = gd_get_u16(&reader);
    guard_digest(digest, content);
    const uint8_t *trailer = bytes.ptr + content.len;
    if (memcmp(digest, trailer, sizeof(digest)) != 0)
        return GUARD_E_CHECKSUM;
    struct gd_reader again = reader;
    if (flags > SIGNED || !read(&reader, NULL, &name))
        return GUARD_E_SYNTAX;
    if (!gd_span_equal(name, service))
        return GUARD_E_FOREIGN;
    if (public_key != NULL &&
        (flags != SIGNED || guard_verify(trailer + GUARD_DIGEST_BYTES,
                                         message(buffer, service, digest), public_key) != GUARD_OK))
        return GUARD_E_SIGNATURE;
    return read(&again, out, &name) ? GUARD_OK : GUARD_E_SYNTAX;
}

const struct guard_client_verdict *guard_client_table_find(const struct guard_client_table *table,
                                                           uint64_t code, uint64_t now_ms)
{
    uint32_t low = 0;
    uint32_t high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->list[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    const struct guard_client_verdict *found = &table->list[low];
    return low < table->count && found->code == code && found->until_ms > now_ms ? found : NULL;
}
