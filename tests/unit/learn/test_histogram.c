/* SPDX-License-Identifier: Apache-2.0 */
/* What histograms say of traffic that is known exactly: nothing lost, nothing made up, and no
 * number further off than they promise. */
#include "unit/learn/tree.h"

#include "learn/histogram.h"
#include "support/random.h"

#include <inttypes.h>

static const uint8_t QUERY = GUARD_LOCATION_QUERY;

static void value_of(struct tree *tree, uint32_t record, uint32_t client, uint32_t len)
{
    char value[4096];
    assert_true(len < sizeof(value));
    memset(value, 'a', len);
    value[len] = '\0';
    struct gd_cell *users = tree_request(tree, record % 4, client, "GET", "users");
    (void)tree_value(tree, users, QUERY, "username", value);
}

static const struct guard_histogram *number_of(const struct guard_model *model,
                                               enum guard_number number)
{
    const struct guard_model_field *field =
        tree_field(model, tree_endpoint(model, "GET", "/users"), "username");
    assert_non_null(field);
    return &field->numbers[number];
}

static void assert_buckets(const struct guard_histogram *histogram, const char *golden)
{
    char text[1024];
    size_t len = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < histogram->count; i++) {
        const struct guard_bucket *bucket = &histogram->buckets[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "%" PRIu32 "..%" PRIu32 ":%" PRIu64 "/%" PRIu32 " ", bucket->lower,
                                bucket->upper, bucket->exchanges, bucket->clients);
        assert_true(len < sizeof(text));
    }
    assert_string_equal(text, golden);
}

/* Lengths by client: 3 of ten clients, 17 of four, 200 of one. */
static void test_buckets_of_known_lengths(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 60; i++)
        value_of(&tree, i, 1 + i % 10, 3);
    for (uint32_t i = 0; i < 8; i++)
        value_of(&tree, i, 1 + i % 4, 17);
    value_of(&tree, 0, 7, 200);
    struct guard_model *model = tree_learn(&tree);
    const struct guard_histogram *length = number_of(model, GUARD_NUMBER_LENGTH);
    assert_buckets(length, "3..3:60/8 16..19:8/4 192..223:1/1 ");
    assert_int_equal(guard_histogram_exchanges(length), 69);
    assert_int_equal(length->without, 0);
    assert_true(length->limited[GUARD_END_UPPER] && !length->limited[GUARD_END_LOWER]);
    assert_int_equal(length->limits[GUARD_END_UPPER], 19);
    assert_int_equal(guard_histogram_beyond(length, GUARD_END_UPPER, 19), 1);
    assert_int_equal(guard_histogram_beyond(length, GUARD_END_LOWER, 16), 60);
    assert_int_equal(guard_histogram_quantile(length, 500), 3);
    assert_int_equal(guard_histogram_quantile(length, 950), 19);
    assert_int_equal(guard_histogram_quantile(length, 1000), 223);
    /* The same lengths are said once; the limit at the other end stays. */
    assert_int_equal(number_of(model, GUARD_NUMBER_SHORTEST)->count, 0);
    assert_true(number_of(model, GUARD_NUMBER_SHORTEST)->limited[GUARD_END_LOWER]);
    assert_int_equal(number_of(model, GUARD_NUMBER_SHORTEST)->limits[GUARD_END_LOWER], 3);
    assert_buckets(number_of(model, GUARD_NUMBER_DIGITS), "0..0:69/8 ");
    assert_int_equal(number_of(model, GUARD_NUMBER_ITEMS)->count, 0);
    assert_int_equal(number_of(model, GUARD_NUMBER_ITEMS)->without, 69);
    guard_model_free(model);
    tree_fini(&tree);
}

/* An exchange with two values has a longest and a shortest. */
static void test_shortest_stands_alone_where_it_differs(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 60; i++) {
        struct gd_cell *users = tree_request(&tree, i % 4, 1 + i % 10, "GET", "users");
        struct gd_cell *name = tree_named(&tree, users, GD_KIND_NAME, QUERY, "username");
        (void)tree_see(&tree, name, GD_KIND_LENGTH, 0, gd_bucket(9), NULL);
        (void)tree_see(&tree, name, GD_KIND_LENGTH_MIN, 0, gd_bucket(2), NULL);
    }
    struct guard_model *model = tree_learn(&tree);
    const struct guard_histogram *length = number_of(model, GUARD_NUMBER_LENGTH);
    const struct guard_histogram *shortest = number_of(model, GUARD_NUMBER_SHORTEST);
    assert_buckets(length, "9..9:60/8 ");
    assert_buckets(shortest, "2..2:60/8 ");
    assert_true(length->limited[GUARD_END_UPPER] && !length->limited[GUARD_END_LOWER]);
    assert_true(!shortest->limited[GUARD_END_UPPER] && shortest->limited[GUARD_END_LOWER]);
    assert_int_equal(shortest->limits[GUARD_END_LOWER], 2);
    guard_model_free(model);
    tree_fini(&tree);
}

/* Without support there is no limit, whatever was seen. */
static void test_one_client_sets_no_limit(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 40; i++) {
        struct gd_cell *users = tree_request(&tree, i % 4, 1 + i % 10, "GET", "users");
        struct gd_cell *name = tree_named(&tree, users, GD_KIND_NAME, QUERY, "username");
        if (i % 10 == 0)
            (void)tree_see(&tree, name, GD_KIND_LENGTH, 0, gd_bucket(90), NULL);
    }
    struct guard_model *model = tree_learn(&tree);
    const struct guard_histogram *length = number_of(model, GUARD_NUMBER_LENGTH);
    assert_buckets(length, "80..95:4/1 ");
    assert_false(length->limited[GUARD_END_UPPER]);
    assert_int_equal(length->without, 36);
    guard_model_free(model);
    tree_fini(&tree);
}

static const struct guard_histogram *endpoint_number(const struct guard_model *model,
                                                     enum guard_number number)
{
    const struct guard_model_endpoint *endpoint = tree_endpoint(model, "POST", "/orders");
    assert_non_null(endpoint);
    return &endpoint->numbers[number - GUARD_FIELD_NUMBERS];
}

static void test_bodies_depths_and_times_of_an_endpoint(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 80; i++) {
        struct gd_cell *orders = tree_request(&tree, i % 4, 1 + i % 10, "POST", "orders");
        (void)tree_see(&tree, orders, GD_KIND_LATENCY, 0, gd_bucket(i % 2 == 0 ? 12 : 900), NULL);
        if (i % 4 == 0)
            continue; /* without a body */
        (void)tree_see(&tree, orders, GD_KIND_SIZE, 0, gd_bucket(100), NULL);
        (void)tree_see(&tree, orders, GD_KIND_DEPTH, 0, 40, NULL);
    }
    struct guard_model *model = tree_learn(&tree);
    const struct guard_histogram *body = endpoint_number(model, GUARD_NUMBER_BODY);
    assert_buckets(body, "96..111:60/8 ");
    assert_int_equal(body->without, 20);
    assert_int_equal(body->limits[GUARD_END_UPPER], 111);
    const struct guard_histogram *depth = endpoint_number(model, GUARD_NUMBER_DEPTH);
    assert_buckets(depth, "40..40:60/8 "); /* no bucket: levels are exact */
    assert_int_equal(depth->limits[GUARD_END_UPPER], 40);
    const struct guard_histogram *time = endpoint_number(model, GUARD_NUMBER_TIME);
    assert_buckets(time, "12..12:40/5 896..1023:40/5 ");
    assert_true(time->limited[GUARD_END_UPPER]);
    assert_int_equal(time->limits[GUARD_END_UPPER], GUARD_LATE_FACTOR * 1023);
    guard_model_free(model);
    tree_fini(&tree);
}

static int order_lengths(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Random traffic, exactly known: each exchange is in one bucket that holds its length, and each
 * quantile is at least the true one and at most 25 % more. */
static void test_any_traffic_is_told_within_the_error(void **state)
{
    (void)state;
    enum { RECORDS = 400 };
    struct test_random random = test_random_start("histogram");
    for (uint32_t round = 0; round < 20; round++) {
        uint32_t lengths[RECORDS];
        struct tree tree;
        tree_init(&tree);
        for (uint32_t i = 0; i < RECORDS; i++) {
            lengths[i] = (uint32_t)test_random_below(
                &random, UINT64_C(1) << test_random_between(&random, 1, 11));
            value_of(&tree, i, 1 + i % 20, lengths[i]);
        }
        qsort(lengths, RECORDS, sizeof(lengths[0]), order_lengths);
        struct guard_model *model = tree_learn(&tree);
        const struct guard_histogram *length = number_of(model, GUARD_NUMBER_LENGTH);
        assert_int_equal(guard_histogram_exchanges(length), RECORDS);
        for (uint32_t i = 0, at = 0; i < length->count; i++) {
            for (uint64_t n = 0; n < length->buckets[i].exchanges; n++, at++)
                assert_in_range(lengths[at], length->buckets[i].lower, length->buckets[i].upper);
        }
        for (uint32_t per_mille = 5; per_mille <= 1000; per_mille += 5) {
            uint32_t exact = lengths[(RECORDS * per_mille + 999) / 1000 - 1];
            uint32_t told = guard_histogram_quantile(length, per_mille);
            assert_true(told >= exact);
            assert_true((uint64_t)(told - exact) * 100 <=
                        (uint64_t)exact * GUARD_BUCKET_ERROR_PERCENT);
        }
        guard_model_free(model);
        tree_fini(&tree);
    }
}

/* A hostile pile may claim any counts. */
static void test_counts_that_overflow_stay_at_the_most(void **state)
{
    (void)state;
    struct guard_bucket buckets[] = {{1, 1, UINT64_MAX, 8}, {2, 2, 5, 1}, {3, 3, UINT64_MAX, 1}};
    const struct guard_histogram all = {.buckets = buckets, .count = 3};
    const struct guard_histogram none = {.count = 0};
    assert_true(guard_histogram_exchanges(&all) == UINT64_MAX);
    assert_true(guard_histogram_beyond(&all, GUARD_END_UPPER, 0) == UINT64_MAX);
    assert_int_equal(guard_histogram_beyond(&all, GUARD_END_UPPER, 3), 0);
    assert_int_equal(guard_histogram_quantile(&all, 500), 1);
    assert_int_equal(guard_histogram_quantile(&all, 5000), 1);
    assert_int_equal(guard_histogram_quantile(&none, 500), 0);
    assert_int_equal(guard_histogram_exchanges(&none), 0);
}

static void test_names_and_units(void **state)
{
    (void)state;
    for (int i = 0; i < GUARD_NUMBER_COUNT; i++) {
        assert_string_not_equal(guard_number_name((enum guard_number)i), "?");
        assert_string_not_equal(guard_number_unit((enum guard_number)i), "?");
    }
    assert_string_equal(guard_number_name(GUARD_NUMBER_COUNT), "?");
    assert_string_equal(guard_number_unit(GUARD_NUMBER_TIME), "milliseconds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_of_known_lengths),
        cmocka_unit_test(test_shortest_stands_alone_where_it_differs),
        cmocka_unit_test(test_one_client_sets_no_limit),
        cmocka_unit_test(test_bodies_depths_and_times_of_an_endpoint),
        cmocka_unit_test(test_any_traffic_is_told_within_the_error),
        cmocka_unit_test(test_counts_that_overflow_stay_at_the_most),
        cmocka_unit_test(test_names_and_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
