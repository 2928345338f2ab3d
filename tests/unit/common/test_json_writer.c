/* SPDX-License-Identifier: Apache-2.0 */
/* Every line that is written is a JSON text, whatever bytes a client sent, or is marked as
 * overflowed. */
#include "common/json_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void escapes_what_json_and_terminals_need(void **state)
{
    char text[256];
    struct json_writer json;
    (void)state;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_string(&json, "a", GUARD_SPAN_LITERAL("\"\\\n\x1b\x7f"));
    json_string(&json, "b", GUARD_SPAN_LITERAL("\xc3\xa4\xff\xed\xa0\x80\xc0\xaf"));
    json_open(&json, "c", '[');
    json_integer(&json, NULL, -5);
    json_bool(&json, NULL, true);
    json_close(&json, ']');
    json_number(&json, "d", 0.25);
    json_close(&json, '}');
    assert_false(json.overflow);
    text[json.len] = '\0';
    assert_string_equal(text,
                        "{\"a\":\"\\\"\\\\\\u000a\\u001b\\u007f\",\"b\":\"\xc3\xa4\xef\xbf\xbd"
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
                        "\"c\":[-5,true],\"d\":0.25}");
}

/* Raw, an alert with one of them was refused where alerts are read. */
static void escapes_what_yaml_refuses(void **state)
{
    char text[256];
    struct json_writer json;
    (void)state;
    json_writer_init(&json, text, sizeof(text));
    json_string(
        &json, NULL,
        GUARD_SPAN_LITERAL("\xc2\x80\xc2\x9b\xc2\xa0\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf"
                           "\xef\xbb\xbf\xef\xbf\xbd\xef\xbf\xbe\xef\xbf\xbf\xf0\x9f\xbf\xbf"));
    text[json.len] = '\0';
    assert_string_equal(text, "\"\\u0080\\u009b\xc2\xa0\\u2028\\u2029\xe2\x80\xaf"
                              "\\ufeff\xef\xbf\xbd\\ufffe\\uffff\xf0\x9f\xbf\xbf\"");
}

/* Else a key could make an alert read backwards, or as one of another parameter. */
static void escapes_what_turns_text(void **state)
{
    char text[256];
    struct json_writer json;
    (void)state;
    json_writer_init(&json, text, sizeof(text));
    json_string(&json, NULL,
                GUARD_SPAN_LITERAL(
                    "\xd8\x9b\xd8\x9c\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\xa9\xe2\x80\xaa"
                    "\xe2\x80\xae\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa"));
    text[json.len] = '\0';
    assert_string_equal(text, "\"\xd8\x9b\\u061c\xe2\x80\x8d\\u200e\\u200f\\u2029\\u202a"
                              "\\u202e\xe2\x80\xaf\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa\"");
}

static void never_writes_beyond_its_room(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 40; cap++) {
        char text[64];
        struct json_writer json;
        memset(text, '#', sizeof(text));
        json_writer_init(&json, text, cap);
        json_open(&json, NULL, '{');
        json_text(&json, "name", "a value \xc3\xa4 \n");
        json_close(&json, '}');
        assert_true(json.len <= cap);
        assert_int_equal(text[cap], '#');
        assert_int_equal(json.overflow,
                         cap < sizeof("{\"name\":\"a value \xc3\xa4 \\u000a\"}") - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_what_json_and_terminals_need),
        cmocka_unit_test(escapes_what_yaml_refuses),
        cmocka_unit_test(escapes_what_turns_text),
        cmocka_unit_test(never_writes_beyond_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
