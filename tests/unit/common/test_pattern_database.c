/* SPDX-License-Identifier: Apache-2.0 */
/* Databases of patterns: whatever is in a value is told by the scan of the stream that holds it,
 * for texts and for expressions that the library likes and that it doesn't; and bytes that are no
 * database are refused. */
#include "common/patterns/database.h"

#include "common/file.h"
#include "common/patterns/database_format.h"
#include "common/patterns/regex_sign.h"
#include "common/patterns/regexes.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* Pieces of which expressions and values are made, so that they meet often. */
static const char *const atoms[] = {
    "a",   "b",    "ab",          ".",       "[ab]",    "[^a]",   "\\w",    "\\s",   "\\d",
    "^",   "$",    "\\b",         "\\B",     "(?=a)",   "(?!b)",  "(?i:A)", "\\x0a", "(?m:^)",
    "x",   "\\n",  "[[:alpha:]]", "(?-s:.)", "\\h",     "\\v",    "\\W",    "\\S",   "(?>a|ab)",
    "\\N", "[[a]", "[\\c]]",      "(\\c))",  "\\x{61}", "\\x{20}"};
static const char *const suffixes[] = {"",       "",        "",       "*",      "+",       "?",
                                       "{2}",    "{1,3}",   "*?",     "++",     "{2,}",    "{9}",
                                       "{0,20}", "{5,30}?", "{0,9}+", "{0002}", "{000001}"};
static const char letters[] = "aabbAx 1\n\n\t_-\x0b\x0c\r\xe9\x1d";

static void random_expression(struct test_random *random, char *out, size_t cap)
{
    size_t len = 0;
    size_t pieces = 1 + (size_t)test_random_below(random, 5);
    bool group = (size_t)test_random_below(random, 3) == 0;
    len += (size_t)snprintf(out, cap, "%s", group ? "(?:" : "");
    for (size_t i = 0; i < pieces; i++) {
        const char *atom =
            atoms[(size_t)test_random_below(random, sizeof(atoms) / sizeof(atoms[0]))];
        const char *suffix =
            suffixes[(size_t)test_random_below(random, sizeof(suffixes) / sizeof(suffixes[0]))];
        if (strcmp(atom, "^") == 0 || strcmp(atom, "$") == 0 || strncmp(atom, "\\b", 2) == 0 ||
            strncmp(atom, "\\B", 2) == 0 || strncmp(atom, "(?m", 3) == 0)
            suffix = "";
        len += (size_t)snprintf(out + len, cap - len, "%s%s%s", atom, suffix,
                                (size_t)test_random_below(random, 8) == 0 ? "|" : "");
    }
    (void)snprintf(out + len, cap - len, "%s",
                   group ? ((size_t)test_random_below(random, 2) == 0 ? ")+" : ")") : "");
}

static size_t random_value(struct test_random *random, char *out)
{
    size_t len = (size_t)test_random_below(random, 12);
    for (size_t i = 0; i < len; i++)
        out[i] = letters[(size_t)test_random_below(random, sizeof(letters) - 1)];
    return len;
}

enum { PATTERNS = 40, VALUES = 6, TEXT_CAP = 160 };

struct told {
    bool patterns[PATTERNS + 1];
};

static void on_hit(void *ctx, uint64_t pattern)
{
    struct told *told = ctx;
    assert_true(pattern >= 1 && pattern <= PATTERNS);
    told->patterns[pattern] = true;
}

static struct pattern_database *build(const struct guard_pattern *patterns, size_t count,
                                      struct pattern_build *told)
{
    struct pattern_database *database = NULL;
    struct guard_err err = {""};
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (pattern_database_build(patterns, count, NULL, &bytes, &len, told, &err) != GUARD_OK ||
        pattern_database_open(&database, (struct guard_span){bytes, len}, &err) != GUARD_OK)
        fail_msg("%s", err.text);
    free(bytes);
    return database;
}

static size_t random_patterns(struct test_random *random, char texts[PATTERNS][TEXT_CAP],
                              struct guard_pattern patterns[PATTERNS])
{
    size_t count = 0;
    while (count < PATTERNS) {
        size_t offset = 0;
        bool regex = (size_t)test_random_below(random, 4) != 0;
        bool ignore_case = (size_t)test_random_below(random, 2) == 0;
        if (regex)
            random_expression(random, texts[count], TEXT_CAP);
        else
            texts[count][random_value(random, texts[count])] = '\0';
        struct guard_span text = span(texts[count]);
        if (text.len == 0 || (regex && regex_check(text, ignore_case, &offset, NULL) != GUARD_OK))
            continue;
        patterns[count] = (struct guard_pattern){count + 1, text, regex, ignore_case};
        count++;
    }
    return count;
}

/* As expressions of their bytes, so that one reference serves both. */
static enum guard_match reference(struct regexes *regexes, const struct guard_pattern *pattern,
                                  struct guard_span value, uint64_t id)
{
    char text[4 * TEXT_CAP];
    size_t len = 0;
    if (pattern->regex)
        return regexes_find(regexes, id, pattern->text, pattern->ignore_case, value);
    for (size_t i = 0; i < pattern->text.len; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\\x%02x", pattern->text.ptr[i]);
    return regexes_find(regexes, id, (struct guard_span){(uint8_t *)text, len},
                        pattern->ignore_case, value);
}

/* What an expression is told by stands in what it matches. */
static void check_sign(const struct guard_pattern *pattern, struct guard_span value)
{
    uint8_t sign[TEXT_CAP];
    size_t len = regex_sign(pattern->text, sign);
    for (size_t at = 0; at + len <= value.len; at++) {
        bool same = pattern->ignore_case
                        ? strncasecmp((const char *)value.ptr + at, (const char *)sign, len) == 0
                        : memcmp(value.ptr + at, sign, len) == 0;
        if (same)
            return;
    }
    fail_msg("%s has the sign %.*s, which %.*s has not", (const char *)pattern->text.ptr, (int)len,
             (const char *)sign, (int)value.len, (const char *)value.ptr);
}

static uint32_t compare(struct test_random *random, struct regexes *regexes,
                        struct pattern_database *database, const struct guard_pattern *patterns,
                        uint64_t ids)
{
    char stream[VALUES * 16];
    size_t starts[VALUES + 1] = {0};
    struct told told = {{false}};
    uint32_t found = 0;
    for (size_t i = 0; i < VALUES; i++) {
        size_t end = starts[i] + random_value(random, stream + starts[i]);
        stream[end] = '\n';
        starts[i + 1] = end + 1;
    }
    const struct guard_span whole = {(uint8_t *)stream, starts[VALUES] - 1};
    assert_true(pattern_database_scan(database, whole, on_hit, &told));
    for (size_t i = 0; i < PATTERNS; i++) {
        for (size_t j = 0; j < VALUES; j++) {
            const struct guard_span value = {(uint8_t *)stream + starts[j],
                                             starts[j + 1] - starts[j] - 1};
            if (reference(regexes, &patterns[i], value, ids + i) == GUARD_MATCH_NO)
                continue;
            found++;
            if (patterns[i].regex)
                check_sign(&patterns[i], value);
            if (!told.patterns[patterns[i].id])
                fail_msg("%s (%d, %d) is in value %zu and wasn't told",
                         (const char *)patterns[i].text.ptr, patterns[i].regex,
                         patterns[i].ignore_case, j);
        }
    }
    return found;
}

static void test_scan_misses_nothing(void **state)
{
    enum { ROUNDS = 60, STREAMS = 20 };
    static char texts[PATTERNS][TEXT_CAP];
    struct guard_pattern patterns[PATTERNS];
    struct guard_alloc heap = heap_alloc();
    struct regexes *regexes = NULL;
    struct test_random random = test_random_start("pattern database");
    uint64_t found = 0;
    uint32_t unfiltered = 0;
    uint32_t approximate = 0;
    (void)state;

    assert_int_equal(regexes_new(&regexes, &heap), GUARD_OK);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct pattern_build told;
        size_t count = random_patterns(&random, texts, patterns);
        struct pattern_database *database = build(patterns, count, &told);
        unfiltered += told.unfiltered;
        approximate += told.approximate;
        for (int i = 0; i < STREAMS; i++) {
            regexes_refill(regexes);
            found += compare(&random, regexes, database, patterns, 1 + round * PATTERNS);
        }
        pattern_database_close(database);
    }
    regexes_free(regexes);
    printf("%llu found; of %d patterns %u unfiltered, %u approximate\n", (unsigned long long)found,
           ROUNDS * PATTERNS, unfiltered, approximate);
    assert_true(found > 10000);
    assert_true(unfiltered < ROUNDS * PATTERNS / 2 && approximate > 0);
}

static void assert_sign(const char *expression, const char *sign)
{
    uint8_t to[TEXT_CAP];
    size_t len = regex_sign(span(expression), to);
    if (len != strlen(sign) || memcmp(to, sign, len) != 0)
        fail_msg("%s has the sign %.*s, not %s", expression, (int)len, (const char *)to, sign);
}

static void test_signs(void **state)
{
    (void)state;
    assert_sign("shop_admin\\s*\\(", "shop_admin");
    assert_sign("(?:union|select)\\s[^;]{0,64}\\bshop_(?:users|sessions)\\b", "shop_");
    assert_sign("ab?c+d{2,9}e{0,3}fg", "fg");
    assert_sign("\\$\\{jndi:x*y", "${jndi:");
    assert_sign("[abc]longer[^]x]ab", "longer");
    /* Nothing, or nothing that is certain. */
    assert_sign("one|other", "");
    assert_sign("(?i)admin", "");
    assert_sign("(?x)ad min", "");
    assert_sign("a\\x41bc", "");
    assert_sign("(admin)?", "");
    assert_sign("longer[[a]?|[z]", "");
    assert_sign("[\\c]]after", "");
    assert_sign("(\\c))after", "");
    assert_sign("\\c\\(?!x)after", "");
    assert_sign("ab{0000001}cde{0000000}", "ab");
}

static void assert_relaxed(const char *expression, const char *relaxed)
{
    char to[TEXT_CAP];
    size_t len = regex_relax(span(expression), to);
    if (len != strlen(relaxed) || memcmp(to, relaxed, len) != 0)
        fail_msg("%s becomes %.*s, not %s", expression, (int)len, to, relaxed);
}

static void test_relaxed(void **state)
{
    (void)state;
    assert_relaxed("a{0,40}b{10}?c{2,3}", "a{0,}b{4,}?c{2,3}");
    assert_relaxed("a{9}b{0000040}", "a{9}b{4,}");
    assert_relaxed("\\x{41}\\o{101}\\d{41}", "\\x{41}\\o{101}\\d{4,}");
    assert_relaxed("\\c\\(?!x{40})", "\\c\\(?!x{40})");
    assert_relaxed("[{0,40}]\\{0,40}a{0,40}+", "[{0,40}]\\{0,40}a{0,40}+");
    assert_relaxed("(?!a{0,40})", "(?!a{0,40})");
    assert_relaxed("a{,40}b{40", "a{,40}b{40");
}

static void test_filters(void **state)
{
    struct guard_pattern patterns[] = {
        {3, GUARD_SPAN_LITERAL("${JNDI:"), false, true},
        {1, GUARD_SPAN_LITERAL("a*"), true, false},
        {2, GUARD_SPAN_LITERAL("x[0-9]{3}$"), true, false},
        {3, GUARD_SPAN_LITERAL("${JNDI:"), false, true},
        {4, GUARD_SPAN_LITERAL("\\.\\./"), true, false},
    };
    struct pattern_build told;
    struct pattern_database_info info;
    (void)state;
    size_t count = patterns_sort(patterns, 5);
    assert_int_equal(count, 4);
    struct pattern_database *database = build(patterns, count, &told);
    pattern_database_info(database, &info);
    assert_int_equal(info.patterns, 4);
    assert_int_equal(info.unfiltered, 1);
    assert_true(info.bytes > 0);
    assert_true(pattern_database_has(database, 4));
    assert_false(pattern_database_has(database, 5));
    struct told hits = {{false}};
    assert_true(pattern_database_scan(database, span("y\n${jndi:x\nx12\nz"), on_hit, &hits));
    assert_true(hits.patterns[1]);
    assert_false(hits.patterns[2]);
    assert_true(hits.patterns[3]);
    assert_false(hits.patterns[4]);
    assert_true(pattern_database_scan(database, span("x123\n1"), on_hit, &hits));
    assert_true(hits.patterns[2]);
    pattern_database_close(database);
    /* Nothing at all. */
    database = build(patterns, 0, &told);
    assert_true(pattern_database_scan(database, span("x"), on_hit, &hits));
    pattern_database_close(database);
}

static void test_doubtful_ones_are_left_out(void **state)
{
    const struct guard_pattern patterns[] = {{1, GUARD_SPAN_LITERAL("aa"), false, false},
                                             {2, GUARD_SPAN_LITERAL("b+c"), true, false}};
    const bool doubtful[] = {false, true};
    struct pattern_database *database = NULL;
    struct pattern_build told;
    struct told hits = {{false}};
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(pattern_database_build(patterns, 2, doubtful, &bytes, &len, &told, NULL),
                     GUARD_OK);
    assert_int_equal(told.unfiltered, 1);
    assert_int_equal(pattern_database_open(&database, (struct guard_span){bytes, len}, NULL),
                     GUARD_OK);
    assert_true(pattern_database_scan(database, span("x"), on_hit, &hits));
    assert_true(hits.patterns[2] && !hits.patterns[1]);
    pattern_database_close(database);
    free(bytes);
}

/* What isn't signed never gets here; still, sizes that contradict each other are refused. */
static void test_refuses(void **state)
{
    const struct guard_pattern patterns[] = {{1, GUARD_SPAN_LITERAL("aa"), false, false}};
    struct pattern_database *database = NULL;
    struct pattern_build told;
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(pattern_database_build(patterns, 1, NULL, &bytes, &len, &told, NULL),
                     GUARD_OK);
    for (size_t cut = 1; cut <= 64; cut++)
        assert_int_not_equal(
            pattern_database_open(&database, (struct guard_span){bytes, len - cut}, NULL),
            GUARD_OK);
    for (size_t cut = 0; cut < 40; cut++)
        assert_int_not_equal(
            pattern_database_open(&database, (struct guard_span){bytes, cut}, NULL), GUARD_OK);
    bytes[3] = 0xff;
    assert_int_equal(pattern_database_open(&database, (struct guard_span){bytes, len}, NULL),
                     GUARD_E_SYNTAX);
    free(bytes);
}

/* A library that doesn't find what is there isn't asked: here those of the proofs find another
 * text. */
static void test_refuses_a_library_that_misses(void **state)
{
    const struct guard_pattern patterns[] = {{1, GUARD_SPAN_LITERAL("aa"), false, false}};
    struct pattern_database *database = NULL;
    struct pattern_build told;
    struct database_head head;
    struct guard_err err = {""};
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(pattern_database_build(patterns, 1, NULL, &bytes, &len, &told, NULL),
                     GUARD_OK);
    memcpy(&head, bytes, sizeof(head));
    uint8_t *proofs = bytes + len;
    for (int i = 0; i < DATABASE_PROOFS; i++) {
        assert_int_not_equal(head.proof_bytes[i], 0);
        proofs -= head.proof_bytes[i];
    }
    /* The two of one letter and of two in each other's place. */
    size_t first = (size_t)head.proof_bytes[0];
    size_t second = (size_t)head.proof_bytes[1];
    uint8_t *kept = malloc(first);
    assert_non_null(kept);
    memcpy(kept, proofs, first);
    memmove(proofs, proofs + first, second);
    memcpy(proofs + second, kept, first);
    free(kept);
    head.proof_bytes[0] = second;
    head.proof_bytes[1] = first;
    memcpy(bytes, &head, sizeof(head));
    assert_int_equal(pattern_database_open(&database, (struct guard_span){bytes, len}, &err),
                     GUARD_E_VERSION);
    assert_non_null(strstr(err.text, "misses what is there"));
    assert_null(database);
    /* Nor is one without. */
    memset(head.proof_bytes, 0, sizeof(head.proof_bytes));
    memcpy(bytes, &head, sizeof(head));
    len = (size_t)(proofs - bytes);
    assert_int_equal(pattern_database_open(&database, (struct guard_span){bytes, len}, NULL),
                     GUARD_E_VERSION);
    free(bytes);
}

/* Texts and expressions behind as many other bytes as vector code takes at once, and more. */
static void test_finds_wherever_it_stands(void **state)
{
    static const struct {
        const char *expression;
        const char *value;
    } cases[] = {
        {"a.", "a\r"},     {"q", "q"},         {"[<>]s", "<s"},           {"x\\dy", "x5y"},
        {"[0-9]+x", "7x"}, {"/etc/", "/etc/"}, {"[a-f]{2}q[^z]", "abqr"}, {"q.*r[st]", "q12rs"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct guard_pattern pattern = {1, span(cases[i].expression), true, (i & 1) != 0};
        struct pattern_build told;
        struct pattern_database *database = build(&pattern, 1, &told);
        assert_int_equal(told.unfiltered, 0);
        for (size_t before = 0; before < 300; before++) {
            char stream[400];
            struct told hits = {{false}};
            memset(stream, '-', sizeof(stream));
            memcpy(stream + before, cases[i].value, strlen(cases[i].value));
            size_t len = before % 2 == 0 ? sizeof(stream) : before + strlen(cases[i].value);
            assert_true(pattern_database_scan(
                database, (struct guard_span){(const uint8_t *)stream, len}, on_hit, &hits));
            assert_true(hits.patterns[1]);
        }
        pattern_database_close(database);
    }
}

static void test_digest(void **state)
{
    struct guard_pattern patterns[] = {{1, GUARD_SPAN_LITERAL("aa"), false, false},
                                       {2, GUARD_SPAN_LITERAL("b"), false, false}};
    uint8_t first[GUARD_DIGEST_BYTES];
    uint8_t second[GUARD_DIGEST_BYTES];
    (void)state;
    patterns_digest(first, patterns, 2);
    patterns_digest(second, patterns, 2);
    assert_memory_equal(first, second, sizeof(first));
    patterns[1].regex = true;
    patterns_digest(second, patterns, 2);
    assert_memory_not_equal(first, second, sizeof(first));
    patterns_digest(second, patterns, 1);
    assert_memory_not_equal(first, second, sizeof(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_relaxed),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_scan_misses_nothing),
        cmocka_unit_test(test_doubtful_ones_are_left_out),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_a_library_that_misses),
        cmocka_unit_test(test_finds_wherever_it_stands),
        cmocka_unit_test(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
