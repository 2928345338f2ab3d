/* SPDX-License-Identifier: Apache-2.0 */
/* Magic, version, 0, the secret, counted, dropped, records, 0, then the records, each with a
 * checksum of its own. Little endian. */
#include "common/pods/record_batch.h"

#include <string.h>

static const char magic[4] = {'G', 'L', 'P', 'B'};

enum { VERSION = 1, AT_SECRET = 8, AT_COUNTED = 24, AT_DROPPED = 32, AT_COUNT = 40, AT_ZERO = 44 };

static void put(uint8_t *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)in[i] << 8 * i;
    return value;
}

void pod_batch_write_head(const struct pod_batch *batch, uint8_t out[POD_BATCH_HEAD])
{
    memset(out, 0, POD_BATCH_HEAD);
    memcpy(out, magic, sizeof(magic));
    put(out + sizeof(magic), VERSION, 2);
    memcpy(out + AT_SECRET, batch->secret, POD_BATCH_SECRET);
    put(out + AT_COUNTED, batch->counted, 8);
    put(out + AT_DROPPED, batch->dropped, 8);
    put(out + AT_COUNT, batch->count, 4);
}

/* The first record of those, and its bytes. */
static enum guard_rc first(struct guard_span records, struct guard_pod_record *record,
                           struct guard_pod_feature *features, struct guard_span *bytes,
                           struct guard_err *err)
{
    size_t len = 0;
    if (records.len < GUARD_POD_HEAD_BYTES)
        return guard_fail(err, GUARD_E_SYNTAX, "it is cut");
    GUARD_TRY(guard_pod_record_size(records, &len, err));
    if (len > records.len)
        return guard_fail(err, GUARD_E_SYNTAX, "it is cut");
    *bytes = (struct guard_span){records.ptr, len};
    return guard_pod_record_decode(record, features, *bytes, err);
}

static enum guard_rc read_head(struct pod_batch *out, struct guard_span bytes,
                               struct guard_err *err)
{
    if (bytes.len < POD_BATCH_HEAD || memcmp(bytes.ptr, magic, sizeof(magic)) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "no batch of pod records");
    if (get(bytes.ptr + sizeof(magic), 2) != VERSION)
        return guard_fail(err, GUARD_E_VERSION, "version %u of a batch of pod records",
                          (unsigned)get(bytes.ptr + sizeof(magic), 2));
    if (get(bytes.ptr + sizeof(magic) + 2, 2) != 0 || get(bytes.ptr + AT_ZERO, 4) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "what must be 0 in the head isn't");
    memcpy(out->secret, bytes.ptr + AT_SECRET, POD_BATCH_SECRET);
    out->counted = get(bytes.ptr + AT_COUNTED, 8);
    out->dropped = get(bytes.ptr + AT_DROPPED, 8);
    out->count = (uint32_t)get(bytes.ptr + AT_COUNT, 4);
    out->records =
        (struct guard_span){bytes.ptr + POD_BATCH_HEAD, bytes.len - (size_t)POD_BATCH_HEAD};
    if (bytes.len > POD_BATCH_BYTES_MAX || out->count > POD_BATCH_RECORDS_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "more than %d bytes or %d records",
                          POD_BATCH_BYTES_MAX, POD_BATCH_RECORDS_MAX);
    if (out->count == 0 || out->dropped > out->counted)
        return guard_fail(err, GUARD_E_SYNTAX, "it has no record, or more dropped than counted");
    return GUARD_OK;
}

enum guard_rc pod_batch_read(struct pod_batch *out, struct guard_pod_feature *features,
                             struct guard_span bytes, struct guard_err *err)
{
    struct guard_pod_record record;
    struct guard_span one;
    struct guard_err why = {.text = ""};
    GUARD_TRY(read_head(out, bytes, err));
    struct guard_span rest = out->records;
    for (uint32_t i = 0; i < out->count; i++) {
        enum guard_rc rc = first(rest, &record, features, &one, &why);
        if (rc != GUARD_OK)
            return guard_fail(err, rc, "record %u, byte %zu: %.150s", i + 1,
                              (size_t)(rest.ptr - bytes.ptr), why.text);
        rest.ptr += one.len;
        rest.len -= one.len;
    }
    return rest.len == 0 ? GUARD_OK
                         : guard_fail(err, GUARD_E_SYNTAX, "more than its %u records", out->count);
}

bool pod_batch_next(struct pod_batch *batch, struct guard_pod_record *record,
                    struct guard_pod_feature *features, struct guard_span *bytes)
{
    if (batch->count == 0 || first(batch->records, record, features, bytes, NULL) != GUARD_OK)
        return false;
    batch->count--;
    batch->records.ptr += bytes->len;
    batch->records.len -= bytes->len;
    return true;
}
