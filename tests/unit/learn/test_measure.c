/* SPDX-License-Identifier: Apache-2.0 */
/* How the learner tests its own rules: by order and by leaving units out, each unit once. */
#include "unit/learn/tree.h"

#include "learn/measure.h"

struct setting {
    struct guard_arena arena;
    struct gd_pools *pools;
    struct gd_firings firings;
    struct gd_meter meter;
    struct gd_place place;
};

/* 100 records of 100 clients in each of four epochs. */
static void setting_init(struct setting *setting)
{
    struct guard_alloc alloc = {NULL, tree_alloc, tree_release};
    uint64_t epochs[GD_EPOCHS_MAX] = {100, 100, 100, 100};
    memset(setting, 0, sizeof(*setting));
    guard_arena_init(&setting->arena, &alloc, (size_t)1 << 20);
    setting->pools = calloc(1, sizeof(*setting->pools));
    setting->meter = (struct gd_meter){.trust = {.weight = 8, .epochs_min = 2},
                                       .pools = setting->pools,
                                       .firings = &setting->firings,
                                       .arena = &setting->arena};
    setting->place.family = GD_FAMILY_WORD;
    gd_exposure_init(&setting->place.exposure, epochs, 400);
}

static void setting_fini(struct setting *setting)
{
    guard_arena_reset(&setting->arena);
    free(setting->pools);
}

static struct gd_group element(uint64_t code, uint32_t epochs, uint8_t tags, uint32_t first_tag)
{
    struct gd_group group = {.sum = {.kind = GD_KIND_CLASS,
                                     .code = code,
                                     .epochs = epochs,
                                     .count = tags,
                                     .tag_count = tags}};
    for (uint32_t i = 0; i < tags; i++)
        group.sum.tags[i] = first_tag + 2 * i + 1;
    return group;
}

static struct gd_measure own(const struct setting *setting, enum gd_estimate estimate,
                             enum guard_rule rule)
{
    return setting->place.own.measures[estimate][rule];
}

static void measure_set(struct setting *setting, enum guard_rule rule, struct gd_group *items,
                        uint32_t count, uint32_t least)
{
    struct gd_groups elements = {items, count};
    assert_int_equal(gd_measure_set(&setting->meter, &setting->place, rule, &elements, NULL, least),
                     GUARD_OK);
}

static struct gd_measure settled(struct setting *setting, enum gd_estimate estimate,
                                 enum guard_rule rule)
{
    assert_int_equal(gd_firings_settle(&setting->firings, &setting->meter.trust, setting->pools,
                                       &setting->arena),
                     GUARD_OK);
    return setting->pools->all[estimate][rule];
}

/* Of each sum the three units that fire most are left out. */
static void test_new_elements_fire_in_their_epoch(void **state)
{
    (void)state;
    struct setting setting;
    setting_init(&setting);
    struct gd_group items[] = {
        element(0, 15, 8, 100), /* from the start */
        element(1, 12, 6, 200), /* six units, since the third epoch */
        element(2, 4, 1, 300),  /* one unit, in the third */
        element(3, 8, 1, 300),  /* the same one, in the fourth */
    };
    measure_set(&setting, GUARD_RULE_ALPHABET, items, 4, 1);
    struct gd_measure ordered = own(&setting, GD_ESTIMATE_ORDERED, GUARD_RULE_ALPHABET);
    assert_int_equal(ordered.trials, 300 * GD_TRIAL);
    assert_int_equal(ordered.fires, 6 + 1 + 1 - 4);
    struct gd_measure left_out = own(&setting, GD_ESTIMATE_LEFT_OUT, GUARD_RULE_ALPHABET);
    assert_int_equal(left_out.trials, 400 * GD_TRIAL);
    assert_int_equal(left_out.fires, 0); /* one unit, twice */
    struct gd_measure all = settled(&setting, GD_ESTIMATE_ORDERED, GUARD_RULE_ALPHABET);
    assert_int_equal(all.trials, ordered.trials);
    assert_int_equal(all.fires, ordered.fires);
    setting_fini(&setting);
}

static void test_several_new_ones_by_one_unit(void **state)
{
    (void)state;
    struct setting setting;
    setting_init(&setting);
    struct gd_group items[] = {element(1, 4, 6, 300), element(2, 4, 6, 300), element(3, 4, 8, 300)};
    measure_set(&setting, GUARD_RULE_TRANSITIONS, items, 3, 3);
    measure_set(&setting, GUARD_RULE_TRANSITION, items, 3, 1);
    assert_int_equal(own(&setting, GD_ESTIMATE_ORDERED, GUARD_RULE_TRANSITIONS).fires, 6 - 3);
    assert_int_equal(own(&setting, GD_ESTIMATE_ORDERED, GUARD_RULE_TRANSITION).fires, 8 - 3);
    assert_int_equal(own(&setting, GD_ESTIMATE_LEFT_OUT, GUARD_RULE_TRANSITIONS).fires, 6 - 3);
    setting_fini(&setting);
}

static void test_the_start_is_not_held_against_a_place(void **state)
{
    (void)state;
    struct setting setting;
    setting_init(&setting);
    uint64_t epochs[GD_EPOCHS_MAX] = {10, 20, 4000, 4000};
    gd_exposure_init(&setting.place.exposure, epochs, 0);
    struct gd_group items[] = {element(1, 14, 8, 100)};
    measure_set(&setting, GUARD_RULE_TYPE, items, 1, 1);
    assert_int_equal(own(&setting, GD_ESTIMATE_ORDERED, GUARD_RULE_TYPE).fires, 0);
    assert_int_equal(settled(&setting, GD_ESTIMATE_ORDERED, GUARD_RULE_TYPE).fires, 8 - 3);
    assert_int_equal(setting.pools->sizes[GD_ESTIMATE_ORDERED][GUARD_RULE_TYPE][3].fires, 8 - 3);
    setting_fini(&setting);
}

static void test_first_records_are_no_trial(void **state)
{
    (void)state;
    struct setting setting;
    setting_init(&setting);
    uint64_t epochs[GD_EPOCHS_MAX] = {0, 7, 0, 50};
    gd_exposure_init(&setting.place.exposure, epochs, 0);
    struct gd_group items[] = {element(1, 8, 8, 100)};
    measure_set(&setting, GUARD_RULE_TYPE, items, 1, 1);
    assert_int_equal(setting.pools->all[GD_ESTIMATE_ORDERED][GUARD_RULE_TYPE].trials, 0);
    epochs[0] = 1;
    gd_exposure_init(&setting.place.exposure, epochs, 0);
    measure_set(&setting, GUARD_RULE_TYPE, items, 1, 1);
    assert_int_equal(setting.pools->all[GD_ESTIMATE_ORDERED][GUARD_RULE_TYPE].trials,
                     50 * GD_TRIAL);
    assert_int_equal(settled(&setting, GD_ESTIMATE_ORDERED, GUARD_RULE_TYPE).fires, 8 - 3);
    setting_fini(&setting);
}

static struct gd_measure tail(struct gd_beyond beyond, enum gd_estimate estimate, bool anonymous)
{
    struct setting setting;
    setting_init(&setting);
    setting.meter.trust.anonymous = anonymous;
    struct gd_group items[] = {
        element(2, 8, 1, 700),                          /* the shortest, of one, at last */
        element(5, 15, 8, 100), element(9, 14, 8, 200), /* since the second epoch */
        element(12, 4, 2, 300),                         /* two, in the third */
        element(40, 8, 1, 500),                         /* one, far away */
    };
    struct gd_groups elements = {items, 5};
    assert_int_equal(
        gd_measure_tail(&setting.meter, &setting.place, GUARD_RULE_LENGTH, &elements, &beyond),
        GUARD_OK);
    struct gd_measure measure = own(&setting, estimate, GUARD_RULE_LENGTH);
    setting_fini(&setting);
    return measure;
}

/* Firings where first a limit of 20 ms and then eight times 200 ms were seen. */
static uint64_t late(uint32_t least)
{
    struct setting setting;
    setting_init(&setting);
    struct gd_group items[] = {element(gd_bucket(20), 15, 8, 100),
                               element(gd_bucket(200), 8, 8, 200)};
    struct gd_groups elements = {items, 2};
    const struct gd_beyond beyond = {GD_END_HIGH, GUARD_LATE_FACTOR, least};
    assert_int_equal(
        gd_measure_tail(&setting.meter, &setting.place, GUARD_RULE_LATENCY, &elements, &beyond),
        GUARD_OK);
    uint64_t fires = own(&setting, GD_ESTIMATE_ORDERED, GUARD_RULE_LATENCY).fires;
    setting_fini(&setting);
    return fires;
}

static void test_tails(void **state)
{
    (void)state;
    assert_int_equal(tail((struct gd_beyond){GD_END_HIGH, 1, 0}, GD_ESTIMATE_ORDERED, false).fires,
                     8 + 2 + 1 - 3);
    assert_int_equal(tail((struct gd_beyond){GD_END_HIGH, 2, 0}, GD_ESTIMATE_ORDERED, false).fires,
                     0);
    assert_int_equal(tail((struct gd_beyond){GD_END_HIGH, 2, 0}, GD_ESTIMATE_LEFT_OUT, false).fires,
                     0);
    assert_int_equal(tail((struct gd_beyond){GD_END_LOW, 1, 0}, GD_ESTIMATE_ORDERED, false).fires,
                     0);
    /* Twice as far as the other limits once more, but below what the rule looks at. */
    for (uint32_t least = 0; least <= 1; least++)
        assert_int_equal(late(least * GUARD_LATE_LEAST_MS), least == 0 ? 8 - 3 : 0);
    /* Three and one lie beyond the limits: of a limit by four units four are held to, in any case;
       with records of anybody's among them that isn't known. */
    assert_int_equal(tail((struct gd_beyond){GD_END_HIGH, 1, 0}, GD_ESTIMATE_LEFT_OUT, false).fires,
                     4);
    assert_int_equal(tail((struct gd_beyond){GD_END_LOW, 1, 0}, GD_ESTIMATE_LEFT_OUT, false).fires,
                     4);
    assert_int_equal(tail((struct gd_beyond){GD_END_HIGH, 1, 0}, GD_ESTIMATE_LEFT_OUT, true).fires,
                     0);
}

/* A loud client takes trials from nobody: what it sends in one epoch beyond ten for each client is
 * as if it weren't there. */
static void test_loud_epochs_are_capped(void **state)
{
    (void)state;
    struct gd_exposure quiet, loud;
    uint64_t epochs[GD_EPOCHS_MAX] = {240, 240, 240, 240};
    gd_exposure_init(&quiet, epochs, 24);
    epochs[0] = 100000;
    gd_exposure_init(&loud, epochs, 24);
    assert_int_equal(gd_exposure_trials(&loud), gd_exposure_trials(&quiet));
    assert_int_equal(loud.worth, quiet.worth);
    assert_int_equal(loud.records, 100000 + 720);
}

static struct gd_measure missing(uint64_t last_epoch, enum gd_estimate estimate)
{
    struct setting setting;
    setting_init(&setting);
    struct gd_exposure whole = setting.place.exposure;
    uint64_t epochs[GD_EPOCHS_MAX] = {100, 100, 100, last_epoch};
    gd_exposure_init(&setting.place.exposure, epochs, 400);
    gd_measure_missing(&setting.meter, &setting.place, &whole);
    struct gd_measure measure = own(&setting, estimate, GUARD_RULE_MISSING);
    setting_fini(&setting);
    return measure;
}

static void test_missing(void **state)
{
    (void)state;
    assert_int_equal(missing(100, GD_ESTIMATE_ORDERED).trials, 300 * GD_TRIAL);
    assert_int_equal(missing(100, GD_ESTIMATE_ORDERED).fires, 0);
    assert_int_equal(missing(40, GD_ESTIMATE_ORDERED).fires, 60);
    assert_int_equal(missing(40, GD_ESTIMATE_LEFT_OUT).trials, 0);
    assert_int_equal(missing(99, GD_ESTIMATE_LEFT_OUT).fires, 1);
    assert_int_equal(missing(100, GD_ESTIMATE_LEFT_OUT).fires, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_elements_fire_in_their_epoch),
        cmocka_unit_test(test_several_new_ones_by_one_unit),
        cmocka_unit_test(test_the_start_is_not_held_against_a_place),
        cmocka_unit_test(test_first_records_are_no_trial),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_loud_epochs_are_capped),
        cmocka_unit_test(test_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
