/* SPDX-License-Identifier: Apache-2.0 */
/* A reusable text buffer that grows inside an arena up to a maximum given at birth: what a chunk
 * border or an escape cuts in pieces is put together here. */
#ifndef GD_BASE_BUFFER_H
#define GD_BASE_BUFFER_H

#include "base/span.h"

struct gd_buffer {
    struct guard_arena *arena;
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t max;
    bool over;   /* bytes beyond max were dropped since the last clear */
    bool failed; /* the arena was full; sticky */
};

/* Nothing is allocated yet. */
void gd_buffer_init(struct gd_buffer *buffer, struct guard_arena *arena, size_t max);
/* Appends what fits below max. The buffer grows fourfold, so all its copies together take a third
 * more. */
void gd_buffer_add(struct gd_buffer *buffer, const uint8_t *ptr, size_t len);

static inline void gd_buffer_add_byte(struct gd_buffer *buffer, uint8_t byte)
{
    if (buffer->len < buffer->cap)
        buffer->ptr[buffer->len++] = byte;
    else
        gd_buffer_add(buffer, &byte, 1);
}

/* As gd_buffer_add, for short pieces of which `readable` bytes may be read: they are copied with no
 * regard to len. */
static inline void gd_buffer_add_short(struct gd_buffer *buffer, const uint8_t *ptr, size_t len,
                                       size_t readable)
{
    if (len <= 16 && readable >= 16 && buffer->cap - buffer->len >= 16) {
        memcpy(buffer->ptr + buffer->len, ptr, 16);
        buffer->len += len;
    } else {
        gd_buffer_add(buffer, ptr, len);
    }
}

static inline void gd_buffer_clear(struct gd_buffer *buffer)
{
    buffer->len = 0;
    buffer->over = false;
}

/* Valid until the next call on the buffer. */
static inline struct guard_span gd_buffer_span(const struct gd_buffer *buffer)
{
    return gd_span(buffer->ptr, buffer->len);
}

#endif
