/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one exchange: bump allocation in chunks that all go back at once, under one limit. */
#include "base/arena.h"

#include <string.h>

#if GD_ARENA_POISONED
#include <sanitizer/asan_interface.h>
#define POISON(ptr, len) ASAN_POISON_MEMORY_REGION(ptr, len)
#define UNPOISON(ptr, len) ASAN_UNPOISON_MEMORY_REGION(ptr, len)
#else
#define POISON(ptr, len) ((void)(ptr), (void)(len))
#define UNPOISON(ptr, len) ((void)(ptr), (void)(len))
#endif

struct guard_arena_chunk {
    struct guard_arena_chunk *next;
    size_t size;
};

enum {
    /* The source may align to less than we promise. */
    CHUNK_OVERHEAD = sizeof(struct guard_arena_chunk) + GD_ARENA_ALIGN - 1,
    /* Between two allocations, so that an overrun by one is seen. */
    RED_ZONE = GD_ARENA_POISONED ? GD_ARENA_ALIGN : 0,
};

void gd_clear(void *at, size_t len)
{
    memset(at, 0, len);
}

void guard_arena_init(struct guard_arena *arena, const struct guard_alloc *source, size_t limit)
{
    *arena = (struct guard_arena){.source = *source, .limit = limit};
}

void guard_arena_init_growing(struct guard_arena *arena, const struct guard_alloc *source,
                              size_t limit)
{
    *arena = (struct guard_arena){.source = *source, .limit = limit, .growing = true};
}

static size_t chunk_least(const struct guard_arena *arena)
{
    if (!arena->growing || arena->used >= GUARD_ARENA_CHUNK)
        return GUARD_ARENA_CHUNK;
    return arena->used > GUARD_ARENA_SMALL ? arena->used : GUARD_ARENA_SMALL;
}

static uint8_t *chunk_data(struct guard_arena_chunk *chunk)
{
    uintptr_t misfit = (uintptr_t)(chunk + 1) & (GD_ARENA_ALIGN - 1);
    return (uint8_t *)(chunk + 1) + (misfit != 0 ? GD_ARENA_ALIGN - misfit : 0);
}

/* `need` is rounded. Large requests get a chunk of their own and leave the current one in use. */
static void *get_from_new_chunk(struct guard_arena *arena, size_t need)
{
    size_t total = need + CHUNK_OVERHEAD;
    size_t least = chunk_least(arena);
    if (total < least)
        total = least;
    if (total > arena->limit - arena->used)
        return NULL;
    struct guard_arena_chunk *chunk = arena->source.alloc(arena->source.ctx, total);
    if (chunk == NULL)
        return NULL;
    chunk->next = arena->chunks;
    chunk->size = total;
    arena->chunks = chunk;
    arena->used += total;

    uint8_t *data = chunk_data(chunk);
    uint8_t *end = (uint8_t *)chunk + total;
    POISON(data, (size_t)(end - data));
    if ((size_t)(end - data) - need > (size_t)(arena->end - arena->next)) {
        arena->next = data + need;
        arena->end = end;
    }
    return data;
}

void *guard_arena_get(struct guard_arena *arena, size_t size)
{
    /* Of the limit only what is left can be asked for, so the sums below don't overflow. */
    if (arena->limit < CHUNK_OVERHEAD + RED_ZONE + GD_ARENA_ALIGN ||
        size > arena->limit - CHUNK_OVERHEAD - RED_ZONE - GD_ARENA_ALIGN)
        return NULL;
    size_t need =
        ((size == 0 ? 1 : size) + RED_ZONE + GD_ARENA_ALIGN - 1) & ~(size_t)(GD_ARENA_ALIGN - 1);
    void *ptr;
    if (need <= (size_t)(arena->end - arena->next)) {
        ptr = arena->next;
        arena->next += need;
    } else {
        ptr = get_from_new_chunk(arena, need);
    }
    if (ptr != NULL)
        UNPOISON(ptr, size);
    return ptr;
}

void guard_arena_reset(struct guard_arena *arena)
{
    while (arena->chunks != NULL) {
        struct guard_arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        UNPOISON(chunk, chunk->size);
        arena->source.free(arena->source.ctx, chunk);
    }
    arena->next = NULL;
    arena->end = NULL;
    arena->used = 0;
}

struct guard_span gd_arena_copy(struct guard_arena *arena, struct guard_span bytes)
{
    if (bytes.len == 0)
        return (struct guard_span){NULL, 0};
    uint8_t *ptr = gd_arena_get(arena, bytes.len);
    if (ptr == NULL)
        return (struct guard_span){NULL, 0};
    memcpy(ptr, bytes.ptr, bytes.len);
    return (struct guard_span){ptr, bytes.len};
}
