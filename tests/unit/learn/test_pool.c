/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a pile: blocks of any size never touch each other, chunks begin small and grow. */
#include "learn/pool.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCKS = 4000, HEAD = 17, FENCE = 16 };

/* Aligned to nothing, and with a fence behind each block. */
static void *fenced_get(void *ctx, size_t size)
{
    uint8_t *raw = malloc(HEAD + size + FENCE);
    assert_non_null(raw);
    memcpy(raw, &size, sizeof(size));
    memset(raw + HEAD + size, 0xfe, FENCE);
    ++*(int *)ctx;
    return raw + HEAD;
}

static void fenced_put(void *ctx, void *ptr)
{
    uint8_t *raw = (uint8_t *)ptr - HEAD;
    size_t size;
    memcpy(&size, raw, sizeof(size));
    for (size_t i = 0; i < FENCE; i++)
        assert_int_equal(raw[HEAD + size + i], 0xfe);
    --*(int *)ctx;
    free(raw);
}

static uint8_t *blocks[BLOCKS];
static size_t sizes[BLOCKS];

static void put_in(struct gd_pool *pool, size_t i, size_t size)
{
    sizes[i] = size;
    blocks[i] = gd_pool_get_unset(pool, size);
    assert_non_null(blocks[i]);
    assert_int_equal((uintptr_t)blocks[i] % GD_POOL_STEP, 0);
    memset(blocks[i], (int)(i % 251), size);
}

static void assert_kept(size_t i)
{
    for (size_t k = 0; k < sizes[i]; k++)
        assert_int_equal(blocks[i][k], i % 251);
}

/* What is left of each chunk is handed out again: it must not be more than there is. */
static void test_blocks_dont_touch(void **state)
{
    (void)state;
    int live = 0;
    struct gd_pool pool;
    gd_pool_init(&pool, &(struct guard_alloc){&live, fenced_get, fenced_put});
    for (size_t i = 0; i < BLOCKS; i++)
        put_in(&pool, i, 1 + i * 7919 % (GD_POOL_SMALL + 500));
    for (size_t i = 0; i < BLOCKS; i += 3) {
        assert_kept(i);
        gd_pool_put(&pool, blocks[i], sizes[i]);
        put_in(&pool, i, 1 + i * 104729 % GD_POOL_SMALL);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        assert_kept(i);
    gd_pool_fini(&pool);
    assert_int_equal(live, 0);
    assert_int_equal(pool.taken, 0);
}

static void test_chunks_begin_small_and_grow(void **state)
{
    (void)state;
    struct failing_alloc memory;
    failing_alloc_init(&memory, 0);
    struct gd_pool pool;
    gd_pool_init(&pool, &memory.alloc);
    assert_non_null(gd_pool_get(&pool, 100));
    assert_true(pool.taken < 2 * GD_POOL_FIRST);
    size_t got = 100;
    for (; got < (size_t)1 << 20; got += 100)
        assert_non_null(gd_pool_get(&pool, 100));
    assert_true(memory.calls < 2 + 5 + got / GD_POOL_CHUNK * 6 / 5);
    assert_true(pool.taken < got * 6 / 5);
    gd_pool_fini(&pool);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_dont_touch),
        cmocka_unit_test(test_chunks_begin_small_and_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
