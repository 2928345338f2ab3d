/* SPDX-License-Identifier: Apache-2.0 */
/* Brotli. The library grows its window with what it decodes, so the pool's limit is no bound of
 * honest bodies. */
#include "common/decoder_backend.h"

#include <brotli/decode.h>

struct brotli_state {
    BrotliDecoderState *decoder;
    struct decoder_memory *memory;
};

static void *brotli_get(void *memory, size_t size)
{
    return decoder_memory_get(memory, size);
}

static void brotli_put(void *memory, void *ptr)
{
    decoder_memory_put(memory, ptr);
}

static void *brotli_open(struct decoder_memory *memory, enum guard_coding coding)
{
    (void)coding;
    struct brotli_state *state = decoder_memory_get(memory, sizeof(*state));
    if (state == NULL)
        return NULL;
    state->memory = memory;
    state->decoder = BrotliDecoderCreateInstance(brotli_get, brotli_put, memory);
    if (state->decoder == NULL) {
        decoder_memory_put(memory, state);
        return NULL;
    }
    return state;
}

/* Brotli has no members: what follows the end is wrong. */
static bool brotli_reset(void *data, enum guard_coding coding)
{
    (void)data;
    (void)coding;
    return false;
}

static enum decoder_step brotli_step(void *data, struct guard_span *in, uint8_t *out, size_t cap,
                                     size_t *made)
{
    struct brotli_state *state = data;
    size_t room = cap;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state->decoder, &in->len, &in->ptr, &room, &out, NULL);
    *made = cap - room;
    if (result == BROTLI_DECODER_RESULT_SUCCESS)
        return DECODER_ENDED;
    if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT)
        return DECODER_MORE;
    if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT)
        return DECODER_ROOM;
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(state->decoder);
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                   code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES
               ? DECODER_NOMEM
               : DECODER_BAD;
}

static void brotli_close(struct decoder_memory *memory, void *data)
{
    struct brotli_state *state = data;
    BrotliDecoderDestroyInstance(state->decoder);
    decoder_memory_put(memory, state);
}

const struct decoder_backend *decoder_brotli(void)
{
    static const struct decoder_backend backend = {brotli_open, brotli_reset, brotli_step,
                                                   brotli_close};
    return &backend;
}
