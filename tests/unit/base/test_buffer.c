/* SPDX-License-Identifier: Apache-2.0 */
/* The growing buffer: content over growth, its maximum, and a full arena. */
#include "base/buffer.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_growth_and_maximum(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 0);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 1 << 18);
    struct gd_buffer buffer;
    gd_buffer_init(&buffer, &arena, 65536);
    uint8_t source[32];
    for (size_t i = 0; i < sizeof(source); i++)
        source[i] = (uint8_t)i;
    for (size_t i = 0; i < 65536 / 4; i++) {
        if (i % 3 == 0)
            gd_buffer_add_short(&buffer, source + i % 16, 4, 32 - i % 16);
        else
            gd_buffer_add(&buffer, source + i % 16, 4);
    }
    assert_int_equal(buffer.len, 65536);
    assert_false(buffer.over);
    for (size_t i = 0; i < 65536; i++)
        assert_int_equal(buffer.ptr[i], i / 4 % 16 + i % 4);
    gd_buffer_add_byte(&buffer, 1);
    assert_true(buffer.over);
    assert_int_equal(buffer.len, 65536);
    gd_buffer_clear(&buffer);
    assert_false(buffer.over || buffer.failed);
    gd_buffer_add(&buffer, source, 0);
    assert_int_equal(gd_buffer_span(&buffer).len, 0);
    guard_arena_reset(&arena);
}

static void test_small_maximum(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 0);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 1 << 18);
    struct gd_buffer buffer;
    gd_buffer_init(&buffer, &arena, 5);
    gd_buffer_add(&buffer, (const uint8_t *)"abc", 3);
    gd_buffer_add_short(&buffer, (const uint8_t *)"defghijklmnopqrstuvwxyz", 10, 23);
    assert_int_equal(buffer.len, 5);
    assert_memory_equal(buffer.ptr, "abcde", 5);
    assert_true(buffer.over);
    gd_buffer_init(&buffer, &arena, 0);
    gd_buffer_add(&buffer, (const uint8_t *)"abc", 3);
    assert_true(buffer.over && !buffer.failed && buffer.len == 0);
    guard_arena_reset(&arena);
}

static void test_full_arena(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 1);
    struct guard_arena arena;
    guard_arena_init(&arena, &memory.alloc, 1 << 18);
    struct gd_buffer buffer;
    gd_buffer_init(&buffer, &arena, 65536);
    gd_buffer_add(&buffer, (const uint8_t *)"abc", 3);
    assert_true(buffer.failed);
    gd_buffer_add(&buffer, (const uint8_t *)"abc", 3);
    assert_int_equal(buffer.len, 0);
    guard_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth_and_maximum),
        cmocka_unit_test(test_small_maximum),
        cmocka_unit_test(test_full_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
