/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of pod records: hostile bytes never harm, and what was read is written again as the same
 * bytes. Whatever has the head of a record is read once more with a checksum that is right, so that
 * members are reached. */
#include <guard/crypto.h>
#include <guard/pod.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TRAILER = 8, MAGIC = 0x52504c47 };

static void check(bool good)
{
    if (!good)
        abort();
}

static void read_one(struct guard_span bytes)
{
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    static uint8_t again[GUARD_POD_RECORD_MAX];
    struct guard_pod_record record;
    struct guard_err err;
    char line[300];
    size_t len = 0;
    if (guard_pod_record_decode(&record, features, bytes, &err) != GUARD_OK)
        return;
    check(guard_pod_record_encode(&record, again, sizeof(again), &len, &err) == GUARD_OK);
    check(len == bytes.len && memcmp(again, bytes.ptr, len) == 0);
    for (uint32_t i = 0; i < record.feature_count; i++)
        check(guard_pod_feature_text(&features[i], line, sizeof(line)) < sizeof(line));
}

static void read_stream(struct guard_span bytes)
{
    struct guard_err err;
    size_t len;
    while (bytes.len >= GUARD_POD_HEAD_BYTES &&
           guard_pod_record_size(bytes, &len, &err) == GUARD_OK && len <= bytes.len) {
        read_one((struct guard_span){bytes.ptr, len});
        bytes = (struct guard_span){bytes.ptr + len, bytes.len - len};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_err err;
    size_t len;
    read_stream((struct guard_span){data, size});
    if (size < GUARD_POD_HEAD_BYTES || size > GUARD_POD_RECORD_MAX ||
        guard_pod_record_size((struct guard_span){data, size}, &len, &err) != GUARD_OK ||
        len != size)
        return 0;
    uint8_t *copy = malloc(size);
    check(copy != NULL);
    memcpy(copy, data, size);
    uint64_t sum = guard_checksum(MAGIC, (struct guard_span){copy, size - TRAILER});
    for (size_t i = 0; i < TRAILER; i++)
        copy[size - TRAILER + i] = (uint8_t)(sum >> (8 * i));
    read_one((struct guard_span){copy, size});
    free(copy);
    return 0;
}
