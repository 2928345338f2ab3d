/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of pod records: a head that tells the length, the members in their order, and a
 * checksum. docs/internals/pod-records.md */
#include "pods/record.h"

#include "base/hash.h"
#include "base/wire.h"

enum {
    MAGIC = 0x52504c47, /* "GLPR" */
    VERSION_FIRST = 1,
    VERSION_ANSWERS = 2, /* names may be answers of DNS */
    VERSION_VOLUMES = 3, /* destinations have bytes, and there are bytes of calls */
    VERSION_AT = 4,      /* where it stands */
    TRAILER = 8,
};

/* --- writing --- */

static void put_identity(struct gd_writer *writer, const struct guard_pod_identity *id)
{
    gd_put_string(writer, id->service);
    gd_put_string(writer, id->name_space);
    gd_put_string(writer, id->workload);
    gd_put_string(writer, id->pod);
    gd_put_string(writer, id->container);
    gd_put_string(writer, id->image);
    gd_put_string(writer, id->template_hash);
    gd_put_string(writer, id->node);
}

static bool has_volumes(uint16_t version, enum guard_pod_kind kind)
{
    return version >= VERSION_VOLUMES && kind == GUARD_POD_DESTINATION;
}

static void put_feature(struct gd_writer *writer, const struct guard_pod_feature *feature,
                        uint16_t version)
{
    gd_put_u8(writer, (uint8_t)feature->kind);
    gd_put_varint(writer, feature->flags);
    gd_put_string(writer, feature->text);
    gd_put_string(writer, feature->detail);
    gd_put_string(writer, feature->request);
    gd_put_u8(writer, feature->address_len);
    gd_put_bytes(writer, gd_span(feature->address, feature->address_len));
    gd_put_u16(writer, feature->port);
    gd_put_u8(writer, feature->transport);
    gd_put_varint(writer, feature->user);
    gd_put_varint(writer, feature->count);
    gd_put_varint(writer, feature->first_ms);
    if (has_volumes(version, feature->kind)) {
        gd_put_varint(writer, feature->bytes_out);
        gd_put_varint(writer, feature->bytes_in);
    }
}

static void put_rates(struct gd_writer *writer, const struct guard_pod_record *record)
{
    gd_put_varint(writer, record->rates_known);
    for (uint32_t i = 0; i < GUARD_POD_RATES; i++) {
        if ((record->rates_known >> i & 1) != 0)
            gd_put_varint(writer, record->rates[i]);
    }
}

static void put_members(struct gd_writer *writer, const struct guard_pod_record *record,
                        uint16_t version)
{
    put_identity(writer, &record->id);
    gd_put_u8(writer, (uint8_t)record->source);
    gd_put_u64(writer, record->origin.producer);
    gd_put_u64(writer, record->origin.incarnation);
    gd_put_varint(writer, record->origin.sequence);
    gd_put_varint(writer, record->blind);
    gd_put_varint(writer, record->started_ms);
    gd_put_varint(writer, record->from_ms);
    gd_put_varint(writer, record->until_ms);
    gd_put_varint(writer, record->counted);
    gd_put_varint(writer, record->received);
    gd_put_varint(writer, record->deduplicated);
    gd_put_varint(writer, record->dropped);
    put_rates(writer, record);
    gd_put_varint(writer, record->feature_count);
    for (uint32_t i = 0; i < record->feature_count; i++)
        put_feature(writer, &record->features[i], version);
    if (record->id.uid.len > 0)
        gd_put_string(writer, record->id.uid);
}

/* The lowest that says it all, so that older readers take what they know. */
static uint16_t version_of(const struct guard_pod_record *record)
{
    const uint32_t calls = 1u << GUARD_POD_CALLS_OUT | 1u << GUARD_POD_CALLS_IN;
    uint16_t version = (record->rates_known & calls) != 0 ? VERSION_VOLUMES : VERSION_FIRST;
    for (uint32_t i = 0; i < record->feature_count; i++) {
        const struct guard_pod_feature *feature = &record->features[i];
        if (feature->bytes_out != 0 || feature->bytes_in != 0)
            return VERSION_VOLUMES;
        if ((feature->flags & GUARD_POD_ANSWERED) != 0 && version < VERSION_ANSWERS)
            version = VERSION_ANSWERS;
    }
    return version;
}

static void put_head(struct gd_writer *writer, uint16_t version, size_t len)
{
    gd_put_u32(writer, MAGIC);
    gd_put_u16(writer, version);
    gd_put_u16(writer, 0);
    gd_put_u32(writer, (uint32_t)len);
    gd_put_u32(writer, 0);
}

enum guard_rc guard_pod_record_encode(const struct guard_pod_record *record, uint8_t *out,
                                      size_t size, size_t *len, struct guard_err *err)
{
    struct gd_writer writer, head;
    GUARD_TRY(gd_pod_record_check(record, err));
    uint16_t version = version_of(record);
    size = size < GUARD_POD_RECORD_MAX ? size : GUARD_POD_RECORD_MAX;
    gd_writer_init(&writer, out, size);
    put_head(&writer, version, 0);
    put_members(&writer, record, version);
    if (writer.overflow || size - writer.len < TRAILER)
        return guard_fail(err, GUARD_E_LIMIT, "a pod record of more than %zu bytes", size);
    gd_writer_init(&head, out, GUARD_POD_HEAD_BYTES);
    put_head(&head, version, writer.len + TRAILER);
    gd_put_u64(&writer, gd_hash_fast(MAGIC, gd_span(out, writer.len)));
    *len = writer.len;
    return GUARD_OK;
}

/* --- reading --- */

enum guard_rc guard_pod_record_size(struct guard_span bytes, size_t *len, struct guard_err *err)
{
    struct gd_reader reader;
    gd_reader_init(&reader, bytes);
    uint32_t magic = gd_get_u32(&reader);
    uint16_t version = gd_get_u16(&reader);
    uint16_t zeros = gd_get_u16(&reader);
    uint32_t size = gd_get_u32(&reader);
    uint32_t more_zeros = gd_get_u32(&reader);
    if (reader.failed || magic != MAGIC)
        return guard_fail(err, GUARD_E_SYNTAX, "these bytes are no pod record");
    if (version < VERSION_FIRST || version > VERSION_VOLUMES)
        return guard_fail(err, GUARD_E_VERSION,
                          "a pod record of version %u, this one reads %d to %d", (unsigned)version,
                          VERSION_FIRST, VERSION_VOLUMES);
    if (zeros != 0 || more_zeros != 0 || size < GUARD_POD_HEAD_BYTES + TRAILER)
        return guard_fail(err, GUARD_E_SYNTAX, "the head of a pod record is broken");
    if (size > GUARD_POD_RECORD_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "a pod record of %u bytes, at most %d are allowed",
                          size, GUARD_POD_RECORD_MAX);
    *len = size;
    return GUARD_OK;
}

static uint32_t get_number(struct gd_reader *reader)
{
    uint64_t value = gd_get_varint(reader);
    reader->failed |= value > UINT32_MAX;
    return (uint32_t)value;
}

static void get_identity(struct gd_reader *reader, struct guard_pod_identity *id)
{
    id->service = gd_get_string(reader, 128);
    id->name_space = gd_get_string(reader, GUARD_POD_NAME_MAX);
    id->workload = gd_get_string(reader, GUARD_POD_NAME_MAX);
    id->pod = gd_get_string(reader, GUARD_POD_NAME_MAX);
    id->container = gd_get_string(reader, GUARD_POD_NAME_MAX);
    id->image = gd_get_string(reader, GUARD_POD_IMAGE_MAX);
    id->template_hash = gd_get_string(reader, GUARD_POD_HASH_MAX);
    id->node = gd_get_string(reader, GUARD_POD_NAME_MAX);
}

static void get_feature(struct gd_reader *reader, struct guard_pod_feature *out, uint16_t version)
{
    *out = (struct guard_pod_feature){.kind = (enum guard_pod_kind)gd_get_u8(reader)};
    out->flags = get_number(reader);
    out->text = gd_get_string(reader, GUARD_POD_TEXT_MAX);
    out->detail = gd_get_string(reader, GUARD_POD_TEXT_MAX);
    out->request = gd_get_string(reader, GUARD_POD_REQUEST_MAX);
    out->address_len = gd_get_u8(reader);
    reader->failed |= out->address_len > sizeof(out->address);
    const uint8_t *address = reader->failed ? NULL : gd_take(reader, out->address_len);
    if (address != NULL)
        memcpy(out->address, address, out->address_len);
    out->port = gd_get_u16(reader);
    out->transport = gd_get_u8(reader);
    out->user = get_number(reader);
    out->count = gd_get_varint(reader);
    out->first_ms = gd_get_varint(reader);
    if (has_volumes(version, out->kind)) {
        out->bytes_out = gd_get_varint(reader);
        out->bytes_in = gd_get_varint(reader);
    }
}

static void get_members(struct gd_reader *reader, struct guard_pod_record *out)
{
    get_identity(reader, &out->id);
    out->source = (enum guard_pod_source)gd_get_u8(reader);
    out->origin.producer = gd_get_u64(reader);
    out->origin.incarnation = gd_get_u64(reader);
    out->origin.sequence = gd_get_varint(reader);
    out->blind = get_number(reader);
    out->started_ms = gd_get_varint(reader);
    out->from_ms = gd_get_varint(reader);
    out->until_ms = gd_get_varint(reader);
    out->counted = gd_get_varint(reader);
    out->received = gd_get_varint(reader);
    out->deduplicated = gd_get_varint(reader);
    out->dropped = gd_get_varint(reader);
    out->rates_known = get_number(reader);
    for (uint32_t i = 0; i < GUARD_POD_RATES; i++)
        out->rates[i] = (out->rates_known >> i & 1) != 0 ? gd_get_varint(reader) : 0;
    out->feature_count = get_number(reader);
    reader->failed |= out->feature_count > GUARD_POD_FEATURES_MAX;
}

enum guard_rc guard_pod_record_decode(struct guard_pod_record *out,
                                      struct guard_pod_feature *features, struct guard_span bytes,
                                      struct guard_err *err)
{
    struct gd_reader reader, trailer;
    size_t len;
    GUARD_TRY(guard_pod_record_size(bytes, &len, err));
    uint16_t version = (uint16_t)(bytes.ptr[VERSION_AT] | bytes.ptr[VERSION_AT + 1] << 8);
    if (len != bytes.len)
        return guard_fail(err, GUARD_E_SYNTAX, "a pod record of %zu bytes is %zu bytes long", len,
                          bytes.len);
    struct guard_span content = gd_span(bytes.ptr, len - TRAILER);
    gd_reader_init(&trailer, gd_span_from(bytes, len - TRAILER));
    if (gd_get_u64(&trailer) != gd_hash_fast(MAGIC, content))
        return guard_fail(err, GUARD_E_CHECKSUM, "a pod record isn't as it was written");
    gd_reader_init(&reader, gd_span_from(content, GUARD_POD_HEAD_BYTES));
    *out = (struct guard_pod_record){.features = features};
    get_members(&reader, out);
    for (uint32_t i = 0; i < out->feature_count && !reader.failed; i++)
        get_feature(&reader, &features[i], version);
    if (!reader.failed && reader.ptr < reader.end) {
        out->id.uid = gd_get_string(&reader, GUARD_POD_UID_MAX);
        reader.failed |= out->id.uid.len == 0; /* one way to say that there is none */
    }
    if (!gd_reader_done(&reader))
        return guard_fail(err, GUARD_E_SYNTAX, "the members of a pod record are broken");
    if (version != version_of(out))
        return guard_fail(err, GUARD_E_SYNTAX, "a pod record of another version than its members");
    return gd_pod_record_check(out, err);
}
