/* SPDX-License-Identifier: Apache-2.0 */
/* The laws of merging, on random piles whose every table overflows: 32 producers with restarts,
 * merged in random trees with retries and re-parenting, end in one digest or in a refusal by name.
 */
#include "support/pile_traffic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PRODUCERS = 32, LEAVES = 48 };

/* How many random trees are tried of each world: few under sanitizers, more in a soak. */
static uint32_t tree_count(void)
{
    enum { USUAL = 6, MOST = 1000 };
    const char *text = getenv("GUARD_TEST_TREES");
    unsigned long count = text == NULL ? 0 : strtoul(text, NULL, 10);
    return count >= 1 && count <= MOST ? (uint32_t)count : USUAL;
}

struct world {
    struct test_random random;
    struct guard_pile *leaves[LEAVES];
    uint32_t leaf_count;
    uint32_t cells_max;
    uint32_t clients_max;
    struct traffic_shape shape;
    bool protected;
};

static struct guard_pile_cfg world_cfg(const struct world *world)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    cfg.cells_max = world->cells_max;
    cfg.clients_max = world->clients_max;
    cfg.children_max = world->cells_max == 0 ? 0 : 1 + world->cells_max / 64;
    return cfg;
}

static struct guard_pile *copy(const struct world *world, const struct guard_pile *pile)
{
    struct guard_pile_cfg cfg = world_cfg(world);
    struct guard_pile *made;
    uint8_t *bytes;
    size_t len;
    assert_int_equal(guard_pile_encode(pile, &bytes, &len, NULL), GUARD_OK);
    struct guard_err err;
    enum guard_rc rc = guard_pile_decode(&made, &cfg, gd_span(bytes, len), &err);
    if (rc != GUARD_OK)
        fail_msg("%s", err.text);
    free(bytes);
    return made;
}

/* Producers observe; some restart, so that they have a leaf for each incarnation. */
static void make_leaves(struct world *world, uint32_t records)
{
    struct guard_pile_cfg cfg = world_cfg(world);
    world->leaf_count = 0;
    for (uint64_t i = 0; i < LEAVES; i++) {
        struct guard_source source = {i % PRODUCERS, 1 + i / PRODUCERS, 1};
        struct traffic_shape shape = world->shape;
        shape.reads = true;
        if (test_random_once_in(&world->random, 3))
            shape.time_ms += test_random_below(&world->random, 40) * 24 * 3600 * 1000;
        struct guard_pile *pile;
        assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
        assert_int_equal(traffic_learn(pile, &world->random, &shape, source, records), GUARD_OK);
        world->leaves[world->leaf_count++] = pile;
    }
}

static void free_leaves(struct world *world)
{
    for (uint32_t i = 0; i < world->leaf_count; i++)
        guard_pile_free(world->leaves[i]);
    world->leaf_count = 0;
}

/* One random tree over all leaves; NULL when a merge was refused by name. */
static struct guard_pile *merge_all(struct world *world, uint32_t *refusals)
{
    struct guard_pile *forest[LEAVES];
    uint32_t count = world->leaf_count;
    size_t order[LEAVES];
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    test_random_shuffle(&world->random, order, count);
    for (uint32_t i = 0; i < count; i++)
        forest[i] = copy(world, world->leaves[order[i]]);
    bool refused = false;
    while (count > 1 && !refused) {
        uint32_t into = (uint32_t)test_random_below(&world->random, count);
        uint32_t from = (uint32_t)test_random_below(&world->random, count - 1);
        from += from >= into;
        enum guard_merge outcome;
        struct guard_err err;
        enum guard_rc rc = guard_pile_merge(forest[into], forest[from], &outcome, &err);
        refused = rc != GUARD_OK;
        assert_true(rc == GUARD_OK || rc == GUARD_E_STATE);
        if (!refused && test_random_once_in(&world->random, 3)) {
            /* A retry, and the same pile by way of another parent. */
            assert_int_equal(guard_pile_merge(forest[into], forest[from], &outcome, NULL),
                             GUARD_OK);
            assert_int_equal(outcome, GUARD_MERGE_CONTAINED);
        }
        if (!refused && test_random_once_in(&world->random, 4)) {
            struct guard_pile *moved = copy(world, forest[into]);
            assert_int_equal(guard_pile_merge(forest[from], moved, &outcome, NULL), GUARD_OK);
            assert_int_equal(outcome, GUARD_MERGE_REPLACED);
            struct guard_pile *swap = forest[into];
            forest[into] = forest[from];
            forest[from] = swap;
            guard_pile_free(moved);
        }
        guard_pile_free(forest[from]);
        forest[from] = forest[--count];
        if (into == count)
            into = from;
    }
    *refusals += refused;
    for (uint32_t i = 1; i < count; i++)
        guard_pile_free(forest[i]);
    if (refused) {
        guard_pile_free(forest[0]);
        return NULL;
    }
    return forest[0];
}

static void check_trees(struct world *world, uint32_t trees, bool may_refuse)
{
    assert_true(world->leaf_count > 1);
    struct traffic_digest expected = {{0}};
    uint32_t merged = 0, refusals = 0;
    for (uint32_t i = 0; i < trees; i++) {
        struct guard_pile *pile = merge_all(world, &refusals);
        if (pile == NULL)
            continue;
        struct traffic_digest digest = traffic_digest(pile);
        if (merged++ == 0)
            expected = digest;
        assert_true(traffic_equal(digest, expected));
        assert_true(pile->tree.cell_count <= pile->cells_max);
        assert_true(gd_tree_size(pile->tree.root) == pile->tree.cell_count);
        guard_pile_free(pile);
    }
    if (!may_refuse)
        assert_int_equal(refusals, 0);
    printf("    %u trees, %u refused by name\n", trees, refusals);
}

static struct world tiny(const char *name)
{
    struct world world = {.random = test_random_start(name), .cells_max = 700, .clients_max = 12};
    world.shape = traffic_usual;
    world.shape.paths = 30;
    world.shape.names = 40;
    world.shape.values = 300;
    return world;
}

static void test_tiny_caps(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 6; round++) {
        struct world world = tiny("merge, tiny caps");
        world.random.state += round;
        world.cells_max = 300 + 400 * round;
        make_leaves(&world, 40);
        check_trees(&world, tree_count(), false);
        struct guard_pile_stats stats;
        uint32_t refusals = 0;
        struct guard_pile *pile = merge_all(&world, &refusals);
        guard_pile_stats(pile, &stats);
        assert_true(stats.overflowed);
        assert_int_equal(stats.exchanges, LEAVES * 40);
        guard_pile_free(pile);
        free_leaves(&world);
    }
}

/* Nothing overflows: the merge is the sum, and equals one pile that saw everything. */
static void test_default_caps(void **state)
{
    (void)state;
    struct world world = {.random = test_random_start("merge, default caps"),
                          .shape = traffic_usual};
    make_leaves(&world, 60);
    check_trees(&world, 6, false);
    free_leaves(&world);
}

/* Flooded at default caps: the union of all producers is several times what a pile holds. */
static void test_default_caps_overflow(void **state)
{
    (void)state;
    struct world world = {.random = test_random_start("merge, flooded"), .shape = traffic_usual};
    world.shape.paths = 100000;
    world.shape.names = 100000;
    world.shape.values = 100000;
    world.shape.fields = 12;
    world.shape.clients = 100000;
    make_leaves(&world, 30);
    uint32_t cells = 0;
    for (uint32_t i = 0; i < world.leaf_count; i++)
        cells += world.leaves[i]->tree.cell_count;
    assert_true(cells > 2 * GD_CELLS_MAX);
    check_trees(&world, 3, false);
    free_leaves(&world);
}

/* Producers protect what they trust at different times: one digest, or GUARD_E_STATE. */
static void test_bases(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 6; round++) {
        struct world world = tiny("merge, bases");
        world.random.state += 100 + round;
        world.cells_max = round % 2 == 0 ? 1200 : 0;
        world.clients_max = 0;
        world.shape.paths = 3;
        world.shape.names = 3;
        world.shape.values = 6;
        make_leaves(&world, 150);
        for (uint32_t i = 0; i < world.leaf_count; i += 1 + round * 4)
            assert_int_equal(guard_pile_protect(world.leaves[i], 1 + i % 4, NULL), GUARD_OK);
        check_trees(&world, tree_count(), true);
        free_leaves(&world);
    }
}

/* Producers that go on from one published pile, with records of their own: its basis is
 * everybody's. */
static void test_same_basis(void **state)
{
    (void)state;
    struct world world = tiny("merge, one basis");
    struct guard_pile_cfg cfg = world_cfg(&world);
    world.shape.paths = 2;
    world.shape.names = 2;
    struct guard_pile *base;
    assert_int_equal(guard_pile_new(&base, &cfg, NULL), GUARD_OK);
    struct guard_source source = {77, 1, 1};
    assert_int_equal(traffic_learn(base, &world.random, &world.shape, source, 400), GUARD_OK);
    assert_int_equal(guard_pile_protect(base, 2, NULL), GUARD_OK);
    assert_in_range(base->trusted_count, 50, world.cells_max / 2);
    world.shape.paths = 60;
    world.shape.names = 60;
    for (uint64_t i = 0; i < LEAVES; i++) {
        struct guard_pile *leaf = copy(&world, base);
        leaf->intervals.count = 0;
        source.producer = i;
        assert_int_equal(traffic_learn(leaf, &world.random, &world.shape, source, 40), GUARD_OK);
        assert_int_equal(leaf->trusted_count, base->trusted_count);
        world.leaves[world.leaf_count++] = leaf;
    }
    check_trees(&world, tree_count(), false);
    uint32_t refusals = 0;
    struct guard_pile *pile = merge_all(&world, &refusals);
    assert_int_equal(pile->trusted_count, base->trusted_count);
    assert_true(pile->cut && pile->basis.generation == 1);
    guard_pile_free(pile);
    guard_pile_free(base);
    free_leaves(&world);
}

static void test_partial_overlaps_are_refused(void **state)
{
    (void)state;
    struct world world = {.random = test_random_start("merge, overlaps"), .shape = traffic_usual};
    struct guard_pile_cfg cfg = world_cfg(&world);
    for (uint32_t round = 0; round < 60; round++) {
        struct guard_pile *piles[2];
        uint64_t first[2], last[2];
        for (int i = 0; i < 2; i++) {
            first[i] = test_random_between(&world.random, 1, 20);
            last[i] = first[i] + test_random_below(&world.random, 12);
            assert_int_equal(guard_pile_new(&piles[i], &cfg, NULL), GUARD_OK);
            struct guard_source source = {5, 5, first[i]};
            assert_int_equal(traffic_learn(piles[i], &world.random, &world.shape, source,
                                           (uint32_t)(last[i] - first[i] + 1)),
                             GUARD_OK);
        }
        struct traffic_digest before = traffic_digest(piles[0]), other = traffic_digest(piles[1]);
        enum guard_merge outcome;
        struct guard_err err = {"nothing"};
        enum guard_rc rc = guard_pile_merge(piles[0], piles[1], &outcome, &err);
        if (first[1] >= first[0] && last[1] <= last[0]) {
            assert_true(rc == GUARD_OK && outcome == GUARD_MERGE_CONTAINED);
            assert_true(traffic_equal(traffic_digest(piles[0]), before));
        } else if (first[0] >= first[1] && last[0] <= last[1]) {
            assert_true(rc == GUARD_OK && outcome == GUARD_MERGE_REPLACED);
            assert_true(traffic_equal(traffic_digest(piles[0]), other));
        } else if (last[0] < first[1] || last[1] < first[0]) {
            assert_true(rc == GUARD_OK && outcome == GUARD_MERGE_ADDED);
        } else {
            assert_int_equal(rc, GUARD_E_OVERLAP);
            assert_non_null(strstr(err.text, "sequences"));
            assert_true(traffic_equal(traffic_digest(piles[0]), before));
        }
        guard_pile_free(piles[0]);
        guard_pile_free(piles[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_caps),
        cmocka_unit_test(test_default_caps),
        cmocka_unit_test(test_default_caps_overflow),
        cmocka_unit_test(test_bases),
        cmocka_unit_test(test_same_basis),
        cmocka_unit_test(test_partial_overlaps_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
