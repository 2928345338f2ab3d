/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a request as one text: "PLACE NAME=TEXT" lines. */
#include <guard/capture.h>

#include "exchange.h"

#include <stdio.h>

static const char *shown(const char *target, const char *type, const char *body)
{
    static char out[4096];
    size_t len = 0;
    struct failing_alloc memory;
    struct guard_arena arena;
    struct guard_values values;
    struct guard_header headers[] = {
        {text("Content-Type"), text(type)},
        {text("COOKIE"), text("a=%41; b=c")},
    };
    struct guard_exchange exchange = {.method = text("POST"),
                                      .target = text(target),
                                      .headers = headers,
                                      .header_count = 2,
                                      .body_known = true,
                                      .body = text(body)};
    failing_alloc_init(&memory, 0);
    guard_arena_init(&arena, &memory.alloc, 8 << 20);
    assert_int_equal(guard_request_values(&exchange, &arena, &values), GUARD_OK);
    for (uint32_t i = 0; i < values.count; i++) {
        const struct guard_value *value = &values.values[i];
        if (value->place == GUARD_PLACE_HEADER || value->place == GUARD_PLACE_METHOD)
            continue;
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%s %.*s=%.*s|",
                                guard_place_name(value->place), (int)value->name.len,
                                (const char *)value->name.ptr, (int)value->text.len,
                                (const char *)value->text.ptr);
    }
    guard_arena_reset(&arena);
    return out;
}

static void test_places(void **state)
{
    (void)state;
    assert_string_equal(shown("/a%20b/c?x=1%2B&y", "application/x-www-form-urlencoded", "k=v+w"),
                        "path =/a b/c|query x=1+|query y=|cookie a=A|cookie b=c|form k=v w|"
                        "body =k=v+w|");
    assert_string_equal(shown("/", "application/json", "{\"a\":{\"b\":[1,\"x\\u0041\"]},\"c\":{}}"),
                        "path =/|cookie a=A|cookie b=c|json a.b[]=1|json a.b[]=xA|json c=|"
                        "body ={\"a\":{\"b\":[1,\"x\\u0041\"]},\"c\":{}}|");
    const char *parts = "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\nv\r\n"
                        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"g.txt\"\r\n"
                        "\r\nx\r\n--b--\r\n";
    const char *all = shown("/", "multipart/form-data; boundary=b", parts);
    assert_non_null(strstr(all, "multipart n=v|file f=g.txt|body =--b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
