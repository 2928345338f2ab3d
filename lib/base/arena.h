/* SPDX-License-Identifier: Apache-2.0 */
/* The short way into an arena: most requests fit the current chunk, so the bump is inlined. Under
 * AddressSanitizer every request takes the long way, which poisons what wasn't handed out. */
#ifndef GD_BASE_ARENA_H
#define GD_BASE_ARENA_H

#include <guard/types.h>

enum { GD_ARENA_ALIGN = 16 };

#if defined(__SANITIZE_ADDRESS__)
#define GD_ARENA_POISONED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GD_ARENA_POISONED 1
#endif
#endif
#ifndef GD_ARENA_POISONED
#define GD_ARENA_POISONED 0
#endif

/* As guard_arena_get. */
static inline void *gd_arena_get(struct guard_arena *arena, size_t size)
{
    size_t room = (size_t)(arena->end - arena->next);
    if (GD_ARENA_POISONED || size == 0 || size > room ||
        ((size + GD_ARENA_ALIGN - 1) & ~(size_t)(GD_ARENA_ALIGN - 1)) > room)
        return guard_arena_get(arena, size);
    void *ptr = arena->next;
    arena->next += (size + GD_ARENA_ALIGN - 1) & ~(size_t)(GD_ARENA_ALIGN - 1);
    return ptr;
}

/* Fills with zeros what is too large for a handful of stores: of a size that they know compilers
 * make a string instruction, which starts slowly and counts once for each word. */
void gd_clear(void *at, size_t len);

/* A copy of the bytes; an empty span with a NULL pointer when the arena is full (or bytes is
 * empty). */
struct guard_span gd_arena_copy(struct guard_arena *arena, struct guard_span bytes);

#endif
