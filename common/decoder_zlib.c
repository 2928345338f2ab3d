/* SPDX-License-Identifier: Apache-2.0 */
/* gzip and deflate. What HTTP calls deflate comes with zlib's frame and, by an old mistake of some
 * services, without: the first two bytes tell. */
#include "common/decoder_backend.h"

#include <limits.h>
#include <zlib.h>

enum { WINDOW = 15, GZIP_FRAME = 16 };

struct zlib_state {
    z_stream stream;
    struct decoder_memory *memory;
    bool undecided; /* of deflate: how it is framed */
    uint8_t head_len;
    uint8_t head[2];
};

static void *zlib_get(void *memory, unsigned items, unsigned size)
{
    size_t total;
    return __builtin_mul_overflow((size_t)items, (size_t)size, &total)
               ? NULL
               : decoder_memory_get(memory, total);
}

static void zlib_put(void *memory, void *ptr)
{
    decoder_memory_put(memory, ptr);
}

static bool zlib_reset(void *data, enum guard_coding coding)
{
    struct zlib_state *state = data;
    state->undecided = coding == GUARD_CODING_DEFLATE;
    state->head_len = 0;
    return inflateReset2(&state->stream,
                         coding == GUARD_CODING_GZIP ? WINDOW + GZIP_FRAME : WINDOW) == Z_OK;
}

static void *zlib_open(struct decoder_memory *memory, enum guard_coding coding)
{
    struct zlib_state *state = decoder_memory_get(memory, sizeof(*state));
    if (state == NULL)
        return NULL;
    *state = (struct zlib_state){.memory = memory};
    state->stream.zalloc = zlib_get;
    state->stream.zfree = zlib_put;
    state->stream.opaque = memory;
    if (inflateInit2(&state->stream, WINDOW) != Z_OK) {
        decoder_memory_put(memory, state);
        return NULL;
    }
    if (!zlib_reset(state, coding)) {
        (void)inflateEnd(&state->stream);
        decoder_memory_put(memory, state);
        return NULL;
    }
    return state;
}

static enum decoder_step outcome(const z_stream *stream, int rc)
{
    switch (rc) {
    case Z_STREAM_END:
        return DECODER_ENDED;
    case Z_OK:
    case Z_BUF_ERROR: /* no progress was possible */
        return stream->avail_out == 0 ? DECODER_ROOM : DECODER_MORE;
    case Z_MEM_ERROR:
        return DECODER_NOMEM;
    default: /* Z_DATA_ERROR, a preset dictionary */
        return DECODER_BAD;
    }
}

static enum decoder_step run(z_stream *stream, struct guard_span *in)
{
    size_t len = in->len < UINT_MAX ? in->len : UINT_MAX;
    stream->next_in = (z_const Bytef *)(uintptr_t)in->ptr;
    stream->avail_in = (uInt)len;
    int rc = inflate(stream, Z_NO_FLUSH);
    size_t taken = len - stream->avail_in;
    if (in->len > 0) {
        in->ptr += taken;
        in->len -= taken;
    }
    return outcome(stream, rc);
}

/* Deflate in zlib's frame begins with its method and a check; a raw one that looks like it would
 * have to begin with a stored block whose length is wrong. */
static bool is_framed(const uint8_t head[2])
{
    return (head[0] & 0x0f) == Z_DEFLATED && (head[0] >> 4) <= 7 &&
           ((unsigned)head[0] << 8 | head[1]) % 31 == 0;
}

static enum decoder_step decide(struct zlib_state *state, struct guard_span *in)
{
    while (state->head_len < sizeof(state->head) && in->len > 0) {
        state->head[state->head_len++] = *in->ptr++;
        in->len--;
    }
    if (state->head_len < sizeof(state->head))
        return DECODER_MORE;
    state->undecided = false;
    if (inflateReset2(&state->stream, is_framed(state->head) ? WINDOW : -WINDOW) != Z_OK)
        return DECODER_BAD;
    struct guard_span head = {state->head, sizeof(state->head)};
    enum decoder_step step = run(&state->stream, &head);
    return step == DECODER_ENDED && head.len > 0 ? DECODER_BAD : step;
}

static enum decoder_step zlib_step(void *data, struct guard_span *in, uint8_t *out, size_t cap,
                                   size_t *made)
{
    struct zlib_state *state = data;
    state->stream.next_out = out;
    state->stream.avail_out = (uInt)cap;
    enum decoder_step step = DECODER_MORE;
    if (state->undecided)
        step = decide(state, in);
    if (step == DECODER_MORE && !state->undecided)
        step = run(&state->stream, in);
    *made = cap - state->stream.avail_out;
    return step;
}

static void zlib_close(struct decoder_memory *memory, void *data)
{
    struct zlib_state *state = data;
    (void)inflateEnd(&state->stream);
    decoder_memory_put(memory, state);
}

const struct decoder_backend *decoder_zlib(void)
{
    static const struct decoder_backend backend = {zlib_open, zlib_reset, zlib_step, zlib_close};
    return &backend;
}
