/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of firings that fewer than D units can't raise above what all others did. */
#include "unit/learn/tree.h"

#include "learn/firings.h"

#include "support/random.h"

static const struct gd_trust named = {.weight = 8, .epochs_min = 2};
static const struct gd_trust mixed = {.weight = 8, .epochs_min = 2, .anonymous = true};

/* units fire `each` times; odd tags are clients. */
static uint32_t fire(uint32_t *tags, uint32_t count, uint32_t first, uint32_t units, uint32_t each)
{
    for (uint32_t i = 0; i < units * each; i++)
        tags[count++] = first + 2 * (i % units);
    return count;
}

static void test_three_clients_count_for_nothing(void **state)
{
    (void)state;
    uint32_t tags[4000];
    assert_int_equal(gd_firings_counted(&named, tags, 0), 0);
    assert_int_equal(gd_firings_counted(&named, tags, fire(tags, 0, 11, 1, 1000)), 0);
    assert_int_equal(gd_firings_counted(&named, tags, fire(tags, 0, 11, 3, 1000)), 0);
    assert_int_equal(gd_firings_counted(&named, tags, fire(tags, 0, 11, 4, 1000)), 1000);
    uint32_t count = fire(tags, 0, 101, 20, 1);
    assert_int_equal(gd_firings_counted(&named, tags, count), 17);
    count = fire(tags, fire(tags, 0, 101, 20, 1), 11, 3, 500);
    assert_int_equal(gd_firings_counted(&named, tags, count), 20);
}

/* Seven callers of unknown identity weigh as much as three clients and a half. */
static void test_weak_units(void **state)
{
    (void)state;
    uint32_t tags[4000];
    assert_int_equal(gd_firings_counted(&named, tags, fire(tags, 0, 10, 7, 9)), 0);
    assert_int_equal(gd_firings_counted(&named, tags, fire(tags, 0, 10, 8, 9)), 9);
    uint32_t count = fire(tags, fire(tags, 0, 10, 4, 9), 11, 3, 5);
    assert_int_equal(gd_firings_counted(&named, tags, count), 4 * 9 + 3 * 5 - (4 * 9 + 5));
    /* Records without a client are anybody's: they count one by one, clients as ever. */
    assert_int_equal(gd_firings_counted(&mixed, tags, fire(tags, 0, 10, 7, 9)), 63);
    count = fire(tags, fire(tags, 0, 10, 4, 9), 11, 3, 5);
    assert_int_equal(gd_firings_counted(&mixed, tags, count), 4 * 9);
}

static void test_one_unit_supports_alone_when_one_is_asked_for(void **state)
{
    (void)state;
    static const struct gd_trust single = {.weight = 2, .epochs_min = 1};
    uint32_t tags[10];
    assert_int_equal(gd_firings_counted(&single, tags, fire(tags, 0, 11, 1, 5)), 5);
}

/* Whatever few do: no more is counted than the others did; and what many do, but for few of them,
 * is. */
static void test_few_raise_nothing(void **state)
{
    (void)state;
    struct test_random random = test_random_start("firings");
    for (uint32_t run = 0; run < 2000; run++) {
        uint32_t tags[1000], count = 0, others, loudest = 0;
        uint32_t units = (uint32_t)test_random_below(&random, 12);
        for (uint32_t unit = 0; unit < units; unit++) {
            uint32_t each = (uint32_t)test_random_below(&random, 9);
            loudest = each > loudest ? each : loudest;
            count = fire(tags, count, 1001 + 2 * unit, 1, each);
        }
        others = count;
        uint32_t copy[1000];
        memcpy(copy, tags, sizeof(copy));
        uint64_t before = gd_firings_counted(&named, copy, others);
        assert_true(before <= others && before + 3 * (uint64_t)loudest >= others);
        for (uint32_t unit = 0; unit < 3; unit++)
            count = fire(tags, count, 11 + 2 * unit, 1, (uint32_t)test_random_below(&random, 200));
        uint64_t after = gd_firings_counted(&named, tags, count);
        assert_true(after <= others && after >= before);
    }
}

/* One unit at many places: each pool leaves it out for itself. */
static void test_every_pool_leaves_out_its_own(void **state)
{
    (void)state;
    struct guard_arena arena;
    struct guard_alloc alloc = {NULL, tree_alloc, tree_release};
    guard_arena_init(&arena, &alloc, (size_t)4 << 20);
    struct gd_firings firings = {0};
    struct gd_pools *pools = calloc(1, sizeof(*pools));
    for (uint32_t i = 0; i < 1000; i++) {
        for (uint32_t unit = 0; unit < 3; unit++)
            assert_int_equal(gd_firings_add(&firings, GD_ESTIMATE_ORDERED, GUARD_RULE_CHARACTER,
                                            (enum gd_family)(i % GD_FAMILY_COUNT), i % 7,
                                            11 + 2 * unit, &arena),
                             GUARD_OK);
    }
    for (uint32_t unit = 0; unit < 10; unit++)
        assert_int_equal(gd_firings_add(&firings, GD_ESTIMATE_ORDERED, GUARD_RULE_CHARACTER,
                                        GD_FAMILY_WORD, unit % 2 == 0 ? 3 : 5, 1001 + 2 * unit,
                                        &arena),
                         GUARD_OK);
    assert_int_equal(gd_firings_settle(&firings, &named, pools, &arena), GUARD_OK);
    struct gd_measure(*families)[GD_SIZES] =
        pools->families[GD_ESTIMATE_ORDERED][GUARD_RULE_CHARACTER];
    assert_int_equal(pools->all[GD_ESTIMATE_ORDERED][GUARD_RULE_CHARACTER].fires, 10);
    assert_int_equal(pools->sizes[GD_ESTIMATE_ORDERED][GUARD_RULE_CHARACTER][3].fires, 5);
    assert_int_equal(pools->sizes[GD_ESTIMATE_ORDERED][GUARD_RULE_CHARACTER][4].fires, 0);
    assert_int_equal(families[GD_FAMILY_WORD][5].fires, 5);
    assert_int_equal(families[GD_FAMILY_NUMBER][5].fires, 0);
    assert_int_equal(pools->all[GD_ESTIMATE_LEFT_OUT][GUARD_RULE_CHARACTER].fires, 0);
    assert_int_equal(pools->all[GD_ESTIMATE_ORDERED][GUARD_RULE_ALPHABET].fires, 0);
    guard_arena_reset(&arena);
    free(pools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_clients_count_for_nothing),
        cmocka_unit_test(test_weak_units),
        cmocka_unit_test(test_one_unit_supports_alone_when_one_is_asked_for),
        cmocka_unit_test(test_few_raise_nothing),
        cmocka_unit_test(test_every_pool_leaves_out_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
