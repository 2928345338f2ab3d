/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one pile: small blocks are recycled by size, so that observing allocates nothing once a
 * pile has its size, and everything goes back at once. */
#ifndef GD_LEARN_POOL_H
#define GD_LEARN_POOL_H

#include <guard/types.h>

enum {
    GD_POOL_STEP = 16,
    GD_POOL_SMALL = 1024, /* larger blocks come from the source one by one */
    GD_POOL_CHUNK = 32 * 1024,
    GD_POOL_FIRST = 2 * 1024, /* chunks double from this: most piles of many stay small */
};

struct gd_pool_block;
struct gd_pool {
    struct guard_alloc source;
    struct gd_pool_block *blocks; /* chunks and large blocks */
    uint8_t *next;
    uint8_t *end;
    void *unused[GD_POOL_SMALL / GD_POOL_STEP + 1];
    size_t taken; /* bytes taken from source */
};

/* source is copied. Nothing is allocated yet. */
void gd_pool_init(struct gd_pool *pool, const struct guard_alloc *source);
/* NULL when the source has none. Zeroed, aligned to 16. */
void *gd_pool_get(struct gd_pool *pool, size_t size);
/* The same with any content: what is large and hardly used costs nothing. */
void *gd_pool_get_unset(struct gd_pool *pool, size_t size);
/* size is that of the get; ptr may be NULL. */
void gd_pool_put(struct gd_pool *pool, void *ptr, size_t size);
/* Gives everything back; the pool can be used again. */
void gd_pool_fini(struct gd_pool *pool);

#endif
