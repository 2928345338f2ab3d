/* SPDX-License-Identifier: Apache-2.0 */
/* What scores are worth: the rate of exchanges that reach them, but for those of the loudest few.
 */
#include "unit/learn/tree.h"

#include "learn/scale.h"

#include "base/arena.h"

static struct gd_pools pools;
static uint64_t epochs[GD_EPOCHS_MAX] = {500, 500};
static uint32_t clients = 1000;
static enum guard_rule rule = GUARD_RULE_CHARACTER;
static enum guard_fault fault;
static enum guard_scale of = GUARD_SCALE_REQUESTS;

/* The records of `epochs`; of each of `units` one has what nobody else sent, by `rule`. */
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
        pools.all[i][rule].trials = 1000 * (uint64_t)GD_TRIAL;
    guard_arena_init(&arena, &(struct guard_alloc){NULL, tree_alloc, tree_release},
                     (size_t)1 << 20);
    gd_exposure_init(&place.exposure, epochs, clients);
    gd_marks_init(&marks, &place.exposure);
    for (uint32_t i = 0; i < units; i++) {
        struct gd_cell element = {.kind = GD_KIND_CLASS, .epochs = 3, .count = 1, .tag_count = 1};
        element.tags[0] = 2 * i + 10 + !anonymous;
        element.code = fault;
        assert_int_equal(gd_marks_add(&marks, &meter.trust, &place, rule, &element, &arena),
                         GUARD_OK);
    }
    assert_int_equal(gd_scale(scale, &meter, of, GD_STRENGTH_MAX), GUARD_OK);
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

/* What lies beyond all that was measured proves no more than the rules say, however many records
 * show nothing of the kind. */
static void test_beyond(void **state)
{
    (void)state;
    uint16_t scale[GUARD_SCALE_POINTS];
    epochs[0] = epochs[1] = 500000;
    clients = 1000000;
    measure(scale, 13, false);
    epochs[0] = epochs[1] = 500;
    clients = 1000;
    assert_int_equal(scale[1], 492); /* 5 + 1 of 500,001; all have the score 400 */
    assert_int_equal(scale[49], 492);
    assert_int_equal(scale[50], 50 * GUARD_SCALE_STEP);
    /* 200 of 501: by what was measured a score is worth less than it says. */
    measure(scale, 403, false);
    assert_true(scale[60] < 60 * GUARD_SCALE_STEP);
    assert_int_equal(scale[60], scale[59] + GUARD_SCALE_STEP);
}

/* What reads like an attack is measured by itself; of faults those that are evasions are, too. */
static void test_alike(void **state)
{
    (void)state;
    static const struct {
        enum guard_rule rule;
        enum guard_fault fault;
        bool counts[GUARD_SCALE_COUNT];
    } cases[] = {
        {GUARD_RULE_CHARACTER, 0, {true, true, false}},
        {GUARD_RULE_LIKENESS, 0, {false, false, true}},
        {GUARD_RULE_FAULT, GUARD_FAULT_OVERLONG, {true, true, true}},
        {GUARD_RULE_FAULT, GUARD_FAULT_EMPTY_SEGMENT, {true, true, false}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (int scale_of = 0; scale_of < GUARD_SCALE_COUNT; scale_of++) {
            uint16_t scale[GUARD_SCALE_POINTS];
            rule = cases[i].rule;
            fault = cases[i].fault;
            of = (enum guard_scale)scale_of;
            measure(scale, 23, false);
            assert_int_equal(scale[1], cases[i].counts[of] ? 165 : GUARD_SCALE_STEP);
        }
    }
    rule = GUARD_RULE_CHARACTER;
    of = GUARD_SCALE_REQUESTS;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rate), cmocka_unit_test(test_beyond),
                                       cmocka_unit_test(test_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
