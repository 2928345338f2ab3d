/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of patches are read and written in one arena: whichever chunk of it can't be had, the
 * answer is GUARD_E_NOMEM and nothing is kept. */
#include "common/guardian_patch.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 300 };

static char text[COUNT * 256];

/* Large enough for several chunks. */
static void make_text(void)
{
    size_t len = 0;
    for (int i = 0; i < COUNT; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "- id: p%d\n  references: [a, b]\n  when:\n    any:\n"
                                "    - {in: query, names: [a, b], contains: \"\\xe9%d\"}\n"
                                "    - not: {regex: \"a+%d\"}\n",
                                i, i, i);
}

static enum guard_rc attempt(struct guard_alloc *alloc, void *ctx)
{
    struct guard_arena arena;
    struct patch_list list;
    struct guard_span written;
    (void)ctx;
    guard_arena_init(&arena, alloc, (size_t)32 << 20);
    enum guard_rc rc = patches_parse(
        &list, "p", (struct guard_span){(const uint8_t *)text, strlen(text)}, &arena, NULL);
    if (rc == GUARD_OK)
        assert_int_equal(list.count, COUNT);
    if (rc == GUARD_OK)
        rc = patches_write(list.patches, list.count, &arena, &written, NULL);
    guard_arena_reset(&arena);
    return rc;
}

static void test_reading_and_writing(void **state)
{
    (void)state;
    make_text();
    assert_true(failing_alloc_sweep(attempt, NULL, false) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading_and_writing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
