/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent of pods is read as it was written, whole or not at all. */
#include "unit/pods/sample.h"

#include "common/pods/record_batch.h"

#include <guard/error.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t bytes[POD_BATCH_BYTES_MAX + 1];
static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];

static struct guard_span make(uint32_t records, uint32_t said)
{
    struct pod_batch head = {
        .secret = "0123456789abcde", .counted = 9, .dropped = 2, .count = said};
    size_t at = POD_BATCH_HEAD;
    pod_batch_write_head(&head, bytes);
    for (uint32_t i = 0; i < records; i++) {
        char pod[32];
        size_t len = 0;
        struct guard_pod_feature feature = sample_connect("db", 5, 5432);
        struct guard_pod_record record = sample_record(pod, i, i + 1, 1700000000000);
        record.features = &feature;
        record.feature_count = 1;
        assert_int_equal(
            guard_pod_record_encode(&record, bytes + at, sizeof(bytes) - at, &len, NULL), GUARD_OK);
        at += len;
    }
    return (struct guard_span){bytes, at};
}

static enum guard_rc read_it(struct guard_span span, struct pod_batch *out)
{
    struct guard_err err = {.text = ""};
    enum guard_rc rc = pod_batch_read(out, features, span, &err);
    assert_true((rc == GUARD_OK) == (err.text[0] == '\0'));
    return rc;
}

static void test_round(void **state)
{
    struct pod_batch batch;
    struct guard_pod_record record;
    struct guard_span one;
    (void)state;
    struct guard_span span = make(3, 3);
    assert_int_equal(read_it(span, &batch), GUARD_OK);
    assert_memory_equal(batch.secret, "0123456789abcde", POD_BATCH_SECRET);
    assert_int_equal(batch.counted, 9);
    assert_int_equal(batch.dropped, 2);
    size_t len = POD_BATCH_HEAD;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(pod_batch_next(&batch, &record, features, &one));
        assert_int_equal(record.origin.sequence, i + 1);
        assert_int_equal(record.feature_count, 1);
        assert_ptr_equal(one.ptr, bytes + len);
        len += one.len;
    }
    assert_int_equal(len, span.len);
    assert_false(pod_batch_next(&batch, &record, features, &one));
}

static void test_whole_or_not(void **state)
{
    struct pod_batch batch;
    (void)state;
    struct guard_span span = make(2, 2);
    for (size_t len = 0; len < span.len; len++)
        assert_int_not_equal(read_it((struct guard_span){bytes, len}, &batch), GUARD_OK);
    for (size_t at = 0; at < span.len; at++) {
        bool free_to_say = at >= 8 && at < 40; /* the secret and the counts */
        bytes[at] ^= 0x80;
        if (!free_to_say)
            assert_int_not_equal(read_it(span, &batch), GUARD_OK);
        bytes[at] ^= 0x80;
    }
    assert_int_equal(read_it(span, &batch), GUARD_OK);
}

static void test_limits(void **state)
{
    struct pod_batch batch;
    (void)state;
    assert_int_equal(read_it(make(2, 1), &batch), GUARD_E_SYNTAX);
    assert_int_equal(read_it(make(1, 2), &batch), GUARD_E_SYNTAX);
    assert_int_equal(read_it(make(0, 0), &batch), GUARD_E_SYNTAX);
    assert_int_equal(read_it(make(0, POD_BATCH_RECORDS_MAX + 1), &batch), GUARD_E_LIMIT);
    (void)make(1, 1);
    assert_int_equal(read_it((struct guard_span){bytes, sizeof(bytes)}, &batch), GUARD_E_LIMIT);
    struct guard_span span = make(1, 1);
    bytes[32] = 10; /* dropped: more than counted */
    assert_int_equal(read_it(span, &batch), GUARD_E_SYNTAX);
    span = make(1, 1);
    bytes[4] = 2;
    assert_int_equal(read_it(span, &batch), GUARD_E_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round),
                                       cmocka_unit_test(test_whole_or_not),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
