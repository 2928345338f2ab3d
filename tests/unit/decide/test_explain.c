/* SPDX-License-Identifier: Apache-2.0 */
/* The sentences that operators read, and that nothing a client sends breaks out of them. */
#include "unit/policy/world.h"

#include "base/span.h"
#include "decide/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct guard_finding base(enum guard_rule rule, enum guard_location location,
                                 const char *name)
{
    return (struct guard_finding){.rule = rule,
                                  .location = location,
                                  .name = world_span(name),
                                  .observed = GUARD_SPAN_LITERAL("aaa aa 0=0"),
                                  .values = 48211,
                                  .clients = 3120,
                                  .strength = 570};
}

static const unsigned equals = GUARD_CLASS_PUNCTUATION + 18;

static void test_line(void **state)
{
    (void)state;
    struct guard_verdict verdict = {
        .decision = GUARD_BLOCK, .action = GUARD_BLOCK, .finding_count = 1, .finding_total = 1};
    verdict.findings[0] = base(GUARD_RULE_CHARACTER, GUARD_LOCATION_QUERY, "username");
    verdict.findings[0].detail = equals;
    char line[256];
    size_t len =
        guard_explain(&verdict, world_span("GET"), world_span("/users"), line, sizeof(line));
    assert_string_equal(line, "BLOCK GET /users param username: character \"=\" never seen in "
                              "48,211 values from 3,120 clients "
                              "(rate <= 2e-6)");
    assert_int_equal(len, strlen(line));
    verdict.action = GUARD_ALERT;
    guard_explain(&verdict, world_span("GET"), world_span(""), line, sizeof(line));
    assert_string_equal(line, "WOULD BLOCK GET (unknown path) param username: character \"=\" "
                              "never seen in 48,211 values from "
                              "3,120 clients (rate <= 2e-6)");
    verdict = (struct guard_verdict){.decision = GUARD_PASS};
    guard_explain(&verdict, world_span("GET"), world_span("/users"), line, sizeof(line));
    assert_string_equal(line, "PASS GET /users");
}

struct sentence {
    enum guard_rule rule;
    enum guard_location location;
    const char *name;
    uint32_t detail, expected;
    const char *text; /* without the support */
    const char *observed, *expected_text;
};

static const struct sentence sentences[] = {
    {GUARD_RULE_PATH, GUARD_LOCATION_PATH, "seg1", 1, 0,
     "path segment seg1: \"aaa aa 0=0\" never seen here in 48,211 requests", "aaa aa 0=0",
     "as seen before"},
    {GUARD_RULE_DESTINATION, GUARD_LOCATION_PATH, "seg0", 0, 0,
     "destination \"aaa aa 0=0\" never called in 48,211 calls", "aaa aa 0=0", "as seen before"},
    {GUARD_RULE_METHOD, GUARD_LOCATION_NONE, "", 0, 0,
     "method \"aaa aa 0=0\" never seen in 48,211 requests", "aaa aa 0=0", "as seen before"},
    {GUARD_RULE_NAME, GUARD_LOCATION_JSON, "a.b[].c", 0, 0,
     "JSON field a.b[].c: name never seen in 48,211 requests", "aaa aa 0=0", "as seen before"},
    {GUARD_RULE_MISSING, GUARD_LOCATION_HEADER, "host", 0, 0,
     "header host: missing, was always there in 48,211 requests", "missing", "required"},
    {GUARD_RULE_ALPHABET, GUARD_LOCATION_FORM, "f", GUARD_CLASS_CYRILLIC, 0,
     "form field f: character Cyrillic never seen", "Cyrillic in aaa aa 0=0", "as seen before"},
    {GUARD_RULE_TRANSITION, GUARD_LOCATION_COOKIE, "c",
     GUARD_CLASS_DIGIT << 6 | GUARD_CLASS_PUNCTUATION, 1,
     "cookie c: digit before \"!\" never seen in", "digit before \"!\" in aaa aa 0=0",
     "as seen before"},
    {GUARD_RULE_TRANSITIONS, GUARD_LOCATION_COOKIE, "c",
     GUARD_CLASS_DIGIT << 6 | GUARD_CLASS_PUNCTUATION, 3,
     "cookie c: digit before \"!\" and 2 more neighbourhoods never seen in", NULL, NULL},
    {GUARD_RULE_TYPE, GUARD_LOCATION_QUERY, "id", GUARD_TYPE_TEXT,
     1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_UUID,
     "param id: type text instead of int, uuid never seen in 48,211 values", "text", "int, uuid"},
    {GUARD_RULE_LENGTH, GUARD_LOCATION_QUERY, "q", 1812, 32,
     "param q: length 1,812, never above 32 in 48,211 values", "1,812", "at most 32"},
    {GUARD_RULE_SHORT, GUARD_LOCATION_QUERY, "q", 1, 3, "param q: length 1, never below 3 in", "1",
     "at least 3"},
    {GUARD_RULE_DIGITS, GUARD_LOCATION_QUERY, "q", 12, 4, "param q: 12 digits, never above 4 in",
     "12", "at most 4"},
    {GUARD_RULE_SPECIALS, GUARD_LOCATION_QUERY, "q", 1, 0,
     "param q: 1 punctuation character, never above 0 in", "1", "at most 0"},
    {GUARD_RULE_LITERAL, GUARD_LOCATION_QUERY, "q", 0, 4,
     "param q: \"aaa aa 0=0\" is none of the 4 known values in", "aaa aa 0=0", "one of 4 values"},
    {GUARD_RULE_ITEMS, GUARD_LOCATION_JSON, "a", 40, 5, "JSON field a: 40 items, never above 5 in",
     "40", "at most 5"},
    {GUARD_RULE_DEPTH, GUARD_LOCATION_BODY, "", 20, 3,
     "body: 20 levels of nesting, never above 3 in", "20", "at most 3"},
    {GUARD_RULE_SIZE, GUARD_LOCATION_BODY, "", 10000, 512,
     "body: 10,000 bytes, never above 512 in 48,211 requests", "10,000", "at most 512"},
    {GUARD_RULE_FAULT, GUARD_LOCATION_QUERY, "", GUARD_FAULT_BAD_ESCAPE, 0,
     "query: malformed (bad-escape) never seen in 48,211 requests", "bad-escape", "as seen before"},
    {GUARD_RULE_CLIENT, GUARD_LOCATION_CLIENT, "", 0, 3,
     "client: aaa aa 0=0 is none of the 3 known clients in", "aaa aa 0=0", "one of 3 clients"},
};

static void test_sentences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        const struct sentence *row = &sentences[i];
        struct guard_finding finding = base(row->rule, row->location, row->name);
        finding.detail = row->detail;
        finding.expected = row->expected;
        char line[256], observed[64], expected[64];
        guard_explain_finding(&finding, line, sizeof(line));
        if (strncmp(line, row->text, strlen(row->text)) != 0)
            fail_msg("\"%s\" does not begin with \"%s\"", line, row->text);
        assert_non_null(strstr(line, row->rule == GUARD_RULE_DESTINATION
                                         ? " from 3,120 callers (rate <= 2e-6)"
                                         : " from 3,120 clients (rate <= 2e-6)"));
        guard_finding_texts(&finding, observed, sizeof(observed), expected, sizeof(expected));
        if (row->observed != NULL)
            assert_string_equal(observed, row->observed);
        if (row->expected_text != NULL)
            assert_string_equal(expected, row->expected_text);
        finding.configured = true;
        guard_explain_finding(&finding, line, sizeof(line));
        assert_non_null(strstr(line, " (configured)"));
        assert_null(strstr(line, "never"));
    }
}

/* Every rule has a sentence of its own, whatever the numbers in it. */
static void test_any_numbers(void **state)
{
    (void)state;
    for (int rule = 0; rule <= GUARD_RULE_COUNT; rule++) {
        struct guard_finding finding = base((enum guard_rule)rule, GUARD_LOCATION_QUERY, "x");
        finding.detail = finding.expected = UINT32_MAX;
        char line[512], observed[256], expected[256];
        assert_true(guard_explain_finding(&finding, line, sizeof(line)) > 10);
        guard_finding_texts(&finding, observed, sizeof(observed), expected, sizeof(expected));
        assert_true(rule == GUARD_RULE_COUNT || strlen(guard_rule_name((enum guard_rule)rule)) > 3);
    }
}

static void test_hostile_text(void **state)
{
    (void)state;
    struct guard_finding finding = base(GUARD_RULE_NAME, GUARD_LOCATION_QUERY,
                                        "a\n\x1b[31m\x7f\xc2\x85\xe2\x80\xae\xff\xc3\xa9\xe2\x82");
    char line[256];
    guard_explain_finding(&finding, line, sizeof(line));
    assert_memory_equal(line, "param a..[31m.......\xc3\xa9..: name", 30);
}

/* Cut to any room, always terminated, never in the middle of a character. */
static void test_cut(void **state)
{
    (void)state;
    struct guard_finding finding =
        base(GUARD_RULE_NAME, GUARD_LOCATION_QUERY, "\xc3\xa9\xc3\xa9\xc3\xa9");
    char whole[256];
    size_t total = guard_explain_finding(&finding, whole, sizeof(whole));
    for (size_t cap = 1; cap <= total + 1; cap++) {
        char line[256];
        memset(line, 'x', sizeof(line));
        size_t len = guard_explain_finding(&finding, line, cap);
        assert_true(len < cap);
        assert_int_equal(line[len], '\0');
        assert_int_equal(line[cap], 'x');
        assert_memory_equal(line, whole, len);
        assert_true((whole[len] & 0xc0) != 0x80);
    }
    assert_int_equal(guard_explain_finding(&finding, NULL, 0), 0);
}

static void test_rates(void **state)
{
    (void)state;
    static const struct {
        uint16_t strength;
        const char *text;
    } rates[] = {{0, "1"},      {1, "1"},      {5, "9e-1"},   {100, "1e-1"},
                 {101, "1e-1"}, {300, "1e-3"}, {302, "1e-3"}, {305, "9e-4"},
                 {570, "2e-6"}, {569, "3e-6"}, {600, "1e-6"}, {9999, "2e-100"}};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        char text[16];
        struct gd_line line;
        gd_line_init(&line, text, sizeof(text));
        gd_line_rate(&line, rates[i].strength);
        gd_line_end(&line);
        assert_string_equal(text, rates[i].text);
    }
}

/* No value that looks secret is shown, neither raw nor masked. */
static void test_secrets(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    struct ask ask = {"POST", "/login", NULL, "user=tom&password=Tr0ub4dor%263%27", NULL};
    struct answer answer;
    world_ask(&answer, policy, &ask);
    const struct guard_finding *finding = world_finding(&answer, GUARD_RULE_CHARACTER, "password");
    assert_non_null(finding);
    char observed[128], expected[128];
    guard_finding_texts(finding, observed, sizeof(observed), expected, sizeof(expected));
    assert_null(strstr(observed, "Aa0aa0aaa"));
    assert_null(strstr(observed, "Tr0"));
    assert_non_null(strstr(observed, "12 bytes"));
    world_answer_free(&answer);
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_any_numbers), cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_cut),         cmocka_unit_test(test_rates),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
