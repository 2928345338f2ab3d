/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers on borrowed bytes. */
#ifndef GD_BASE_SPAN_H
#define GD_BASE_SPAN_H

#include <guard/types.h>

#include <string.h>

static inline struct guard_span gd_span(const void *ptr, size_t len)
{
    return (struct guard_span){(const uint8_t *)ptr, len};
}

static inline bool gd_span_equal(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* From offset to the end; empty when offset lies beyond it. */
static inline struct guard_span gd_span_from(struct guard_span span, size_t offset)
{
    if (offset >= span.len)
        return gd_span(NULL, 0);
    return gd_span(span.ptr + offset, span.len - offset);
}

/* The first len bytes, or all when there are fewer. */
static inline struct guard_span gd_span_head(struct guard_span span, size_t len)
{
    return gd_span(span.ptr, len < span.len ? len : span.len);
}

/* ASCII letters compare without case. */
bool gd_span_equal_nocase(struct guard_span a, struct guard_span b);
/* -1, 0, 1: by bytes, a prefix first. The one order in which names are sorted everywhere. */
int gd_span_compare(struct guard_span a, struct guard_span b);

#endif
