/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for patches: each is broken once, and its place is told. */
#include <guard/patch.h>

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S(text) GUARD_SPAN_LITERAL(text)

static const struct guard_span jndi[] = {{(const uint8_t *)"${jndi:", 7}};

static struct guard_patch_condition leaf(void)
{
    return (struct guard_patch_condition){
        .op = GUARD_OPERATOR_CONTAINS, .texts = jndi, .text_count = 1, .min = -1, .max = -1};
}

static struct guard_patch good(void)
{
    return (struct guard_patch){
        .id = S("CVE-2021-44228"), .title = S("Log4j"), .mode = GUARD_PATCH_SHADOW, .when = leaf()};
}

static void expect(const struct guard_patch *patch, enum guard_rc rc, const char *text)
{
    struct guard_err err = {""};
    assert_int_equal(guard_patch_check(patch, &err), rc);
    if (rc != GUARD_OK)
        assert_non_null(strstr(err.text, text));
    assert_int_equal(guard_patch_check(patch, NULL), rc);
}

static void expect_leaf(const struct guard_patch_condition *when, enum guard_rc rc,
                        const char *text)
{
    struct guard_patch patch = good();
    patch.when = *when;
    expect(&patch, rc, text);
}

static void a_plain_one_is_good(void **state)
{
    (void)state;
    struct guard_patch patch = good();
    const struct guard_span paths[] = {S("/a/{}")};
    const struct guard_span methods[] = {S("POST")};
    const struct guard_span types[] = {S("application/json")};
    expect(&patch, GUARD_OK, "");
    patch.endpoints = paths;
    patch.methods = methods;
    patch.media_types = types;
    patch.endpoint_count = patch.method_count = patch.media_count = 1;
    expect(&patch, GUARD_OK, "");
}

static void ids_and_words(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-a", ".a", "a b", "a/b", "\xc3\xa4"};
    struct guard_patch patch = good();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        patch.id = gd_span(bad[i], strlen(bad[i]));
        expect(&patch, GUARD_E_SYNTAX, "id: ");
    }
    uint8_t room[GUARD_PATCH_ID_MAX + 1];
    memset(room, 'a', sizeof(room));
    patch.id = gd_span(room, sizeof(room));
    expect(&patch, GUARD_E_LIMIT, "id: ");
    patch.id.len--;
    expect(&patch, GUARD_OK, "");
    patch.title = S("two\nlines");
    expect(&patch, GUARD_E_SYNTAX, "title: ");
}

static void scopes(void **state)
{
    (void)state;
    struct guard_span list[GUARD_PATCH_LIST_MAX + 1];
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        list[i] = S("/a");
    struct guard_patch patch = good();
    patch.endpoints = list;
    patch.endpoint_count = GUARD_PATCH_LIST_MAX;
    expect(&patch, GUARD_OK, "");
    patch.endpoint_count++;
    expect(&patch, GUARD_E_LIMIT, "scope.endpoints: ");
    list[1] = S("a");
    patch.endpoint_count = 2;
    expect(&patch, GUARD_E_SYNTAX, "scope.endpoints[1]: ");
    patch = good();
    list[0] = S("GE T");
    patch.methods = list;
    patch.method_count = 1;
    expect(&patch, GUARD_E_SYNTAX, "scope.methods[0]: ");
    patch = good();
    list[0] = S("json");
    patch.media_types = list;
    patch.media_count = 1;
    expect(&patch, GUARD_E_SYNTAX, "scope.contentTypes[0]: ");
}

static void leaves(void **state)
{
    (void)state;
    struct guard_patch_condition when = leaf();
    when.text_count = 0;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.contains: ");
    struct guard_span empty[] = {S("a"), {NULL, 0}};
    when.texts = empty;
    when.text_count = 2;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.contains[1]: ");
    when.op = GUARD_OPERATOR_EQUALS;
    expect_leaf(&when, GUARD_OK, "");
    when.op = GUARD_OPERATOR_REGEX;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.regex: ");
    struct guard_span regex[] = {S("a(")};
    when.texts = regex;
    when.text_count = 1;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.regex: has a group that doesn't close (at byte 2)");
    when.op = GUARD_OPERATOR_CHARSET;
    expect_leaf(&when, GUARD_OK, "");
    when.ignore_case = true;
    expect_leaf(&when, GUARD_E_SYNTAX, "when: ");
    when = leaf();
    when.places = GUARD_PLACE_BODY;
    when.on_names = true;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.in: ");
    when = leaf();
    when.places = GUARD_PLACE_STATUS;
    expect_leaf(&when, GUARD_E_SYNTAX, "a request has no status");
    when.op = GUARD_OPERATORS;
    expect_leaf(&when, GUARD_E_SYNTAX, "when: has an unknown operator");
}

static void numbers(void **state)
{
    (void)state;
    struct guard_patch_condition when = {.op = GUARD_OPERATOR_LENGTH, .min = -1, .max = -1};
    expect_leaf(&when, GUARD_E_SYNTAX, "when.length: ");
    when.min = 3;
    expect_leaf(&when, GUARD_OK, "");
    when.max = 2;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.length: ");
    when.op = GUARD_OPERATOR_RANGE;
    when.min = -7;
    expect_leaf(&when, GUARD_OK, "");
    when.op = GUARD_OPERATOR_COUNT;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.count: ");
    when.op = GUARD_OPERATOR_PRESENT;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.present: ");
    when.min = when.max = 0;
    expect_leaf(&when, GUARD_OK, "");
    when.op = GUARD_OPERATOR_TYPE;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.type: ");
    when.types = 1u << GUARD_TYPE_INT;
    expect_leaf(&when, GUARD_OK, "");
    when.types = 1u << GUARD_TYPE_COUNT;
    expect_leaf(&when, GUARD_E_SYNTAX, "when.type: ");
}

static void trees(void **state)
{
    (void)state;
    struct guard_patch_condition nest[GUARD_PATCH_DEPTH_MAX + 2];
    nest[0] = leaf();
    for (uint32_t i = 1; i < GUARD_PATCH_DEPTH_MAX + 2; i++)
        nest[i] = (struct guard_patch_condition){
            .op = GUARD_OPERATOR_NOT, .children = &nest[i - 1], .child_count = 1};
    expect_leaf(&nest[GUARD_PATCH_DEPTH_MAX], GUARD_OK, "");
    expect_leaf(&nest[GUARD_PATCH_DEPTH_MAX + 1], GUARD_E_LIMIT, "when.not.not");
    struct guard_patch_condition many[GUARD_PATCH_CONDITIONS_MAX];
    for (uint32_t i = 0; i < GUARD_PATCH_CONDITIONS_MAX; i++)
        many[i] = leaf();
    struct guard_patch_condition any = {.op = GUARD_OPERATOR_ANY, .children = many};
    expect_leaf(&any, GUARD_E_SYNTAX, "when.any: ");
    any.child_count = GUARD_PATCH_CONDITIONS_MAX - 1;
    expect_leaf(&any, GUARD_OK, "");
    any.child_count++;
    expect_leaf(&any, GUARD_E_LIMIT, "when.any[63]: ");
    any.child_count = 2;
    many[1].text_count = 0;
    expect_leaf(&any, GUARD_E_SYNTAX, "when.any[1].contains: ");
    any.op = GUARD_OPERATOR_NOT;
    expect_leaf(&any, GUARD_E_SYNTAX, "when.not: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_one_is_good),
        cmocka_unit_test(ids_and_words),
        cmocka_unit_test(scopes),
        cmocka_unit_test(leaves),
        cmocka_unit_test(numbers),
        cmocka_unit_test(trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
