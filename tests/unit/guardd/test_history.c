/* SPDX-License-Identifier: Apache-2.0 */
/* Bins of counts by time: in order and bounded; their bytes, and whatever else could stand there.
 */
#include "guardd/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct guard_record_head exchange(uint64_t time_ms, enum guard_decision decision)
{
    struct guard_record_head head;
    memset(&head, 0, sizeof(head));
    head.time_ms = time_ms;
    head.status = 200;
    head.latency_us = 5000;
    head.decision = decision;
    return head;
}

static void observe(struct history *history, uint64_t time_ms, uint64_t now_ms)
{
    struct guard_record_head head = exchange(time_ms, GUARD_PASS);
    history_observe(history, &head, now_ms);
}

static void test_exchanges_are_counted_in_their_minute(void **state)
{
    const uint64_t now = UINT64_C(1700000000000);
    struct history history = {.number = 0};
    (void)state;
    observe(&history, now, now);
    observe(&history, now - 1000, now);
    observe(&history, now - 180000, now);
    observe(&history, now - 60000, now);
    observe(&history, now + 999999, now);   /* of a time to come: now */
    observe(&history, now - 86400000, now); /* a day old: likewise */
    observe(&history, 0, now);
    assert_int_equal(history.pending.count, 3);
    assert_int_equal(history.pending.list[0].at_s, 1699999800);
    assert_int_equal(history.pending.list[1].at_s, 1699999920);
    assert_int_equal(history.pending.list[2].at_s, 1699999980);
    assert_int_equal(traffic_exchanges(&history.pending.list[2].counts), 5);
    assert_int_equal(history.pending.list[2].counts.within[2], 5);
    history_free(&history);
    assert_int_equal(history.pending.count, 0);
}

static void test_bins_are_bounded_and_lose_no_count(void **state)
{
    const uint64_t now = UINT64_C(1700000000000);
    struct history history = {.number = 0};
    struct history_bins all = {.count = 0};
    uint64_t sum = 0;
    (void)state;
    for (uint64_t i = 0; i < 2 * HISTORY_BINS_MAX; i++) {
        struct history_bin *bin = history_bin_of(&history.pending, i * HISTORY_MINUTE_S);
        assert_non_null(bin);
        bin->counts.verdicts[0]++;
    }
    assert_int_equal(history.pending.count, HISTORY_BINS_MAX);
    observe(&history, now, now);
    history_join(&all, &history.pending);
    assert_int_equal(history.pending.count, 0);
    for (uint32_t i = 0; i < all.count; i++)
        sum += traffic_exchanges(&all.list[i].counts);
    assert_int_equal(sum, 2 * HISTORY_BINS_MAX + 1);
    free(all.list);
    history_free(&history);
}

static void test_bytes_give_the_same_counts_and_add_up(void **state)
{
    uint8_t bytes[HISTORY_COUNTS_MAX];
    uint64_t numbers[HISTORY_NUMBERS];
    uint64_t read[HISTORY_NUMBERS];
    struct traffic counts;
    struct traffic sum;
    (void)state;
    for (int i = 0; i < HISTORY_NUMBERS; i++)
        numbers[i] = i % 3 == 0 ? UINT64_MAX >> 2 * i : (uint64_t)i * 127;
    history_from_numbers(&counts, numbers);
    size_t len = history_encode(&counts, bytes);
    assert_true(len <= sizeof(bytes));
    memset(&sum, 0, sizeof(sum));
    assert_true(history_decode(&sum, (struct guard_span){bytes, len}));
    history_numbers(&sum, read);
    assert_memory_equal(read, numbers, sizeof(read));
    assert_true(history_decode(&sum, (struct guard_span){bytes, len}));
    history_numbers(&sum, read);
    assert_int_equal(read[1], 2 * 127);
    assert_true(read[0] == UINT64_MAX); /* not beyond it */
}

static void test_other_bytes_change_nothing(void **state)
{
    static const struct traffic none;
    uint8_t bytes[HISTORY_COUNTS_MAX + 1];
    struct traffic counts;
    struct traffic sum;
    (void)state;
    memset(&counts, 0, sizeof(counts));
    memset(&sum, 0, sizeof(sum));
    counts.time_us = UINT64_MAX;
    counts.verdicts[0] = 300;
    size_t len = history_encode(&counts, bytes);
    for (size_t cut = 0; cut < len; cut++)
        assert_false(history_decode(&sum, (struct guard_span){bytes, cut}));
    bytes[len] = 0;
    assert_false(history_decode(&sum, (struct guard_span){bytes, len + 1}));
    bytes[0] = 2; /* another version */
    assert_false(history_decode(&sum, (struct guard_span){bytes, len}));
    bytes[0] = 1;
    bytes[len - 1] = 2; /* beyond 64 bits */
    assert_false(history_decode(&sum, (struct guard_span){bytes, len}));
    memset(bytes + 1, 0xff, sizeof(bytes) - 1);
    assert_false(history_decode(&sum, (struct guard_span){bytes, sizeof(bytes)}));
    assert_memory_equal(&sum, &none, sizeof(sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges_are_counted_in_their_minute),
        cmocka_unit_test(test_bins_are_bounded_and_lose_no_count),
        cmocka_unit_test(test_bytes_give_the_same_counts_and_add_up),
        cmocka_unit_test(test_other_bytes_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
