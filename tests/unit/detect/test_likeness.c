/* SPDX-License-Identifier: Apache-2.0 */
/* Each class is recognised in its own words and encodings, benign values aren't; the degree doesn't
 * depend on case or blanks; any bytes are read within the fuel. */
#include "base/span.h"
#include "detect/likeness.h"
#include "support/random.h"
#include "unit/detect/likeness_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct guard_span of(const char *text)
{
    return gd_span(text, strlen(text));
}

static void test_attacks(void **state)
{
    (void)state;
    uint32_t failed = 0;
    uint32_t seen = 0;
    for (size_t i = 0; i < COUNT(likeness_attacks); i++) {
        const struct likeness_sample *sample = &likeness_attacks[i];
        struct gd_likeness likeness;
        gd_likeness_of(of(sample->text), &likeness);
        seen |= 1u << sample->likeness;
        if (!(likeness.classes >> sample->likeness & 1)) {
            print_error("%s: not %s: %s\n", sample->text, guard_likeness_name(sample->likeness),
                        guard_construct_words(likeness.construct));
            failed++;
        } else {
            assert_in_range(likeness.degree, GUARD_LIKENESS_LEVEL, GUARD_LIKENESS_MAX);
        }
    }
    assert_int_equal(failed, 0);
    assert_int_equal(seen, (1u << GUARD_LIKENESS_COUNT) - 1);
}

static void test_benign(void **state)
{
    (void)state;
    uint32_t failed = 0;
    for (size_t i = 0; i < COUNT(likeness_benign); i++) {
        struct gd_likeness likeness;
        gd_likeness_of(of(likeness_benign[i]), &likeness);
        if (likeness.classes != 0) {
            print_error("%s: %s\n", likeness_benign[i], guard_construct_words(likeness.construct));
            failed++;
        }
        gd_likeness_of_name(of(likeness_benign[i]), 0, &likeness);
        failed += likeness.classes != 0;
    }
    assert_int_equal(failed, 0);
}

/* Two benign values are benign together, in prose. */
static void test_benign_pairs(void **state)
{
    (void)state;
    struct test_random random = test_random_start("test_benign_pairs");
    uint32_t failed = 0;
    for (int i = 0; i < 2000; i++) {
        static const char *const words[] = {
            "the",     "order", "of",     "seats",  "and",  "tables", "from",
            "select",  "where", "or",     "user",   "5",    "12,",    "it's",
            "union",   "(see",  "below)", "drop",   "like", "a",      "\"x\"",
            "between", "cat",   "set",    "update", "http", "-",      "limit"};
        char text[512];
        size_t len = 0;
        for (int word = 0; word < 20; word++) {
            const char *next = words[test_random_below(&random, COUNT(words))];
            memcpy(text + len, next, strlen(next));
            len += strlen(next);
            text[len++] = ' ';
        }
        struct gd_likeness likeness;
        gd_likeness_of(gd_span(text, len), &likeness);
        if (likeness.classes != 0 && failed++ < 10)
            print_error("%.*s: %s\n", (int)len, text, guard_construct_words(likeness.construct));
    }
    /* Words at random do make clauses now and then. */
    assert_in_range(failed, 0, 40);
}

static void test_names(void **state)
{
    (void)state;
    static const struct likeness_sample names[] = {
        {GUARD_LIKENESS_NOSQL, "a[$ne]"},
        {GUARD_LIKENESS_NOSQL, "$where"},
        {GUARD_LIKENESS_NOSQL, "filter[b][$GT]"},
        {GUARD_LIKENESS_PROTOTYPE, "__proto__"},
        {GUARD_LIKENESS_PROTOTYPE, "__proto__[x]"},
        {GUARD_LIKENESS_SCRIPT, "a<script>"},
        {GUARD_LIKENESS_PROTOTYPE, "constructor[prototype][a]"},
    };
    static const char *const benign[] = {"$filter",     "$top",           "a[]", "a[0][b]",
                                         "q",           "user.name",      "_id", "$oid",
                                         "constructor", "x-forwarded-for"};
    struct gd_likeness likeness;
    for (size_t i = 0; i < COUNT(names); i++) {
        gd_likeness_of_name(of(names[i].text), 0, &likeness);
        if (!(likeness.classes >> names[i].likeness & 1))
            fail_msg("%s", names[i].text);
    }
    for (size_t i = 0; i < COUNT(benign); i++) {
        gd_likeness_of_name(of(benign[i]), 0, &likeness);
        assert_int_equal(likeness.classes, 0);
    }
}

/* Case and kind of blanks change nothing; magic bytes in base64 aside. */
static void test_variants(void **state)
{
    (void)state;
    struct test_random random = test_random_start("test_variants");
    for (size_t i = 0; i < COUNT(likeness_attacks); i++) {
        const char *text = likeness_attacks[i].text;
        size_t len = strlen(text);
        if (likeness_attacks[i].likeness == GUARD_LIKENESS_OBJECT || strchr(text, '\\') != NULL ||
            strchr(text, ' ') == NULL)
            continue;
        struct gd_likeness plain, other;
        gd_likeness_of(of(text), &plain);
        for (int round = 0; round < 8; round++) {
            char variant[512];
            size_t to = 0;
            for (size_t at = 0; at < len; at++) {
                char byte = text[at];
                if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z' && test_random_below(&random, 2))
                    byte ^= 0x20;
                if (byte == ' ') {
                    variant[to++] = "\t\v\f "[test_random_below(&random, 4)];
                    byte = ' ';
                }
                variant[to++] = byte;
            }
            gd_likeness_of(gd_span(variant, to), &other);
            if (other.degree != plain.degree || other.classes != plain.classes)
                fail_msg("%.*s: %u, not %u", (int)to, variant, other.degree, plain.degree);
        }
    }
}

/* In the middle of a long value, at its end, and not in what is skipped. */
static void test_long(void **state)
{
    (void)state;
    static char text[100000];
    static const char attack[] = " <script>f()</script> ";
    struct gd_likeness likeness;
    for (size_t at = 0; at < sizeof(text); at += 97) {
        if (at + sizeof(attack) > sizeof(text))
            break;
        memset(text, 'a', sizeof(text));
        memcpy(text + at, attack, sizeof(attack) - 1);
        gd_likeness_of(gd_span(text, sizeof(text)), &likeness);
        if (at + sizeof(attack) < GD_LIKENESS_HEAD || at > sizeof(text) - GD_LIKENESS_TAIL) {
            assert_int_equal(likeness.construct, GUARD_CONSTRUCT_SCRIPT_ELEMENT);
        }
    }
}

static void test_words(void **state)
{
    (void)state;
    for (int i = 1; i < GUARD_CONSTRUCT_COUNT; i++) {
        enum guard_construct construct = (enum guard_construct)i;
        assert_true(guard_construct_words(construct)[0] != '\0');
        assert_in_range(guard_construct_degree(construct), GUARD_LIKENESS_LEVEL,
                        GUARD_LIKENESS_MAX);
        assert_in_range(guard_construct_likeness(construct), 0, GUARD_LIKENESS_COUNT - 1);
    }
    assert_string_equal(guard_construct_words(GUARD_CONSTRUCT_NONE), "");
    assert_string_equal(guard_construct_words(GUARD_CONSTRUCT_COUNT), "");
    assert_string_equal(guard_likeness_name(GUARD_LIKENESS_COUNT), "unknown");
    assert_string_equal(guard_likeness_words(GUARD_LIKENESS_SQL), "SQL");
    assert_int_equal(guard_construct_degree(GUARD_CONSTRUCT_COUNT), 0);
    assert_int_equal(guard_construct_likeness(GUARD_CONSTRUCT_COUNT), GUARD_LIKENESS_COUNT);
}

/* Any bytes: bits and degree agree. */
static void test_noise(void **state)
{
    (void)state;
    static const char alphabet[] = "'\"`<>(){}[]$%#;|&=*/\\.:@!-_ \n0aosuc";
    struct test_random random = test_random_start("test_noise");
    for (int round = 0; round < 500; round++) {
        char text[6000];
        size_t len = test_random_below(&random, sizeof(text));
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[test_random_below(&random, sizeof(alphabet))];
        struct gd_likeness likeness;
        gd_likeness_of(gd_span(text, len), &likeness);
        assert_int_equal(likeness.classes == 0, likeness.degree == 0);
        assert_int_equal(likeness.classes >> GUARD_LIKENESS_COUNT, 0);
    }
}

/* Without a class everything else is as it was, and the construct is the strongest of the rest. */
static void test_without(void **state)
{
    (void)state;
    uint32_t others = 0;
    for (size_t i = 0; i < COUNT(likeness_attacks); i++) {
        struct gd_likeness whole, part;
        gd_likeness_of(of(likeness_attacks[i].text), &whole);
        for (uint32_t class = 0; class < GUARD_LIKENESS_COUNT; class ++) {
            uint32_t own = 1u << guard_construct_likeness(whole.construct);
            gd_likeness_of_but(of(likeness_attacks[i].text), 1u << class, &part);
            assert_int_equal(part.classes, whole.classes & ~(1u << class));
            assert_int_equal(part.degree == 0, part.classes == 0);
            assert_int_equal(part.construct == whole.construct, own != 1u << class);
            if (part.classes != 0)
                assert_true(part.classes >> guard_construct_likeness(part.construct) & 1);
            others += own == 1u << class && part.classes != 0;
        }
    }
    assert_in_range(others, 1, UINT32_MAX);
    struct gd_likeness name;
    gd_likeness_of_name(of("x[$ne]"), 0, &name);
    assert_int_equal(name.classes, 1u << GUARD_LIKENESS_NOSQL);
    gd_likeness_of_name(of("x[$ne]"), 1u << GUARD_LIKENESS_NOSQL, &name);
    assert_int_equal(name.classes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks),      cmocka_unit_test(test_benign),
        cmocka_unit_test(test_benign_pairs), cmocka_unit_test(test_names),
        cmocka_unit_test(test_variants),     cmocka_unit_test(test_long),
        cmocka_unit_test(test_words),        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
