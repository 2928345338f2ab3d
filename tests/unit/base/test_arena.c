/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: alignment, limit, reuse, and survival of a source that has no memory. */
#include "base/arena.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_alignment_and_contents(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 0);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 1 << 20);
    uint8_t *blocks[500];
    for (size_t i = 0; i < 500; i++) {
        blocks[i] = gd_arena_get(&arena, i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i, i);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t k = 0; k < i; k++)
            assert_int_equal(blocks[i][k], (uint8_t)i);
    }
    assert_true(arena.used >= 499 * 250 && arena.used <= arena.limit);
    guard_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_int_equal(memory.live, 0);
    assert_non_null(guard_arena_get(&arena, 10));
    guard_arena_reset(&arena);
    assert_int_equal(memory.live, 0);
}

static void test_limit(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 0);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 3 * GUARD_ARENA_CHUNK);
    assert_null(guard_arena_get(&arena, SIZE_MAX));
    assert_null(guard_arena_get(&arena, SIZE_MAX - 15));
    assert_null(gd_arena_get(&arena, SIZE_MAX - 40));
    assert_null(guard_arena_get(&arena, 3 * GUARD_ARENA_CHUNK));
    size_t got = 0;
    while (gd_arena_get(&arena, 1000) != NULL)
        got += 1000;
    assert_true(got > 2 * GUARD_ARENA_CHUNK && got < 3 * GUARD_ARENA_CHUNK);
    assert_true(arena.used <= arena.limit);
    assert_int_equal(memory.live, 3);
    guard_arena_reset(&arena);
    guard_arena_init(&arena, &memory.alloc, 100);
    assert_null(guard_arena_get(&arena, 1));
    guard_arena_reset(&arena);
}

/* A large block must not waste what is left of the current chunk. */
static void test_large_blocks(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 0);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 1 << 20);
    uint8_t *small = guard_arena_get(&arena, 16);
    assert_non_null(guard_arena_get(&arena, 100000));
    uint8_t *next = guard_arena_get(&arena, 16);
    assert_true(next > small && next < small + GUARD_ARENA_CHUNK);
    guard_arena_reset(&arena);
}

static void test_growing(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 0);
    struct guard_arena arena;
    guard_arena_init_growing(&arena, &memory.alloc, 1 << 20);
    for (int round = 0; round < 2; round++) {
        uint64_t before = memory.calls;
        assert_non_null(guard_arena_get(&arena, 10));
        assert_int_equal(arena.used, GUARD_ARENA_SMALL);
        assert_non_null(guard_arena_get(&arena, 600));
        assert_non_null(guard_arena_get(&arena, 600));
        assert_int_equal(arena.used, 2 * GUARD_ARENA_SMALL);
        size_t got = 0;
        for (; got < 400000; got += 96)
            assert_non_null(guard_arena_get(&arena, 96));
        assert_true(memory.calls - before < 6 + got / GUARD_ARENA_CHUNK * 3 / 2);
        while (guard_arena_get(&arena, 1000) != NULL)
            continue;
        assert_true(arena.used <= arena.limit);
        guard_arena_reset(&arena);
        assert_int_equal(memory.live, 0);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 2);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 1 << 20);
    assert_non_null(guard_arena_get(&arena, 10000));
    assert_null(guard_arena_get(&arena, 10000));
    assert_non_null(guard_arena_get(&arena, 10000));
    struct guard_span copy = gd_arena_copy(&arena, GUARD_SPAN_LITERAL("text"));
    assert_int_equal(copy.len, 4);
    assert_memory_equal(copy.ptr, "text", 4);
    assert_int_equal(gd_arena_copy(&arena, (struct guard_span){NULL, 0}).len, 0);
    guard_arena_reset(&arena);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_contents),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_large_blocks),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
