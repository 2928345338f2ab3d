/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical text of patches, byte by byte, and how it is cut. */
#include "common/guardian_patch.h"

#include "common/file.h"
#include "common/guardian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char canonical[] =
    "apiVersion: guard/v1alpha1\n"
    "kind: Patches\n"
    "patches:\n"
    "  - id: \"CVE-2021-44228\"\n"
    "    title: \"Names are \\\"looked up\\\"\"\n"
    "    references: [\"a\", \"b\"]\n"
    "    part: response\n"
    "    mode: enforce\n"
    "    action: alert\n"
    "    mandatory: true\n"
    "    expires: 2027-01-31T00:00:00.000Z\n"
    "    fixedIn: \"2.17.1\"\n"
    "    author: \"alice\"\n"
    "    reason: \"scanned\"\n"
    "    scope:\n"
    "      endpoints: [\"/login\", \"/files/{*}\"]\n"
    "      methods: \"POST\"\n"
    "      contentTypes: \"application/json\"\n"
    "    when:\n"
    "      any:\n"
    "        - in: [header, json]\n"
    "          names: \"x*\"\n"
    "          contains: [\"\\x00\\xff\xc3\xa9\\xc2\\x85\\\\\", \"b\"]\n"
    "          ignoreCase: true\n"
    "        - all:\n"
    "            - in: cookie\n"
    "              of: name\n"
    "              view: raw\n"
    "              present: false\n"
    "            - not:\n"
    "                in: status\n"
    "                range: {min: 500, max: 599}\n"
    "        - type: [\"null\", int]\n"
    "        - likeness: sql\n"
    "        - length: {max: 3}\n"
    "  - id: \"b\"\n"
    "    mode: shadow\n"
    "    action: block\n"
    "    when:\n"
    "      traversal: true\n";

static void parse(struct patch_list *list, struct guard_arena *arena)
{
    struct guard_err err = {""};
    if (patches_parse(list, "p",
                      (struct guard_span){(const uint8_t *)canonical, sizeof(canonical) - 1}, arena,
                      &err) != GUARD_OK)
        fail_msg("%s", err.text);
}

static void writes_the_canonical_text(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct patch_list list;
    struct guard_span text;
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    parse(&list, &arena);
    assert_int_equal(patches_write(list.patches, list.count, &arena, &text, NULL), GUARD_OK);
    assert_string_equal((const char *)text.ptr, canonical);
    assert_int_equal(patch_write(&list.patches[1], &arena, &text, NULL), GUARD_OK);
    assert_string_equal((const char *)text.ptr, "id: \"b\"\nmode: shadow\naction: block\nwhen:\n"
                                                "  traversal: true\n");
    guard_arena_reset(&arena);
}

static void cuts_and_tells_the_whole_length(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct patch_list list;
    char whole[4096];
    char part[4096];
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    parse(&list, &arena);
    size_t len = patches_put(whole, sizeof(whole), list.patches, list.count, 0);
    assert_int_equal(len, strlen(whole));
    for (size_t cap = 0; cap <= len; cap++) {
        memset(part, 'x', sizeof(part));
        assert_int_equal(patches_put(part, cap, list.patches, list.count, 0), len);
        assert_true(cap == 0 || strlen(part) == cap - 1);
        assert_true(cap == 0 || memcmp(part, whole, cap - 1) == 0);
        assert_int_equal(part[cap], 'x');
    }
    guard_arena_reset(&arena);
}

static void stands_in_guardians(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct patch_list list;
    struct guard_guardian guardian;
    struct guard_guardian again;
    struct guard_span text;
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    parse(&list, &arena);
    guard_guardian_default(&guardian, GUARD_SPAN_LITERAL("shop"));
    guardian.patches = list.patches;
    guardian.patch_count = list.count;
    assert_int_equal(guardian_write(&guardian, &arena, &text, NULL), GUARD_OK);
    assert_non_null(strstr((const char *)text.ptr, strstr(canonical, "patches:")));
    assert_int_equal(guardian_parse(&again, "g", text, &arena, NULL), GUARD_OK);
    assert_int_equal(again.patch_count, 2);
    guard_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_canonical_text),
        cmocka_unit_test(cuts_and_tells_the_whole_length),
        cmocka_unit_test(stands_in_guardians),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
