/* SPDX-License-Identifier: Apache-2.0 */
/* See summary.h. */
#include "profile/summary.h"

#include "base/arena.h"
#include "profile/scan.h"
#include "profile/shape.h"

enum {
    HEAD_MAX = 256, /* of a stream: decides its type */
    LOOK_MAX = 4096 /* is kept to be read */
};

#define TYPE(name) (1u << GUARD_TYPE_##name)
#define CLASS(name) (UINT64_C(1) << GUARD_CLASS_##name)
#define NUMBERS (TYPE(INT) | TYPE(DECIMAL))
#define NUMBER_CLASSES (CLASS(DIGIT) | UINT64_C(1) << 16 /* + */ | UINT64_C(1) << 18 /* - */)

static inline enum guard_type type_of(struct guard_span value, uint64_t classes, uint32_t json)
{
    if (json & NUMBERS)
        return classes & ~NUMBER_CLASSES ? GUARD_TYPE_DECIMAL : GUARD_TYPE_INT;
    return gd_type_of(value, classes);
}

/* Values that are long or hold other than frequent characters. */
static __attribute__((noinline)) void add_mixed(struct gd_summary *summary, struct guard_span value,
                                                uint32_t json, struct guard_arena *arena)
{
    struct gd_scan scan GD_UNINITIALIZED;
    value.len = value.len > UINT32_MAX ? UINT32_MAX : value.len;
    gd_scan_begin(&scan, summary, arena);
    (void)gd_scan_bytes(&scan, value);
    const struct gd_features features = {
        .classes = scan.classes,
        .digits = (uint32_t)scan.tally,
        .specials = (uint32_t)(scan.tally >> 32),
        .len = (uint32_t)value.len,
        .type = type_of(value, scan.classes, json),
    };
    gd_summary_merge(summary, &features, value, (json & TYPE(STRING)) != 0);
}

/* Frequent characters alone, byte by byte. */
static void add_frequent(struct gd_summary *summary, struct guard_span value, uint32_t json,
                         struct guard_arena *arena)
{
    enum { SHORT = 16 };
    const uint8_t *at = value.ptr;
    const uint8_t *end = at + value.len;
    uint64_t from = gd_frequent_of_byte[*at];
    if (value.len > SHORT || from == GD_FREQUENT_NONE) {
        add_mixed(summary, value, json, arena);
        return;
    }
    uint64_t frequent = 0;
    uint64_t classes = gd_class_bit[*at];
    uint64_t tally = gd_count_of_byte[*at];
    while (++at < end) {
        uint64_t byte = *at;
        uint64_t to = gd_frequent_of_byte[byte];
        if (__builtin_expect(to == GD_FREQUENT_NONE, 0)) {
            add_mixed(summary, value, json, arena);
            return;
        }
        frequent |= UINT64_C(1) << (from * 8 + to);
        classes |= gd_class_bit[byte];
        tally += gd_count_of_byte[byte];
        from = to;
    }
    const struct gd_features features = {
        .classes = classes,
        .frequent = frequent & GD_FREQUENT_ALL,
        .digits = (uint32_t)tally,
        .specials = (uint32_t)(tally >> 32),
        .len = (uint32_t)value.len,
        .type = type_of(value, classes, json),
    };
    gd_summary_merge(summary, &features, value, (json & TYPE(STRING)) != 0);
}

void gd_summary_add(struct gd_summary *summary, struct guard_span value, uint32_t json,
                    struct guard_arena *arena)
{
    struct gd_features features GD_UNINITIALIZED;
    bool string = (json & TYPE(STRING)) != 0;
    if (json & GD_TYPES_WITHOUT_TEXT) {
        gd_summary_add_bare(summary, json);
    } else if (json & TYPE(BOOL)) {
        gd_features_bool(&features, value.len);
        gd_summary_merge(summary, &features, value, false);
    } else if (value.len == 0) {
        features = (struct gd_features){.type = GUARD_TYPE_EMPTY};
        gd_summary_merge(summary, &features, value, string);
    } else if (gd_shape(value, &features) &&
               (!(json & NUMBERS) || (1u << features.type & NUMBERS))) {
        gd_summary_merge(summary, &features, value, string);
    } else {
        add_frequent(summary, value, json, arena);
    }
}

struct gd_stream {
    struct gd_scan scan;
    uint32_t len; /* stays at its maximum */
    uint32_t head_len;
    uint32_t pending_len;
    uint8_t pending[4]; /* a sequence that the last piece didn't finish */
    uint8_t head[LOOK_MAX];
};

struct gd_stream *gd_stream_new(struct guard_arena *arena)
{
    return gd_arena_get(arena, sizeof(struct gd_stream));
}

void gd_stream_begin(struct gd_stream *stream, struct gd_summary *summary,
                     struct guard_arena *arena)
{
    gd_scan_begin(&stream->scan, summary, arena);
    stream->scan.utf8 = GD_SCAN_UTF8_STREAM;
    stream->len = 0;
    stream->head_len = 0;
    stream->pending_len = 0;
}

/* Finish what is pending, byte by byte. Returns how much of the piece it took. */
static size_t feed_pending(struct gd_stream *stream, struct guard_span piece)
{
    size_t taken = 0;
    while (stream->pending_len > 0 && taken < piece.len) {
        stream->pending[stream->pending_len++] = piece.ptr[taken++];
        size_t used = gd_scan_bytes(&stream->scan, gd_span(stream->pending, stream->pending_len));
        stream->pending_len -= (uint32_t)used;
        memmove(stream->pending, stream->pending + used, stream->pending_len);
    }
    return taken;
}

void gd_stream_add(struct gd_stream *stream, struct guard_span piece)
{
    if (piece.len == 0)
        return;
    if (stream->head_len < LOOK_MAX) {
        struct guard_span head = gd_span_head(piece, LOOK_MAX - stream->head_len);
        memcpy(stream->head + stream->head_len, head.ptr, head.len);
        stream->head_len += (uint32_t)head.len;
    }
    stream->len =
        piece.len > UINT32_MAX - stream->len ? UINT32_MAX : stream->len + (uint32_t)piece.len;
    piece = gd_span_from(piece, feed_pending(stream, piece));
    size_t used = gd_scan_bytes(&stream->scan, piece);
    if (used < piece.len) {
        stream->pending_len = (uint32_t)(piece.len - used);
        memcpy(stream->pending, piece.ptr + used, stream->pending_len);
    }
}

struct guard_span gd_stream_head(const struct gd_stream *stream)
{
    return gd_span(stream->head, stream->head_len);
}

struct guard_span gd_stream_end(struct gd_stream *stream)
{
    for (uint32_t i = 0; i < stream->pending_len; i++)
        gd_scan_invalid(&stream->scan);
    stream->pending_len = 0;
    struct guard_span head = gd_span_head(gd_stream_head(stream), HEAD_MAX);
    /* A sequence cut by the head's end would look broken. */
    while (stream->len > head.len && head.len > HEAD_MAX - 4 && (stream->head[head.len - 1] & 0x80))
        head.len--;
    const struct gd_features features = {
        .classes = stream->scan.classes,
        .digits = (uint32_t)stream->scan.tally,
        .specials = (uint32_t)(stream->scan.tally >> 32),
        .len = stream->len,
        .type = gd_type_of(head, stream->scan.classes),
    };
    gd_summary_merge(stream->scan.summary, &features, head, false);
    return head;
}
