/* SPDX-License-Identifier: Apache-2.0 */
/* The features of values, whole and in pieces. */
#include "profile/summary.h"

#include "base/hash.h"
#include "exchange.h"
#include "profile/transition.h"

static struct failing_alloc memory;
static struct guard_arena arena;

static int setup(void **state)
{
    (void)state;
    failing_alloc_init(&memory, 0);
    guard_arena_init(&arena, &memory.alloc, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return memory.live == 0 ? 0 : -1;
}

static uint64_t classes_of(const char *marks)
{
    struct gd_summary summary;
    gd_summary_init(&summary);
    gd_summary_add(&summary, text(marks), 0, &arena);
    return summary.classes;
}

static bool has_transition(const struct gd_summary *summary, unsigned from, unsigned to)
{
    struct gd_transition_walk walk = gd_transitions(summary);
    for (uint32_t transition; gd_transition_next(&walk, &transition);) {
        if (transition == (from << 6 | to))
            return true;
    }
    return false;
}

static uint32_t count_transitions(const struct gd_summary *summary)
{
    uint32_t count = 0;
    struct gd_transition_walk walk = gd_transitions(summary);
    for (uint32_t transition; gd_transition_next(&walk, &transition);)
        count++;
    return count;
}

static void test_classes(void **state)
{
    (void)state;
    const char marks[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    for (unsigned i = 0; i < 32; i++) {
        char one[2] = {marks[i], '\0'};
        assert_int_equal(classes_of(one), UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + i));
    }
    assert_int_equal(classes_of("az"), 1u << GUARD_CLASS_LOWER);
    assert_int_equal(classes_of("AZ"), 1u << GUARD_CLASS_UPPER);
    assert_int_equal(classes_of("09"), 1u << GUARD_CLASS_DIGIT);
    assert_int_equal(classes_of(" "), 1u << GUARD_CLASS_SPACE);
    assert_int_equal(classes_of("\t\r\n"), 1u << GUARD_CLASS_BREAK);
    assert_int_equal(classes_of("\x01\x1f\x7f\v"), 1u << GUARD_CLASS_CONTROL);
    assert_int_equal(classes_of("\xc3\xa4\xc5\x93"), UINT64_C(1) << GUARD_CLASS_LATIN);
    assert_int_equal(classes_of("\xce\xb1"), UINT64_C(1) << GUARD_CLASS_GREEK);
    assert_int_equal(classes_of("\xd0\x96"), UINT64_C(1) << GUARD_CLASS_CYRILLIC);
    assert_int_equal(classes_of("\xd7\x90\xd8\xa7"), UINT64_C(1) << GUARD_CLASS_SEMITIC);
    assert_int_equal(classes_of("\xe0\xa4\x85\xe0\xb8\x81"), UINT64_C(1) << GUARD_CLASS_INDIC);
    assert_int_equal(classes_of("\xe6\xbc\xa2\xe3\x81\x82"), UINT64_C(1) << GUARD_CLASS_CJK);
    assert_int_equal(classes_of("\xed\x95\x9c"), UINT64_C(1) << GUARD_CLASS_HANGUL);
    assert_int_equal(classes_of("\xe2\x80\x99\xe2\x86\x92"), UINT64_C(1) << GUARD_CLASS_SYMBOL);
    assert_int_equal(classes_of("\xf0\x9f\x98\x80"), UINT64_C(1) << GUARD_CLASS_EMOJI);
    /* Full-width forms of syntax are symbols, not letters: some servers fold them. */
    assert_int_equal(classes_of("\xef\xbc\x9c"), UINT64_C(1) << GUARD_CLASS_SYMBOL);
    /* C1 controls and the non-breaking blank. */
    assert_int_equal(classes_of("\xc2\x85"), UINT64_C(1) << GUARD_CLASS_CONTROL);
    assert_int_equal(classes_of("\xc2\xa0"), UINT64_C(1) << GUARD_CLASS_SYMBOL);
}

static void test_invalid_utf8(void **state)
{
    (void)state;
    const uint64_t invalid = UINT64_C(1) << GUARD_CLASS_INVALID;
    assert_int_equal(classes_of("\xff"), invalid);
    assert_int_equal(classes_of("\xc3"), invalid);
    assert_int_equal(classes_of("\xc0\xaf"), invalid);
    assert_int_equal(classes_of("\xed\xa0\x80"), invalid);
    assert_int_equal(classes_of("\xf4\x90\x80\x80"), invalid);
    /* One broken sequence makes all high bytes of the value INVALID. */
    assert_int_equal(classes_of("\xc3\xa4 \xff"), invalid | 1u << GUARD_CLASS_SPACE);
    assert_int_equal(classes_of("a\xe2\x82"), invalid | 1u << GUARD_CLASS_LOWER);
}

static void test_counts(void **state)
{
    (void)state;
    struct gd_summary summary;
    gd_summary_init(&summary);
    gd_summary_add(&summary, text("a1-23..x"), 0, &arena);
    assert_int_equal(summary.digits_max, 3);
    assert_int_equal(summary.specials_max, 3);
    assert_int_equal(summary.length_min, 8);
    assert_int_equal(summary.length_max, 8);
    gd_summary_add(&summary, text("4567"), 0, &arena);
    assert_int_equal(summary.digits_max, 4);
    assert_int_equal(summary.specials_max, 3);
    assert_int_equal(summary.length_min, 4);
    assert_int_equal(summary.count, 2);
    gd_summary_add(&summary, text(""), 0, &arena);
    assert_int_equal(summary.length_min, 0);
    assert_int_equal(summary.types,
                     1u << GUARD_TYPE_EMPTY | 1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_TOKEN);
}

static void test_transitions(void **state)
{
    (void)state;
    struct gd_summary summary;
    gd_summary_init(&summary);
    gd_summary_add(&summary, text("tom or 1=1"), 0, &arena);
    assert_true(has_transition(&summary, GUARD_CLASS_LOWER, GUARD_CLASS_SPACE));
    assert_true(has_transition(&summary, GUARD_CLASS_SPACE, GUARD_CLASS_LOWER));
    assert_true(has_transition(&summary, GUARD_CLASS_SPACE, GUARD_CLASS_DIGIT));
    assert_true(has_transition(&summary, GUARD_CLASS_DIGIT, 24));
    assert_true(has_transition(&summary, 24, GUARD_CLASS_DIGIT));
    assert_int_equal(count_transitions(&summary), 5);
    /* Runs count for punctuation and blanks only. */
    gd_summary_init(&summary);
    gd_summary_add(&summary, text("aa11--\xc3\xa4\xc3\xa4  "), 0, &arena);
    assert_true(has_transition(&summary, 18, 18));
    assert_true(has_transition(&summary, GUARD_CLASS_SPACE, GUARD_CLASS_SPACE));
    assert_false(has_transition(&summary, GUARD_CLASS_LOWER, GUARD_CLASS_LOWER));
    assert_false(has_transition(&summary, GUARD_CLASS_DIGIT, GUARD_CLASS_DIGIT));
    assert_false(has_transition(&summary, GUARD_CLASS_LATIN, GUARD_CLASS_LATIN));
    /* The second value adds only what is new. */
    gd_summary_init(&summary);
    gd_summary_add(&summary, text("a-1"), 0, &arena);
    gd_summary_add(&summary, text("b-2-c"), 0, &arena);
    assert_int_equal(count_transitions(&summary), 4);
}

static void test_many_transitions(void **state)
{
    (void)state;
    /* Every ordered pair of 20 marks: more than a summary keeps. */
    char value[2048];
    size_t len = 0;
    for (int i = 0; i < 20; i++) {
        for (int j = 0; j < 20; j++) {
            value[len++] = (char)('!' + (i < 15 ? i : i - 15 + 25));
            value[len++] = (char)('!' + (j < 15 ? j : j - 15 + 25));
            value[len++] = 'a';
        }
    }
    struct gd_summary summary;
    gd_summary_init(&summary);
    gd_summary_add(&summary, gd_span(value, 90), 0, &arena);
    uint32_t before = summary.transition_count;
    assert_true(before > GD_TRANSITIONS_INLINE && before < GD_TRANSITIONS_MAX);
    assert_false(summary.transitions_full);
    gd_summary_add(&summary, gd_span(value, len), 0, &arena);
    assert_int_equal(summary.transition_count, GD_TRANSITIONS_MAX);
    assert_true(summary.transitions_full);
    uint8_t seen[4096] = {0};
    for (uint32_t i = 0; i < summary.transition_count; i++)
        assert_int_equal(seen[summary.transitions[i]]++, 0);
    /* Full arenas lose transitions, never more. */
    struct guard_arena none;
    guard_arena_init(&none, &memory.alloc, 0);
    gd_summary_init(&summary);
    gd_summary_add(&summary, gd_span(value, len), 0, &none);
    assert_int_equal(summary.transition_count, GD_TRANSITIONS_INLINE);
    assert_true(summary.transitions_full);
}

static void test_moved(void **state)
{
    (void)state;
    struct gd_summary first, second;
    gd_summary_init(&first);
    gd_summary_add(&first, text("a=b"), 0, &arena);
    second = first;
    gd_summary_moved(&second, &first);
    assert_ptr_equal(second.transitions, second.inline_transitions);
    assert_int_equal(second.transitions[0], first.transitions[0]);
}

static void test_literal(void **state)
{
    (void)state;
    struct gd_summary summary;
    gd_summary_init(&summary);
    gd_summary_add(&summary, text("asc"), 0, &arena);
    assert_true(summary.literal_known);
    assert_int_equal(summary.literal, gd_hash_fast(0, text("asc")));
    gd_summary_add(&summary, text("asc"), 0, &arena);
    assert_true(summary.literal_known);
    gd_summary_add(&summary, text("desc"), 0, &arena);
    assert_false(summary.literal_known);
    gd_summary_add(&summary, text("asc"), 0, &arena);
    assert_false(summary.literal_known);
    const char *const never[] = {
        "12345",
        "1234.5",
        "-12345",
        "2024-02-29",
        "a@b.de",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "0123456789abcdef",
        "QWxhZGRpbjpvcGVuIHNlc2FtZTE=",
        "a value of more than thirty-two bytes",
    };
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        gd_summary_init(&summary);
        gd_summary_add(&summary, text(never[i]), 0, &arena);
        assert_false(summary.literal_known);
    }
    const char *const always[] = {"", "1234", "true", "en-US", "a1b2c3d4"};
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        gd_summary_init(&summary);
        gd_summary_add(&summary, text(always[i]), 0, &arena);
        assert_true(summary.literal_known);
    }
}

static void test_json(void **state)
{
    (void)state;
    struct gd_summary summary;
    gd_summary_init(&summary);
    gd_summary_add(&summary, gd_span(NULL, 0), 1u << GUARD_TYPE_NULL, &arena);
    assert_int_equal(summary.types, 1u << GUARD_TYPE_NULL);
    assert_int_equal(summary.length_max, 0);
    gd_summary_add(&summary, text("123"), 1u << GUARD_TYPE_STRING, &arena);
    assert_int_equal(summary.types,
                     1u << GUARD_TYPE_NULL | 1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_STRING);
    /* null has no length: the text's is the least. */
    assert_int_equal(summary.length_min, 3);
    gd_summary_init(&summary);
    gd_summary_add(&summary, text("-12"), 1u << GUARD_TYPE_INT, &arena);
    assert_int_equal(summary.types, 1u << GUARD_TYPE_INT);
    gd_summary_add(&summary, text("1.5e3"), 1u << GUARD_TYPE_INT, &arena);
    assert_int_equal(summary.types, 1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_DECIMAL);
}

static struct guard_span stream(struct gd_summary *summary, struct guard_span value, size_t piece)
{
    struct gd_stream *made = gd_stream_new(&arena);
    gd_summary_init(summary);
    gd_stream_begin(made, summary, &arena);
    for (size_t at = 0; at < value.len; at += piece)
        gd_stream_add(made, gd_span_head(gd_span_from(value, at), piece));
    return gd_stream_end(made);
}

static void test_stream(void **state)
{
    (void)state;
    const char value[] =
        "\xe2\xce\xb1k=\xc3\xa4 \xf0\x9f\x98\x80--\xe2\x82(\xff\xe2\x82\xac 12\xe2\x82";
    struct guard_span whole = gd_span(value, sizeof(value) - 1);
    struct gd_summary expected;
    assert_true(gd_span_equal(stream(&expected, whole, whole.len), whole));
    assert_int_equal(expected.types, 1u << GUARD_TYPE_BYTES);
    assert_true(expected.classes & UINT64_C(1) << GUARD_CLASS_EMOJI);
    assert_true(expected.classes & UINT64_C(1) << GUARD_CLASS_GREEK);
    assert_true(expected.classes & UINT64_C(1) << GUARD_CLASS_INVALID);
    assert_int_equal(expected.digits_max, 2);
    assert_int_equal(expected.specials_max, 4);
    for (size_t piece = 1; piece < whole.len; piece++) {
        struct gd_summary summary;
        (void)stream(&summary, whole, piece);
        assert_int_equal(summary.classes, expected.classes);
        assert_int_equal(summary.digits_max, expected.digits_max);
        assert_int_equal(summary.specials_max, expected.specials_max);
        assert_int_equal(summary.length_max, whole.len);
        assert_int_equal(summary.frequent, expected.frequent);
        assert_int_equal(summary.transition_count, expected.transition_count);
        assert_memory_equal(summary.transitions, expected.transitions,
                            2u * expected.transition_count);
    }
    (void)stream(&expected, gd_span(NULL, 0), 1);
    assert_int_equal(expected.types, 1u << GUARD_TYPE_EMPTY);
}

/* A stream of valid text is summed up as the value is. */
static void test_stream_as_value(void **state)
{
    (void)state;
    const char value[] = "Gr\xc3\xbc\xc3\x9f"
                         "e, 42 <b>\xf0\x9f\x98\x80</b>\r\n";
    struct gd_summary one, two;
    gd_summary_init(&one);
    gd_summary_add(&one, text(value), 0, &arena);
    (void)stream(&two, text(value), 3);
    assert_int_equal(one.classes, two.classes);
    assert_int_equal(one.types, two.types);
    assert_int_equal(one.digits_max, two.digits_max);
    assert_int_equal(one.specials_max, two.specials_max);
    assert_int_equal(one.literal, two.literal);
    assert_int_equal(one.frequent, two.frequent);
    assert_int_equal(one.transition_count, two.transition_count);
    assert_memory_equal(one.transitions, two.transitions, 2u * one.transition_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invalid_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transitions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_transitions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_literal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stream_as_value, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
