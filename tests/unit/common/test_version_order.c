/* SPDX-License-Identifier: Apache-2.0 */
/* Orders of versions as their ecosystems give them, and ranges. */
#include "common/sbom/version_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* Each is older than all behind it. */
static void check_order(enum version_scheme scheme, const char *const *versions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(version_comparable(span(versions[i])));
        for (size_t k = 0; k < count; k++) {
            int order = version_compare(scheme, span(versions[i]), span(versions[k]));
            if ((i < k && order >= 0) || (i > k && order <= 0) || (i == k && order != 0))
                fail_msg("%s and %s: %d", versions[i], versions[k], order);
        }
    }
}

static void check_equal(enum version_scheme scheme, const char *a, const char *b)
{
    assert_int_equal(version_compare(scheme, span(a), span(b)), 0);
    assert_int_equal(version_compare(scheme, span(b), span(a)), 0);
}

static void test_semver(void **state)
{
    static const char *const versions[] = {"0.0.9",       "0.9.0",         "0.10.0",
                                           "1.0.0-1",     "1.0.0-2",       "1.0.0-10",
                                           "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                           "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                           "1.0.0-rc.1",  "1.0.0",         "1.0.1",
                                           "1.2.0-0",     "1.2.0",         "2.0.0",
                                           "2020.1.114",  "2020.1.219.45"};
    (void)state;
    check_order(VERSION_SEMVER, versions, sizeof(versions) / sizeof(versions[0]));
    check_equal(VERSION_SEMVER, "v1.2.3", "1.2.3");
    check_equal(VERSION_SEMVER, "1.2.3+one", "1.2.3+two-2");
    check_equal(VERSION_SEMVER, "1", "1.0.0");
    check_equal(VERSION_SEMVER, "1.002.0", "1.2");
    assert_true(version_compare(VERSION_SEMVER, span("15.0.5-canary.3"), span("15.0.5")) < 0);
    assert_true(version_compare(VERSION_SEMVER, span("1.99999999999999999999999"),
                                span("1.100000000000000000000000")) < 0);
}

static void test_dotted(void **state)
{
    static const char *const versions[] = {"1.0-alpha-1", "1.0-alpha2", "1.0-beta1",    "1.0-beta9",
                                           "1.0-M1",      "1.0-rc1",    "1.0-SNAPSHOT", "1.0",
                                           "1.0a",        "1.0f",       "1.0-sp",       "1.0-3",
                                           "1.0.1",       "1.1b2",      "1.1",          "1.1.1",
                                           "2.0-beta9",   "2.0",        "10.3.6.0.0"};
    (void)state;
    check_order(VERSION_DOTTED, versions, sizeof(versions) / sizeof(versions[0]));
    check_equal(VERSION_DOTTED, "5.2.20.RELEASE", "5.2.20");
    check_equal(VERSION_DOTTED, "1.0-Final", "1.0.0-ga");
    check_equal(VERSION_DOTTED, "1:2.4.50", "2.4.50");
    check_equal(VERSION_DOTTED, "2.4.50+dfsg1", "2.4.50");
    assert_true(version_compare(VERSION_DOTTED, span("2.4.50~20210101"), span("2.4.50")) < 0);
}

static void test_comparable(void **state)
{
    static const char *const bad[] = {"",  "v",    "latest", "^1.2.3", "~1.2",  ">=1",
                                      "*", "1.x ", "1 2",    "a1",     "1.2\n", "git+ssh://x/1"};
    char big[VERSION_BYTES_MAX + 2];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(version_comparable(span(bad[i])));
    assert_false(version_comparable((struct guard_span){(const uint8_t *)"1\0", 2}));
    memset(big, '1', sizeof(big));
    assert_true(version_comparable((struct guard_span){(uint8_t *)big, VERSION_BYTES_MAX}));
    assert_false(version_comparable((struct guard_span){(uint8_t *)big, VERSION_BYTES_MAX + 1}));
}

static enum version_answer in(const char *version, const char *ranges)
{
    struct guard_err err;
    assert_int_equal(version_ranges_check(span(ranges), &err), GUARD_OK);
    return version_in(VERSION_SEMVER, span(version), span(ranges));
}

static void test_ranges(void **state)
{
    static const char two[] = ">=1.0.0 <1.2.0 ||  >=2.0.0 <=2.3.0 ";
    (void)state;
    assert_int_equal(in("0.9.9", two), VERSION_OUTSIDE);
    assert_int_equal(in("1.0.0", two), VERSION_INSIDE);
    assert_int_equal(in("1.1.99", two), VERSION_INSIDE);
    assert_int_equal(in("1.2.0", two), VERSION_OUTSIDE);
    assert_int_equal(in("2.3.0", two), VERSION_INSIDE);
    assert_int_equal(in("2.3.1", two), VERSION_OUTSIDE);
    assert_int_equal(in("1.2.0-beta", two), VERSION_INSIDE);
    assert_int_equal(in("3.1", "=3.1.0 || >4"), VERSION_INSIDE);
    assert_int_equal(in("4.0.0", "=3.1.0 || >4"), VERSION_OUTSIDE);
    assert_int_equal(in("main", two), VERSION_UNKNOWN);
    assert_int_equal(in("", two), VERSION_UNKNOWN);
}

static void test_bad_ranges(void **state)
{
    static const char *const bad[] = {"",       "  ",    "1.2",         "<",    "<=", ">= 1",
                                      "<1 || ", "|| <1", "<1 || || <2", "~1.2", "<a", "<1|| <2"};
    char big[VERSION_RANGES_BYTES_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct guard_err err = {.text = ""};
        if (version_ranges_check(span(bad[i]), &err) != GUARD_E_SYNTAX || err.text[0] == '\0')
            fail_msg("taken: %s", bad[i]);
    }
    memset(big, ' ', sizeof(big));
    assert_int_equal(version_ranges_check((struct guard_span){(uint8_t *)big, sizeof(big)}, NULL),
                     GUARD_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_semver),     cmocka_unit_test(test_dotted),
        cmocka_unit_test(test_comparable), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_bad_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
