/* SPDX-License-Identifier: Apache-2.0 */
/* How evidence adds up: the strongest counts, others a little, what depends on each other hardly.
 */
#include "decide/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct gd_candidate of(uint16_t weighted, uint32_t group)
{
    return (struct gd_candidate){.weighted = weighted, .group = group, .strength = weighted};
}

static void test_alone(void **state)
{
    (void)state;
    struct gd_candidate one[] = {of(310, 0)};
    assert_int_equal(gd_score(one, 0, true, 300), 0);
    assert_int_equal(gd_score(one, 1, true, 300), 310);
}

static void test_together(void **state)
{
    (void)state;
    struct gd_candidate apart[] = {of(200, 0), of(200, 1), of(100, 2)};
    assert_int_equal(gd_score(apart, 3, true, 300), 200 + 20 + 10);
    struct gd_candidate one_value[] = {of(200, 0), of(200, 0), of(100, 0)};
    assert_int_equal(gd_score(one_value, 3, true, 300), 200 + 10 + 5);
    struct gd_candidate alone[] = {of(200, GD_GROUP_NONE), of(200, GD_GROUP_NONE)};
    assert_int_equal(gd_score(alone, 2, true, 300), 220);
}

/* Many weak ones can't be piled up without end. */
static void test_cap(void **state)
{
    (void)state;
    struct gd_candidate many[GD_CANDIDATES];
    for (uint32_t i = 0; i < GD_CANDIDATES; i++)
        many[i] = of(100, i);
    assert_int_equal(gd_score(many, GD_CANDIDATES, true, 300), 100 + 10 * 10);
}

static void test_pending(void **state)
{
    (void)state;
    struct gd_candidate many[12];
    for (uint32_t i = 0; i < 12; i++) {
        many[i] = of(290, i);
        many[i].pending = true;
    }
    assert_int_equal(gd_score(many, 12, true, 300), 299);
    many[11].pending = false;
    assert_int_equal(gd_score(many, 12, true, 300), 290 + 10 * 29);
}

/* Without what it reads like, as if nobody had asked. In any order. */
static void test_alike(void **state)
{
    (void)state;
    struct gd_candidate three[] = {of(100, 0), of(500, 0), of(400, 1)};
    three[1].rule = GUARD_RULE_LIKENESS;
    three[2].extra = 200;
    assert_int_equal(gd_score(three, 3, true, 300), 500 + 40 + 5);
    assert_int_equal(gd_score(three, 3, false, 300), 200 + 10);
    assert_int_equal(gd_score(three + 1, 1, false, 300), 0);
}

static void test_weights(void **state)
{
    (void)state;
    assert_int_equal(gd_rule_weighted(GUARD_RULE_CHARACTER, 250), 350);
    assert_int_equal(gd_rule_weighted(GUARD_RULE_TRANSITIONS, 250), 300);
    assert_int_equal(gd_rule_weighted(GUARD_RULE_LENGTH_FAR, 250), 300);
    assert_int_equal(gd_rule_weighted(GUARD_RULE_FAULT, 250), 300);
    assert_int_equal(gd_rule_weighted(GUARD_RULE_LENGTH, 250), 200);
    assert_int_equal(gd_rule_weighted(GUARD_RULE_TYPE, 250), 250);
    assert_int_equal(gd_rule_weighted(GUARD_RULE_ALPHABET, 250), 200);
    assert_int_equal(gd_rule_weighted(GUARD_RULE_SHORT, 20), 0);
    assert_int_equal(gd_rule_weighted(GUARD_RULE_CHARACTER, UINT16_MAX), UINT16_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone), cmocka_unit_test(test_together),
        cmocka_unit_test(test_cap),   cmocka_unit_test(test_pending),
        cmocka_unit_test(test_alike), cmocka_unit_test(test_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
