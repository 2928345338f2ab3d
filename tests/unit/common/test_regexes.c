/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of patches: what is refused and where, what is found, and that no expression
 * and no value make a search long. */
#include "common/patterns/regexes.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void expect_refused(const char *expression, size_t at, const char *reason)
{
    struct guard_err err = {""};
    size_t offset = 0;
    assert_int_not_equal(regex_check(span(expression), false, &offset, &err), GUARD_OK);
    if (strstr(err.text, reason) == NULL || offset != at)
        fail_msg("%s: refused at %zu with: %s", expression, offset, err.text);
}

static void test_refuses(void **state)
{
    (void)state;
    expect_refused("", 0, "empty");
    expect_refused("ab(?<=x)", 2, "look-behind");
    expect_refused("ab(?<!x)", 2, "look-behind");
    expect_refused("ab(?<*x)", 2, "look-behind");
    expect_refused("(a)\\1", 3, "back-references");
    expect_refused("(?<n>a)\\k<n>", 7, "back-references");
    expect_refused("(?<n>a)\\g{n}", 7, "back-references");
    expect_refused("(?P<n>a)(?P=n)", 8, "back-references");
    expect_refused("(a(?R)?)", 2, "recursion");
    expect_refused("(a(?1)?)", 2, "recursion");
    expect_refused("(a(?-1)?)", 2, "recursion");
    expect_refused("(?<n>a(?&n)?)", 6, "recursion");
    expect_refused("(?<n>a(?P>n)?)", 6, "recursion");
    expect_refused("a(?C1)b", 1, "callouts");
    expect_refused("(*UTF)a", 0, "(*...)");
    expect_refused("a(*ACCEPT)", 1, "(*...)");
    expect_refused("a(*atomic:b)", 1, "(*...)");
    expect_refused("\\Aab", 0, "\\A");
    expect_refused("ab\\z", 2, "\\z");
    expect_refused("ab\\Z", 2, "\\Z");
    expect_refused("\\Gab", 0, "\\G");
    expect_refused("a\\Kb", 1, "\\K");
    expect_refused("a\\C", 1, "\\C");
    expect_refused("\\pL", 0, "bytes");
    expect_refused("[\\pL]", 0, "bytes");
    expect_refused("\\Q(?C)\\E", 0, "\\Q");
    expect_refused("(?x)a # (", 0, "options");
    expect_refused("(?(?=a)b|c)", 0, "conditions");
    expect_refused("(a", 2, "closing parenthesis");
    expect_refused("a[b", 3, "]");
    expect_refused("a**b(", 2, "quantifier");
    expect_refused("(((a{1000}){1000}){1000})", 25, "large");
}

static void test_limits(void **state)
{
    (void)state;
    static char text[GUARD_PATCH_EXPRESSION_MAX + 2];
    struct guard_err err;
    size_t offset = 0;
    memset(text, 'a', GUARD_PATCH_EXPRESSION_MAX + 1);
    assert_int_equal(regex_check(span(text), false, &offset, &err), GUARD_E_LIMIT);
    text[GUARD_PATCH_EXPRESSION_MAX] = '\0';
    assert_int_equal(regex_check(span(text), false, &offset, &err), GUARD_OK);
    memset(text, '(', 1000);
    assert_int_not_equal(regex_check(span(text), false, &offset, &err), GUARD_OK);
}

static void test_accepts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "[]a]\\x41",     "[^]\\]]+",       "(?i)a(?-s).(?m:^b$)", "[[:alpha:]](?=x)(?!y)",
        "a(?#(?C1))b",   "(?>a|b)*",       "(?:[[:x](a))",        "(?<name>a)(?'b'c)(?P<d>e)",
        "\\(?R\\\\[(?R", "\\c[a[\\1-\\7]", "\\0\\x{41}\\o{101}",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct guard_err err = {""};
        size_t offset = 0;
        if (regex_check(span(good[i]), false, &offset, &err) != GUARD_OK &&
            strstr(err.text, "supported") != NULL)
            fail_msg("%s: %s", good[i], err.text);
    }
}

struct searched {
    const char *expression;
    const char *value;
    bool ignore_case;
    enum guard_match match;
};

static void test_finds(void **state)
{
    static const struct searched searches[] = {
        {"b.d", "abcde", false, GUARD_MATCH_YES},
        {"b.d", "ab\nde", false, GUARD_MATCH_YES},
        {"B.D", "abcde", false, GUARD_MATCH_NO},
        {"B.D", "abcde", true, GUARD_MATCH_YES},
        {"^b", "a\nb", false, GUARD_MATCH_NO},
        {"(?m)^b", "a\nb", false, GUARD_MATCH_YES},
        {"a$", "a\n", false, GUARD_MATCH_NO},
        {"a$", "ba", false, GUARD_MATCH_YES},
        {"^$", "", false, GUARD_MATCH_YES},
        {"\xe4", "\xc4", true, GUARD_MATCH_NO},
        {"\\$\\{[^}]{0,64}(:|lower)", "${jndi:x}", false, GUARD_MATCH_YES},
    };
    struct guard_alloc heap = heap_alloc();
    struct regexes *regexes = NULL;
    (void)state;
    assert_int_equal(regexes_new(&regexes, &heap), GUARD_OK);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
            const struct searched *search = &searches[i];
            enum guard_match match = regexes_find(regexes, i + 1, span(search->expression),
                                                  search->ignore_case, span(search->value));
            if (match != search->match)
                fail_msg("%s in %s: %d", search->expression, search->value, match);
        }
    }
    struct regexes_counts counts;
    regexes_count(regexes, &counts);
    assert_int_equal(counts.compiled, sizeof(searches) / sizeof(searches[0]));
    assert_int_equal(regexes_find(regexes, 99, span("(a"), false, span("(a")), GUARD_MATCH_NO);
    regexes_count(regexes, &counts);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(counts.aborted, 0);
    regexes_free(regexes);
}

static uint64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
}

static const char *const monsters[] = {
    "(a+)+$",
    "(a|aa)+$",
    "(.*)*x",
    "(?:a(?=a*+b)|a)*z",
    "a*b",
    "[a]*+b",
    "(?:(?:a?){30})*b",
    "(a?){60}a{60}b",
    "^(?:a|ab)(?:.*){8}z",
    ".*.*.*.*x",
    "[a-z]{2000,}!",
    "(?=(a+))(?:a|aa)*b",
    "(?:[ab]{100}){20}c",
    "(?:(?:(?:a*)*)*)*b",
    "((((((((a*)*)*)*)*)*)*)*)*c",
    "(?:[^x]*?a){5}x",
};

static void test_monsters(void **state)
{
    enum { LENGTHS = 4, BOUND_US = 6000 };
    static const size_t lengths[LENGTHS] = {30, 3000, 60000, 1000000};
    struct guard_alloc heap = heap_alloc();
    struct regexes *regexes = NULL;
    char *value = malloc(lengths[LENGTHS - 1]);
    uint64_t worst[LENGTHS] = {0};
    (void)state;
    assert_non_null(value);
    memset(value, 'a', lengths[LENGTHS - 1]);
    for (size_t i = 1999; i < lengths[LENGTHS - 1]; i += 2000)
        value[i] = '-';
    memcpy(value + 20, "!b!c!x!z!-", 10); /* what PCRE2 looks for beforehand is there */
    memcpy(value + 2980, "!b!c!x!z!-", 10);
    memcpy(value + 59980, "!b!c!x!z!-", 10);
    memcpy(value + 999980, "!b!c!x!z!-", 10);
    assert_int_equal(regexes_new(&regexes, &heap), GUARD_OK);
    for (size_t i = 0; i < sizeof(monsters) / sizeof(monsters[0]); i++) {
        for (size_t j = 0; j < LENGTHS; j++) {
            regexes_refill(regexes);
            (void)regexes_find(regexes, i + 1, span(monsters[i]), false, span("warm"));
            uint64_t begin = cpu_us();
            (void)regexes_find(regexes, i + 1, span(monsters[i]), false,
                               (struct guard_span){(uint8_t *)value, lengths[j]});
            uint64_t took = cpu_us() - begin;
            worst[j] = took > worst[j] ? took : worst[j];
            if (getenv("GUARD_TEST_PRINT") != NULL)
                printf("%8zu bytes, %6llu us: %s\n", lengths[j], (unsigned long long)took,
                       monsters[i]);
        }
    }
    for (size_t j = 0; j < LENGTHS; j++) {
        printf("worst search in %zu bytes: %llu us\n", lengths[j], (unsigned long long)worst[j]);
        /* Builds with sanitizers and loaded machines are slower; without limits it were hours. */
        assert_true(worst[j] < 20 * (BOUND_US + lengths[j] / 20));
    }
    free(value);
    regexes_free(regexes);
}

static void test_aborts(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct regexes *regexes = NULL;
    const struct guard_span value = GUARD_SPAN_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
    (void)state;
    assert_int_equal(regexes_new(&regexes, &heap), GUARD_OK);
    assert_int_equal(regexes_find(regexes, 1, span("(a|a)+$"), false, value), GUARD_MATCH_ABORTED);
    assert_int_equal(regexes_find(regexes, 1, span("(a|a)+$"), false, value), GUARD_MATCH_ABORTED);
    /* What the message may take is used up: what isn't hard is still found, the hard at once not.
     */
    assert_int_equal(regexes_find(regexes, 2, span("a!"), false, value), GUARD_MATCH_YES);
    uint64_t begin = cpu_us();
    for (int i = 0; i < 100; i++)
        assert_int_equal(regexes_find(regexes, 1, span("(a|a)+$"), false, value),
                         GUARD_MATCH_ABORTED);
    assert_true(cpu_us() - begin < 100 * 1000);
    regexes_refill(regexes);
    struct regexes_counts counts;
    regexes_count(regexes, &counts);
    assert_int_equal(counts.aborted, 102);
    regexes_free(regexes);
}

/* A long value that one pass can read is read. */
static void test_long_values(void **state)
{
    enum { LEN = 1 << 20 };
    struct guard_alloc heap = heap_alloc();
    struct regexes *regexes = NULL;
    uint8_t *value = malloc(LEN);
    (void)state;
    assert_non_null(value);
    for (size_t i = 0; i < LEN; i++)
        value[i] = (uint8_t)('a' + i % 23);
    const struct guard_span whole = {value, LEN};
    assert_int_equal(regexes_new(&regexes, &heap), GUARD_OK);
    assert_int_equal(regexes_find(regexes, 1, span("a.*z"), false, whole), GUARD_MATCH_NO);
    value[LEN - 1] = 'z';
    assert_int_equal(regexes_find(regexes, 1, span("a.*z"), false, whole), GUARD_MATCH_YES);
    assert_int_equal(regexes_find(regexes, 2, span("[x-z]{1,3}$"), false, whole), GUARD_MATCH_YES);
    assert_int_equal(regexes_find(regexes, 3, span("[0-9]+\\s*="), false, whole), GUARD_MATCH_NO);
    regexes_free(regexes);
    free(value);
}

/* Patterns come and go. */
static void test_cache_is_bounded(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct regexes *regexes = NULL;
    struct regexes_counts counts;
    (void)state;
    assert_int_equal(regexes_new(&regexes, &heap), GUARD_OK);
    for (uint64_t i = 1; i <= 10000; i++) {
        char text[64];
        int len = snprintf(text, sizeof(text), "[a-f]{%d}x%llu", (int)(i % 50 + 1),
                           (unsigned long long)i);
        assert_true(len > 0);
        assert_int_equal(regexes_find(regexes, i, span(text), false, span("y")), GUARD_MATCH_NO);
    }
    regexes_count(regexes, &counts);
    assert_true(counts.kept <= 4096);
    assert_true(counts.bytes <= 33u * 1024 * 1024);
    regexes_free(regexes);
}

static void test_matches_empty(void **state)
{
    (void)state;
    assert_true(regex_matches_empty(span("a*"), false));
    assert_true(regex_matches_empty(span("^$"), false));
    assert_true(regex_matches_empty(span("(?=a)"), false));
    assert_false(regex_matches_empty(span("a+"), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_accepts),       cmocka_unit_test(test_finds),
        cmocka_unit_test(test_monsters),      cmocka_unit_test(test_aborts),
        cmocka_unit_test(test_long_values),   cmocka_unit_test(test_cache_is_bounded),
        cmocka_unit_test(test_matches_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
