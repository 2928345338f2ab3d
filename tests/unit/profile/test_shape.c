/* SPDX-License-Identifier: Apache-2.0 */
/* What a form tells of a value is what reading it byte by byte tells. */
#include "profile/shape.h"

#include "exchange.h"
#include "profile/scan.h"
#include "support/random.h"

/* The features found the slow way: each byte a piece of its own. */
static struct gd_features slowly(struct guard_span value)
{
    struct guard_arena none = {.limit = 0};
    struct gd_summary summary;
    struct gd_scan scan;
    gd_summary_init(&summary);
    gd_scan_begin(&scan, &summary, &none);
    for (size_t i = 0; i < value.len; i++)
        (void)gd_scan_bytes(&scan, gd_span(value.ptr + i, 1));
    return (struct gd_features){.classes = scan.classes,
                                .frequent = summary.frequent,
                                .digits = (uint32_t)scan.tally,
                                .specials = (uint32_t)(scan.tally >> 32),
                                .len = (uint32_t)value.len,
                                .type = gd_type_of(value, scan.classes)};
}

static void check_same(const struct gd_features *a, const struct gd_features *b)
{
    assert_int_equal(a->classes, b->classes);
    assert_int_equal(a->frequent, b->frequent);
    assert_int_equal(a->digits, b->digits);
    assert_int_equal(a->specials, b->specials);
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->type, b->type);
}

static bool has_shape(const char *value)
{
    struct gd_features features;
    if (!gd_shape(text(value), &features))
        return false;
    struct gd_features expected = slowly(text(value));
    check_same(&features, &expected);
    return true;
}

static void test_known(void **state)
{
    (void)state;
    static const char *const known[] = {
        "a",
        "Z",
        "0",
        "abcdefghijklmnop",
        "ABCDEFGHIJKLMNOP",
        "0123456789012345",
        "true",
        "false",
        "TRUE",
        "trues",
        "-1",
        "-123456789012345",
        "1.5",
        "-12.25",
        "0.0",
        "2024-02-29",
        "9999-99-99",
        "a1",
        "A1234",
        "1e5",
        "12345e7",
        "deadbeef",
        "deadbee1",
        "0xff",
        "abcd12",
        "aB3dE6",
        "a b",
        "blue mug",
        " a",
        "a ",
        "a  b c",
        "abCD",
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_true(has_shape(known[i]));
    static const char *const unknown[] = {
        "-",
        ".",
        "1.",
        ".5",
        "-.5",
        "--1",
        "1-",
        "1.2.3",
        "1,5",
        "+1",
        "2024-2",
        "1-2",
        "1 2",
        "2024/02/29",
        "20240-2-29",
        "2024-02-2a",
        "a-b",
        "a.b",
        "   ",
        "a\tb",
        "'",
        "a'b",
        "abcdefghijklmnopq",
        "\xc3\xa4",
    };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_false(has_shape(unknown[i]));
}

static void test_random_values(void **state)
{
    (void)state;
    struct test_random random = test_random_start("shape");
    static const char *const alphabets[] = {
        "abcdefz",
        "ABZ",
        "0123456789",
        "0123-.",
        "az09",
        "aZ0",
        "abc ",
        "0123456789abcdef",
        "aA0 -./'+e\xc3\xa4",
        "truefals",
        "019-",
    };
    int found = 0;
    for (int round = 0; round < 200000; round++) {
        char value[20];
        size_t len = test_random_between(&random, 1, sizeof(value));
        const char *alphabet =
            alphabets[test_random_below(&random, sizeof(alphabets) / sizeof(alphabets[0]))];
        test_random_text(&random, value, len, alphabet, strlen(alphabet));
        struct guard_span span = gd_span(value, len);
        struct gd_features features;
        if (!gd_shape(span, &features))
            continue;
        struct gd_features expected = slowly(span);
        check_same(&features, &expected);
        found++;
    }
    assert_true(found > 100000);
}

/* The features of a UUID are those of its kind, whichever letters and digits it is made of. */
static void test_uuid(void **state)
{
    (void)state;
    struct gd_features one, two;
    assert_true(gd_shape(text("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"), &one));
    assert_true(gd_shape(text("aaaaaaaa-bbbb-cccc-dddd-111111111111"), &two));
    check_same(&one, &two);
    assert_int_equal(one.type, GUARD_TYPE_UUID);
    assert_int_equal(one.digits, 32);
    assert_int_equal(one.specials, 4);
    struct gd_features slow = slowly(text("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
    assert_int_equal(one.classes, slow.classes);
    assert_int_equal(slow.frequent & ~one.frequent, 0);
    assert_int_equal(slow.type, GUARD_TYPE_UUID);
    assert_true(gd_shape(text("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"), &two));
    assert_int_not_equal(one.classes, two.classes);
    static const char *const others[] = {
        "f81d4fae-7dec-11d0-a765-00a0c91e6bfg", "f81d4fae-7dec-11d0-a765-00a0c91e6b-6",
        "f81d4fae-7dec-11d0-a765_00a0c91e6bf6", "f81d4fae97dec-11d0-a765-00a0c91e6bf6",
        "f81d4fae-7dec-11d0-a76'-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6 ",
        "-81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(gd_shape(text(others[i]), &two));
    /* Every byte counts. */
    for (size_t at = 0; at < 36; at++) {
        char value[37] = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
        for (int byte = 1; byte < 256; byte++) {
            value[at] = (char)byte;
            bool uuid = gd_type_of(text(value), slowly(text(value)).classes) == GUARD_TYPE_UUID;
            assert_int_equal(gd_shape(gd_span(value, 36), &two), uuid);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_random_values),
        cmocka_unit_test(test_uuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
