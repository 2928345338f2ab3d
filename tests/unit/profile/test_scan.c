/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 sequences, the classes of code points, and the skipping of words against a plain variant.
 */
#include "profile/scan.h"

#include "base/utf8.h"
#include "exchange.h"
#include "profile/word_skip.h"
#include "support/random.h"

/* The incremental decoder agrees with the checker of the base layer on every sequence of up to
 * three bytes that begins high, and on many of four. */
static void test_sequence(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1u << 23; i++) {
        uint8_t bytes[4] = {(uint8_t)(0x80 | i >> 16), (uint8_t)(i >> 8), (uint8_t)i,
                            (uint8_t)(0x80 | (i & 0x3f))};
        size_t len = (bytes[0] & 0xf8) == 0xf0 ? 4 : 3;
        uint32_t code = 0;
        int used = gd_sequence(bytes, bytes + len, &code);
        bool valid = false;
        for (size_t n = 2; n <= len && !valid; n++)
            valid = gd_utf8_check(gd_span(bytes, n)) == GD_UTF8_VALID && (int)n == used;
        if (used > 0)
            assert_true(valid);
        else
            assert_int_not_equal(gd_utf8_check(gd_span(bytes, len)), GD_UTF8_VALID);
    }
}

static void test_unfinished(void **state)
{
    (void)state;
    const uint8_t euro[] = {0xe2, 0x82, 0xac};
    uint32_t code = 0;
    assert_int_equal(gd_sequence(euro, euro + 1, &code), -1);
    assert_int_equal(gd_sequence(euro, euro + 2, &code), -1);
    assert_int_equal(gd_sequence(euro, euro + 3, &code), 3);
    assert_int_equal(code, 0x20ac);
    const uint8_t overlong[] = {0xe0, 0x80};
    assert_int_equal(gd_sequence(overlong, overlong + 2, &code), 0);
}

static void test_code_classes(void **state)
{
    (void)state;
    for (uint32_t code = 0x80; code < 0x110000; code++) {
        enum guard_class cls = gd_class_of_code(code);
        assert_true(cls == GUARD_CLASS_CONTROL ||
                    (cls >= GUARD_CLASS_LATIN && cls <= GUARD_CLASS_EMOJI));
        if (code > 0xffff)
            assert_int_equal(cls, GUARD_CLASS_EMOJI);
    }
    assert_int_equal(gd_class_of_code(0x80), GUARD_CLASS_CONTROL);
    assert_int_equal(gd_class_of_code(0x1e00), GUARD_CLASS_LATIN);
    assert_int_equal(gd_class_of_code(0xffff), GUARD_CLASS_SYMBOL);
}

/* The fast variant stops where the plain one does, or earlier near the end, and in the same state.
 */
static void test_word_skip(void **state)
{
    (void)state;
    struct test_random random = test_random_start("word skip");
    for (int round = 0; round < 20000; round++) {
        char value[80];
        size_t len = test_random_below(&random, sizeof(value));
        bool clean = test_random_once_in(&random, 2);
        test_random_text(&random, value, len, clean ? "abcdefghijklmnoz " : "azAZ09 `{\xc3 b",
                         clean ? 17 : 13);
        const uint8_t *begin = (const uint8_t *)value;
        bool before = test_random_once_in(&random, 2);
        bool fast_blank = before;
        const uint8_t *fast = GD_WORD_SKIP(begin, begin + len, &fast_blank);
        bool plain_blank = before;
        assert_ptr_equal(gd_word_skip_plain(begin, fast, &plain_blank), fast);
        assert_int_equal(plain_blank, fast_blank);
        const uint8_t *plain = gd_word_skip_plain(fast, begin + len, &plain_blank);
        assert_true(plain == fast || begin + len - fast < 16);
    }
}

/* Long values are skipped over, short ones aren't: both say the same. */
static void test_words(void **state)
{
    (void)state;
    struct test_random random = test_random_start("words");
    for (int round = 0; round < 3000; round++) {
        char value[400];
        size_t len = test_random_between(&random, 33, sizeof(value));
        test_random_text(&random, value, len, "abcdefgh mnopqrst uvw xyz  A1.",
                         test_random_once_in(&random, 4) ? 30 : 26);
        struct guard_arena none = {.limit = 0};
        struct gd_summary whole, pieces;
        gd_summary_init(&whole);
        gd_summary_init(&pieces);
        gd_summary_add(&whole, gd_span(value, len), 0, &none);
        struct gd_scan scan;
        gd_scan_begin(&scan, &pieces, &none);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(gd_scan_bytes(&scan, gd_span(value + i, 1)), 1);
        assert_int_equal(whole.classes, scan.classes);
        assert_int_equal(whole.digits_max, (uint32_t)scan.tally);
        assert_int_equal(whole.specials_max, scan.tally >> 32);
        assert_int_equal(whole.frequent, pieces.frequent);
        assert_int_equal(whole.transition_count, pieces.transition_count);
        assert_memory_equal(whole.transitions, pieces.transitions, 2u * whole.transition_count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence),     cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_code_classes), cmocka_unit_test(test_word_skip),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
