/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 that comes in pieces: a message may be cut anywhere, also within a character. */
#ifndef GD_HTTP_UTF8_STREAM_H
#define GD_HTTP_UTF8_STREAM_H

#include "base/utf8.h"

struct gd_utf8_stream {
    enum gd_utf8 worst;
    uint8_t pending_len;
    uint8_t pending[4]; /* of a character that the last piece didn't finish */
};

static inline void gd_utf8_stream_begin(struct gd_utf8_stream *stream)
{
    stream->worst = GD_UTF8_VALID;
    stream->pending_len = 0;
}

static inline void gd_utf8_stream_check(struct gd_utf8_stream *stream, struct guard_span text)
{
    enum gd_utf8 found = gd_utf8_check(text);
    if (found > stream->worst)
        stream->worst = found;
}

static inline void gd_utf8_stream_add(struct gd_utf8_stream *stream, struct guard_span piece)
{
    while (stream->pending_len > 0 && piece.len > 0) {
        struct guard_span pending = {stream->pending, stream->pending_len};
        bool goes_on = (piece.ptr[0] & 0xc0) == 0x80;
        if (goes_on) {
            stream->pending[stream->pending_len++] = piece.ptr[0];
            piece = gd_span_from(piece, 1);
            pending.len++;
        }
        if (!goes_on || gd_utf8_trim(pending).len == pending.len) {
            gd_utf8_stream_check(stream, pending);
            stream->pending_len = 0;
        }
    }
    struct guard_span whole = gd_utf8_trim(piece);
    gd_utf8_stream_check(stream, whole);
    if (whole.len < piece.len) {
        stream->pending_len = (uint8_t)(piece.len - whole.len);
        memcpy(stream->pending, piece.ptr + whole.len, stream->pending_len);
    }
}

/* What is unfinished is invalid. */
static inline void gd_utf8_stream_end(struct gd_utf8_stream *stream)
{
    gd_utf8_stream_check(stream, gd_span(stream->pending, stream->pending_len));
    stream->pending_len = 0;
}

#endif
