/* SPDX-License-Identifier: Apache-2.0 */
/* Files as people write them: continued lines, quotes, comments, places; and files of bad form. */
#include "secrule_check.h"

static void test_lines_and_quotes(void **state)
{
    (void)state;
    assert_string_equal(
        shown("\xef\xbb\xbf# a comment\n\nSecRule ARGS:a \"@contains \\\"x\\\" \\d\" \\\r\n"
              "  \"id:7,phase:2,\\\n   deny,msg:'It\\'s, one',tag:'CVE-2020-1234'\"\n"),
        "CVE-2020-1234 at 3:1, block of a request: It's, one\n"
        "  https://nvd.nist.gov/vuln/detail/CVE-2020-1234\n"
        "  query|form|multipart:a text contains <\"x\" \\d>\n"
        "1 directives, 1 rules, 1 imported\n");
    assert_string_equal(shown("secrule ARGS_GET '@streq a b' id:3,deny"),
                        "secrule-3 at 1:1, block of a request: secrule-3\n"
                        "  query text equals <a b>\n"
                        "1 directives, 1 rules, 1 imported\n");
}

static void test_comments(void **state)
{
    (void)state;
    assert_string_equal(shown("# SecRule ARGS x \\\n#  id:1\nSecMarker A"),
                        "f:3:1: passed over (skips, allows, or changes other rules) SecMarker: "
                        "where skipping ends\n1 directives, 0 rules, 0 imported\n");
    /* Engines differ: nothing is left out in silence. */
    assert_string_equal(
        shown("# old \\\nSecRule ARGS_GET a id:1,deny\n"),
        "secrule-1 at 2:1, block of a request: secrule-1\n  query text regex <a>\n"
        "f:1:7: passed over (unexpected form) a comment with a backslash at its end: the next line "
        "is read, as some engines do, and not a part of the comment, as for others\n"
        "1 directives, 1 rules, 1 imported\n");
}

static void test_bad_form_has_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"SecRule ARGS \"@rx a\n", "f:1:14: a quote that doesn't close"},
        {"\n SecRule ARGS\n", "f:2:2: SecRule is VARIABLES \"OPERATOR\" \"ACTIONS\""},
        {"SecRule ARGS a id:1,chain\n", "f:1:1: a chain that has no end"},
        {"SecRule ARGS a id:1,chain\nSecMarker X\n",
         "f:2:1: the chain of the rule before it has no end"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(shown(cases[i].text), cases[i].error);
    assert_string_equal(shown_bytes("Sec\n\0", 5, false), "f:2:1: a zero byte: this is no text");
}

static void test_maxima(void **state)
{
    (void)state;
    static char text[2 << 20];
    memset(text, 'a', 70000);
    text[70000] = '\0';
    assert_string_equal(shown(text), "f:1:1: a directive of more than 65536 bytes");
    size_t len = 0;
    for (int i = 0; i < 20001; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "SecX\n");
    assert_string_equal(shown(text), "f:20001:1: more than 20000 directives");
    len = 0;
    for (int i = 0; i < 17; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "SecRule ARGS a id:%d,deny%s\n",
                                i + 1, i < 16 ? ",chain" : "");
    assert_non_null(strstr(shown(text), "f:17:1: refused (maximum reached) 1: a chain of more than "
                                        "16 rules\n"));
}

static void test_thousands_of_rules(void **state)
{
    (void)state;
    static char text[2 << 20];
    struct guard_alloc alloc = heap_alloc();
    struct secrule_import import;
    struct secrule_cfg cfg = {.wider = false};
    size_t len = 0;
    for (int i = 0; i < 10000; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "SecRule ARGS \"@contains %d\" \"id:%d,phase:2,deny\"\n", i, i + 1);
    secrule_init(&import, &alloc);
    assert_int_equal(
        secrule_read(&import, "f", (struct guard_span){(uint8_t *)text, len}, &cfg, NULL),
        GUARD_OK);
    assert_int_equal(import.rule_count, 10000);
    assert_int_equal(import.patch_count, GUARD_PATCHES_MAX);
    assert_int_equal(import.refused[SECRULE_CAUSE_MAXIMUM], 10000 - GUARD_PATCHES_MAX);
    secrule_fini(&import);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_quotes),     cmocka_unit_test(test_comments),
        cmocka_unit_test(test_bad_form_has_a_place), cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_thousands_of_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
