/* SPDX-License-Identifier: Apache-2.0 */
/* What a sensor wrote is what is read; no other bytes are a record, and no sum that doesn't hold.
 */
#include "unit/pods/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t bytes[GUARD_POD_RECORD_MAX];
static uint8_t again[GUARD_POD_RECORD_MAX];
static struct guard_pod_feature room[GUARD_POD_FEATURES_MAX];

static struct guard_span encode(const struct guard_pod_record *record)
{
    struct guard_err err;
    size_t len = 0;
    assert_int_equal(guard_pod_record_encode(record, bytes, sizeof(bytes), &len, &err), GUARD_OK);
    return (struct guard_span){bytes, len};
}

static void test_reads_what_was_written(void **state)
{
    (void)state;
    char pod[32];
    struct guard_err err;
    struct guard_pod_record out;
    size_t len = 0;
    struct guard_pod_feature features[3] = {
        sample_connect("db.example", 9, 5432),
        sample_feature(GUARD_POD_EXEC, "/bin/sh\x1b[2J", "/app/server"),
        {.kind = GUARD_POD_LISTEN, .port = 8080, .transport = 6, .count = 3},
    };
    features[1].request = sample_span("5f3a");
    struct guard_pod_record record = sample_record(pod, 1, 7, 1700000000000);
    record.features = features;
    record.feature_count = 3;
    record.blind = 1u << GUARD_POD_DNS;
    record.rates_known = 1u << GUARD_POD_BYTES_OUT | 1u << GUARD_POD_REQUESTS;
    record.rates[GUARD_POD_BYTES_OUT] = 123456789;
    record.rates[GUARD_POD_REQUESTS] = 17;
    struct guard_span encoded = encode(&record);
    assert_int_equal(guard_pod_record_size(encoded, &len, &err), GUARD_OK);
    assert_int_equal(len, encoded.len);
    assert_int_equal(guard_pod_record_decode(&out, room, encoded, &err), GUARD_OK);
    assert_int_equal(out.feature_count, 3);
    assert_int_equal(out.origin.sequence, 7);
    assert_int_equal(out.rates[GUARD_POD_BYTES_OUT], 123456789);
    assert_memory_equal(out.features[1].text.ptr, "/bin/sh\x1b[2J", 11);
    assert_memory_equal(out.features[1].request.ptr, "5f3a", 4);
    assert_int_equal(out.features[0].address[3], 9);
    assert_int_equal(guard_pod_record_encode(&out, again, sizeof(again), &len, &err), GUARD_OK);
    assert_int_equal(len, encoded.len);
    assert_memory_equal(again, bytes, len);
}

/* Bytes of destinations and of calls want a version that older readers refuse by its number. */
static void test_volumes_have_a_version(void **state)
{
    (void)state;
    enum { VERSION_AT = 4 };
    char pod[32];
    struct guard_err err;
    struct guard_pod_record out;
    struct guard_pod_feature features[2] = {sample_connect("db.example", 9, 5432),
                                            sample_feature(GUARD_POD_EXEC, "/bin/sh", "")};
    struct guard_pod_record record = sample_record(pod, 1, 7, 1700000000000);
    record.features = features;
    record.feature_count = 2;
    record.id.uid = sample_span("0b5c");
    assert_int_equal(encode(&record).ptr[VERSION_AT], 1);
    features[0].bytes_out = UINT64_MAX;
    features[0].bytes_in = 5;
    record.rates_known = 1u << GUARD_POD_CALLS_OUT;
    record.rates[GUARD_POD_CALLS_OUT] = 99;
    struct guard_span encoded = encode(&record);
    assert_int_equal(encoded.ptr[VERSION_AT], 3);
    assert_int_equal(guard_pod_record_decode(&out, room, encoded, &err), GUARD_OK);
    assert_true(out.features[0].bytes_out == UINT64_MAX && out.features[0].bytes_in == 5);
    assert_int_equal(out.features[1].bytes_out, 0);
    assert_int_equal(out.rates[GUARD_POD_CALLS_OUT], 99);
    assert_memory_equal(out.id.uid.ptr, "0b5c", 4);
    features[1].bytes_in = 1;
    size_t len;
    assert_int_equal(guard_pod_record_encode(&record, bytes, sizeof(bytes), &len, &err),
                     GUARD_E_RANGE);
    assert_non_null(strstr(err.text, "feature 1: bytes of what is no destination"));
}

static void test_the_largest_record_fits(void **state)
{
    (void)state;
    char pod[32];
    static char text[GUARD_POD_TEXT_MAX];
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_err err;
    struct guard_pod_record out;
    memset(text, 'x', sizeof(text));
    struct guard_pod_record record = sample_record(pod, 1, UINT64_MAX, 1700000000000);
    for (size_t i = 0; i < GUARD_POD_FEATURES_MAX; i++) {
        features[i] =
            (struct guard_pod_feature){.kind = GUARD_POD_EXEC,
                                       .text = {(const uint8_t *)text, sizeof(text)},
                                       .detail = {(const uint8_t *)text, sizeof(text)},
                                       .request = {(const uint8_t *)text, GUARD_POD_REQUEST_MAX},
                                       .address_len = 16,
                                       .user = UINT32_MAX,
                                       .count = UINT64_MAX,
                                       .first_ms = 1700000000000};
    }
    record.features = features;
    record.feature_count = GUARD_POD_FEATURES_MAX;
    assert_int_equal(guard_pod_record_decode(&out, room, encode(&record), &err), GUARD_OK);
    record.feature_count = GUARD_POD_FEATURES_MAX + 1;
    size_t len;
    assert_int_equal(guard_pod_record_encode(&record, bytes, sizeof(bytes), &len, &err),
                     GUARD_E_RANGE);
}

/* Every bit counts: a record that was changed is none. */
static void test_refuses_other_bytes(void **state)
{
    (void)state;
    char pod[32];
    struct guard_err err;
    struct guard_pod_record out;
    struct guard_pod_feature feature = sample_connect("db.example", 9, 5432);
    struct guard_pod_record record = sample_record(pod, 1, 7, 1700000000000);
    record.features = &feature;
    record.feature_count = 1;
    struct guard_span encoded = encode(&record);
    for (size_t i = 0; i < encoded.len * 8; i++) {
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(guard_pod_record_decode(&out, room, encoded, &err), GUARD_OK);
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < encoded.len; len++)
        assert_int_not_equal(
            guard_pod_record_decode(&out, room, (struct guard_span){bytes, len}, &err), GUARD_OK);
}

static void refused(const struct guard_pod_record *record, const char *why)
{
    struct guard_err err;
    size_t len;
    assert_int_equal(guard_pod_record_encode(record, bytes, sizeof(bytes), &len, &err),
                     GUARD_E_RANGE);
    if (strstr(err.text, why) == NULL)
        fail_msg("\"%s\" doesn't say \"%s\"", err.text, why);
}

static void test_names_what_is_wrong(void **state)
{
    (void)state;
    char pod[32];
    struct guard_pod_feature feature = sample_connect("", 9, 5432);
    struct guard_pod_record good = sample_record(pod, 1, 7, 1700000000000);
    struct guard_pod_record record = good;
    record.dropped = 1;
    refused(&record, "counted 6 isn't received 2 + deduplicated 4 + dropped 1");
    record = good;
    record.received = UINT64_MAX;
    refused(&record, "counted");
    record = good;
    record.id.pod = sample_span("../../etc");
    refused(&record, "pod has byte 0x2f");
    record.id.pod = sample_span("..");
    refused(&record, "pod is a name of a folder");
    record.id.pod = sample_span("");
    refused(&record, "pod is missing");
    record = good;
    record.origin.sequence = 0;
    refused(&record, "sequences start at 1");
    record = good;
    record.from_ms = record.until_ms + 1;
    refused(&record, "interval");
    record = good;
    record.rates[0] = 1;
    refused(&record, "bytes out is given but not known");
    record = good;
    record.features = &feature;
    record.feature_count = 1;
    record.blind = 1u << GUARD_POD_DESTINATION;
    refused(&record, "feature 0: the sensor says that it can't see destination");
    record.blind = 0;
    feature.count = 0;
    refused(&record, "feature 0: seen no time");
    feature = sample_feature(GUARD_POD_EXEC, "", "");
    refused(&record, "feature 0: exec without a text");
    feature = sample_feature(GUARD_POD_KINDS, "x", "");
    refused(&record, "feature 0: there is no kind 13");
}

static void test_a_small_buffer_is_said(void **state)
{
    (void)state;
    char pod[32];
    struct guard_err err;
    size_t len;
    struct guard_pod_record record = sample_record(pod, 1, 7, 1700000000000);
    size_t whole = encode(&record).len;
    for (size_t size = 0; size < whole; size++)
        assert_int_equal(guard_pod_record_encode(&record, again, size, &len, &err), GUARD_E_LIMIT);
    assert_int_equal(guard_pod_record_encode(&record, again, whole, &len, &err), GUARD_OK);
}

static void test_the_uid_is_read_where_there_is_one(void **state)
{
    (void)state;
    char pod[32];
    char uid[GUARD_POD_UID_MAX + 2];
    struct guard_err err;
    struct guard_pod_record out;
    size_t len = 0;
    struct guard_pod_record record = sample_record(pod, 1, 7, 1700000000000);
    size_t without = encode(&record).len;
    assert_int_equal(guard_pod_record_decode(&out, room, encode(&record), &err), GUARD_OK);
    assert_int_equal(out.id.uid.len, 0);
    record.id.uid = sample_span("0b1c7d8e-5f1c");
    assert_int_equal(encode(&record).len, without + 1 + record.id.uid.len);
    assert_int_equal(guard_pod_record_decode(&out, room, encode(&record), &err), GUARD_OK);
    assert_int_equal(out.id.uid.len, record.id.uid.len);
    assert_memory_equal(out.id.uid.ptr, "0b1c7d8e-5f1c", out.id.uid.len);
    memset(uid, 'u', sizeof(uid));
    uid[sizeof(uid) - 1] = '\0';
    record.id.uid = sample_span(uid);
    assert_int_equal(guard_pod_record_encode(&record, again, sizeof(again), &len, &err),
                     GUARD_E_RANGE);
    assert_non_null(strstr(err.text, "uid"));
    record.id.uid = sample_span("../1");
    assert_int_equal(guard_pod_record_encode(&record, again, sizeof(again), &len, &err),
                     GUARD_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_was_written),
        cmocka_unit_test(test_volumes_have_a_version),
        cmocka_unit_test(test_the_uid_is_read_where_there_is_one),
        cmocka_unit_test(test_the_largest_record_fits),
        cmocka_unit_test(test_refuses_other_bytes),
        cmocka_unit_test(test_names_what_is_wrong),
        cmocka_unit_test(test_a_small_buffer_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
