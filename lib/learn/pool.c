/* SPDX-License-Identifier: Apache-2.0 */
/* See pool.h. */
#include "learn/pool.h"

#include <string.h>

/* Before each block from the source; doubly linked, so that large ones go back in any order. */
struct gd_pool_block {
    struct gd_pool_block *next;
    struct gd_pool_block *previous;
    size_t size;
    size_t misfit; /* bytes before this head that aligned it */
};

void gd_pool_init(struct gd_pool *pool, const struct guard_alloc *source)
{
    *pool = (struct gd_pool){.source = *source};
}

static void *take(struct gd_pool *pool, size_t size)
{
    size_t total;
    if (__builtin_add_overflow(size, sizeof(struct gd_pool_block) + GD_POOL_STEP - 1, &total))
        return NULL;
    uint8_t *raw = pool->source.alloc(pool->source.ctx, total);
    if (raw == NULL)
        return NULL;
    size_t misfit = -(uintptr_t)raw & (GD_POOL_STEP - 1);
    struct gd_pool_block *block = (struct gd_pool_block *)(void *)(raw + misfit);
    *block = (struct gd_pool_block){.next = pool->blocks, .size = total, .misfit = misfit};
    if (pool->blocks != NULL)
        pool->blocks->previous = block;
    pool->blocks = block;
    pool->taken += total;
    return block + 1;
}

static void give_back(struct gd_pool *pool, struct gd_pool_block *block)
{
    if (block->previous != NULL)
        block->previous->next = block->next;
    else
        pool->blocks = block->next;
    if (block->next != NULL)
        block->next->previous = block->previous;
    pool->taken -= block->size;
    pool->source.free(pool->source.ctx, (uint8_t *)block - block->misfit);
}

static size_t step_of(size_t size)
{
    return (size + GD_POOL_STEP - 1) / GD_POOL_STEP;
}

/* In whole steps, as what is left of it is put away by them. */
static size_t chunk_size(const struct gd_pool *pool)
{
    size_t steps = pool->taken & ~(size_t)(GD_POOL_STEP - 1);
    if (steps < GD_POOL_FIRST)
        return GD_POOL_FIRST;
    return steps < GD_POOL_CHUNK ? steps : GD_POOL_CHUNK;
}

static void *small(struct gd_pool *pool, size_t step)
{
    void *ptr = pool->unused[step];
    if (ptr != NULL) {
        memcpy(&pool->unused[step], ptr, sizeof(void *));
        return ptr;
    }
    size_t size = step * GD_POOL_STEP;
    if (size > (size_t)(pool->end - pool->next)) {
        size_t whole = chunk_size(pool);
        uint8_t *chunk = take(pool, whole);
        if (chunk == NULL)
            return NULL;
        /* What is left of the old chunk serves smaller blocks. */
        size_t rest = (size_t)(pool->end - pool->next);
        if (rest >= GD_POOL_STEP)
            gd_pool_put(pool, pool->next, rest);
        pool->next = chunk;
        pool->end = chunk + whole;
    }
    ptr = pool->next;
    pool->next += size;
    return ptr;
}

void *gd_pool_get_unset(struct gd_pool *pool, size_t size)
{
    if (size == 0)
        size = 1;
    return size <= GD_POOL_SMALL ? small(pool, step_of(size)) : take(pool, size);
}

void *gd_pool_get(struct gd_pool *pool, size_t size)
{
    void *ptr = gd_pool_get_unset(pool, size);
    if (ptr != NULL)
        memset(ptr, 0, size == 0 ? 1 : size);
    return ptr;
}

void gd_pool_put(struct gd_pool *pool, void *ptr, size_t size)
{
    if (ptr == NULL)
        return;
    if (size > GD_POOL_SMALL) {
        give_back(pool, (struct gd_pool_block *)ptr - 1);
        return;
    }
    size_t step = step_of(size == 0 ? 1 : size);
    memcpy(ptr, &pool->unused[step], sizeof(void *));
    pool->unused[step] = ptr;
}

void gd_pool_fini(struct gd_pool *pool)
{
    while (pool->blocks != NULL)
        give_back(pool, pool->blocks);
    gd_pool_init(pool,
                 &(struct guard_alloc){pool->source.ctx, pool->source.alloc, pool->source.free});
}
