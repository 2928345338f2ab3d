/* SPDX-License-Identifier: Apache-2.0 */
/* What scores are worth: the rate of exchanges that reach them, but for those of the loudest few.
 */
#include "unit/learn/tree.h"

#include "learn/scale.h"

#include "base/arena.h"

static struct gd_pools pools;
static uint64_t epochs[GD_EPOCHS_MAX] = {500, 500};

/* Thousand records; of each of `units` one has a character that nobody else sent. */
static void measure(uint16_t scale[GUARD_SCALE_POINTS], uint32_t units, bool anonymous)
{
    struct guard_arena arena;
    struct gd_marks marks;
    struct gd_place place = {.owner = 1, .order = 1};
    struct gd_meter meter = {.trust = {.weight = 8, .epochs_min = 2, .anonymous = anonymous},
                             .pools = &pools,
                             .marks = &marks,
                             .arena = &arena};
    for (uint32_t i = 0; i < GD_ESTIMATE_COUNT; i++)
        pools.all[i][GUARD_RULE_CHARACTER].trials = 1000 * (uint64_t)GD_TRIAL;
    guard_arena_init(&arena, &(struct guard_alloc){NULL, tree_alloc, tree_release},
                     (size_t)1 << 20);
    gd_exposure_init(&place.exposure, epochs, 1000);
    gd_marks_init(&marks, &place.exposure);
    for (uint32_t i = 0; i < units; i++) {
        struct gd_cell element = {.kind = GD_KIND_CLASS, .epochs = 3, .count = 1, .tag_count = 1};
        element.tags[0] = 2 * i + 10 + !anonymous;
        assert_int_equal(
            gd_marks_add(&marks, &meter.trust, &place, GUARD_RULE_CHARACTER, &element, &arena),
            GUARD_OK);
    }
    assert_int_equal(gd_scale(scale, &meter, GD_STRENGTH_MAX), GUARD_OK);
    guard_arena_reset(&arena);
}

static void test_rate(void **state)
{
    (void)state;
    uint16_t scale[GUARD_SCALE_POINTS];
    measure(scale, 23,
            false); /* of clients all but three count: in the recent half 10 + 1 of 501 */
    assert_int_equal(scale[1], 165);
    measure(scale, 20, true);
    assert_int_equal(scale[1], 165);
    measure(scale, 3, false); /* nothing is measured: a score means what it says */
    assert_int_equal(scale[30], 30 * GUARD_SCALE_STEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
