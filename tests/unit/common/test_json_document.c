/* SPDX-License-Identifier: Apache-2.0 */
/* What was read as YAML or JSON is written as JSON with the types that it has. */
#include "common/json_document.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_written(const char *text, const char *wanted)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct json_writer json;
    struct guard_err err;
    char out[1024];
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    assert_int_equal(document_parse(&document, "t",
                                    (struct guard_span){(const uint8_t *)text, strlen(text)},
                                    &arena, &err),
                     GUARD_OK);
    json_writer_init(&json, out, sizeof(out) - 1);
    json_document(&json, NULL, document.root);
    assert_false(json.overflow);
    out[json.len] = '\0';
    assert_string_equal(out, wanted);
    guard_arena_reset(&arena);
}

static void scalars_keep_their_types(void **state)
{
    (void)state;
    assert_written("{a: 1, b: \"1\", c: -12, d: 0.5, e: 1e3, f: true, g: 'true', h: null}",
                   "{\"a\":1,\"b\":\"1\",\"c\":-12,\"d\":0.5,\"e\":1000,\"f\":true,\"g\":\"true\","
                   "\"h\":null}");
    assert_written("[01, 1., .5, +1, 0x1, 1e, nan, -, --1, ~, yes]",
                   "[\"01\",\"1.\",\".5\",\"+1\",\"0x1\",\"1e\",\"nan\",\"-\",\"--1\",\"~\","
                   "\"yes\"]");
    assert_written("[999999999999999999, 0, -0, 99999999999999999999]",
                   "[999999999999999999,0,0,1e+20]");
}

static void texts_are_escaped(void **state)
{
    (void)state;
    assert_written("{\"a\\\"b\": \"\\u001b\\u202e\\n\", \"\": [{}, [], \"\"]}",
                   "{\"a\\\"b\":\"\\u001b\\u202e\\u000a\",\"\":[{},[],\"\"]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_keep_their_types),
        cmocka_unit_test(texts_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
