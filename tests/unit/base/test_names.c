/* SPDX-License-Identifier: Apache-2.0 */
/* The spellings that findings and documents use are a contract: complete, distinct, bounded. */
#include <guard/traffic.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *location(unsigned i)
{
    return guard_location_name((enum guard_location)i);
}

static const char *fault(unsigned i)
{
    return guard_fault_name((enum guard_fault)i);
}

static const char *type(unsigned i)
{
    return guard_type_name((enum guard_type)i);
}

static void check(const char *(*name)(unsigned), unsigned first, unsigned count)
{
    for (unsigned i = first; i < count; i++) {
        assert_true(strlen(name(i)) > 0);
        for (unsigned k = first; k < i; k++)
            assert_string_not_equal(name(i), name(k));
    }
    assert_string_equal(name(count), "unknown");
    assert_string_equal(name(99999), "unknown");
}

static void test_tables(void **state)
{
    (void)state;
    check(location, 1, GUARD_LOCATION_COUNT);
    check(fault, 0, GUARD_FAULT_COUNT);
    check(type, 0, GUARD_TYPE_COUNT);
    assert_string_equal(location(0), "");
    assert_string_equal(location(GUARD_LOCATION_MULTIPART), "multipart");
    assert_string_equal(fault(GUARD_FAULT_BAD_ESCAPE), "bad-escape");
    assert_string_equal(type(GUARD_TYPE_UUID), "uuid");
}

static void test_classes(void **state)
{
    (void)state;
    char names[GUARD_CLASS_COUNT + 1][16];
    for (unsigned i = 0; i <= GUARD_CLASS_COUNT; i++) {
        memset(names[i], 'x', 16);
        guard_class_name((enum guard_class)i, names[i]);
        assert_non_null(memchr(names[i], '\0', 16));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(names[i], names[k]);
    }
    assert_string_equal(names[GUARD_CLASS_PUNCTUATION], "\"!\"");
    assert_string_equal(names[GUARD_CLASS_PUNCTUATION + 6], "\"'\"");
    assert_string_equal(names[GUARD_CLASS_PUNCTUATION + 28], "\"{\"");
    assert_string_equal(names[GUARD_CLASS_PUNCTUATION + 31], "\"~\"");
    assert_string_equal(names[GUARD_CLASS_INVALID], "invalid UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables),
                                       cmocka_unit_test(test_classes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
