/* SPDX-License-Identifier: Apache-2.0 */
/* What a compression library has to be for decoder.c: one file for each, so that each library's
 * header is seen in one place. */
#ifndef GUARD_COMMON_DECODER_BACKEND_H
#define GUARD_COMMON_DECODER_BACKEND_H

#include <guard/traffic.h>

enum decoder_step {
    DECODER_MORE,  /* wants more input */
    DECODER_ROOM,  /* wants more room for output */
    DECODER_ENDED, /* a stream is complete; what follows is another one */
    DECODER_BAD,
    DECODER_NOMEM,
};

/* Memory is counted; alloc returns NULL beyond the limits. */
struct decoder_memory;
void *decoder_memory_get(struct decoder_memory *memory, size_t size);
void decoder_memory_put(struct decoder_memory *memory, void *ptr);

struct decoder_backend {
    /* NULL without memory. */
    void *(*open)(struct decoder_memory *memory, enum guard_coding coding);
    /* Begins anew, for the next stream or the next body. */
    bool (*reset)(void *state, enum guard_coding coding);
    /* Takes from *in, writes *made <= cap bytes. */
    enum decoder_step (*step)(void *state, struct guard_span *in, uint8_t *out, size_t cap,
                              size_t *made);
    void (*close)(struct decoder_memory *memory, void *state);
};

/* NULL where the library wasn't there when this was built. */
const struct decoder_backend *decoder_zlib(void);
const struct decoder_backend *decoder_brotli(void);
const struct decoder_backend *decoder_zstd(void);

#endif
