/* SPDX-License-Identifier: Apache-2.0 */
/* Walking through JSON texts, right ones and others. */
#include "common/traffic/json_cursor.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct guard_arena arena;

static int setup(void **state)
{
    struct guard_alloc heap = heap_alloc();
    (void)state;
    guard_arena_init(&arena, &heap, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static struct json_cursor over(const char *text)
{
    struct json_cursor cursor;
    json_cursor_init(&cursor, (struct guard_span){(const uint8_t *)text, strlen(text)}, &arena);
    return cursor;
}

static void expect(struct guard_span span, const char *text, size_t len)
{
    assert_int_equal(span.len, len);
    assert_memory_equal(span.ptr, text, len);
}

static void test_members_of_interest(void **state)
{
    (void)state;
    struct json_cursor cursor = over(" {\"skip\": {\"a\":[1,\"]}\",{}]}, \"t\" : \"x\\\"y\", "
                                     "\"n\":-1.5e2,\"list\":[ ],\"pairs\":[{\"k\":1},{}],"
                                     "\"null\":null} ");
    struct guard_span key;
    struct guard_span text;
    double number;
    assert_true(json_cursor_enter(&cursor, '{'));
    assert_true(json_cursor_member(&cursor, &key));
    expect(key, "skip", 4);
    json_cursor_skip(&cursor);
    assert_true(json_cursor_member(&cursor, &key));
    assert_true(json_cursor_string(&cursor, &text));
    expect(text, "x\"y", 3);
    assert_true(json_cursor_member(&cursor, &key));
    assert_true(json_cursor_number(&cursor, &number));
    assert_true(number == -150);
    assert_true(json_cursor_member(&cursor, &key));
    assert_true(json_cursor_enter(&cursor, '['));
    assert_false(json_cursor_element(&cursor));
    assert_true(json_cursor_member(&cursor, &key));
    assert_true(json_cursor_enter(&cursor, '['));
    assert_true(json_cursor_element(&cursor));
    assert_true(json_cursor_enter(&cursor, '{'));
    assert_true(json_cursor_member(&cursor, &key));
    assert_false(json_cursor_string(&cursor, &text)); /* a number: skipped */
    assert_false(json_cursor_member(&cursor, &key));
    assert_true(json_cursor_element(&cursor));
    assert_true(json_cursor_enter(&cursor, '{'));
    assert_false(json_cursor_member(&cursor, &key));
    assert_false(json_cursor_element(&cursor));
    assert_true(json_cursor_member(&cursor, &key));
    assert_false(json_cursor_enter(&cursor, '{')); /* null: skipped */
    assert_false(json_cursor_member(&cursor, &key));
    assert_true(json_cursor_done(&cursor));
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
        size_t len;
    } cases[] = {
        {"\"\"", "", 0},
        {"\"\\u00e4\\u20AC\\ud83d\\ude00\"", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9},
        {"\"a\\u0000b\"", "a\0b", 3},
        {"\"\\ud83dx\\udc00\"", "\xef\xbf\xbdx\xef\xbf\xbd", 7},
        {"\"\\n\\r\\t\\b\\f\\/\\\\\"", "\n\r\t\b\f/\\", 7},
        {"\"\\q\\u12\"", "\\q\\u12", 6},
        {"\"\xff\"", "\xff", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_cursor cursor = over(cases[i].json);
        struct guard_span text;
        assert_true(json_cursor_string(&cursor, &text));
        expect(text, cases[i].text, cases[i].len);
    }
}

static void walk(struct json_cursor *cursor, int depth)
{
    struct guard_span key;
    if (depth > 5) {
        json_cursor_skip(cursor);
        return;
    }
    uint8_t kind = json_cursor_peek(cursor);
    if (kind == '{' && json_cursor_enter(cursor, '{')) {
        while (json_cursor_member(cursor, &key))
            walk(cursor, depth + 1);
    } else if (kind == '[' && json_cursor_enter(cursor, '[')) {
        while (json_cursor_element(cursor))
            walk(cursor, depth + 1);
    } else if (kind != 0) {
        json_cursor_skip(cursor);
    }
}

static void test_wrong_texts_end_the_walk(void **state)
{
    (void)state;
    const char *const bad[] = {"",          "{",
                               "{\"a\"",    "{\"a\":",
                               "{\"a\":1",  "[1,",
                               "[1 2]",     "{\"a\" 1}",
                               "{a:1}",     "{\"a\":1 \"b\":2}",
                               "{\"a\":\"", "[\"\\",
                               "[1,2}",     "{\"a\":]}",
                               "{} x",      "{\"a\":{\"b\":[[[[[[[[[",
                               "{,}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json_cursor cursor = over(bad[i]);
        walk(&cursor, 0);
        if (json_cursor_done(&cursor))
            fail_msg("accepted: %s", bad[i]);
    }
    char deep[2 * JSON_CURSOR_DEPTH_MAX];
    memset(deep, '[', sizeof(deep));
    struct json_cursor cursor;
    json_cursor_init(&cursor, (struct guard_span){(uint8_t *)deep, sizeof(deep)}, &arena);
    while (json_cursor_enter(&cursor, '[') && json_cursor_element(&cursor))
        continue;
    assert_int_equal(cursor.rc, GUARD_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_of_interest),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_wrong_texts_end_the_walk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
