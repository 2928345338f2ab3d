/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a message as texts, for patches: each is written once, one behind the other with
 * line feeds between, so that all can be searched at once. What places nobody asks for isn't kept.
 * Leaves of a JSON document that stand in the body as they are stay there: of texts a copy is
 * searched, and numbers are not, where no pattern could be found in one. */
#ifndef GD_PROFILE_CAPTURE_H
#define GD_PROFILE_CAPTURE_H

#include "base/block.h"

#include <guard/patch.h>

enum gd_capture_flag {
    GD_CAPTURE_KEY = 1,   /* only a name: of a member, whatever is below it */
    GD_CAPTURE_WILD = 2,  /* may be any value of its places: its parser stopped before its end */
    GD_CAPTURE_RAW = 4,   /* as it was sent */
    GD_CAPTURE_BODY = 8,  /* the body: its bytes are in `body` */
    GD_CAPTURE_TREE = 16, /* its name is the path of `field`; name_offset and name_len aren't set */
    GD_CAPTURE_SLICE = 32, /* its text is in `body` */
};

struct gd_captured {
    uint32_t offset; /* in text, or in body */
    uint32_t len;
    uint32_t name_offset; /* in text */
    uint32_t name_len;
    uint32_t field;  /* of the profile, with GD_CAPTURE_TREE */
    uint32_t types;  /* that its grammar says (JSON), else 0 */
    uint16_t places; /* one bit, or more of a wild one */
    uint16_t flags;
};

struct gd_capture_text {
    uint8_t *ptr;
    size_t len;
    size_t cap;
};

struct gd_capture {
    struct guard_arena *arena; /* its chunks are not of its limit */
    uint8_t *next, *end;       /* of the chunk in use */
    size_t limit;              /* bytes of texts and values */
    uint32_t places;           /* asked for */
    uint32_t missed;           /* asked for when some of it was gone, or too much to be kept */
    bool raw;                  /* raw views are asked for */
    bool numbers;              /* patterns may be found in numbers, too */
    bool full;                 /* something wasn't kept */
    bool open;                 /* the last value goes on */
    struct gd_capture_text text;
    struct gd_capture_text body;
    struct gd_captured *values;
    uint32_t count;
    uint32_t cap;
    uint32_t kept; /* values before those of an endless body, and their bytes */
    size_t kept_len;
    const uint8_t *chunk; /* of the body, which is being read */
    size_t slice_len;     /* of its bytes: leaves that begin in them may stay in the body */
    uint32_t chunk_at;    /* in the body */
    uint32_t slice_cap;   /* values that there is room for; 0: no leaf stays in the body */
    uint32_t words[3];    /* "true", "false", "null": where each is in text and one more, or 0 */
};

enum {
    GD_PLACES_BODY = GUARD_PLACE_FORM | GUARD_PLACE_JSON | GUARD_PLACE_MULTIPART |
                     GUARD_PLACE_FILE | GUARD_PLACE_BODY | GUARD_PLACE_GRAPHQL,
};

/* limit: bytes. Nothing is allocated yet. */
void gd_capture_init(struct gd_capture *capture, struct guard_arena *arena, size_t limit,
                     uint32_t places, bool raw, bool numbers);
void gd_capture_value(struct gd_capture *capture, uint32_t place, struct guard_span name,
                      struct guard_span text, uint32_t flags);
/* A leaf of a tree. */
void gd_capture_leaf(struct gd_capture *capture, uint32_t place, uint32_t field,
                     struct guard_span text, uint32_t types);
/* See gd_capture_word. */
void gd_capture_word_first(struct gd_capture *capture, uint32_t field, struct guard_span text,
                           uint32_t types, uint32_t *word);
/* The name of a member. */
void gd_capture_key(struct gd_capture *capture, uint32_t place, struct guard_span name);
/* A value that comes in pieces. */
void gd_capture_begin(struct gd_capture *capture, uint32_t place, struct guard_span name);
void gd_capture_more(struct gd_capture *capture, struct guard_span piece);
void gd_capture_end(struct gd_capture *capture);
/* Bytes of the body; expected: how many there will be, 0: unknown. */
void gd_capture_body(struct gd_capture *capture, struct guard_span chunk, size_t expected);
/* They are JSON, and the parser reads them next: leaves may stay in them. */
void gd_capture_slices(struct gd_capture *capture, struct guard_span chunk);
/* Method, path and target; scratch: of the exchange. */
void gd_capture_request(struct gd_capture *capture, struct guard_span method,
                        struct guard_span target, struct guard_arena *scratch);
/* Pairs as they were sent, and the whole as what may be any of them. */
void gd_capture_raw_pairs(struct gd_capture *capture, uint32_t place, struct guard_span text,
                          uint8_t separator);
/* What came of an endless body was looked at: it is forgotten, unless a value goes on. */
void gd_capture_forget(struct gd_capture *capture);
/* From here on it is the body's. */
void gd_capture_mark(struct gd_capture *capture);

/* Room beside the arena's limit that goes with it; NULL: the source has none. */
void *gd_capture_room(struct gd_capture *capture, size_t size);

/* Such a leaf stands in the body: nothing is copied. NULL: it doesn't, or there is no room. */
static inline __attribute__((always_inline)) struct gd_captured *
gd_capture_slice(struct gd_capture *capture, uint32_t field, struct guard_span text)
{
    uintptr_t at = (uintptr_t)text.ptr - (uintptr_t)capture->chunk;
    if (__builtin_expect(capture->count >= capture->slice_cap || at >= capture->slice_len, 0))
        return NULL;
    struct gd_captured *value = &capture->values[capture->count++];
    value->offset = capture->chunk_at + (uint32_t)at;
    value->len = (uint32_t)text.len;
    value->field = field;
    value->places = GUARD_PLACE_JSON;
    value->flags = GD_CAPTURE_TREE | GD_CAPTURE_SLICE;
    return value;
}

/* A leaf of a JSON document that its parser met as it stands. */
static inline __attribute__((always_inline)) void
gd_capture_string(struct gd_capture *capture, uint32_t field, struct guard_span text)
{
    const uint32_t types = 1u << GUARD_TYPE_STRING;
    const bool room = capture->text.cap - capture->text.len > text.len + GD_BLOCK;
    struct gd_captured *value = room ? gd_capture_slice(capture, field, text) : NULL;
    if (__builtin_expect(value == NULL, 0)) {
        gd_capture_leaf(capture, GUARD_PLACE_JSON, field, text, types);
        return;
    }
    /* A block can be read from wherever a slice may begin. */
    uint8_t *to = capture->text.ptr + capture->text.len;
    value->types = types;
    memcpy(to, text.ptr, GD_BLOCK);
    if (text.len > GD_BLOCK)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\n';
    capture->text.len += text.len + 1;
}

static inline __attribute__((always_inline)) void
gd_capture_number(struct gd_capture *capture, uint32_t field, struct guard_span text)
{
    struct gd_captured *value = capture->numbers ? NULL : gd_capture_slice(capture, field, text);
    if (__builtin_expect(value == NULL, 0))
        gd_capture_leaf(capture, GUARD_PLACE_JSON, field, text, 0);
    else
        value->types = 0;
}

/* "true", "false" or "null" of a JSON document: each is written once. */
static inline __attribute__((always_inline)) void
gd_capture_word(struct gd_capture *capture, uint32_t field, struct guard_span text, uint32_t types)
{
    uint32_t *word = &capture->words[types == 1u << GUARD_TYPE_NULL ? 2 : text.len & 1];
    if (__builtin_expect(*word == 0 || capture->count >= capture->slice_cap, 0)) {
        gd_capture_word_first(capture, field, text, types, word);
        return;
    }
    struct gd_captured *value = &capture->values[capture->count++];
    value->offset = *word - 1;
    value->len = (uint32_t)text.len;
    value->field = field;
    value->types = types;
    value->places = GUARD_PLACE_JSON;
    value->flags = GD_CAPTURE_TREE;
}

#endif
