/* SPDX-License-Identifier: Apache-2.0 */
/* Content types: what is understood, and what is told to be malformed. */
#include "body_check.h"

static void check(struct guard_span value, const char *type, const char *boundary, bool malformed,
                  enum guard_body_kind kind)
{
    struct trace_alloc alloc = {0};
    struct guard_alloc source = trace_allocator(&alloc);
    struct guard_arena arena;
    struct gd_media_type media;
    guard_arena_init(&arena, &source, 1 << 20);
    gd_media_type_parse(value, &arena, &media);
    assert_true(gd_span_equal(media.type, gd_span(type, strlen(type))));
    assert_true(gd_span_equal(media.boundary, gd_span(boundary, strlen(boundary))));
    assert_int_equal(media.malformed, malformed);
    assert_int_equal(gd_body_kind(&media), kind);
    guard_arena_reset(&arena);
}

static void test_types(void **state)
{
    (void)state;
    check(TEXT(""), "", "", false, GUARD_BODY_NONE);
    check(TEXT(" Application/JSON "), "application/json", "", false, GUARD_BODY_JSON);
    check(TEXT("application/json;charset=utf-8"), "application/json", "", false, GUARD_BODY_JSON);
    check(TEXT("application/vnd.api+json; a=\"b;c\""), "application/vnd.api+json", "", false,
          GUARD_BODY_JSON);
    check(TEXT("text/json"), "text/json", "", false, GUARD_BODY_JSON);
    check(TEXT("application/x-www-form-urlencoded"), "application/x-www-form-urlencoded", "", false,
          GUARD_BODY_FORM);
    check(TEXT("text/plain"), "text/plain", "", false, GUARD_BODY_TEXT);
    check(TEXT("image/svg+xml"), "image/svg+xml", "", false, GUARD_BODY_TEXT);
    check(TEXT("application/xml"), "application/xml", "", false, GUARD_BODY_TEXT);
    check(TEXT("application/graphql"), "application/graphql", "", false, GUARD_BODY_TEXT);
    check(TEXT("image/png"), "image/png", "", false, GUARD_BODY_BYTES);
    check(TEXT("text"), "", "", true, GUARD_BODY_NONE);
    check(TEXT("a b/c"), "", "", true, GUARD_BODY_NONE);
    check(TEXT("/json"), "", "", true, GUARD_BODY_NONE);
    check(TEXT("application/json, text/plain"), "", "", true, GUARD_BODY_NONE);
}

static void test_parameters(void **state)
{
    (void)state;
    check(TEXT("multipart/form-data; boundary=----X1"), "multipart/form-data", "----X1", false,
          GUARD_BODY_MULTIPART);
    check(TEXT("multipart/form-data; charset=x; BOUNDARY=\"a b\\\"c\""), "multipart/form-data",
          "a b\"c", false, GUARD_BODY_MULTIPART);
    check(TEXT("multipart/form-data"), "multipart/form-data", "", false, GUARD_BODY_BYTES);
    check(TEXT("multipart/form-data; boundary="), "multipart/form-data", "", true,
          GUARD_BODY_BYTES);
    check(TEXT("multipart/form-data; boundary=a; boundary=b"), "multipart/form-data", "a", true,
          GUARD_BODY_MULTIPART);
    check(TEXT("multipart/form-data; "
               "boundary=01234567890123456789012345678901234567890123456789012345678901234567890"),
          "multipart/form-data", "", true, GUARD_BODY_BYTES);
    check(TEXT("multipart/form-data; boundary=a; boundary*=utf-8''b"), "multipart/form-data", "a",
          true, GUARD_BODY_MULTIPART);
    check(TEXT("multipart/form-data; boundary=a; Boundary*0=b; boundary*1=c"),
          "multipart/form-data", "a", true, GUARD_BODY_MULTIPART);
    const char form[] = "application/x-www-form-urlencoded";
    check(TEXT("application/x-www-form-urlencoded; charset=UTF-8"), form, "", false,
          GUARD_BODY_FORM);
    check(TEXT("application/x-www-form-urlencoded;charset=\"iso-8859-15\""), form, "", false,
          GUARD_BODY_FORM);
    check(TEXT("application/x-www-form-urlencoded; Charset=ibm037"), form, "", true,
          GUARD_BODY_FORM);
    check(TEXT("application/x-www-form-urlencoded; charset=utf-7"), form, "", true,
          GUARD_BODY_FORM);
    check(TEXT("application/x-www-form-urlencoded; charset=utf-16"), form, "", true,
          GUARD_BODY_FORM);
    check(TEXT("application/x-www-form-urlencoded; charset=iso-885"), form, "", true,
          GUARD_BODY_FORM);
    check(TEXT("application/x-www-form-urlencoded; charset="), form, "", true, GUARD_BODY_FORM);
    check(TEXT("text/plain; charset=utf-16"), "text/plain", "", false, GUARD_BODY_TEXT);
    check(TEXT("multipart/mixed; boundary=a"), "multipart/mixed", "a", false, GUARD_BODY_BYTES);
    check(TEXT("application/json;"), "application/json", "", false, GUARD_BODY_JSON);
    check(TEXT("application/json; ; ;charset=a"), "application/json", "", false, GUARD_BODY_JSON);
    check(TEXT("application/json; charset"), "application/json", "", true, GUARD_BODY_JSON);
    check(TEXT("application/json; =x"), "application/json", "", true, GUARD_BODY_JSON);
    check(TEXT("application/json; charset = x"), "application/json", "", true, GUARD_BODY_JSON);
    check(TEXT("application/json; charset=\"x"), "application/json", "", true, GUARD_BODY_JSON);
    check(TEXT("application/json; charset=\"x\"y; b=c"), "application/json", "", true,
          GUARD_BODY_JSON);
    check(TEXT("application/json; charset=a b"), "application/json", "", true, GUARD_BODY_JSON);
}

static void test_no_memory(void **state)
{
    (void)state;
    for (unsigned at = 1; at < 4; at++) {
        struct trace_alloc alloc = {.fail_at = at};
        struct guard_alloc source = trace_allocator(&alloc);
        struct guard_arena arena;
        struct gd_media_type media;
        guard_arena_init(&arena, &source, at == 3 ? 0 : 1 << 20);
        gd_media_type_parse(TEXT("multipart/form-data; boundary=\"a\\\"\""), &arena, &media);
        guard_arena_reset(&arena);
        assert_int_equal(alloc.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types),
                                       cmocka_unit_test(test_parameters),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
