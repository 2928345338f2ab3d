/* SPDX-License-Identifier: Apache-2.0 */
/* Words of operators and places; ids of patterns. */
#include <guard/patch.h>

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void every_operator_and_place_has_a_word(void **state)
{
    (void)state;
    for (int op = 0; op < GUARD_OPERATORS; op++)
        assert_non_null(guard_operator_name((enum guard_patch_operator)op));
    assert_null(guard_operator_name(GUARD_OPERATORS));
    for (uint32_t place = 1; place <= GUARD_PLACE_ALL; place <<= 1)
        assert_non_null(guard_place_name(place));
    assert_string_equal(guard_place_name(GUARD_PLACE_STATUS), "status");
    assert_null(guard_place_name(GUARD_PLACE_ALL + 1));
    assert_null(guard_place_name(GUARD_PLACE_PATH | GUARD_PLACE_FORM));
    assert_null(guard_place_name(0));
}

static void an_id_is_of_all_that_makes_a_pattern(void **state)
{
    (void)state;
    struct guard_span text = GUARD_SPAN_LITERAL("a+");
    uint64_t id = guard_pattern_id(text, false, false);
    assert_int_equal(id, guard_pattern_id(text, false, false));
    assert_int_not_equal(id, 0);
    assert_int_not_equal(id, guard_pattern_id(text, true, false));
    assert_int_not_equal(id, guard_pattern_id(text, false, true));
    assert_int_not_equal(id, guard_pattern_id(GUARD_SPAN_LITERAL("a"), false, false));
    assert_int_not_equal(0, guard_pattern_id(gd_span(NULL, 0), false, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_and_place_has_a_word),
        cmocka_unit_test(an_id_is_of_all_that_makes_a_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
