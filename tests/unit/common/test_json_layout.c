/* SPDX-License-Identifier: Apache-2.0 */
/* JSON laid out in lines and as YAML: the same values, whatever the names are. */
#include "common/document.h"
#include "common/json_layout.h"
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void lays_out(const char *json, enum json_layout layout, const char *wanted)
{
    struct guard_alloc heap = world_heap;
    struct guard_arena arena;
    struct guard_span out;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    assert_int_equal(json_layout(world_span(json), layout, &arena, &out, NULL), GUARD_OK);
    assert_int_equal(out.len, strlen(wanted));
    assert_memory_equal(out.ptr, wanted, out.len);
    assert_int_equal(document_parse(&document, "layout", out, &arena, NULL), GUARD_OK);
    guard_arena_reset(&arena);
}

static const char sample[] = "{\"a\":[1,[2,3],[],{\"b\":\"x, "
                             "y\",\"c\":[{}]}],\"no\":null,\"x-y\":\"\\\"}\",\"2XX\":{\"d\":true}}";

static void test_lines(void **state)
{
    (void)state;
    lays_out(sample, JSON_LAYOUT_LINES,
             "{\n  \"a\": [\n    1,\n    [\n      2,\n      3\n    ],\n    [],\n    {\n"
             "      \"b\": \"x, y\",\n      \"c\": [\n        {}\n      ]\n    }\n  ],\n"
             "  \"no\": null,\n  \"x-y\": \"\\\"}\",\n  \"2XX\": {\n    \"d\": true\n  }\n}\n");
    lays_out("{}", JSON_LAYOUT_LINES, "{}\n");
}

static void test_yaml(void **state)
{
    (void)state;
    lays_out(sample, JSON_LAYOUT_YAML,
             "a:\n  - 1\n  - - 2\n    - 3\n  - []\n  - b: \"x, y\"\n    c:\n      - {}\n"
             "\"no\": null\nx-y: \"\\\"}\"\n\"2XX\":\n  d: true\n");
    lays_out("[[[1]]]", JSON_LAYOUT_YAML, "- - - 1\n");
    lays_out("{\"Null\":1,\"Y\":2,\"-a\":3,\"a.b\":4}", JSON_LAYOUT_YAML,
             "\"Null\": 1\n\"Y\": 2\n\"-a\": 3\n\"a.b\": 4\n");
}

static void test_what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",        "{",        "[1",   "{\"a\"",
                                        "{\"a\":", "{\"a\"1}", "[1]]", "\"a"};
    char deep[700];
    struct guard_alloc heap = world_heap;
    struct guard_arena arena;
    struct guard_span out;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    for (size_t i = 0; i + 1 < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(json_layout(world_span(texts[i]), JSON_LAYOUT_YAML, &arena, &out, NULL),
                         GUARD_E_SYNTAX);
    (void)snprintf(deep, sizeof(deep), "%0300d%0300d", 0, 0);
    memset(deep, '[', 300);
    memset(deep + 300, ']', 300);
    assert_int_equal(json_layout(world_span(deep), JSON_LAYOUT_YAML, &arena, &out, NULL),
                     GUARD_E_LIMIT);
    guard_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_what_is_no_json_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
