/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions in documents: canonical text byte by byte, and what is refused with its place. */
#include "common/guardian_exception.h"

#include "common/file.h"
#include "common/guardian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char canonical[] = "apiVersion: guard/v1alpha1\n"
                                "kind: Exceptions\n"
                                "exceptions:\n"
                                "  - id: \"FP-1\"\n"
                                "    reason: \"names\"\n"
                                "    author: \"alice\"\n"
                                "    created: 2026-11-01T00:00:00.000Z\n"
                                "    expires: 2026-12-01T00:00:00.000Z\n"
                                "    scope:\n"
                                "      endpoints: [\"/search\", \"/files/{*}\"]\n"
                                "      methods: \"GET\"\n"
                                "      clients: [\"192.0.2.0/24\", \"2001:db8::/32\"]\n"
                                "      in: [query, json]\n"
                                "      names: \"user*\"\n"
                                "      rules: [character, client-verdict]\n"
                                "  - id: \"FP-2\"\n"
                                "    reason: \"names\"\n"
                                "    author: \"alice\"\n"
                                "    created: 2026-11-01T00:00:00.000Z\n"
                                "    expires: 2026-12-01T00:00:00.000Z\n"
                                "    scope:\n"
                                "      patches: \"CVE-1\"\n";

static enum guard_rc parse(struct exception_list *list, const char *text, struct guard_arena *arena,
                           struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    guard_arena_init(arena, &heap, (size_t)32 << 20);
    return exceptions_parse(list, "e", (struct guard_span){(const uint8_t *)text, strlen(text)},
                            NULL, arena, err);
}

static void the_canonical_text_is_read_and_written(void **state)
{
    struct exception_list list;
    struct guard_arena arena;
    struct guard_span text;
    struct guard_err err = {""};
    (void)state;
    assert_int_equal(parse(&list, canonical, &arena, &err), GUARD_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(exceptions_write(list.exceptions, list.count, &arena, &text, &err), GUARD_OK);
    assert_string_equal((const char *)text.ptr, canonical);
    guard_arena_reset(&arena);
}

static void bad_ones_are_refused_with_their_place(void **state)
{
    static const char *const cases[][2] = {
        {"{id: a, reason: r, author: a, created: 2026-11-01, scope: {names: x}}",
         "an exception needs \"expires\""},
        {"{id: a, reason: r, author: a, created: 2026-11-01, expires: 2026-12-01}",
         "must say endpoints"},
        {"{id: a, reason: r, author: a, created: 2026-11-01, expires: 2028-12-01, scope: "
         "{names: x}}",
         "expires: is more than 366 days"},
        {"{id: a, scope: {rules: patch}}", "scope.rules: must be a rule"},
        {"{id: a, scope: {clients: 10.0.0.1/8}}", "scope.clients: must be an address"},
        {"{id: a, mandatory: true}", "unknown member"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exception_list list;
        struct guard_arena arena;
        struct guard_err err = {""};
        assert_int_not_equal(parse(&list, cases[i][0], &arena, &err), GUARD_OK);
        if (strstr(err.text, cases[i][1]) == NULL)
            fail_msg("%s: %s", cases[i][0], err.text);
        guard_arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_text_is_read_and_written),
        cmocka_unit_test(bad_ones_are_refused_with_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
