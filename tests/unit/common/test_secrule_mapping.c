/* SPDX-License-Identifier: Apache-2.0 */
/* Variables, operators and transformations as conditions of patches, and what is refused. */
#include "secrule_check.h"

struct mapping {
    const char *variables;
    const char *asked;
    const char *actions;
    const char *shown; /* the condition, or the cause of the refusal */
};

static void check(const struct mapping *cases, size_t count, bool wider)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(
            condition_of(cases[i].variables, cases[i].asked, cases[i].actions, wider),
            cases[i].shown);
}

static void test_variables(void **state)
{
    (void)state;
    static const struct mapping cases[] = {
        {"ARGS|ARGS_NAMES", "@contains x", "",
         "any(query|form|json|multipart text contains <x>; query|form|json|multipart names text "
         "contains <x>)"},
        {"ARGS_POST", "@contains x", "", "form|multipart text contains <x>"},
        {"ARGS|FILES|REQUEST_BODY", "@contains x", "",
         "query|form|json|multipart|file|body text contains <x>"},
        {"ARGS:a|ARGS:b", "@contains x", "", "query|form|multipart:a,b text contains <x>"},
        {"ARGS:json.a.b", "@contains x", "", "json:a.b text contains <x>"},
        {"ARGS:/^a_.*z$/", "@contains x", "", "query|form|multipart:a_*z text contains <x>"},
        {"ARGS:/^a[0-9]/", "@contains x", "", "no place of patches"},
        {"ARGS:a|!ARGS:b", "@contains x", "", "query|form|multipart:a text contains <x>"},
        {"ARGS|!ARGS:b", "@contains x", "", "all values but some"},
        {"REQUEST_HEADERS", "@contains x", "", "header|cookie text contains <x>"},
        {"REQUEST_HEADERS:User-Agent", "@contains x", "", "header:user-agent text contains <x>"},
        {"REQUEST_HEADERS_NAMES", "@streq X-A", "", "header names text equals i <X-A>"},
        {"REQUEST_COOKIES:sid", "@contains x", "", "cookie:sid raw contains <x>"},
        {"REQUEST_URI_RAW", "@contains x", "", "target raw contains <x>"},
        {"QUERY_STRING", "@contains a.b", "", "target raw regex <\\?.*(?:a\\.b)>"},
        {"QUERY_STRING", "@rx ^a$", "", "target raw regex <^[^?]*(?:\\?|$)(?:a$)>"},
        {"REQUEST_BASENAME", "@streq x.php", "", "path text ends </x.php> <\\x.php>"},
        {"REQUEST_BASENAME", "@rx ^a.b", "", "regular expression"},
        {"REQUEST_BASENAME", "@rx ^a\\.b", "", "path text regex <[/\\\\](?:a\\.b)[^/\\\\]*$>"},
        {"REQUEST_LINE", "@rx ^GET", "", "no place of patches"},
        {"TX:x", "@eq 1", "", "variables that rules keep"},
        {"MATCHED_VAR", "@eq 1", "", "what a rule before it matched"},
        {"REMOTE_ADDR", "@ipMatch 10.0.0.0/8", "", "no place of patches"},
        {"RESPONSE_BODY", "@contains x", "", "phase"},
        {"XML:/*", "@contains x", "", "no place of patches"},
        {"ARGS||FILES", "@contains x", "", "unexpected form"},
    };
    check(cases, sizeof(cases) / sizeof(cases[0]), false);
    static const struct mapping wider[] = {
        {"XML:/*", "@contains x", "", "body text contains <x>"},
        {"ARGS_GET|!ARGS_GET:b", "@contains x", "", "query text contains <x>"},
        {"ARGS:json.a.0.array_1", "@contains x", "", "json:a[][] text contains <x>"},
    };
    check(wider, sizeof(wider) / sizeof(wider[0]), true);
}

static void test_operators(void **state)
{
    (void)state;
    static const struct mapping cases[] = {
        {"ARGS_GET", "@pm a  b", "", "query text contains i <a> <b>"},
        {"ARGS_GET", "@pm a |2e|", "", "operator"},
        {"REQUEST_METHOD", "@within GET,POST", "", "method text equals <GET> <POST>"},
        {"ARGS_GET", "@beginsWith a", "", "query text begins <a>"},
        {"ARGS_GET", "@endsWith a", "", "query text ends <a>"},
        {"ARGS_GET", "@eq 5", "", "query text range 5..5"},
        {"ARGS_GET", "@gt 5", "", "query text range 6..-1"},
        {"ARGS_GET", "@le 5", "", "query text range -1..5"},
        {"ARGS_GET", "@lt 0", "", "operator"},
        {"ARGS_GET", "@gt 5", ",t:length", "query text length 6..-1"},
        {"&ARGS_GET", "@eq 0", "", "query text present 0..0"},
        {"&ARGS_GET", "@gt 0", "", "query text present"},
        {"&ARGS_GET:a", "!@eq 1", "", "any(query:a text count 0..0; query:a text count 2..-1)"},
        {"&ARGS_GET", "@contains 0", "", "operator"},
        {"ARGS_GET", "@validateByteRange 9,32-126", "", "query text charset <\\x09\\x20-\\x7e>"},
        {"ARGS_GET", "@validateByteRange 9-", "", "unexpected form"},
        {"REQUEST_URI_RAW", "@validateUrlEncoding", "",
         "target raw regex <%(?:[^0-9A-Fa-f]|[0-9A-Fa-f](?:[^0-9A-Fa-f]|$)|$)>"},
        {"ARGS_GET", "@unconditionalMatch", "", "query text present"},
        {"ARGS_GET", "@noMatch", "", "never matches"},
        {"ARGS_GET", "@pmFromFile x.data", "", "another file"},
        {"ARGS_GET", "@contains %{tx.a}", "", "filled in at run time"},
        {"ARGS_GET", "@detectSQLi", "", "operator"},
        {"ARGS_GET", "@geoLookup", "", "operator"},
        {"ARGS_GET", "@contains", "", "unexpected form"},
    };
    check(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void test_negation(void **state)
{
    (void)state;
    static const struct mapping cases[] = {
        {"REQUEST_METHOD", "!@rx ^GET$", "", "not(method text regex <^GET$>)"},
        {"ARGS_GET:id", "!@rx ^[0-9]*$", "", "query:id text charset <0-9>"},
        {"ARGS_GET:id", "!@rx ^[0-9]+$", "",
         "any(query:id text charset <0-9>; query:id text length 0..0)"},
        {"ARGS_GET:id", "!@rx ^a[0-9]+$", "", "query:id text regex <^(?!a[0-9]+$)>"},
        {"ARGS_GET:id", "!@rx a|^b", "", "query:id text regex <^(?!.*(?:a|^b))>"},
        {"ARGS_GET:id", "!@streq a.b", "", "query:id text regex <^(?!a\\.b$)>"},
        {"ARGS_GET:id", "!@contains a", "", "query:id text regex <^(?!.*(?:a))>"},
        {"ARGS_GET:id", "!@lt 3", "", "query:id text range 3..-1"},
        {"ARGS_GET:id", "!@contains a", ",t:urlDecode", "negation"},
        {"REQUEST_METHOD", "!@within GET POST", "", "negation"},
        {"ARGS_GET", "!@validateByteRange 1-9", "", "negation"},
        {"ARGS_GET", "!@unconditionalMatch", "", "negation"},
    };
    check(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void test_transformations(void **state)
{
    (void)state;
    static const struct mapping cases[] = {
        {"ARGS_GET", "@contains ab", ",t:lowercase", "query text contains i <ab>"},
        {"ARGS_GET", "@contains aB", ",t:lowercase", "never matches"},
        {"ARGS_GET", "@rx aB", ",t:lowercase", "regular expression"},
        {"ARGS_GET", "@rx [A-Za-z]\\W", ",t:lowercase", "query text regex i <[A-Za-z]\\W>"},
        {"ARGS_GET", "@rx [^A-Z]", ",t:lowercase", "regular expression"},
        {"ARGS_GET", "@rx (?i)aB", ",t:lowercase", "query text regex i <aB>"},
        {"ARGS_GET", "@contains a", ",t:urlDecodeUni,t:lowercase", "query decoded contains i <a>"},
        {"ARGS_GET", "@contains a", ",t:base64Decode,t:none", "query text contains <a>"},
        {"ARGS_GET", "@contains a", ",t:base64Decode", "transformation"},
        {"ARGS_GET", "@contains a b", ",t:compressWhitespace", "query text regex <a[\\s\\xa0]+b>"},
        {"ARGS_GET", "@contains ab", ",t:compressWhitespace", "query text contains <ab>"},
        {"ARGS_GET", "@rx a\\s*b\\s+c [^d]+e", ",t:compressWhitespace",
         "query text regex <a[\\s\\xa0]*b[\\s\\xa0]+c[\\s\\xa0]+[^d]+e>"},
        {"ARGS_GET", "@rx a.b", ",t:compressWhitespace", "transformation"},
        {"ARGS_GET", "@contains ab", ",t:removeWhitespace",
         "query text regex <(?:a\\s*)(?:b\\s*)>"},
        {"ARGS_GET", "@streq ab", ",t:removeWhitespace",
         "query text regex <^\\s*(?:a\\s*)(?:b\\s*)$>"},
        {"ARGS_GET", "@contains a b", ",t:removeWhitespace", "transformation"},
        {"ARGS_GET", "@rx a\\b", ",t:removeWhitespace", "transformation"},
        {"ARGS_GET", "@streq ab", ",t:trim", "query text regex <^\\s*ab\\s*$>"},
        {"ARGS_GET", "@rx a\\s", ",t:trim", "transformation"},
        {"REQUEST_FILENAME", "@endsWith /a.b", ",t:normalizePath",
         "path text regex <(?:/+(?:\\./+)*a\\.b)$>"},
        {"REQUEST_FILENAME", "@contains /a", ",t:normalizePath", "transformation"},
        {"ARGS_GET", "@gt 5", ",t:length,t:lowercase", "transformation"},
        {"ARGS_GET", "@gt 5", ",t:urlDecode,t:length", "transformation"},
    };
    check(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void test_expressions(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "(?<=a)b",   "(?<!a)b", "(a)\\\\1",   "a\\\\Gb", "(?R)",  "(?1)", "(?C)",
        "(*ACCEPT)", "a\\\\K",  "\\\\p{L}",   "(?m)^a",  "(?x)a", "[a-",  "(a",
        "a)",        "*a",      "\\\\x{100}", "(?#a)b",  "(?|a)", "",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "@rx %s", refused[i]);
        for (char *at = text; (at = strstr(at, "\\\\")) != NULL; at++)
            memmove(at, at + 1, strlen(at));
        assert_string_equal(condition("ARGS_GET", text, ""), "regular expression");
    }
    assert_string_equal(condition("ARGS_GET", "@rx (?si)\\A[[:alpha:]\\]]{1,3}(?=b)\\z", ""),
                        "query text regex i <^[[:alpha:]\\]]{1,3}(?=b)$>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variables),   cmocka_unit_test(test_operators),
        cmocka_unit_test(test_negation),    cmocka_unit_test(test_transformations),
        cmocka_unit_test(test_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
