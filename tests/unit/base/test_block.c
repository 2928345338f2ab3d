/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks hold the bytes and no others, and the fast variant sifts them as the plain one does. */
#include "base/block.h"

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_load(void **state)
{
    (void)state;
    struct test_random random = test_random_start("block");
    for (size_t len = 1; len <= GD_BLOCK; len++) {
        /* Of its own size, so that a byte read beyond it is found. */
        uint8_t *bytes = malloc(len);
        uint8_t expected[GD_BLOCK] = {0};
        test_random_bytes(&random, bytes, len);
        memcpy(expected, bytes, len);
        struct gd_block block = gd_block_load(bytes, len);
        assert_memory_equal(block.words, expected, sizeof(expected));
        free(bytes);
    }
}

static void test_between(void **state)
{
    (void)state;
    struct test_random random = test_random_start("between");
    static const char ranges[][2] = {{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'a', 'f'},
                                     {' ', ' '}, {1, 126},   {'~', '~'}};
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[GD_BLOCK];
        test_random_bytes(&random, bytes, sizeof(bytes));
        struct gd_block block = gd_block_load(bytes, sizeof(bytes));
        const char *range = ranges[round % (int)(sizeof(ranges) / sizeof(ranges[0]))];
        uint32_t mask = gd_block_between_plain(&block, range[0], range[1]);
        assert_int_equal(GD_BLOCK_BETWEEN(&block, range[0], range[1]), mask);
        for (unsigned i = 0; i < GD_BLOCK; i++)
            assert_int_equal(mask >> i & 1,
                             bytes[i] >= (uint8_t)range[0] && bytes[i] <= (uint8_t)range[1]);
    }
}

static void test_count(void **state)
{
    (void)state;
    for (uint32_t mask = 0; mask <= 0xffff; mask++)
        assert_int_equal(gd_block_count(mask), __builtin_popcount(mask));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
