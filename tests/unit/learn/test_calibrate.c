/* SPDX-License-Identifier: Apache-2.0 */
/* A rule is worth what its own false firing on the learned traffic leaves of it. */
#include "unit/learn/tree.h"

#include "learn/measure.h"

#include "support/random.h"

static struct gd_pools *pools_new(void)
{
    struct gd_pools *pools = calloc(1, sizeof(*pools));
    assert_non_null(pools);
    return pools;
}

static void pool(struct gd_pools *pools, enum guard_rule rule, uint64_t trials, uint64_t fires)
{
    struct gd_measure measure = {trials * GD_TRIAL, fires};
    for (int estimate = 0; estimate < GD_ESTIMATE_COUNT; estimate++)
        gd_pools_add(pools, estimate, rule, GD_FAMILY_WORD, gd_size_of(1000 * GD_TRIAL), measure);
}

static uint16_t strength(const struct gd_pools *pools, enum guard_rule rule, uint64_t own_trials,
                         uint64_t own_fires)
{
    struct gd_own own = {0};
    for (int estimate = 0; estimate < GD_ESTIMATE_COUNT; estimate++)
        own.measures[estimate][rule] = (struct gd_measure){own_trials * GD_TRIAL, own_fires};
    return gd_strength(pools, rule, GD_FAMILY_WORD, 1000 * GD_TRIAL, &own);
}

static void test_nothing_measured_proves_little(void **state)
{
    (void)state;
    struct gd_pools *pools = pools_new();
    for (int rule = 0; rule < GUARD_RULE_COUNT; rule++)
        assert_true(strength(pools, rule, 0, 0) <= 200);
    free(pools);
}

static void test_pool_proves_what_one_place_cannot(void **state)
{
    (void)state;
    struct gd_pools *pools = pools_new();
    pool(pools, GUARD_RULE_CHARACTER, 1000, 0);
    uint16_t alone = strength(pools, GUARD_RULE_CHARACTER, 1000, 0);
    assert_in_range(alone, 290, 300);
    for (int i = 0; i < 999; i++)
        pool(pools, GUARD_RULE_CHARACTER, 1000, 0);
    uint16_t together = strength(pools, GUARD_RULE_CHARACTER, 1000, 0);
    assert_in_range(together, 590, 600);
    for (int i = 0; i < 1000000; i++)
        pool(pools, GUARD_RULE_CHARACTER, 1000, 0);
    assert_int_equal(strength(pools, GUARD_RULE_CHARACTER, 1000, 0), GD_STRENGTH_MAX);
    free(pools);
}

static void test_more_firing_less_strength(void **state)
{
    (void)state;
    uint16_t last = GD_STRENGTH_MAX;
    for (uint64_t fires = 0; fires <= 100000; fires = fires * 2 + 1) {
        struct gd_pools *pools = pools_new();
        pool(pools, GUARD_RULE_TYPE, 100000, fires);
        uint16_t now = strength(pools, GUARD_RULE_TYPE, 0, 0);
        assert_true(now <= last);
        last = now;
        free(pools);
    }
    assert_true(last <= 20);
}

static void test_never_stronger_than_the_trials(void **state)
{
    (void)state;
    uint32_t most = 100;
    for (uint64_t trials = 10; trials <= 100000; trials *= 10, most += 100) {
        struct gd_pools *pools = pools_new();
        pool(pools, GUARD_RULE_FAULT, trials, 0);
        assert_true(strength(pools, GUARD_RULE_FAULT, trials, 0) <= most + 5);
        free(pools);
    }
}

/* A place that fires isn't excused by a thousand that don't; those aren't punished for it. */
static void test_a_noisy_place_loses_its_own_weight(void **state)
{
    (void)state;
    struct gd_pools *pools = pools_new();
    pool(pools, GUARD_RULE_CHARACTER, 1000000, 3);
    assert_true(strength(pools, GUARD_RULE_CHARACTER, 1000, 0) >= 500);
    uint16_t once = strength(pools, GUARD_RULE_CHARACTER, 1000, 1);
    assert_in_range(once, 300, 400);
    assert_true(strength(pools, GUARD_RULE_CHARACTER, 1000, 30) < 160);
    free(pools);
}

/* Of the two estimates the worse counts, whichever it is. */
static void test_the_worse_estimate_counts(void **state)
{
    (void)state;
    for (int noisy = 0; noisy < GD_ESTIMATE_COUNT; noisy++) {
        struct gd_pools *pools = pools_new();
        pool(pools, GUARD_RULE_TYPE, 1000000, 0);
        struct gd_measure measure = {UINT64_C(1000000) * GD_TRIAL, 100000};
        gd_pools_add(pools, noisy, GUARD_RULE_TYPE, GD_FAMILY_WORD, gd_size_of(1000 * GD_TRIAL),
                     measure);
        assert_in_range(strength(pools, GUARD_RULE_TYPE, 0, 0), 100, 150);
        free(pools);
    }
}

static void test_families_and_sizes_are_apart(void **state)
{
    (void)state;
    struct gd_pools *pools = pools_new();
    struct gd_own own = {0};
    for (int estimate = 0; estimate < GD_ESTIMATE_COUNT; estimate++) {
        gd_pools_add(pools, estimate, GUARD_RULE_CHARACTER, GD_FAMILY_TEXT, 13,
                     (struct gd_measure){UINT64_C(5000000) * GD_TRIAL, 50000});
        gd_pools_add(pools, estimate, GUARD_RULE_CHARACTER, GD_FAMILY_NUMBER, 13,
                     (struct gd_measure){UINT64_C(5000000) * GD_TRIAL, 0});
        gd_pools_add(pools, estimate, GUARD_RULE_CHARACTER, GD_FAMILY_NUMBER, 4,
                     (struct gd_measure){UINT64_C(500000) * GD_TRIAL, 50000});
    }
    uint64_t trials = UINT64_C(9000) * GD_TRIAL;
    assert_int_equal(gd_size_of(trials), 13);
    assert_true(gd_strength(pools, GUARD_RULE_CHARACTER, GD_FAMILY_NUMBER, trials, &own) > 500);
    assert_true(gd_strength(pools, GUARD_RULE_CHARACTER, GD_FAMILY_TEXT, trials, &own) <= 200);
    assert_true(gd_strength(pools, GUARD_RULE_CHARACTER, GD_FAMILY_NUMBER, 20 * GD_TRIAL, &own) <=
                100);
    free(pools);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(gd_size_of(0), 0);
    assert_int_equal(gd_size_of(GD_TRIAL), 0);
    assert_int_equal(gd_size_of(2 * GD_TRIAL), 1);
    assert_int_equal(gd_size_of(1000 * GD_TRIAL), 9);
    assert_true(gd_size_of(UINT64_MAX) < GD_SIZES);
}

/* What one client repeats is worth little. */
static void test_exposure(void **state)
{
    (void)state;
    struct gd_exposure exposure;
    uint64_t epochs[GD_EPOCHS_MAX] = {400, 0, 600};
    gd_exposure_init(&exposure, epochs, 1000);
    assert_int_equal(gd_exposure_trials(&exposure) / GD_TRIAL, 1000);
    gd_exposure_init(&exposure, epochs, 0);
    assert_int_equal(gd_exposure_trials(&exposure) / GD_TRIAL, 1000);
    gd_exposure_init(&exposure, epochs, 100);
    assert_in_range(gd_exposure_trials(&exposure) / GD_TRIAL, 520, 530);
    gd_exposure_init(&exposure, epochs, 4);
    assert_in_range(gd_exposure_trials(&exposure) / GD_TRIAL, 26, 28); /* 40 of each epoch */
    uint64_t hostile[GD_EPOCHS_MAX];
    memset(hostile, 0xff, sizeof(hostile));
    gd_exposure_init(&exposure, hostile, 0);
    assert_true(exposure.records == (uint64_t)UINT32_MAX * GD_EPOCHS_MAX);
    assert_true(gd_exposure_trials(&exposure) / GD_TRIAL == exposure.records);
    memset(epochs, 0, sizeof(epochs));
    gd_exposure_init(&exposure, epochs, 0);
    assert_int_equal(gd_exposure_trials(&exposure), 0);
}

enum { SERVICE_FIELDS = 40, RUNS = 3 };

static const char *value_of(struct test_random *random, uint32_t field, char text[64])
{
    static const char prose[] =
        "aaaaaaaabcdefghij    ABCDEF0123456789.,;:!?'\"()[]{}<>/\\@#$%^&*-_+=~`|";
    if (field % 4 == 0) {
        size_t len = test_random_between(random, 5, 40);
        test_random_text(random, text, len, prose, sizeof(prose) - 1);
        text[len] = '\0';
    } else if (field % 4 == 1) {
        snprintf(text, 64, "%u", (unsigned)test_random_below(random, 100000));
    } else {
        size_t len = test_random_between(random, 3, 9);
        test_random_text(random, text, len, "abcdefghij", 10);
        text[len] = '\0';
        if (field % 4 == 3 && test_random_once_in(random, 300))
            text[1] = '-';
    }
    return text;
}

/* One service of words, numbers and free text: how often would it have blocked its own next
 * requests, and what of a quote? */
static uint32_t fires(const struct guard_model_field *field, const char *text, uint16_t least)
{
    uint64_t classes = 0;
    for (const char *at = text; *at != '\0'; at++)
        classes |= UINT64_C(1) << tree_class((unsigned char)*at);
    for (uint32_t cls = 0; cls < GUARD_CLASS_COUNT; cls++) {
        enum guard_rule rule =
            guard_class_is_syntax(cls) ? GUARD_RULE_CHARACTER : GUARD_RULE_ALPHABET;
        if ((classes >> cls & 1) != 0 && (field->classes >> cls & 1) == 0 &&
            field->strength[rule] >= least)
            return 1;
    }
    uint32_t len = (uint32_t)strlen(text), fresh = 0;
    if (len > field->length_max && field->strength[GUARD_RULE_LENGTH] >= least)
        return 1;
    for (uint32_t i = 1; i < len; i++) {
        uint32_t from = tree_class((unsigned char)text[i - 1]),
                 to = tree_class((unsigned char)text[i]);
        fresh += (field->transitions[from] >> to & 1) == 0;
    }
    return fresh > 0 &&
           field->strength[fresh < 3 ? GUARD_RULE_TRANSITION : GUARD_RULE_TRANSITIONS] >= least;
}

/* Rules that reach the strength of 1e-2 fire on at most a few in a hundred of the next values of
 * the same traffic, words with a quote are caught, and free text disarms its own rules. */
static void test_realised_rates(void **state)
{
    (void)state;
    struct test_random random = test_random_start("calibrate");
    uint32_t trials = 0, false_fires = 0, caught = 0, missed = 0;
    for (uint32_t run = 0; run < RUNS; run++) {
        struct tree tree;
        tree_init(&tree);
        char name[16], text[64];
        for (uint32_t i = 0; i < 600; i++) {
            struct gd_cell *post = tree_request(
                &tree, i / 75, 1 + (uint32_t)test_random_below(&random, 200), "POST", "form");
            for (uint32_t field = 0; field < SERVICE_FIELDS; field++) {
                snprintf(name, sizeof(name), "f%u", field);
                (void)tree_value(&tree, post, GUARD_LOCATION_FORM, name,
                                 value_of(&random, field, text));
            }
        }
        struct guard_model *model = tree_learn(&tree);
        const struct guard_model_endpoint *form = tree_endpoint(model, "POST", "/form");
        assert_non_null(form);
        for (uint32_t i = 0; i < 200 * SERVICE_FIELDS; i++) {
            snprintf(name, sizeof(name), "f%u", i % SERVICE_FIELDS);
            const struct guard_model_field *field = tree_field(model, form, name);
            assert_non_null(field);
            trials++;
            false_fires += fires(field, value_of(&random, i % SERVICE_FIELDS, text), 200);
            if (i % 4 == 1 || i % 4 == 2) {
                caught += fires(field, "tom' or 1=1", 300);
                missed += !fires(field, "tom' or 1=1", 300);
            }
        }
        guard_model_free(model);
        tree_fini(&tree);
    }
    fprintf(stderr, "false firings %u of %u, caught %u of %u\n", false_fires, trials, caught,
            caught + missed);
    assert_true(false_fires * 100 <= trials);
    assert_true(missed * 50 <= caught);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_measured_proves_little),
        cmocka_unit_test(test_pool_proves_what_one_place_cannot),
        cmocka_unit_test(test_more_firing_less_strength),
        cmocka_unit_test(test_never_stronger_than_the_trials),
        cmocka_unit_test(test_a_noisy_place_loses_its_own_weight),
        cmocka_unit_test(test_the_worse_estimate_counts),
        cmocka_unit_test(test_families_and_sizes_are_apart),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_exposure),
        cmocka_unit_test(test_realised_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
