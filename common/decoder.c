/* SPDX-License-Identifier: Apache-2.0 */
/* The limits around compression libraries: output, memory, ratio. */
#include "common/decoder.h"

#include "common/decoder_backend.h"

#include <stdlib.h>
#include <string.h>

enum {
    OUTPUT_BYTES = 16 * 1024,
    RATIO_MAX = 200,
    RATIO_FROM = 64 * 1024, /* bytes of output: small bodies may well be mostly blanks */
    /* Of input without output: Zstandard wants blocks of 128 KiB whole. */
    FRUITLESS_MAX = 256 * 1024,
    STREAMS_MAX = 16, /* members of one gzip body */
};

struct decoder_memory {
    struct decoder_pool *pool;
    size_t used;
};

struct decoder {
    struct decoder_memory memory;
    const struct decoder_backend *backend;
    void *state;
    enum guard_coding coding;
    enum guard_rc failure;
    size_t output_max;
    size_t output;
    size_t input;
    size_t fruitless;
    uint32_t streams;
    bool begun; /* a stream is open */
};

/* Before each block, so that its size is known when it is given back. */
union block {
    size_t size;
    max_align_t aligned;
};

void *decoder_memory_get(struct decoder_memory *memory, size_t size)
{
    struct decoder_pool *pool = memory->pool;
    size_t total;
    if (__builtin_add_overflow(size, sizeof(union block), &total) ||
        total > pool->limit_each - memory->used || total > pool->limit - pool->used)
        return NULL;
    union block *block = malloc(total);
    if (block == NULL)
        return NULL;
    block->size = total;
    memory->used += total;
    pool->used += total;
    return block + 1;
}

void decoder_memory_put(struct decoder_memory *memory, void *ptr)
{
    if (ptr == NULL)
        return;
    union block *block = (union block *)ptr - 1;
    memory->used -= block->size;
    memory->pool->used -= block->size;
    free(block);
}

static const struct decoder_backend *backend_of(enum guard_coding coding)
{
    switch (coding) {
    case GUARD_CODING_GZIP:
    case GUARD_CODING_DEFLATE:
        return decoder_zlib();
    case GUARD_CODING_BROTLI:
        return decoder_brotli();
    case GUARD_CODING_ZSTD:
        return decoder_zstd();
    case GUARD_CODING_IDENTITY:
    case GUARD_CODING_OTHER:
    default:
        return NULL;
    }
}

static void begin(struct decoder *decoder, enum guard_coding coding, size_t output_max)
{
    decoder->coding = coding;
    decoder->output_max = output_max;
    decoder->failure = GUARD_OK;
    decoder->output = 0;
    decoder->input = 0;
    decoder->fruitless = 0;
    decoder->streams = 0;
    decoder->begun = false;
}

static struct decoder *take_kept(struct decoder_pool *pool, const struct decoder_backend *backend,
                                 enum guard_coding coding)
{
    struct decoder *decoder = pool->kept;
    if (decoder == NULL || decoder->backend != backend)
        return NULL;
    pool->kept = NULL;
    if (decoder->backend->reset(decoder->state, coding))
        return decoder;
    decoder->backend->close(&decoder->memory, decoder->state);
    free(decoder);
    return NULL;
}

enum guard_rc decoder_open(struct decoder **out, struct decoder_pool *pool,
                           enum guard_coding coding, size_t output_max)
{
    const struct decoder_backend *backend = backend_of(coding);
    *out = NULL;
    if (backend == NULL)
        return GUARD_E_RANGE;
    struct decoder *decoder = take_kept(pool, backend, coding);
    if (decoder == NULL) {
        decoder = calloc(1, sizeof(*decoder));
        if (decoder == NULL)
            return GUARD_E_NOMEM;
        decoder->memory.pool = pool;
        decoder->backend = backend;
        decoder->state = backend->open(&decoder->memory, coding);
        if (decoder->state == NULL) {
            free(decoder);
            return GUARD_E_NOMEM;
        }
    }
    begin(decoder, coding, output_max);
    *out = decoder;
    return GUARD_OK;
}

static bool is_full(const struct decoder *decoder)
{
    return decoder->output > decoder->output_max;
}

/* The ratio counts what was taken in, so that a bomb in one piece is one as well. */
static bool is_bomb(const struct decoder *decoder)
{
    return (decoder->output >= RATIO_FROM && decoder->output / RATIO_MAX > decoder->input) ||
           decoder->fruitless > FRUITLESS_MAX;
}

/* One step; false when nothing more is to be done with this chunk. */
static bool advance(struct decoder *decoder, struct guard_span *in, decoder_sink *sink, void *ctx)
{
    uint8_t output[OUTPUT_BYTES];
    size_t room = decoder->output_max - decoder->output;
    size_t cap = room < sizeof(output) ? room + 1 : sizeof(output);
    size_t before = in->len;
    size_t made = 0;
    enum decoder_step step = decoder->backend->step(decoder->state, in, output, cap, &made);
    size_t taken = before - in->len;
    decoder->input += taken;
    decoder->output += made;
    decoder->fruitless = made > 0 ? 0 : decoder->fruitless + taken;
    if (made > 0)
        sink(ctx, (struct guard_span){output, made});
    if (is_bomb(decoder))
        decoder->failure = GUARD_E_LIMIT;
    else if (step == DECODER_BAD)
        decoder->failure = GUARD_E_SYNTAX;
    else if (step == DECODER_NOMEM)
        decoder->failure = GUARD_E_NOMEM;
    if (decoder->failure != GUARD_OK || is_full(decoder))
        return false;
    if (step == DECODER_ENDED) {
        decoder->begun = false;
        return in->len > 0;
    }
    return step == DECODER_ROOM || (step == DECODER_MORE && in->len > 0 && taken + made > 0);
}

static bool begin_stream(struct decoder *decoder)
{
    if (decoder->begun)
        return true;
    if (decoder->streams > 0 && (decoder->streams == STREAMS_MAX ||
                                 !decoder->backend->reset(decoder->state, decoder->coding))) {
        decoder->failure = GUARD_E_SYNTAX;
        return false;
    }
    decoder->streams++;
    decoder->begun = true;
    return true;
}

enum guard_rc decoder_feed(struct decoder *decoder, struct guard_span chunk, decoder_sink *sink,
                           void *ctx)
{
    bool more = chunk.len > 0 && decoder->failure == GUARD_OK && !is_full(decoder);
    while (more)
        more = begin_stream(decoder) && advance(decoder, &chunk, sink, ctx);
    return decoder->failure;
}

enum guard_rc decoder_end(const struct decoder *decoder)
{
    if (decoder->failure != GUARD_OK)
        return decoder->failure;
    return decoder->begun && !is_full(decoder) ? GUARD_E_SYNTAX : GUARD_OK;
}

void decoder_close(struct decoder *decoder)
{
    if (decoder == NULL)
        return;
    struct decoder_pool *pool = decoder->memory.pool;
    if (pool->kept == NULL && decoder->backend == decoder_zlib()) {
        pool->kept = decoder;
        return;
    }
    decoder->backend->close(&decoder->memory, decoder->state);
    free(decoder);
}

void decoder_pool_close(struct decoder_pool *pool)
{
    struct decoder *kept = pool->kept;
    pool->kept = NULL;
    if (kept != NULL) {
        kept->backend->close(&kept->memory, kept->state);
        free(kept);
    }
}
