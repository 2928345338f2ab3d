/* SPDX-License-Identifier: Apache-2.0 */
/* Piles when memory runs out at any allocation: it is said, nothing leaks, and a pile that was left
 * in the middle says so. */
#include "support/pile_traffic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct inputs {
    uint8_t *first;
    size_t first_len;
    uint8_t *second;
    size_t second_len;
};

/* A failed change leaves a pile that only says so. */
static void check_unusable(struct guard_pile *pile)
{
    uint8_t *bytes;
    size_t len;
    struct guard_source source = {99, 1, 1};
    struct gd_profile profile = {.service = traffic_text("shop")};
    if (!pile->broken)
        return;
    assert_int_equal(guard_pile_encode(pile, &bytes, &len, NULL), GUARD_E_STATE);
    assert_int_equal(gd_pile_observe_profile(pile, &source, &profile, NULL), GUARD_E_STATE);
    assert_int_equal(guard_pile_merge(pile, pile, NULL, NULL), GUARD_E_STATE);
    assert_int_equal(guard_pile_protect(pile, 4, NULL), GUARD_E_STATE);
}

static enum guard_rc observing(struct guard_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct test_random random = {5};
    struct guard_pile_cfg cfg = traffic_cfg(alloc);
    struct guard_pile *pile;
    struct guard_err err;
    cfg.cells_max = 250; /* so that it is cut as well */
    enum guard_rc rc = guard_pile_new(&pile, &cfg, &err);
    if (rc != GUARD_OK)
        return rc;
    rc = traffic_learn(pile, &random, &traffic_usual, (struct guard_source){1, 1, 1}, 40);
    check_unusable(pile);
    uint8_t *bytes = NULL;
    size_t len;
    if (rc == GUARD_OK)
        rc = guard_pile_encode(pile, &bytes, &len, &err);
    if (rc == GUARD_OK)
        alloc->free(alloc->ctx, bytes);
    guard_pile_free(pile);
    return rc;
}

static enum guard_rc merging(struct guard_alloc *alloc, void *ctx)
{
    const struct inputs *inputs = ctx;
    struct guard_pile_cfg cfg = traffic_cfg(alloc);
    struct guard_pile *first = NULL, *second = NULL, *part = NULL;
    struct guard_err err;
    enum guard_rc rc =
        guard_pile_decode(&first, &cfg, gd_span(inputs->first, inputs->first_len), &err);
    if (rc == GUARD_OK)
        rc = guard_pile_decode(&second, &cfg, gd_span(inputs->second, inputs->second_len), &err);
    if (rc == GUARD_OK)
        rc = guard_pile_decode(&part, &cfg, gd_span(inputs->second, inputs->second_len), &err);
    if (rc == GUARD_OK)
        rc = guard_pile_merge(first, second, NULL, &err);
    if (rc == GUARD_OK) {
        struct guard_pile_stats before, after;
        guard_pile_stats(part, &before);
        rc = guard_pile_merge(part, first, NULL, &err); /* replaces: unchanged on failure */
        guard_pile_stats(part, &after);
        assert_false(part->broken);
        assert_int_equal(after.exchanges == before.exchanges, rc != GUARD_OK);
        assert_int_equal(after.cells == before.cells, rc != GUARD_OK);
    } else if (first != NULL && second != NULL && part != NULL) {
        check_unusable(first);
    }
    guard_pile_free(first);
    guard_pile_free(second);
    guard_pile_free(part);
    return rc;
}

static void test_observing(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(observing, NULL, false) > 3);
}

static void test_merging(void **state)
{
    (void)state;
    struct inputs inputs;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *piles[2];
    for (uint64_t i = 0; i < 2; i++) {
        struct test_random random = {i + 1};
        struct traffic_shape shape = traffic_usual;
        shape.names = 100;
        shape.reads = true;
        shape.paths = 100;
        assert_int_equal(guard_pile_new(&piles[i], &cfg, NULL), GUARD_OK);
        assert_int_equal(
            traffic_learn(piles[i], &random, &shape, (struct guard_source){i, 1, 1}, 60), GUARD_OK);
    }
    assert_int_equal(guard_pile_encode(piles[0], &inputs.first, &inputs.first_len, NULL), GUARD_OK);
    assert_int_equal(guard_pile_encode(piles[1], &inputs.second, &inputs.second_len, NULL),
                     GUARD_OK);
    assert_true(failing_alloc_sweep(merging, &inputs, false) > 10);
    free(inputs.first);
    free(inputs.second);
    guard_pile_free(piles[0]);
    guard_pile_free(piles[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_observing),
        cmocka_unit_test(test_merging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
