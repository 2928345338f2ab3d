/* SPDX-License-Identifier: Apache-2.0 */
/* Both weightings, as the independent scorer's self-test has them. */
#include "guard/eval_tally.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void add(struct eval_tally *tally, bool attack, const char *class_name, bool block,
                bool fresh)
{
    struct eval_label label = {.known = true,
                               .attack = attack,
                               .class_name = span(class_name),
                               .location = span("query"),
                               .param = span("id"),
                               .param_known = true};
    struct eval_said said = {
        .block = block, .placed = true, .location = span("query"), .name = span("id")};
    eval_tally_add(tally, &label, &said, fresh);
}

static void test_counts_and_spreads(void **state)
{
    struct eval_tally tallies[2] = {{.flagged = 0}, {.flagged = 0}};
    (void)state;
    for (int i = 0; i < 5; i++)
        add(&tallies[0], false, "", i < 2, i < 2);
    add(&tallies[0], false, "lookalike", true, false);
    add(&tallies[0], true, "sqli", true, false);
    add(&tallies[0], true, "xss", true, false);
    add(&tallies[1], false, "", false, true);
    add(&tallies[1], true, "sqli", true, false);
    add(&tallies[1], true, "sqli", false, false);
    assert_int_equal(tallies[0].benign.of, 5);
    assert_int_equal(tallies[0].lookalikes.hits, 1);
    assert_int_equal(tallies[0].distinct.of, 2);
    assert_int_equal(tallies[0].right, 2);
    size_t stride = sizeof(tallies[0]);
    struct eval_spread attacks = eval_spread_attacks(tallies, stride, 2);
    struct eval_spread benign = eval_spread_benign(tallies, stride, 2);
    assert_true(fabs(attacks.mean - 0.75) < 1e-12 && fabs(attacks.worst - 0.5) < 1e-12);
    assert_true(fabs(benign.mean - 0.2) < 1e-12 && fabs(benign.worst - 0.4) < 1e-12);
    struct eval_tally sum = tallies[0];
    eval_tally_sum(&sum, &tallies[1]);
    assert_int_equal(sum.attacks.of, 4);
    assert_int_equal(sum.attacks.hits, 3);
    assert_true(isnan(eval_spread_attacks(tallies, stride, 0).mean));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts_and_spreads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
