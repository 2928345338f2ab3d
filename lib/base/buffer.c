/* SPDX-License-Identifier: Apache-2.0 */
/* See buffer.h. */
#include "base/buffer.h"

#include "base/arena.h"

enum { FIRST_SIZE = 512, GROWTH = 4 };

void gd_buffer_init(struct gd_buffer *buffer, struct guard_arena *arena, size_t max)
{
    *buffer = (struct gd_buffer){.arena = arena, .max = max};
}

static bool grow(struct gd_buffer *buffer, size_t need)
{
    size_t cap = buffer->cap == 0 ? FIRST_SIZE : buffer->cap;
    while (cap < need && cap <= buffer->max / GROWTH)
        cap *= GROWTH;
    if (cap < need || cap > buffer->max)
        cap = buffer->max;
    uint8_t *ptr = buffer->failed ? NULL : gd_arena_get(buffer->arena, cap);
    if (ptr == NULL) {
        buffer->failed = true;
        return false;
    }
    if (buffer->len > 0)
        memcpy(ptr, buffer->ptr, buffer->len);
    buffer->ptr = ptr;
    buffer->cap = cap;
    return true;
}

void gd_buffer_add(struct gd_buffer *buffer, const uint8_t *ptr, size_t len)
{
    size_t room = buffer->max - buffer->len;
    if (len > room) {
        buffer->over = true;
        len = room;
    }
    if (len == 0)
        return;
    if (len > buffer->cap - buffer->len && !grow(buffer, buffer->len + len))
        return;
    memcpy(buffer->ptr + buffer->len, ptr, len);
    buffer->len += len;
}
