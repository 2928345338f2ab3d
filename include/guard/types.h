/* SPDX-License-Identifier: Apache-2.0 */
/* The small types that every public header shares: spans of bytes, memory, and the words of the
 * domain. */
#ifndef GUARD_TYPES_H
#define GUARD_TYPES_H

#include <guard/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes; not terminated, may hold NUL. ptr may be NULL only when len is 0. */
struct guard_span {
    const uint8_t *ptr;
    size_t len;
};

#define GUARD_SPAN_LITERAL(text) ((struct guard_span){(const uint8_t *)("" text), sizeof(text) - 1})

/* Where long-lived memory comes from. alloc returns NULL when it has none. */
struct guard_alloc {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *ptr);
};

/* Memory of one exchange: chunks are taken from `source` until `limit` bytes, and all go back at
 * once. Allocation is 16-byte aligned and not zeroed. Caller storage; see guard_arena_init. */
struct guard_arena_chunk;
struct guard_arena {
    struct guard_alloc source;
    struct guard_arena_chunk *chunks;
    uint8_t *next;
    uint8_t *end;
    size_t used;  /* bytes taken from source */
    size_t limit; /* bytes that may be taken from source */
    bool growing;
};

enum {
    GUARD_ARENA_CHUNK = 16 * 1024, /* every chunk asked of source has at least this size, */
    GUARD_ARENA_SMALL = 1024,      /* but of a growing arena this or what it has so far */
};

/* source is copied. Nothing is allocated yet. */
GUARD_API void guard_arena_init(struct guard_arena *arena, const struct guard_alloc *source,
                                size_t limit);
/* The same for what lives long and is mostly small: chunks begin small and double. */
GUARD_API void guard_arena_init_growing(struct guard_arena *arena, const struct guard_alloc *source,
                                        size_t limit);
/* NULL when the source has none or the limit is reached; the arena stays usable. */
GUARD_API void *guard_arena_get(struct guard_arena *arena, size_t size);
/* Gives every chunk back to the source; the arena can be used again. */
GUARD_API void guard_arena_reset(struct guard_arena *arena);

enum { GUARD_KEY_BYTES = 32, GUARD_SIGNATURE_BYTES = 64, GUARD_DIGEST_BYTES = 32 };

/* Places in an exchange that hold a named value. The numbers are part of the record and pile
 * formats. */
enum guard_location {
    GUARD_LOCATION_NONE = 0, /* the request as a whole */
    GUARD_LOCATION_PATH = 1,
    GUARD_LOCATION_QUERY = 2,
    GUARD_LOCATION_HEADER = 3,
    GUARD_LOCATION_COOKIE = 4,
    GUARD_LOCATION_FORM = 5,
    GUARD_LOCATION_JSON = 6,
    GUARD_LOCATION_MULTIPART = 7,
    GUARD_LOCATION_BODY = 8, /* a body that has no names: text or bytes */
    GUARD_LOCATION_CLIENT = 9,
    GUARD_LOCATION_GRAPHQL = 10,   /* selections and arguments of an operation */
    GUARD_LOCATION_PROTOBUF = 11,  /* a message's fields, named by their numbers */
    GUARD_LOCATION_WEBSOCKET = 12, /* messages of a connection */
    GUARD_LOCATION_COUNT = 13,
};

/* "query", "header", ... as the programs' contract spells them; "" for NONE. */
GUARD_API const char *guard_location_name(enum guard_location location);

#endif
