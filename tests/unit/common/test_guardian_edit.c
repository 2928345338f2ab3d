/* SPDX-License-Identifier: Apache-2.0 */
/* Patches are changed in a document of people, and the rest of its text stays. */
#include "common/guardian_edit.h"

#include "common/file.h"
#include "common/guardian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_arena arena;
static struct guard_guardian now;
static struct guard_guardian wanted;
static struct guard_patch patches[8];
static const char *document;

static int tear_down(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static void read(const char *text)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err = {""};
    document = text;
    guard_arena_init(&arena, &heap, (size_t)64 << 20);
    if (guardian_parse(&now, "g", (struct guard_span){(const uint8_t *)text, strlen(text)}, &arena,
                       &err) != GUARD_OK)
        fail_msg("%s", err.text);
    wanted = now;
    if (now.patch_count > 0)
        memcpy(patches, now.patches, now.patch_count * sizeof(patches[0]));
    wanted.patches = patches;
}

static void add(const char *id)
{
    struct guard_patch *patch = &patches[wanted.patch_count++];
    static const struct guard_span text = GUARD_SPAN_LITERAL("x");
    *patch = (struct guard_patch){.id = {(const uint8_t *)id, strlen(id)},
                                  .mode = GUARD_PATCH_SHADOW,
                                  .action = GUARD_PATCH_BLOCK};
    patch->when = (struct guard_patch_condition){
        .op = GUARD_OPERATOR_CONTAINS, .texts = &text, .text_count = 1, .min = -1, .max = -1};
}

static void assert_edited(const char *expected)
{
    struct guard_span out;
    struct guard_err err = {""};
    struct guard_span text = {(const uint8_t *)document, strlen(document)};
    if (guardian_edit_patches(text, &now, &wanted, &arena, &out, &err) != GUARD_OK)
        fail_msg("%s", err.text);
    char shown[4096] = "";
    assert_true(out.len < sizeof(shown));
    memcpy(shown, out.ptr, out.len);
    assert_string_equal(shown, expected);
}

#define HEAD "# ours\nservice: shop # the shop\ncontrol: {mode: block}\n"
#define NEW "- id: \"new\"\n  mode: shadow\n  action: block\n  when:\n    contains: \"x\"\n"

static void adds_the_list(void **state)
{
    (void)state;
    read(HEAD);
    add("new");
    assert_edited(HEAD "patches:\n" NEW);
    tear_down(NULL);
    read("service: shop");
    add("new");
    assert_edited("service: shop\npatches:\n" NEW);
}

static void adds_behind_the_last_one(void **state)
{
    (void)state;
    read("service: shop\npatches:\n- id: a\n  when: {contains: \"\xc3\xa9\"}\n# end\n\nlearned: "
         "{}\n");
    add("new");
    assert_edited("service: shop\npatches:\n- id: a\n  when: {contains: \"\xc3\xa9\"}\n" NEW
                  "# end\n\nlearned: {}\n");
    tear_down(NULL);
    read("service: shop\npatches:\n  - id: a\n    when: {contains: b}");
    add("new");
    assert_edited("service: shop\npatches:\n  - id: a\n    when: {contains: b}\n"
                  "  - id: \"new\"\n    mode: shadow\n    action: block\n    when:\n"
                  "      contains: \"x\"\n");
}

static void switches_the_mode_alone(void **state)
{
    (void)state;
    read(HEAD "patches:\n- id: a # why\n  mode: shadow # for now\n  when: {contains: b}\n"
              "- {id: b, mode: \"shadow\", when: {contains: c}}\n"
              "- {id: c, when: {contains: c}}\n-   id: d\n    when: {contains: d}\n");
    for (int i = 0; i < 4; i++)
        patches[i].mode = GUARD_PATCH_ENFORCE;
    assert_edited(HEAD "patches:\n- id: a # why\n  mode: enforce # for now\n"
                       "  when: {contains: b}\n"
                       "- {id: b, mode: enforce, when: {contains: c}}\n"
                       "- {mode: enforce, id: c, when: {contains: c}}\n"
                       "-   mode: enforce\n    id: d\n    when: {contains: d}\n");
}

static void removes_and_replaces(void **state)
{
    (void)state;
    read(HEAD "patches:\n- id: a\n  when: {contains: b}\n# of b\n- id: b\n  when:\n"
              "    contains: |\n      text\n- id: c\n  when: {contains: c}\nlearned: {}\n");
    patches[0] = patches[2];
    wanted.patch_count = 0;
    add("new");
    patches[0].id = now.patches[0].id;
    patches[1] = now.patches[2];
    wanted.patch_count = 2;
    assert_edited(HEAD "patches:\n- id: \"a\"\n  mode: shadow\n  action: block\n  when:\n"
                       "    contains: \"x\"\n# of b\n- id: c\n  when: {contains: c}\n"
                       "learned: {}\n");
}

/* Lines can't be told here: what is said is the same. */
static void writes_anew_what_it_cannot_edit(void **state)
{
    struct guard_span canonical;
    (void)state;
    read("{service: shop, patches: [{id: a, when: {contains: b}}, {id: b, when: {contains: b}}]}");
    add("new");
    wanted.patches[0] = wanted.patches[1];
    wanted.patches[1] = wanted.patches[2];
    wanted.patch_count = 2;
    assert_int_equal(guardian_write(&wanted, &arena, &canonical, NULL), GUARD_OK);
    assert_edited((const char *)canonical.ptr);
}

static void removes_the_last_one_with_its_list(void **state)
{
    (void)state;
    read(HEAD "patches: # of ours\n- id: a\n  when: {contains: b}\n# end\n");
    wanted.patch_count = 0;
    assert_edited(HEAD "# end\n");
    tear_down(NULL);
    read(HEAD "patches: [{id: a, when: {contains: b}}]\nlearned: {}\n");
    wanted.patch_count = 0;
    assert_edited(HEAD "learned: {}\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(adds_the_list),
        TEST(adds_behind_the_last_one),
        TEST(switches_the_mode_alone),
        TEST(removes_and_replaces),
        TEST(removes_the_last_one_with_its_list),
        TEST(writes_anew_what_it_cannot_edit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
