/* SPDX-License-Identifier: Apache-2.0 */
/* The arena is where all memory of an exchange comes from: when its source has none it says so,
 * keeps what it has handed out, and can be used again. */
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PIECES = 200, PIECE = 1000 };

static enum guard_rc fill(struct guard_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct guard_arena arena;
    guard_arena_init(&arena, alloc, (size_t)PIECES * PIECE * 2);
    uint8_t *pieces[PIECES];
    int count = 0;
    enum guard_rc rc = GUARD_OK;
    while (count < PIECES && rc == GUARD_OK) {
        pieces[count] = guard_arena_get(&arena, PIECE);
        if (pieces[count] == NULL) {
            rc = GUARD_E_NOMEM;
        } else {
            memset(pieces[count], count, PIECE);
            count++;
        }
    }
    for (int i = 0; i < count; i++)
        assert_int_equal(pieces[i][PIECE - 1], (uint8_t)i);
    guard_arena_reset(&arena);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t calls = failing_alloc_sweep(fill, NULL, false);
    assert_true(calls > 5);
}

static void test_usable_after_failure(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 2);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 1024 * 1024);
    char *kept = guard_arena_get(&arena, 100);
    assert_non_null(kept);
    memset(kept, 'x', 100);
    assert_null(guard_arena_get(&arena, 100000));
    assert_non_null(guard_arena_get(&arena, 100000)); /* the source has recovered */
    assert_int_equal(kept[99], 'x');
    guard_arena_reset(&arena);
    assert_int_equal(memory.live, 0);
}

static void test_limit(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 0);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 100000);
    assert_null(guard_arena_get(&arena, 100001));
    assert_null(guard_arena_get(&arena, SIZE_MAX));
    while (guard_arena_get(&arena, 777) != NULL) {
    }
    assert_true(arena.used <= 100000);
    guard_arena_reset(&arena);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_usable_after_failure),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
