/* SPDX-License-Identifier: Apache-2.0 */
/* See summary.h. */
#include "profile/summary.h"

#include "base/arena.h"
#include "base/hash.h"
#include "profile/scan.h"

/* Compilers that fill automatic variables with zeros would do so for the whole scan. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

enum {
    NUMBER_LITERAL_MAX = 4, /* longer numbers are measures and identities, no enumerations */
    HEX_LITERAL_MAX = 15,
    HEAD_MAX = 256, /* of a stream: decides its type */
};

#define TYPE(name) (1u << GUARD_TYPE_##name)
#define CLASS(name) (UINT64_C(1) << GUARD_CLASS_##name)
#define NUMBERS (TYPE(INT) | TYPE(DECIMAL))
#define NUMBER_CLASSES (CLASS(DIGIT) | UINT64_C(1) << 16 /* + */ | UINT64_C(1) << 18 /* - */)

/* Can a value of this type be one of a closed set? Numbers of more than a few digits, identities
 * and secrets can't. */
static inline bool is_literal(enum guard_type type, size_t len)
{
    const uint32_t never =
        TYPE(UUID) | TYPE(DATE) | TYPE(EMAIL) | TYPE(JWT) | TYPE(BASE64) | TYPE(BYTES);
    if (len > GD_LITERAL_MAX || (never & 1u << type))
        return false;
    if (type == GUARD_TYPE_INT || type == GUARD_TYPE_DECIMAL)
        return len <= NUMBER_LITERAL_MAX;
    return type != GUARD_TYPE_HEX || len <= HEX_LITERAL_MAX;
}

/* To be called when the summary has no value yet, or one literal. */
static inline void add_literal(struct gd_summary *summary, struct guard_span value, size_t len,
                               enum guard_type type)
{
    bool first = summary->count == 0;
    summary->literal_known = false;
    if (!is_literal(type, len))
        return;
    uint64_t literal = gd_hash_fast(0, value);
    summary->literal_known = first || summary->literal == literal;
    summary->literal = literal;
}

static void add_bare(struct gd_summary *summary, uint32_t json)
{
    summary->types |= json;
    summary->count++;
    summary->literal_known = false;
}

/* What a value brings into a summary. */
struct features {
    uint64_t classes;
    uint32_t digits;
    uint32_t specials;
    uint32_t len;
    enum guard_type type;
};

static inline void merge(struct gd_summary *summary, const struct features *value,
                         struct guard_span head, uint32_t json)
{
    uint32_t types = 1u << value->type | (json & TYPE(STRING));
    if (summary->count == 0 || summary->literal_known)
        add_literal(summary, head, value->len, value->type);
    if (summary->count++ == 0) {
        summary->length_min = value->len;
        summary->length_max = value->len;
        summary->digits_max = value->digits;
        summary->specials_max = value->specials;
        summary->classes = value->classes;
        summary->types = types;
        return;
    }
    if (value->len < summary->length_min || (summary->types & ~GD_TYPES_WITHOUT_TEXT) == 0)
        summary->length_min = value->len;
    if (value->len > summary->length_max)
        summary->length_max = value->len;
    if (value->digits > summary->digits_max)
        summary->digits_max = value->digits;
    if (value->specials > summary->specials_max)
        summary->specials_max = value->specials;
    summary->classes |= value->classes;
    summary->types |= types;
}

static inline enum guard_type type_of(struct guard_span value, uint64_t classes, uint32_t json)
{
    enum { BASE64_MIN = 16 };
    const uint64_t letters = CLASS(LOWER) | CLASS(UPPER);
    if (json & NUMBERS)
        return classes & ~NUMBER_CLASSES ? GUARD_TYPE_DECIMAL : GUARD_TYPE_INT;
    if (classes == CLASS(DIGIT))
        return GUARD_TYPE_INT;
    if (!(classes & ~letters) && value.len < BASE64_MIN &&
        !(value.len == 4 && memcmp(value.ptr, "true", 4) == 0) &&
        !(value.len == 5 && memcmp(value.ptr, "false", 5) == 0))
        return GUARD_TYPE_WORD;
    return gd_type_of(value, classes);
}

/* Values that are long or bring something new. */
static __attribute__((noinline)) void add_new(struct gd_summary *summary, struct guard_span value,
                                              uint32_t json, struct guard_arena *arena)
{
    struct gd_scan scan UNINITIALIZED;
    value.len = value.len > UINT32_MAX ? UINT32_MAX : value.len;
    gd_scan_begin(&scan, summary, arena);
    (void)gd_scan_bytes(&scan, value);
    const struct features features = {
        .classes = scan.classes,
        .digits = (uint32_t)scan.tally,
        .specials = (uint32_t)(scan.tally >> 32),
        .len = (uint32_t)value.len,
        .type = type_of(value, scan.classes, json),
    };
    merge(summary, &features, value, json);
}

static __attribute__((noinline)) void add_special(struct gd_summary *summary,
                                                  struct guard_span value, uint32_t json)
{
    struct features features = {.len = (uint32_t)value.len, .type = GUARD_TYPE_EMPTY};
    if (json & GD_TYPES_WITHOUT_TEXT) {
        add_bare(summary, json);
        return;
    }
    if (json & TYPE(BOOL)) {
        features.classes = CLASS(LOWER);
        features.type = GUARD_TYPE_BOOL;
    }
    merge(summary, &features, value, json);
}

void gd_summary_add(struct gd_summary *summary, struct guard_span value, uint32_t json,
                    struct guard_arena *arena)
{
    enum { SHORT = 48 };
    if (__builtin_expect((json & (GD_TYPES_WITHOUT_TEXT | TYPE(BOOL))) != 0 || value.len == 0, 0)) {
        add_special(summary, value, json);
        return;
    }
    /* The short way: bytes of frequent classes, mostly in neighbourhoods that the summary has. */
    uint64_t common = summary->common;
    const uint8_t *at = value.ptr;
    const uint8_t *end = at + value.len;
    uint64_t from = gd_common_of_byte[*at];
    if (value.len > SHORT || from == GD_SCAN_OTHER) {
        add_new(summary, value, json, arena);
        return;
    }
    uint64_t classes = gd_class_bit[*at];
    uint64_t tally = gd_count_of_byte[*at];
    while (++at < end) {
        uint64_t byte = *at;
        uint64_t to = gd_common_of_byte[byte];
        uint64_t pair = from * 8 + to;
        if (__builtin_expect(!(common >> pair & 1), 0)) {
            if (to == GD_SCAN_OTHER || !gd_summary_add_common(summary, pair, &common)) {
                add_new(summary, value, json, arena);
                return;
            }
            summary->common = common;
        }
        classes |= gd_class_bit[byte];
        tally += gd_count_of_byte[byte];
        from = to;
    }
    const struct features features = {
        .classes = classes,
        .digits = (uint32_t)tally,
        .specials = (uint32_t)(tally >> 32),
        .len = (uint32_t)value.len,
        .type = type_of(value, classes, json),
    };
    merge(summary, &features, value, json);
}

struct gd_stream {
    struct gd_scan scan;
    uint32_t len; /* stays at its maximum */
    uint32_t head_len;
    uint32_t pending_len;
    uint8_t pending[4]; /* a sequence that the last piece didn't finish */
    uint8_t head[HEAD_MAX];
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
    if (stream->head_len < HEAD_MAX) {
        struct guard_span head = gd_span_head(piece, HEAD_MAX - stream->head_len);
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

struct guard_span gd_stream_end(struct gd_stream *stream)
{
    for (uint32_t i = 0; i < stream->pending_len; i++)
        gd_scan_invalid(&stream->scan);
    stream->pending_len = 0;
    struct guard_span head = {stream->head, stream->head_len};
    /* A sequence cut by the head's end would look broken. */
    while (stream->len > head.len && head.len > HEAD_MAX - 4 && (stream->head[head.len - 1] & 0x80))
        head.len--;
    const struct features features = {
        .classes = stream->scan.classes,
        .digits = (uint32_t)stream->scan.tally,
        .specials = (uint32_t)(stream->scan.tally >> 32),
        .len = stream->len,
        .type = gd_type_of(head, stream->scan.classes),
    };
    merge(stream->scan.summary, &features, head, 0);
    return head;
}
