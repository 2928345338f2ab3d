/* SPDX-License-Identifier: Apache-2.0 */
/* Labels are read wherever they stand, and places are compared as the independent scorer does. */
#include "guard/eval_label.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void test_all_members_are_read(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct eval_label label;
    (void)state;
    guard_arena_init(&arena, &heap, 1 << 20);
    assert_true(eval_label_read(
        &label,
        span("{\"id\":\"label\",\"request\":{\"label\":{\"attack\":true}},\"label\":{\"x\":[1,{}],"
             "\"attack\":false,\"class\":\"s\\u0071li\",\"location\":\"query\",\"param\":\"a\","
             "\"encoding\":\"url\",\"base\":\"b\",\"split\":\"train\",\"padding\":true}}"),
        &arena));
    assert_true(label.known && !label.attack && label.padded && label.param_known);
    assert_true(eval_span_is(label.class_name, "sqli") && eval_span_is(label.split, "train"));
    assert_true(eval_span_is(label.base, "b") && eval_span_is(label.encoding, "url"));
    assert_true(eval_label_read(&label, span("{\"label\":{\"attack\":true}}"), &arena));
    assert_true(label.known && label.attack && !label.padded && !label.param_known);
    assert_true(eval_label_read(&label, span("{\"label\":7}"), &arena));
    assert_false(label.known);
    assert_true(eval_label_read(&label, span("{\"label\":{\"attack\":\"yes\"}}"), &arena));
    assert_false(label.known);
    assert_false(eval_label_read(&label, span("[]"), &arena));
    assert_false(eval_label_read(&label, span("{\"label\":{\"attack\":"), &arena));
    guard_arena_reset(&arena);
}

static bool names(const char *label_location, const char *param, const char *location,
                  const char *name)
{
    struct eval_label label = {
        .location = span(label_location), .param = span(param), .param_known = true};
    return eval_label_names(&label, span(location), span(name));
}

static void test_places(void **state)
{
    (void)state;
    assert_true(names("query", "id", "query", "ID"));
    assert_false(names("query", "id", "form", "id"));
    assert_false(names("query", "id", "query", "id2"));
    assert_true(names("json", "a[].b", "json", "$.a[0].b"));
    assert_true(names("json", "a[].b", "json", "a.12.b"));
    assert_true(names("form", "a", "body", "a"));
    assert_true(names("multipart", "a", "json", "a"));
    assert_true(names("path", "seg1", "path", "seg1"));
    assert_false(names("path", "seg1", "path", "seg2"));
    assert_true(names("path", "seg1", "path", ""));
    assert_true(names("path", "seg1", "path", "file"));
    assert_false(names("path", "seg1", "query", "seg1"));
    assert_false(names("header", "x", "query", "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_members_are_read),
                                       cmocka_unit_test(test_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
