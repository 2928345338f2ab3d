/* SPDX-License-Identifier: Apache-2.0 */
/* Several cells read as one: nothing counted twice, nothing lost; and when what they support is
 * trusted. */
#include "unit/learn/tree.h"

#include "learn/trust.h"

static struct guard_arena arena_of_test(void)
{
    struct guard_arena arena;
    struct guard_alloc alloc = {NULL, tree_alloc, tree_release};
    guard_arena_init(&arena, &alloc, (size_t)64 << 20);
    return arena;
}

static void test_children_of_several_cells_unite(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    struct guard_arena arena = arena_of_test();
    for (uint32_t i = 0; i < 40; i++) {
        struct gd_cell *get = tree_request(&tree, i % 3, 1 + i, "GET", i % 2 != 0 ? "a" : "b");
        (void)tree_value(&tree, get, GUARD_LOCATION_QUERY, "both", "x");
        (void)tree_value(&tree, get, GUARD_LOCATION_QUERY, i % 2 != 0 ? "odd" : "even", "x");
    }
    struct gd_group root, segments, methods;
    struct gd_groups found, names;
    assert_int_equal(gd_group_init(&root, tree.root, &arena), GUARD_OK);
    assert_int_equal(gd_group_children(&found, &root, GD_KIND_SEGMENT, &arena), GUARD_OK);
    assert_int_equal(found.count, 2);
    const struct gd_group *parts[] = {&found.items[0], &found.items[1]};
    assert_int_equal(gd_group_join(&segments, parts, 2, &arena), GUARD_OK);
    assert_int_equal(segments.sum.count, 40);
    assert_int_equal(gd_group_children(&found, &segments, GD_KIND_METHOD, &arena), GUARD_OK);
    assert_int_equal(found.count, 1);
    methods = found.items[0];
    assert_int_equal(methods.cell_count, 2);
    assert_int_equal(gd_group_children(&names, &methods, GD_KIND_NAME, &arena), GUARD_OK);
    assert_int_equal(names.count, 3);
    uint64_t seen = 0, epochs[GD_EPOCHS_MAX] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        seen += names.items[i].sum.count;
        if (tree_is(names.items[i].sum.text, "both")) {
            assert_int_equal(names.items[i].sum.count, 40);
            assert_int_equal(names.items[i].sum.tag_count, GD_TAGS_MAX);
            gd_group_epochs(&names.items[i], epochs);
        }
    }
    assert_int_equal(seen, 80);
    assert_int_equal(epochs[0] + epochs[1] + epochs[2], 40);
    assert_int_equal(epochs[0], 14);
    uint32_t clients = gd_cells_clients(methods.cells, methods.cell_count);
    assert_true(clients > 25 && clients < 60); /* 40, estimated from 32 */
    assert_int_equal(gd_group_children(&names, &methods, GD_KIND_ITEMS, &arena), GUARD_OK);
    assert_int_equal(names.count, 0);
    guard_arena_reset(&arena);
    tree_fini(&tree);
}

static void test_tags_stay_the_lowest(void **state)
{
    (void)state;
    struct gd_cell a = {.count = 3, .epochs = 1, .tag_count = 3, .tags = {3, 9, 21}};
    struct gd_cell b = {
        .count = 9, .epochs = 4, .tag_count = 8, .tags = {1, 3, 5, 7, 9, 11, 13, 15}};
    gd_sum_add(&a, &b);
    static const uint32_t expected[] = {1, 3, 5, 7, 9, 11, 13, 15};
    assert_int_equal(a.tag_count, 8);
    assert_memory_equal(a.tags, expected, sizeof(expected));
    assert_int_equal(a.count, 12);
    assert_int_equal(a.epochs, 5);
    a.count = UINT64_MAX - 1;
    gd_sum_add(&a, &b);
    assert_true(a.count == UINT64_MAX);
}

static void test_trust_and_its_border(void **state)
{
    (void)state;
    struct gd_trust trust = {.weight = 8, .epochs_min = 2};
    struct gd_cell four = {.count = 90, .epochs = 3, .tag_count = 4, .tags = {1, 3, 5, 7}};
    assert_true(gd_trusted(&trust, &four));
    assert_true(gd_borderline(&trust, &four)); /* without any of the four it has three */
    struct gd_cell five = {.count = 90, .epochs = 3, .tag_count = 5, .tags = {1, 3, 5, 7, 9}};
    assert_false(gd_borderline(&trust, &five));
    five.epochs = 2;
    assert_false(gd_trusted(&trust, &five));
    assert_true(gd_borderline(&trust, &five));
    struct gd_cell weak = {
        .count = 8, .epochs = 3, .tag_count = 8, .tags = {2, 4, 6, 8, 10, 12, 14, 16}};
    assert_true(gd_trusted(&trust, &weak));
    assert_true(gd_borderline(&trust, &weak));
    weak.count = 9; /* there is a ninth that the list doesn't name */
    assert_false(gd_borderline(&trust, &weak));
    weak.tag_count = 7;
    assert_false(gd_trusted(&trust, &weak));
}

/* A loud unit's records weigh ten. */
static void test_records_by_units(void **state)
{
    (void)state;
    struct gd_cell sum = {.count = 100000, .tag_count = 3, .tags = {1, 3, 5}};
    assert_int_equal(gd_units(&sum), 3);
    assert_int_equal(gd_records(&sum), 30);
    sum.count = 12;
    assert_int_equal(gd_records(&sum), 12);
    sum = (struct gd_cell){.count = UINT64_MAX, .tag_count = 8};
    for (uint32_t i = 0; i < 8; i++)
        sum.tags[i] = (i + 1) << 25 | 1; /* the lowest 8 of about 110 */
    assert_in_range(gd_units(&sum), 100, 120);
    assert_int_equal(gd_records(&sum), 10 * gd_units(&sum));
}

/* Pending halves the evidence, so it takes the units that trust takes. */
static void test_pending(void **state)
{
    (void)state;
    struct gd_trust trust = {.weight = 8, .epochs_min = 2};
    struct gd_cell sum = {.count = 90, .epochs = 3, .tag_count = 3, .tags = {1, 3, 5}};
    assert_false(gd_pending(&trust, &sum));
    sum = (struct gd_cell){.count = 90, .epochs = 1, .tag_count = 4, .tags = {1, 3, 5, 7}};
    assert_true(gd_pending(&trust, &sum));
    sum.epochs = 3;
    assert_false(gd_pending(&trust, &sum)); /* trusted */
    sum = (struct gd_cell){.count = 3, .epochs = 3, .tag_count = 3, .tags = {2, 4, 6}};
    assert_false(gd_pending(&trust, &sum));
    trust.anonymous = true;
    assert_true(gd_pending(&trust, &sum));
    sum.tag_count = 2;
    assert_false(gd_pending(&trust, &sum));
}

static void test_tail(void **state)
{
    (void)state;
    struct gd_trust trust = {.weight = 8, .epochs_min = 2};
    struct gd_group items[4] = {
        {.sum =
             {.code = 5, .count = 100, .epochs = 3, .tag_count = 6, .tags = {1, 3, 5, 7, 9, 11}}},
        {.sum = {.code = 8, .count = 10, .epochs = 3, .tag_count = 3, .tags = {1, 3, 5}}},
        {.sum = {.code = 20, .count = 5, .epochs = 2, .tag_count = 1, .tags = {7}}},
        {.sum = {.code = 90, .count = 500, .epochs = 3, .tag_count = 1, .tags = {1}}},
    };
    struct gd_tail tail = gd_tail(&trust, &(struct gd_groups){items, 4}, GD_END_HIGH);
    assert_true(tail.supported);
    assert_int_equal(tail.limit, 8); /* 1 at 90, 7 at 20, 3 and 5 at 8 */
    assert_int_equal(tail.pending, 2);
    assert_int_equal(tail.borderline, 3);
    tail = gd_tail(&trust, &(struct gd_groups){items, 4}, GD_END_LOW);
    assert_int_equal(tail.limit, 5);
    assert_int_equal(tail.pending, 0);
    assert_int_equal(tail.borderline, 0);
    tail = gd_tail(&trust, &(struct gd_groups){items + 1, 2}, GD_END_HIGH);
    assert_true(tail.supported);
    tail = gd_tail(&trust, &(struct gd_groups){items + 2, 2}, GD_END_HIGH);
    assert_false(tail.supported);
    assert_int_equal(tail.borderline, 2);
    tail = gd_tail(&trust, &(struct gd_groups){NULL, 0}, GD_END_HIGH);
    assert_false(tail.supported);
}

static int order_bytes(const void *left, const void *right)
{
    return *(const uint8_t *)left - *(const uint8_t *)right;
}

static void test_sort(void **state)
{
    (void)state;
    uint8_t bytes[] = {9, 1, 255, 0, 3, 3, 7, 200};
    gd_sort(bytes, 1, sizeof(bytes), order_bytes);
    for (size_t i = 1; i < sizeof(bytes); i++)
        assert_true(bytes[i - 1] <= bytes[i]);
    uint32_t tags[300];
    for (uint32_t i = 0; i < 300; i++)
        tags[i] = i * 2654435761u;
    gd_sort_tags(tags, 300);
    for (uint32_t i = 1; i < 300; i++)
        assert_true(tags[i - 1] < tags[i]);
    gd_sort_tags(tags, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_of_several_cells_unite),
        cmocka_unit_test(test_tags_stay_the_lowest),
        cmocka_unit_test(test_trust_and_its_border),
        cmocka_unit_test(test_records_by_units),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
