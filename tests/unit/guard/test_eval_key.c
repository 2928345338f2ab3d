/* SPDX-License-Identifier: Apache-2.0 */
/* Which requests count as one. */
#include "guard/eval_key.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static uint64_t key(const char *method, const char *target, const char *body)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_exchange exchange = {
        .method = span(method), .target = span(target), .body = span(body)};
    guard_arena_init(&arena, &heap, 1 << 22);
    uint64_t result = eval_request_key(&exchange, span("s"), &arena);
    guard_arena_reset(&arena);
    return result;
}

static bool same(const char *target, const char *other)
{
    return key("GET", target, "") == key("GET", other, "");
}

static bool same_body(const char *body, const char *other)
{
    return key("POST", "/", body) == key("POST", "/", other);
}

static void test_paths(void **state)
{
    (void)state;
    assert_true(same("/u/12", "/u/13"));
    assert_true(same("/u/0123456789abcdef", "/u/12"));
    assert_true(same("/u/3f2a1b4c-0000-1111-2222-333344445555", "/u/12"));
    assert_true(same("/u/abcdefghij0123456789_", "/u/12"));
    assert_true(same("/u/%31%32", "/u/12"));
    assert_false(same("/u/a", "/u/b"));
    assert_false(same("/u/12/", "/u/12"));
    assert_false(same("/u/abcdefghijklmnopqrstu", "/u/12"));
    assert_true(key("GET", "/", "") != key("PUT", "/", ""));
}

static void test_queries(void **state)
{
    (void)state;
    assert_true(same("/?a=1&b=2", "/?b=2&a=1"));
    assert_true(same("/?a=x+y", "/?a=x%20y"));
    assert_true(same("/?a=1&&", "/?a=1"));
    assert_true(same("/?a=%ff", "/?a=%fe"));
    assert_false(same("/?a=1", "/?a=2"));
    assert_false(same("/?a=1&a=1", "/?a=1"));
    assert_false(same("/?a=%e4%b8", "/?a=%ff%fe"));
    assert_true(same("/", "/?"));
}

static void test_bodies(void **state)
{
    (void)state;
    assert_true(same_body("{\"a\":1,\"b\":[1,2]}", "{ \"b\" : [1, 2], \"a\": 1 }"));
    assert_true(same_body("{\"a\":1.0}", "{\"a\":1.00}"));
    assert_true(same_body("{\"a\":\"\\u0041\"}", "{\"a\":\"A\"}"));
    assert_false(same_body("{\"a\":[1,2]}", "{\"a\":[2,1]}"));
    assert_false(same_body("{\"a\":\"1\"}", "{\"a\":1}"));
    assert_false(same_body("{\"a\":9007199254740993}", "{\"a\":9007199254740992}"));
    assert_true(same_body("a=1&b=2", "b=2&a=1"));
    assert_false(same_body("a=1\nb=2", "b=2\na=1"));
    assert_false(same_body("{\"a\":1", "{\"a\": 1"));
}

static void test_unquoting_replaces_what_is_no_text(void **state)
{
    static const struct {
        const char *text;
        const char *decoded;
    } cases[] = {{"a%20b+c", "a b c"},
                 {"%zz%4", "%zz%4"},
                 {"%c3%a4", "\xc3\xa4"},
                 {"%ff", "\xef\xbf\xbd"},
                 {"%e4%b8x", "\xef\xbf\xbdx"},
                 {"%ed%a0%80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                 {"%f0%9f%98%80", "\xf0\x9f\x98\x80"},
                 {"%c3", "\xef\xbf\xbd"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[64];
        size_t len = eval_unquote(out, span(cases[i].text), true);
        assert_int_equal(len, strlen(cases[i].decoded));
        assert_memory_equal(out, cases[i].decoded, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths), cmocka_unit_test(test_queries),
                                       cmocka_unit_test(test_bodies),
                                       cmocka_unit_test(test_unquoting_replaces_what_is_no_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
