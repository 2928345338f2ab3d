/* SPDX-License-Identifier: Apache-2.0 */
/* How alpha becomes thresholds: shares of requests that read like attacks, of all others and of
 * responses, and what none of them can use. */
#include "unit/policy/world.h"

#include "policy/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct guard_model model;
static struct gd_policy_header header;

/* Scores mean `offset` less than they say; where it is 0 nothing was measured. */
static void measured(enum guard_scale of, uint16_t offset)
{
    for (uint16_t i = 0; i < GUARD_SCALE_POINTS; i++) {
        uint16_t says = (uint16_t)(i * GUARD_SCALE_STEP);
        model.scale[of][i] = says > offset ? (uint16_t)(says - offset) : 1;
    }
    model.scale[of][0] = 0;
}

static void start(uint64_t exchanges)
{
    memset(&model, 0, sizeof(model));
    memset(&header, 0, sizeof(header));
    model.exchanges = exchanges;
    for (int of = 0; of < GUARD_SCALE_COUNT; of++)
        measured((enum guard_scale)of, 0);
}

static void test_nothing_measured(void **state)
{
    (void)state;
    memset(&header, 0, sizeof(header));
    gd_budget_spend(&header, NULL, 1e-3, true);
    assert_int_equal(header.threshold, 300);
    assert_int_equal(header.threshold_alike, 300);
    assert_int_equal(header.threshold_answer, 300);
    assert_int_equal(header.threshold_time, 300);
    assert_int_equal(header.threshold_client, 300);
    memset(&model, 0, sizeof(model));
    gd_budget_spend(&header, &model, 1e-4, true);
    assert_int_equal(header.threshold, 400);
    assert_int_equal(header.threshold_alike, 400);
}

/* Where fewer than three of very many read like an attack the others have nearly all. */
static void test_rest(void **state)
{
    (void)state;
    start(1000000);
    gd_budget_spend(&header, &model, 1e-3, true);
    assert_int_equal(header.threshold_alike, 360);
    assert_int_equal(header.threshold, 300);
    start(1000); /* three of so few are more than a quarter */
    gd_budget_spend(&header, &model, 1e-3, true);
    assert_int_equal(header.threshold_alike, 360);
    assert_int_equal(header.threshold, 312);
}

/* Those that are, one in 50,000, are what they can use. */
static void test_measured(void **state)
{
    (void)state;
    start(1000000);
    measured(GUARD_SCALE_ALIKE, 100);
    for (uint32_t i = 1; i < GUARD_SCALE_POINTS; i++)
        model.scale[GUARD_SCALE_ALIKE][i] =
            model.scale[GUARD_SCALE_ALIKE][i] < 470 ? 470 : model.scale[GUARD_SCALE_ALIKE][i];
    gd_budget_spend(&header, &model, 1e-4, true);
    assert_in_range(header.threshold_alike, 0, GUARD_SCALE_STEP); /* so rare are all of them */
    assert_in_range(header.threshold, 409, 411);                  /* the others have 8e-5 */
    measured(GUARD_SCALE_ALIKE, 100);
    gd_budget_spend(&header, &model, 1e-3, true);
    assert_int_equal(header.threshold_alike, 460);
    assert_int_equal(header.threshold, 312);
}

static void test_switched_off(void **state)
{
    (void)state;
    start(1000);
    measured(GUARD_SCALE_REQUESTS, 50);
    gd_budget_spend(&header, &model, 1e-3, false);
    assert_int_equal(header.threshold, 350);
    assert_int_equal(header.threshold_alike, 300);
}

static void test_answers(void **state)
{
    (void)state;
    start(1000000);
    measured(GUARD_SCALE_ANSWERS, 20);
    gd_budget_spend(&header, &model, 1e-3, true);
    assert_int_equal(header.threshold_answer, 320); /* no responses were learned */
    model.answer_count = 1;
    gd_budget_spend(&header, &model, 1e-3, true);
    assert_int_equal(header.threshold_answer, 380);
    assert_int_equal(header.threshold_alike, 373); /* a quarter of three */
    assert_in_range(header.threshold, 312, 313);
}

static struct guard_budget_proof proved(double alpha)
{
    struct guard_budget_proof proof;
    guard_budget_proved(&model, alpha, &proof);
    return proof;
}

static void assert_nothing(struct guard_budget_proof proof)
{
    assert_true(proof.expected >= 1.0 && proof.at_most >= 1.0);
}

/* So few can't show more than their number, whatever the budget. The limits are those of exact
 * tables: 7.754 where 3 were seen, 62.17 where 49 were. */
static void test_proved(void **state)
{
    (void)state;
    struct guard_budget_proof none;
    guard_budget_proved(NULL, 1e-4, &none);
    assert_nothing(none);
    memset(&model, 0, sizeof(model));
    model.exchanges = 1000000; /* of which no score was measured */
    assert_nothing(proved(1e-4));
    start(1);
    assert_nothing(proved(1e-4));
    start(12); /* 4 of 7 are to be expected, but 7.754 can't be ruled out */
    assert_nothing(proved(1e-4));
    start(800);
    struct guard_budget_proof few = proved(1e-4);
    assert_true(few.expected > 3.999 / 401 && few.expected < 4.001 / 401);
    assert_true(few.at_most >= 7.754 / 401 && few.at_most < 7.78 / 401);
    struct guard_budget_proof wide = proved(0.05);
    assert_true(wide.expected > 0.04999 && wide.expected < 0.05001 && wide.at_most > 0.05);
    start(999998);
    struct guard_budget_proof many = proved(1e-4);
    assert_true(many.expected > 0.9999e-4 && many.expected < 1.0001e-4);
    assert_true(many.at_most >= 62.17 / 500000 && many.at_most < 62.4 / 500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_measured), cmocka_unit_test(test_rest),
        cmocka_unit_test(test_measured),         cmocka_unit_test(test_switched_off),
        cmocka_unit_test(test_answers),          cmocka_unit_test(test_proved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
