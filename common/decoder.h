/* SPDX-License-Identifier: Apache-2.0 */
/* Undoes the compression of a copy of a body, as far as it is inspected: streaming, with a maximum
 * of output, of memory for each decoder and for all of a process, and with an end for bombs. */
#ifndef GUARD_COMMON_DECODER_H
#define GUARD_COMMON_DECODER_H

#include <guard/traffic.h>

struct decoder;

/* Where decoders get their memory from; caller's storage, zeroed but for the limits. Not for
 * threads. */
struct decoder_pool {
    size_t limit;         /* bytes of all decoders together */
    size_t limit_each;    /* bytes of one */
    size_t used;          /* now, by those that are open or kept */
    struct decoder *kept; /* a closed one of zlib's, so that the next costs no allocation */
};

/* Takes decoded bytes; they are borrowed for the time of the call. */
typedef void decoder_sink(void *ctx, struct guard_span bytes);

/* coding: GZIP, DEFLATE (with and without zlib's frame), BROTLI, ZSTD. At most output_max + 1 bytes
 * are decoded: one more than what is inspected shows that there was more. GUARD_E_RANGE: this build
 * can't undo that coding; GUARD_E_NOMEM. *out is closed by decoder_close. */
GUARD_MUST_USE enum guard_rc decoder_open(struct decoder **out, struct decoder_pool *pool,
                                          enum guard_coding coding, size_t output_max);
/* GUARD_E_SYNTAX: it isn't what it says, or something follows its end. GUARD_E_LIMIT: a bomb, more
 * than 200 times as large as it looks, or much input without output. GUARD_E_NOMEM: it wants more
 * memory than the pool gives. After an error nothing more is decoded, and the error stays. */
GUARD_MUST_USE enum guard_rc decoder_feed(struct decoder *decoder, struct guard_span chunk,
                                          decoder_sink *sink, void *ctx);
/* The body is over. GUARD_E_SYNTAX when it ended too early, or an earlier error. An empty body is
 * complete. */
GUARD_MUST_USE enum guard_rc decoder_end(const struct decoder *decoder);
/* decoder may be NULL. */
void decoder_close(struct decoder *decoder);
/* Frees what is kept; no decoder may be open. */
void decoder_pool_close(struct decoder_pool *pool);

#endif
