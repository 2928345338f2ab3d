/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a message as texts, for patches: each is written once, one behind the other with
 * line feeds between, so that all can be searched at once. What places nobody asks for isn't kept.
 * Of a JSON document only the texts are written, without numbers where no pattern could be found in
 * one: mostly nothing is found, and nobody asks which value is where. Who does reads the body once
 * more (leaves.h). */
#ifndef GD_PROFILE_CAPTURE_H
#define GD_PROFILE_CAPTURE_H

#include "base/block.h"

#include <guard/patch.h>

struct gd_builder;

enum gd_capture_flag {
    GD_CAPTURE_KEY = 1,   /* only a name: of a member, whatever is below it */
    GD_CAPTURE_WILD = 2,  /* may be any value of its places: its parser stopped before its end */
    GD_CAPTURE_RAW = 4,   /* as it was sent */
    GD_CAPTURE_BODY = 8,  /* the body: its bytes are in `body` */
    GD_CAPTURE_TREE = 16, /* its name is the path of `field`; name_offset and name_len aren't set */
};

struct gd_captured {
    uint32_t offset; /* in text */
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
    /* Of a document whose leaves aren't values here, but in the body: */
    bool unlisted;
    bool skips_numbers;
    uint8_t words;              /* "true", "false", "null" were written: a bit for each */
    uint32_t unlisted_at;       /* values before its leaves */
    const uint8_t *chunk;       /* of the body, which is being read */
    size_t block_len;           /* of its bytes: where a block of 16 can be read from */
    struct gd_builder *builder; /* that knows the document's fields */
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
/* The name of a member. */
void gd_capture_key(struct gd_capture *capture, uint32_t place, struct guard_span name);
/* A value that comes in pieces. */
void gd_capture_begin(struct gd_capture *capture, uint32_t place, struct guard_span name);
void gd_capture_more(struct gd_capture *capture, struct guard_span piece);
void gd_capture_end(struct gd_capture *capture);
/* Bytes of the body; expected: how many there will be, 0: unknown. */
void gd_capture_body(struct gd_capture *capture, struct guard_span chunk, size_t expected);
/* They are JSON, and the parser reads them next. */
void gd_capture_document(struct gd_capture *capture, struct guard_span chunk);
/* No chunk is read any more. */
static inline void gd_capture_document_end(struct gd_capture *capture)
{
    capture->block_len = 0;
}
/* A leaf or name of a JSON document, wherever it stands. */
void gd_capture_json(struct gd_capture *capture, uint32_t field, struct guard_span text,
                     uint32_t types);
void gd_capture_json_key(struct gd_capture *capture, struct guard_span name);
/* "true", "false" or "null", the first of its kind. */
void gd_capture_word_first(struct gd_capture *capture, uint32_t field, struct guard_span text,
                           uint32_t types, uint8_t word);
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
/* All that is taken from the arena until gd_capture_return is such room. */
struct guard_arena gd_capture_lend(struct gd_capture *capture);
void gd_capture_return(struct gd_capture *capture, const struct guard_arena *before);

/* Writes the text alone; false: it isn't one of the chunk's, or there is no room yet. */
static inline __attribute__((always_inline)) bool gd_capture_copy(struct gd_capture *capture,
                                                                  struct guard_span text)
{
    const size_t at = (uintptr_t)text.ptr - (uintptr_t)capture->chunk;
    const size_t room = capture->text.cap - capture->text.len;
    if (__builtin_expect(at >= capture->block_len || room <= text.len + GD_BLOCK, 0))
        return false;
    uint8_t *to = capture->text.ptr + capture->text.len;
    memcpy(to, text.ptr, GD_BLOCK);
    if (text.len > GD_BLOCK)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\n';
    capture->text.len += text.len + 1;
    return true;
}

/* A leaf of a JSON document that its parser met as it stands. */
static inline __attribute__((always_inline)) void
gd_capture_string(struct gd_capture *capture, uint32_t field, struct guard_span text)
{
    if (__builtin_expect(!gd_capture_copy(capture, text), 0))
        gd_capture_json(capture, field, text, 1u << GUARD_TYPE_STRING);
}

static inline __attribute__((always_inline)) void
gd_capture_number(struct gd_capture *capture, uint32_t field, struct guard_span text)
{
    if (__builtin_expect(!capture->skips_numbers, 0))
        gd_capture_json(capture, field, text, 0);
}

/* "true", "false" or "null" of a JSON document: each is written once. */
static inline __attribute__((always_inline)) void
gd_capture_word(struct gd_capture *capture, uint32_t field, struct guard_span text, uint32_t types)
{
    const uint8_t word = types == 1u << GUARD_TYPE_NULL ? 4 : (uint8_t)(1 + (text.len & 1));
    if (__builtin_expect((capture->words & word) == 0, 0))
        gd_capture_word_first(capture, field, text, types, word);
}

#endif
