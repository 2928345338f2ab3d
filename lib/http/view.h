/* SPDX-License-Identifier: Apache-2.0 */
/* Where the parsers of this layer put what they see. Whether a name may come twice is for the
 * receiver to say. They own no state but their own; decoded bytes that aren't a part of the input
 * live in the arena, everything else is borrowed for the time of the call. */
#ifndef GD_HTTP_VIEW_H
#define GD_HTTP_VIEW_H

#include <guard/traffic.h>

struct gd_view {
    void *ctx;
    /* A decoded path segment; index counts from 0. */
    void (*segment)(void *ctx, uint32_t index, struct guard_span text);
    /* A decoded named value. For MULTIPART a part's content comes in the calls below. */
    void (*value)(void *ctx, enum guard_location location, struct guard_span name,
                  struct guard_span value);
    void (*fault)(void *ctx, enum guard_fault fault, enum guard_location location);
};

/* Limits of one exchange; the same for every parser. */
struct gd_limits {
    uint32_t names;  /* parameters per location: 512 */
    uint32_t leaves; /* JSON values: 4096 */
    uint32_t depth;  /* JSON nesting: 64 */
    size_t value;    /* bytes of one value: 65536 */
};

#endif
