/* SPDX-License-Identifier: Apache-2.0 */
/* Zstandard, with windows of up to 8 MiB as RFC 8878 asks of decoders. */
#include "common/decoder_backend.h"

#define ZSTD_STATIC_LINKING_ONLY /* for memory of our own */
#include <zstd.h>
#include <zstd_errors.h>

enum { WINDOW_LOG_MAX = 23 };

struct zstd_state {
    ZSTD_DCtx *decoder;
    struct decoder_memory *memory;
};

static void *zstd_get(void *memory, size_t size)
{
    return decoder_memory_get(memory, size);
}

static void zstd_put(void *memory, void *ptr)
{
    decoder_memory_put(memory, ptr);
}

static void *zstd_open(struct decoder_memory *memory, enum guard_coding coding)
{
    (void)coding;
    struct zstd_state *state = decoder_memory_get(memory, sizeof(*state));
    if (state == NULL)
        return NULL;
    state->memory = memory;
    state->decoder = ZSTD_createDCtx_advanced((ZSTD_customMem){zstd_get, zstd_put, memory});
    if (state->decoder == NULL) {
        decoder_memory_put(memory, state);
        return NULL;
    }
    if (ZSTD_isError(ZSTD_DCtx_setParameter(state->decoder, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        ZSTD_freeDCtx(state->decoder);
        decoder_memory_put(memory, state);
        return NULL;
    }
    return state;
}

/* Frames may follow one another. */
static bool zstd_reset(void *data, enum guard_coding coding)
{
    (void)coding;
    struct zstd_state *state = data;
    return !ZSTD_isError(ZSTD_DCtx_reset(state->decoder, ZSTD_reset_session_only));
}

static enum decoder_step zstd_step(void *data, struct guard_span *in, uint8_t *out, size_t cap,
                                   size_t *made)
{
    struct zstd_state *state = data;
    ZSTD_inBuffer input = {in->ptr, in->len, 0};
    ZSTD_outBuffer output = {out, cap, 0};
    size_t rc = ZSTD_decompressStream(state->decoder, &output, &input);
    in->ptr += input.pos;
    in->len -= input.pos;
    *made = output.pos;
    if (ZSTD_isError(rc))
        return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation ? DECODER_NOMEM : DECODER_BAD;
    if (rc == 0)
        return DECODER_ENDED;
    return output.pos == output.size ? DECODER_ROOM : DECODER_MORE;
}

static void zstd_close(struct decoder_memory *memory, void *data)
{
    struct zstd_state *state = data;
    ZSTD_freeDCtx(state->decoder);
    decoder_memory_put(memory, state);
}

const struct decoder_backend *decoder_zstd(void)
{
    static const struct decoder_backend backend = {zstd_open, zstd_reset, zstd_step, zstd_close};
    return &backend;
}
