/* SPDX-License-Identifier: Apache-2.0 */
/* The laws of merging pod profiles: whatever the order and however often, the same records give the
 * same bytes; and bytes that are read give themselves. */
#include "support/pod_traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void *get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const struct guard_alloc heap = {NULL, get, put};
static struct guard_pod_rules rules;

static struct guard_pods *fresh(void)
{
    struct guard_err err;
    struct guard_pods *pods;
    struct guard_pods_cfg cfg = pod_traffic_cfg(&heap);
    assert_int_equal(guard_pods_new(&pods, &cfg, &err), GUARD_OK);
    return pods;
}

static void observe(struct guard_pods *pods, struct pod_traffic *traffic, uint32_t replica)
{
    struct guard_err err;
    struct guard_pod_verdict verdict;
    struct guard_pod_record record = pod_traffic_next(traffic, replica);
    record.dropped = record.counted;
    assert_int_equal(guard_pods_observe(pods, &rules, &record, &verdict, &err), GUARD_OK);
    if (verdict.count > 0 && test_random_once_in(&traffic->random, 8))
        assert_int_equal(guard_pods_judge(pods, verdict.evidence[0].id,
                                          test_random_once_in(&traffic->random, 2)
                                              ? GUARD_POD_APPROVED
                                              : GUARD_POD_REFUSED,
                                          traffic->now_ms),
                         GUARD_OK);
}

/* Profiles that saw different sensors, over the same things. */
static void make(struct guard_pods *out[3], struct test_random *random)
{
    struct pod_traffic traffic = {.random = {test_random_next(random)},
                                  .now_ms = UINT64_C(1700000000000),
                                  .volumes = !test_random_once_in(random, 4)};
    for (uint32_t i = 0; i < 3; i++)
        out[i] = fresh();
    uint64_t records = test_random_between(random, 10, 120);
    for (uint64_t i = 0; i < records; i++) {
        uint32_t which = (uint32_t)test_random_below(random, 3);
        observe(out[which], &traffic, 3 * (uint32_t)test_random_below(random, 15) + which);
    }
}

static void equal(const struct guard_pods *a, const struct guard_pods *b)
{
    uint8_t *bytes[2];
    size_t lens[2];
    struct guard_err err;
    assert_int_equal(guard_pods_encode(a, &bytes[0], &lens[0], &err), GUARD_OK);
    assert_int_equal(guard_pods_encode(b, &bytes[1], &lens[1], &err), GUARD_OK);
    assert_int_equal(lens[0], lens[1]);
    assert_memory_equal(bytes[0], bytes[1], lens[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static struct guard_pods *copy(const struct guard_pods *pods)
{
    uint8_t *bytes;
    size_t len;
    struct guard_err err;
    struct guard_pods *out;
    struct guard_pods_cfg cfg = pod_traffic_cfg(&heap);
    assert_int_equal(guard_pods_encode(pods, &bytes, &len, &err), GUARD_OK);
    assert_int_equal(guard_pods_decode(&out, &cfg, (struct guard_span){bytes, len}, &err),
                     GUARD_OK);
    free(bytes);
    equal(pods, out);
    return out;
}

static enum guard_merge merge(struct guard_pods *into, const struct guard_pods *other)
{
    struct guard_err err;
    enum guard_merge outcome = GUARD_MERGE_ADDED;
    assert_int_equal(guard_pods_merge(into, other, &outcome, &err), GUARD_OK);
    return outcome;
}

/* How often all things together were seen. */
static uint64_t counts_of(const struct guard_pods *pods)
{
    struct guard_pod_known known;
    uint64_t count = 0;
    for (uint32_t i = 0; guard_pods_known(pods, i, &known); i++)
        count += known.count;
    return count;
}

static void check_laws(struct guard_pods *parts[3])
{
    struct guard_pods_stats stats;
    uint64_t records = 0, incomplete = 0, seen = 0;
    for (uint32_t i = 0; i < 3; i++) {
        guard_pods_stats(parts[i], &rules, &stats);
        records += stats.records;
        incomplete += stats.incomplete;
        seen += counts_of(parts[i]);
    }
    struct guard_pods *left = copy(parts[0]);
    assert_int_equal(merge(left, parts[1]), GUARD_MERGE_ADDED);
    assert_int_equal(merge(left, parts[2]), GUARD_MERGE_ADDED);
    guard_pods_stats(left, &rules, &stats);
    assert_int_equal(stats.records, records);
    assert_int_equal(stats.incomplete, incomplete);
    assert_int_equal(counts_of(left), seen);
    struct guard_pods *right = copy(parts[2]);
    assert_int_equal(merge(right, parts[1]), GUARD_MERGE_ADDED);
    struct guard_pods *whole = copy(parts[0]);
    assert_int_equal(merge(whole, right), GUARD_MERGE_ADDED);
    equal(left, whole);
    /* Again, a part, and from the part's side. */
    assert_int_equal(merge(left, whole), GUARD_MERGE_CONTAINED);
    assert_int_equal(merge(left, parts[1]), GUARD_MERGE_CONTAINED);
    equal(left, whole);
    assert_int_equal(merge(right, whole), GUARD_MERGE_REPLACED);
    equal(right, whole);
    guard_pods_free(left);
    guard_pods_free(right);
    guard_pods_free(whole);
}

static void test_merging_has_no_order(void **state)
{
    (void)state;
    struct test_random random = test_random_start("merging pods");
    for (uint32_t round = 0; round < 200; round++) {
        struct guard_pods *parts[3];
        make(parts, &random);
        struct guard_pods_stats stats;
        uint64_t least = UINT64_MAX;
        for (uint32_t i = 0; i < 3; i++) {
            guard_pods_stats(parts[i], &rules, &stats);
            least =
                stats.records + stats.incomplete < least ? stats.records + stats.incomplete : least;
        }
        if (least > 0)
            check_laws(parts);
        for (uint32_t i = 0; i < 3; i++)
            guard_pods_free(parts[i]);
    }
}

/* Going on where the other stopped: both hold what one of them holds alone. */
static void test_overlaps_are_refused(void **state)
{
    (void)state;
    struct guard_err err;
    struct pod_traffic traffic = {.random = {1}, .now_ms = UINT64_C(1700000000000)};
    struct guard_pods *one = fresh();
    observe(one, &traffic, 1);
    struct guard_pods *two = copy(one);
    observe(one, &traffic, 2);
    observe(two, &traffic, 3);
    struct guard_pods *before = copy(one);
    assert_int_equal(guard_pods_merge(one, two, NULL, &err), GUARD_E_OVERLAP);
    equal(one, before);
    guard_pods_free(one);
    guard_pods_free(two);
    guard_pods_free(before);
}

static void lie(struct guard_pod_feature *feature, struct test_random *random)
{
    static const uint8_t liar[16] = {198, 51, 100, 6};
    static const char *const names[] = {"api.example", "db.example", "evil.example"};
    if (feature->kind != GUARD_POD_DESTINATION)
        return;
    feature->text = pod_traffic_span(names[test_random_below(random, 3)]);
    feature->detail = (struct guard_span){liar, test_random_once_in(random, 2) ? 4 : 16};
    feature->flags |= GUARD_POD_ANSWERED;
}

static void drop_names(struct guard_pod_record *record, bool lying, struct test_random *random)
{
    struct guard_pod_feature *features = (struct guard_pod_feature *)(uintptr_t)record->features;
    for (uint32_t i = 0; i < record->feature_count; i++) {
        if (features[i].kind == GUARD_POD_DESTINATION)
            features[i].text = (struct guard_span){NULL, 0};
        if (lying)
            lie(&features[i], random);
    }
}

/* Honest replicas call what they connect to by names that their resolver tells. */
static void learn_names(struct guard_pods *pods, struct pod_traffic *traffic)
{
    static const uint8_t resolver[4] = {10, 96, 0, 10};
    struct guard_err err;
    struct guard_pod_verdict verdict;
    for (uint32_t i = 0; i < 30; i++) {
        struct guard_pod_record record = pod_traffic_next(traffic, i % 5);
        struct guard_pod_feature features[3] = {
            {.kind = GUARD_POD_DESTINATION, .address_len = 4, .port = 53, .transport = 17},
            {.kind = GUARD_POD_DESTINATION, .address_len = 4, .transport = 6},
            {.kind = GUARD_POD_DESTINATION, .address_len = 4, .transport = 6}};
        memcpy(features[0].address, resolver, sizeof(resolver));
        for (uint32_t j = 0; j < 3; j++) {
            features[j].count = 1;
            features[j].first_ms = traffic->now_ms;
            if (j == 0)
                continue;
            features[j].port = (uint16_t)test_random_between(&traffic->random, 80, 83);
            features[j].address[0] = (uint8_t)test_random_below(&traffic->random, 256);
            features[j].text = pod_traffic_span(j == 1 ? "api.example" : "db.example");
            features[j].flags = GUARD_POD_ANSWERED;
            features[j].detail = (struct guard_span){resolver, sizeof(resolver)};
        }
        record.features = features;
        record.feature_count = 3;
        assert_int_equal(guard_pods_observe(pods, &rules, &record, &verdict, &err), GUARD_OK);
    }
}

/* Whatever a replica's own resolver says, it is judged as if nobody had said anything. */
static void test_made_up_names_change_nothing(void **state)
{
    (void)state;
    struct guard_err err;
    struct guard_pod_verdict plain, lied;
    struct test_random random = test_random_start("made-up names");
    for (uint32_t round = 0; round < 100; round++) {
        struct pod_traffic traffic = {.random = {test_random_next(&random)},
                                      .now_ms = UINT64_C(1700000000000)};
        struct guard_pods *honest = fresh();
        learn_names(honest, &traffic);
        struct guard_pods *other = copy(honest);
        for (uint32_t i = 0; i < 20; i++) {
            struct guard_pod_record record =
                pod_traffic_next(&traffic, (uint32_t)test_random_below(&random, 6));
            drop_names(&record, false, &random);
            assert_int_equal(guard_pods_observe(honest, &rules, &record, &plain, &err), GUARD_OK);
            drop_names(&record, true, &random);
            assert_int_equal(guard_pods_observe(other, &rules, &record, &lied, &err), GUARD_OK);
            assert_int_equal(plain.decision, lied.decision);
            assert_int_equal(plain.count, lied.count);
            for (uint32_t j = 0; j < plain.count; j++)
                assert_int_equal(plain.evidence[j].id, lied.evidence[j].id);
        }
        guard_pods_free(honest);
        guard_pods_free(other);
    }
}

/* A full profile takes no more things, and merging refuses as a whole. */
static void test_bounds_hold(void **state)
{
    (void)state;
    struct guard_err err;
    struct guard_pods_stats stats;
    struct pod_traffic traffic = {.random = {1}, .now_ms = UINT64_C(1700000000000)};
    struct guard_pods_cfg cfg = pod_traffic_cfg(&heap);
    struct guard_pods *small;
    cfg.known_max = 40;
    assert_int_equal(guard_pods_new(&small, &cfg, &err), GUARD_OK);
    struct guard_pods *large = fresh();
    for (uint32_t i = 0; i < 200; i++) {
        observe(small, &traffic, 3 * (i % 5));
        observe(large, &traffic, 3 * (i % 5) + 1);
    }
    guard_pods_stats(small, &rules, &stats);
    assert_int_equal(stats.known, 40);
    assert_true(stats.refused > 0);
    assert_int_equal(guard_pods_merge(small, large, NULL, &err), GUARD_E_LIMIT);
    guard_pods_forget(small, traffic.now_ms + 1);
    guard_pods_stats(small, &rules, &stats);
    assert_int_equal(stats.known + stats.replicas, 0);
    guard_pods_free(small);
    guard_pods_free(large);
}

/* Whatever is changed, with the right digest, is refused or read without harm. */
static void test_hostile_bytes(void **state)
{
    (void)state;
    struct test_random random = test_random_start("hostile pods");
    struct guard_pods *parts[3];
    make(parts, &random);
    uint8_t *bytes;
    size_t len;
    struct guard_err err;
    struct guard_pods *out;
    struct guard_pods_cfg cfg = pod_traffic_cfg(&heap);
    assert_int_equal(guard_pods_encode(parts[0], &bytes, &len, &err), GUARD_OK);
    for (uint32_t round = 0; round < 4000; round++) {
        size_t at = test_random_below(&random, len);
        uint8_t was = bytes[at];
        bytes[at] ^= (uint8_t)test_random_between(&random, 1, 255);
        assert_int_not_equal(guard_pods_decode(&out, &cfg, (struct guard_span){bytes, len}, &err),
                             GUARD_OK);
        bytes[at] = was;
    }
    free(bytes);
    for (uint32_t i = 0; i < 3; i++)
        guard_pods_free(parts[i]);
}

int main(void)
{
    guard_pod_rules_default(&rules);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merging_has_no_order),
        cmocka_unit_test(test_overlaps_are_refused),
        cmocka_unit_test(test_made_up_names_change_nothing),
        cmocka_unit_test(test_bounds_hold),
        cmocka_unit_test(test_hostile_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
