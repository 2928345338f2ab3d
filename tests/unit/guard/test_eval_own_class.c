/* SPDX-License-Identifier: Apache-2.0 */
/* Labels find the class of likeness that knows their grammar, and none where no class does. */
#include "guard/eval_own_class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_labels(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum guard_likeness own;
    } rows[] = {{"sqli", GUARD_LIKENESS_SQL},
                {"SQLi", GUARD_LIKENESS_SQL},
                {"xss", GUARD_LIKENESS_SCRIPT},
                {"cmdi", GUARD_LIKENESS_SHELL},
                {"traversal", GUARD_LIKENESS_PATH},
                {"ssti", GUARD_LIKENESS_TEMPLATE},
                {"nosqli", GUARD_LIKENESS_NOSQL},
                {"log4shell", GUARD_LIKENESS_LOOKUP},
                {"pod-compromise", GUARD_LIKENESS_COUNT},
                {"sql-like", GUARD_LIKENESS_COUNT},
                {"-", GUARD_LIKENESS_COUNT},
                {"", GUARD_LIKENESS_COUNT}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct guard_span label = {(const uint8_t *)rows[i].label, strlen(rows[i].label)};
        assert_int_equal(eval_own_class(label), rows[i].own);
    }
    for (uint32_t i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        const char *name = guard_likeness_name((enum guard_likeness)i);
        struct guard_span label = {(const uint8_t *)name, strlen(name)};
        assert_int_equal(eval_own_class(label), i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
