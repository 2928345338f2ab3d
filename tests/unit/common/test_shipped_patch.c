/* SPDX-License-Identifier: Apache-2.0 */
/* What a shipped patch is for: its document, and components that are it, aren't, or can't be told.
 */
#include "common/sbom/shipped_patch.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_arena arena;

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static int prepare(void **state)
{
    struct guard_alloc heap = heap_alloc();
    (void)state;
    guard_arena_init(&arena, &heap, 1 << 20);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static enum guard_rc read_text(struct shipped_patch *patch, const char *text, struct guard_err *err)
{
    struct document document;
    assert_int_equal(document_parse(&document, "f", span(text), &arena, err), GUARD_OK);
    return shipped_patch_read(&document, patch, err);
}

static void check(const struct shipped_patch *patch, const char *purl_text, const char *version,
                  const char *cpe, enum version_answer due)
{
    struct cyclonedx_component component = {.version = span(version), .cpe = span(cpe)};
    const struct shipped_affected *by = NULL;
    struct purl purl;
    if (purl_text != NULL)
        assert_int_equal(purl_read(&purl, span(purl_text), NULL), GUARD_OK);
    assert_int_equal(
        shipped_patch_applies(patch, &component, purl_text != NULL ? &purl : NULL, &by), due);
    assert_true((by != NULL) == (due != VERSION_OUTSIDE));
}

static void test_applies(void **state)
{
    struct shipped_patch patch;
    (void)state;
    assert_int_equal(read_text(&patch,
                               "patches:\n- {id: X-1, title: one}\naffects:\n"
                               "- {package: 'pkg:npm/%40a/b', versions: '<1.2.0'}\n"
                               "- {cpe: 'a:v:p', versions: '>=2 <3'}\n",
                               NULL),
                     GUARD_OK);
    assert_int_equal(patch.affected_count, 2);
    check(&patch, "pkg:npm/%40a/b@1.1.9", "", "", VERSION_INSIDE);
    check(&patch, "pkg:npm/@a/b", "1.1.9", "", VERSION_INSIDE);
    check(&patch, "pkg:npm/@a/b@1.2.0", "1.0.0", "", VERSION_OUTSIDE);
    check(&patch, "pkg:npm/@a/b", "", "", VERSION_UNKNOWN);
    check(&patch, "pkg:npm/@a/b@main", "", "", VERSION_UNKNOWN);
    check(&patch, "pkg:npm/b@1.0.0", "", "", VERSION_OUTSIDE);
    check(&patch, NULL, "2.5", "cpe:2.3:a:v:p:2.5:*:*:*:*:*:*:*", VERSION_INSIDE);
    check(&patch, NULL, "2.5", "cpe:/a:V:P:2.5", VERSION_INSIDE);
    check(&patch, NULL, "3.0", "cpe:2.3:a:v:p:3.0", VERSION_OUTSIDE);
    check(&patch, NULL, "2.5", "cpe:2.3:a:v:pq:2.5", VERSION_OUTSIDE);
    check(&patch, NULL, "2.5", "cpe:2.3:a:v", VERSION_OUTSIDE);
    check(&patch, NULL, "2.5", "", VERSION_OUTSIDE);
    check(&patch, "pkg:generic/p@9", "*", "cpe:2.3:a:v:p:*", VERSION_UNKNOWN);
}

static void check_refused(const char *text, const char *words)
{
    struct shipped_patch patch;
    struct guard_err err = {.text = ""};
    if (read_text(&patch, text, &err) != GUARD_E_SYNTAX || strstr(err.text, words) == NULL)
        fail_msg("%s: %s", text, err.text);
}

#define PATCH "patches: [{id: X, title: one}]\n"

static void test_refused(void **state)
{
    (void)state;
    check_refused("patches: []", "f:1:1: a shipped document has one patch");
    check_refused("patches: [{id: X}]", "f:1:11: a patch needs an id and a title");
    check_refused(PATCH "affects: x", "f:2:10: a list is needed");
    check_refused(PATCH "affects: [x]", "f:2:11: a mapping is needed");
    check_refused(PATCH "affects: [{package: 'npm/x', versions: '<1'}]",
                  "f:2:21: a package URL begins with \"pkg:\"");
    check_refused(PATCH "affects: [{package: 'pkg:npm/x@1', versions: '<1'}]",
                  "stand in \"versions\"");
    check_refused(PATCH "affects: [{cpe: 'v:p', versions: '<1'}]", "f:2:17: a product is named as");
    check_refused(PATCH "affects: [{cpe: 'a:v:p', versions: '1'}]",
                  "f:2:36: a bound begins with <, <=, >, >= or = (at affects[0].versions)");
    check_refused(PATCH "affects: [{cpe: 'a:v:p'}]", "needs either package or cpe, and versions");
    check_refused(PATCH "affects: [{cpe: 'a:v:p', package: 'pkg:npm/x', versions: '<1'}]",
                  "needs either");
    check_refused(PATCH "affects: [{cpe: 'a:v:p', version: '<1'}]", "only package or cpe");
    check_refused(PATCH "affects: [{cpe: [x]}]", "a text is needed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_applies, prepare, clear),
        cmocka_unit_test_setup_teardown(test_refused, prepare, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
