/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in documents: what each member becomes, which bytes texts are, and what is refused with
 * its place and path. */
#include "common/guardian_patch.h"

#include "common/file.h"
#include "common/guardian.h"

#include <guard/likeness.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct guard_arena arena;
static struct guard_err err;

static int set_up(void **state)
{
    struct guard_alloc heap = heap_alloc();
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    err.text[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static enum guard_rc parse(struct patch_list *out, const char *text)
{
    return patches_parse(out, "p.yaml", (struct guard_span){(const uint8_t *)text, strlen(text)},
                         &arena, &err);
}

static void assert_span(struct guard_span span, const char *bytes, size_t len)
{
    assert_int_equal(span.len, len);
    assert_memory_equal(span.ptr, bytes, len);
}

static void assert_text(struct guard_span span, const char *text)
{
    assert_span(span, text, strlen(text));
}

static const char full[] = "apiVersion: guard/v1alpha1\n"
                           "kind: Patches\n"
                           "patches:\n"
                           "- id: CVE-2021-44228\n"
                           "  title: Log4j looks up names in logged texts\n"
                           "  references: [https://example.org/a, https://example.org/b]\n"
                           "  part: request\n"
                           "  mode: enforce\n"
                           "  action: alert\n"
                           "  mandatory: true\n"
                           "  expires: 2027-01-31\n"
                           "  fixedIn: \"2.17.1\"\n"
                           "  author: alice\n"
                           "  reason: reported by the scanner\n"
                           "  scope:\n"
                           "    endpoints: [\"/login\", \"/files/{*}\"]\n"
                           "    methods: POST\n"
                           "    contentTypes: [application/json]\n"
                           "  when:\n"
                           "    any:\n"
                           "    - in: [header, query, form, json]\n"
                           "      contains: \"${jndi:\"\n"
                           "      ignoreCase: true\n"
                           "    - all:\n"
                           "      - in: query\n"
                           "        names: [template, \"view*\"]\n"
                           "        regex: \"\\\\$\\\\{[^}]{0,64}(:|lower)\"\n"
                           "      - not: { in: cookie, names: session, present: true }\n"
                           "      - { in: query, of: name, view: raw, begins: [a, b] }\n"
                           "    - { in: query, type: [int, word] }\n"
                           "    - { in: json, length: {min: 3} }\n"
                           "    - { in: json, count: {max: 4} }\n"
                           "    - { in: json, range: {min: 1, max: 9} }\n"
                           "    - { in: json, charset: \"a-z0-9\" }\n"
                           "    - { in: path, traversal: true }\n"
                           "    - { in: form, likeness: [sql, shell] }\n"
                           "    - { in: form, present: false }\n"
                           "    - { in: form, names: x, equals: \"off\", view: text }\n";

static void reads_every_member(void **state)
{
    struct patch_list list;
    (void)state;
    if (parse(&list, full) != GUARD_OK)
        fail_msg("%s", err.text);
    assert_int_equal(list.count, 1);
    const struct guard_patch *patch = &list.patches[0];
    assert_text(patch->id, "CVE-2021-44228");
    assert_text(patch->title, "Log4j looks up names in logged texts");
    assert_int_equal(patch->reference_count, 2);
    assert_text(patch->references[1], "https://example.org/b");
    assert_int_equal(patch->part, GUARD_PATCH_REQUEST);
    assert_int_equal(patch->mode, GUARD_PATCH_ENFORCE);
    assert_int_equal(patch->action, GUARD_PATCH_ALERT);
    assert_true(patch->mandatory);
    assert_int_equal(patch->expires_ms, UINT64_C(1801353600000));
    assert_text(patch->fixed_in, "2.17.1");
    assert_text(patch->author, "alice");
    assert_text(patch->reason, "reported by the scanner");
    assert_int_equal(patch->endpoint_count, 2);
    assert_text(patch->endpoints[1], "/files/{*}");
    assert_int_equal(patch->method_count, 1);
    assert_text(patch->methods[0], "POST");
    assert_int_equal(patch->media_count, 1);
}

static void reads_every_operator(void **state)
{
    struct patch_list list;
    (void)state;
    assert_int_equal(parse(&list, full), GUARD_OK);
    const struct guard_patch_condition *when = &list.patches[0].when;
    const struct guard_patch_condition *any = when->children;
    const struct guard_patch_condition *all = any[1].children;
    assert_int_equal(when->op, GUARD_OPERATOR_ANY);
    assert_int_equal(when->child_count, 11);
    assert_int_equal(any[0].op, GUARD_OPERATOR_CONTAINS);
    assert_true(any[0].ignore_case);
    assert_int_equal(any[0].places,
                     GUARD_PLACE_HEADER | GUARD_PLACE_QUERY | GUARD_PLACE_FORM | GUARD_PLACE_JSON);
    assert_int_equal(any[0].min, -1);
    assert_int_equal(any[1].op, GUARD_OPERATOR_ALL);
    assert_int_equal(all[0].op, GUARD_OPERATOR_REGEX);
    assert_text(all[0].texts[0], "\\$\\{[^}]{0,64}(:|lower)");
    assert_text(all[0].names[1], "view*");
    assert_int_equal(all[1].op, GUARD_OPERATOR_NOT);
    assert_int_equal(all[1].children[0].op, GUARD_OPERATOR_PRESENT);
    assert_int_equal(all[2].op, GUARD_OPERATOR_BEGINS);
    assert_int_equal(all[2].text_count, 2);
    assert_int_equal(all[2].view, GUARD_VIEW_RAW);
    assert_true(all[2].on_names);
    assert_int_equal(any[2].types, 1U << GUARD_TYPE_INT | 1U << GUARD_TYPE_WORD);
    assert_int_equal(any[3].min, 3);
    assert_int_equal(any[3].max, -1);
    assert_int_equal(any[4].op, GUARD_OPERATOR_COUNT);
    assert_int_equal(any[5].max, 9);
    assert_int_equal(any[6].op, GUARD_OPERATOR_CHARSET);
    assert_int_equal(any[7].op, GUARD_OPERATOR_TRAVERSAL);
    assert_int_equal(any[8].likeness, 1U << GUARD_LIKENESS_SQL | 1U << GUARD_LIKENESS_SHELL);
    assert_int_equal(any[9].max, 0);
    assert_int_equal(any[10].view, GUARD_VIEW_TEXT);
    assert_text(any[10].texts[0], "off");
}

static void takes_what_is_not_said_as_its_default(void **state)
{
    struct patch_list list;
    (void)state;
    assert_int_equal(parse(&list, "{id: a, when: {contains: x}}"), GUARD_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.patches[0].mode, GUARD_PATCH_SHADOW);
    assert_int_equal(list.patches[0].action, GUARD_PATCH_BLOCK);
    assert_int_equal(list.patches[0].expires_ms, 0);
    assert_int_equal(parse(&list, "[{id: a, mode: off, when: {contains: x}}]"), GUARD_OK);
    assert_int_equal(list.patches[0].mode, GUARD_PATCH_OFF);
    assert_int_equal(parse(&list, "{kind: Patches, patches: []}"), GUARD_OK);
    assert_int_equal(list.count, 0);
}

/* What a scalar in a document becomes. */
static struct guard_span text_of_scalar(const char *scalar)
{
    char text[512];
    struct patch_list list;
    snprintf(text, sizeof(text), "# \xc3\xa9\xe2\x82\xac\r\nid: a\r\nwhen: {contains: [z, %s]}\n",
             scalar);
    if (parse(&list, text) != GUARD_OK)
        fail_msg("%s: %s", scalar, err.text);
    return list.patches[0].when.texts[1];
}

static void takes_escapes_of_quoted_texts_as_bytes(void **state)
{
    (void)state;
    assert_span(text_of_scalar("\"\\x00\\x7f\\x80\\xff\\xC3\""), "\0\x7f\x80\xff\xc3", 5);
    assert_span(text_of_scalar("\"\xc3\xa9\\xe9\\u00e9\xc3\xa9\""), "\xc3\xa9\xe9\xc3\xa9\xc3\xa9",
                7);
    assert_span(text_of_scalar("\"\\U000000e9\\N\\_\\xa0\\\\xe9\""),
                "\xc3\xa9\xc2\x85\xc2\xa0\xa0\\xe9", 11);
    assert_span(text_of_scalar("\"a\\xe9\n  b\\xe9\\\n  c\xe2\x82\xac\\xaf\""),
                "a\xe9 b\xe9"
                "c\xe2\x82\xac\xaf",
                10);
    assert_span(text_of_scalar("'\\xe9'"), "\\xe9", 4);
    assert_span(text_of_scalar("\xc3\xa9"), "\xc3\xa9", 2);
}

static void refuse(const char *text, const char *complaint)
{
    struct patch_list list;
    err.text[0] = '\0';
    assert_int_not_equal(parse(&list, text), GUARD_OK);
    assert_string_equal(err.text, complaint);
}

static void refuses_with_place_and_path(void **state)
{
    (void)state;
    refuse("- {id: a, when: {contains: x}}\n- id: b\n  when:\n    any:\n    - {in: nowhere}\n",
           "p.yaml:5:12: [1].when.any[0].in: must be method, path, target, query, header, cookie, "
           "form, json, multipart, file, body, graphql or status");
    refuse("kind: Patches\npatches:\n- id: b\n  foo: 1\n", "p.yaml:4:3: patches[0].foo: unknown "
                                                           "member");
    refuse("id: b\nwhen: {contains: a, equals: b}\n",
           "p.yaml:2:29: when.equals: a condition has one operator: put both into all or any");
    refuse("id: b\nwhen: {in: query}\n",
           "p.yaml:2:7: when: needs an operator: all, any, not, contains, regex, ...");
    refuse("id: b\nwhen: {in: query, all: [{contains: a}]}\n",
           "p.yaml:2:12: when.in: belongs to the conditions in all, any or not");
    refuse("id: b\n", "p.yaml:1:1: a patch needs \"when\"");
    refuse("when: {contains: a}\n", "p.yaml:1:1: a patch needs \"id\"");
    refuse("id: b\nwhen: {contains: []}\n", "p.yaml:2:18: when.contains: must have 1 to 64 "
                                            "elements");
    refuse("id: b\nwhen: {contains: \"\"}\n", "p.yaml:2:18: when.contains: must have 1 to 1024 "
                                              "bytes");
    refuse("id: b\nwhen: {length: {}}\n", "p.yaml:2:16: when.length: must have min, max or both");
    refuse("id: b\nwhen: {length: {min: 4, max: 3}}\n", "p.yaml:2:16: when.length: min is above "
                                                        "max");
    refuse("id: b\nwhen: {length: {min: -1}}\n",
           "p.yaml:2:22: when.length.min: must be a whole number from 0, of at most 15 digits");
    refuse("id: b\nwhen: {traversal: false}\n", "p.yaml:2:19: when.traversal: must be true; its "
                                                "opposite is not");
    refuse("id: b\nexpires: tomorrow\nwhen: {contains: a}\n",
           "p.yaml:2:10: expires: must be a date (2027-01-31) or a time (2027-01-31T12:00:00Z)");
    refuse("id: b\nmode: on\nwhen: {contains: a}\n",
           "p.yaml:2:7: mode: must be off, shadow or enforce");
    refuse("id: b\ntitle: \"a\\0b\"\nwhen: {contains: a}\n", "p.yaml:2:8: title: must not have a "
                                                             "NUL");
    refuse("- {id: a, when: {contains: x}}\n- {when: {contains: x}, id: a}\n",
           "p.yaml:2:29: [1].id: patch 0 has this id, too");
    refuse("kind: Guardian\n", "p.yaml:1:7: kind: must be Patches");
    refuse("apiVersion: v2\nkind: Patches\npatches: []\n",
           "p.yaml:1:13: apiVersion: must be guard/v1alpha1");
    refuse("kind: Patches\n", "p.yaml:1:1: the document needs \"patches\"");
    refuse("kind: Patches\npatches: {}\n", "p.yaml:2:10: patches: must be a list of patches");
    refuse("nothing\n", "p.yaml:1:1: must be a mapping");
}

/* The rules of the library, at the place of the member that they name. */
static void refuses_by_the_rules_of_patches(void **state)
{
    struct patch_list list;
    (void)state;
    assert_int_not_equal(parse(&list, "id: -b\nwhen: {contains: a}\n"), GUARD_OK);
    assert_non_null(strstr(err.text, "p.yaml:1:5: id: "));
    assert_int_not_equal(
        parse(&list, "id: b\nwhen:\n  all:\n  - {contains: a}\n  - {in: status, contains: a}\n"),
        GUARD_OK);
    assert_non_null(strstr(err.text, "p.yaml:5:"));
    assert_non_null(strstr(err.text, ": when.all[1]"));
}

static void reads_them_in_guardians(void **state)
{
    static const char text[] = "service: shop\npatches:\n- id: a\n  when: {contains: \"\\xff\"}\n";
    static const char bad[] = "service: shop\npatches:\n- id: a\n  when: {regex: \"\"}\n";
    struct guard_guardian guardian;
    (void)state;
    assert_int_equal(guardian_parse(&guardian, "g.yaml",
                                    (struct guard_span){(const uint8_t *)text, sizeof(text) - 1},
                                    &arena, &err),
                     GUARD_OK);
    assert_int_equal(guardian.patch_count, 1);
    assert_span(guardian.patches[0].when.texts[0], "\xff", 1);
    assert_int_not_equal(guardian_parse(&guardian, "g.yaml",
                                        (struct guard_span){(const uint8_t *)bad, sizeof(bad) - 1},
                                        &arena, &err),
                         GUARD_OK);
    assert_string_equal(err.text, "g.yaml:4:17: patches[0].when.regex: must have 1 to 4096 bytes");
}

static void bounds_their_number(void **state)
{
    static char text[GUARD_PATCHES_MAX * 40 + 100];
    struct patch_list list;
    size_t len = 0;
    (void)state;
    for (int i = 0; i <= GUARD_PATCHES_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "- {id: p%d, when: {contains: x}}\n", i);
    assert_int_equal(parse(&list, text), GUARD_E_LIMIT);
    *strrchr(text, '-') = '\0';
    if (parse(&list, text) != GUARD_OK)
        fail_msg("%s", err.text);
    assert_int_equal(list.count, GUARD_PATCHES_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_every_member),
        TEST(reads_every_operator),
        TEST(takes_what_is_not_said_as_its_default),
        TEST(takes_escapes_of_quoted_texts_as_bytes),
        TEST(refuses_with_place_and_path),
        TEST(refuses_by_the_rules_of_patches),
        TEST(reads_them_in_guardians),
        TEST(bounds_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
