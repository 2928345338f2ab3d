/* SPDX-License-Identifier: Apache-2.0 */
/* Identities never become names. */
#include "profile/segments.h"

#include "exchange.h"

static void check_segment(const char *value, const char *expected)
{
    struct gd_summary summary;
    struct guard_arena none = {.limit = 0};
    gd_summary_init(&summary);
    gd_summary_add(&summary, text(value), 0, &none);
    struct gd_segment segment = gd_segment_of(text(value), &summary);
    if (!gd_span_equal(segment.text, text(expected)))
        fail_msg("%s became %.*s", value, (int)segment.text.len, (const char *)segment.text.ptr);
    assert_int_equal(segment.typed, expected[0] == '{');
}

static void test_segments(void **state)
{
    (void)state;
    check_segment("users", "users");
    check_segment("", "");
    check_segment("a.css", "a.css");
    check_segment("v1.2", "v1.2");
    check_segment("42", "{int}");
    check_segment("-7", "{int}");
    check_segment("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "{uuid}");
    check_segment("507f1f77bcf86cd799439011", "{hex}");
    check_segment("facade01", "facade01");
    check_segment("2024-02-29", "{date}");
    check_segment("a@b.de", "{email}");
    check_segment("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "{token}");
    check_segment("QWxhZGRpbjpvcGVuIHNlc2F1", "{token}");
    check_segment("a-segment-of-more-than-sixty-four-characters-is-no-name-of-a-route", "{token}");
}

static void test_keys(void **state)
{
    (void)state;
    assert_true(gd_span_equal(gd_key_placeholder(text("123")), text("{int}")));
    assert_true(gd_span_equal(gd_key_placeholder(text("507f1f77bcf86cd799439011")), text("{hex}")));
    assert_true(gd_span_equal(gd_key_placeholder(text("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")),
                              text("{uuid}")));
    assert_int_equal(gd_key_placeholder(text("name")).len, 0);
    assert_int_equal(gd_key_placeholder(text("1a")).len, 0);
    assert_int_equal(gd_key_placeholder(text("")).len, 0);
    assert_int_equal(gd_key_placeholder(text("facefeedfacefeed")).len, 0);
    assert_int_equal(gd_key_placeholder(text("f81d4fae-7dec-11d0-a765-00a0c91e6bfx")).len, 0);
}

static void test_names(void **state)
{
    (void)state;
    uint8_t room[GD_NAME_MAX], other[GD_NAME_MAX];
    char longest[GD_NAME_MAX + 2];
    memset(longest, 'n', sizeof(longest));
    struct guard_span kept = gd_span(longest, GD_NAME_MAX);
    assert_ptr_equal(gd_name_shorten(kept, room).ptr, kept.ptr);
    struct guard_span cut = gd_name_shorten(gd_span(longest, GD_NAME_MAX + 1), room);
    assert_int_equal(cut.len, GD_NAME_MAX);
    assert_memory_equal(cut.ptr, longest, 48);
    assert_int_equal(cut.ptr[48], '~');
    longest[GD_NAME_MAX] = 'm';
    struct guard_span second = gd_name_shorten(gd_span(longest, GD_NAME_MAX + 1), other);
    assert_false(gd_span_equal(cut, second));
    assert_true(gd_span_equal(gd_segment_name(0), text("seg0")));
    assert_true(gd_span_equal(gd_segment_name(GD_SEGMENTS_MAX - 1), text("seg31")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
