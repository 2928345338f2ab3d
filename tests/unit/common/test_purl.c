/* SPDX-License-Identifier: Apache-2.0 */
/* Package URLs as inventories write them, and as they shouldn't. */
#include "common/sbom/purl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void check(const char *text, const char *type, const char *path, const char *version)
{
    struct purl purl;
    struct guard_err err = {.text = ""};
    if (purl_read(&purl, span(text), &err) != GUARD_OK)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(purl.type, type);
    assert_string_equal(purl.path, path);
    assert_string_equal(purl.version, version);
}

static void test_forms(void **state)
{
    (void)state;
    check("pkg:npm/lodash@4.17.11", "npm", "lodash", "4.17.11");
    check("pkg:npm/%40angular/core@12.0.0?vcs_url=git%2Bhttps#src/x@y", "npm", "@angular/core",
          "12.0.0");
    check("pkg:npm/@angular/core", "npm", "@angular/core", "");
    check("pkg:npm/@angular/core@1", "npm", "@angular/core", "1");
    check("PKG:Maven/org.example/lib@2.0-beta9?type=jar", "maven", "org.example/lib", "2.0-beta9");
    check("pkg://golang/github.com/grafana/grafana@v8.0.0", "golang", "github.com/grafana/grafana",
          "v8.0.0");
    check("pkg:generic/bash", "generic", "bash", "");
    check("pkg:deb/debian/x@1%3A2.3%2Bb1", "deb", "debian/x", "1:2.3+b1");
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "pkg:",
                                      "npm/lodash@1",
                                      "pkg:npm",
                                      "pkg:/x",
                                      "pkg:npm/",
                                      "pkg:n m/x",
                                      "pkg:npm/a%2",
                                      "pkg:npm/a%zz",
                                      "pkg:npm/a%00b",
                                      "pkg:npm/a\nb",
                                      "pkg:npm/@1%0a"};
    char big[PURL_PATH_MAX + 16] = "pkg:npm/";
    struct purl purl;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct guard_err err = {.text = ""};
        if (purl_read(&purl, span(bad[i]), &err) != GUARD_E_SYNTAX || err.text[0] == '\0')
            fail_msg("taken: %s", bad[i]);
    }
    memset(big + 8, 'a', PURL_PATH_MAX);
    assert_int_equal(purl_read(&purl, span(big), NULL), GUARD_OK);
    big[8 + PURL_PATH_MAX] = 'a';
    assert_int_equal(purl_read(&purl, span(big), NULL), GUARD_E_LIMIT);
}

static void test_same_package(void **state)
{
    struct purl a;
    struct purl b;
    (void)state;
    assert_int_equal(purl_read(&a, span("pkg:nuget/Telerik.Web.UI@1"), NULL), GUARD_OK);
    assert_int_equal(purl_read(&b, span("pkg:NuGet/telerik.web.ui@2"), NULL), GUARD_OK);
    assert_true(purl_same_package(&a, &b));
    assert_int_equal(purl_read(&b, span("pkg:npm/telerik.web.ui@2"), NULL), GUARD_OK);
    assert_false(purl_same_package(&a, &b));
    assert_int_equal(purl_scheme(&b), VERSION_SEMVER);
    assert_int_equal(purl_read(&b, span("pkg:maven/a/b@2"), NULL), GUARD_OK);
    assert_int_equal(purl_scheme(&b), VERSION_DOTTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_same_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
