/* SPDX-License-Identifier: Apache-2.0 */
/* See capture.h. */
#include "profile/capture.h"

#include "base/arena.h"
#include "http/target.h"

enum { TEXT_FIRST = 4096, VALUES_FIRST = 128 };

void gd_capture_init(struct gd_capture *capture, struct guard_arena *arena, size_t limit,
                     uint32_t places, bool raw, bool numbers)
{
    *capture = (struct gd_capture){
        .arena = arena, .limit = limit, .places = places, .raw = raw, .numbers = numbers};
}

/* The profile's room stays what it is, whatever patches ask for: the same traffic gives the same
 * record. */
struct guard_arena gd_capture_lend(struct gd_capture *capture)
{
    struct guard_arena *arena = capture->arena;
    const struct guard_arena before = *arena;
    arena->next = capture->next;
    arena->end = capture->end;
    arena->used = 0;
    arena->limit = SIZE_MAX;
    return before;
}

void gd_capture_return(struct gd_capture *capture, const struct guard_arena *before)
{
    struct guard_arena *arena = capture->arena;
    capture->next = arena->next;
    capture->end = arena->end;
    arena->next = before->next;
    arena->end = before->end;
    arena->used = before->used;
    arena->limit = before->limit;
}

void *gd_capture_room(struct gd_capture *capture, size_t size)
{
    const struct guard_arena before = gd_capture_lend(capture);
    void *room = guard_arena_get(capture->arena, size);
    gd_capture_return(capture, &before);
    return room;
}

static bool text_room(struct gd_capture *capture, struct gd_capture_text *text, size_t more,
                      size_t expected)
{
    size_t all = capture->text.len + capture->body.len;
    if (more > capture->limit || all > capture->limit - more)
        return false;
    if (more <= text->cap - text->len)
        return true;
    size_t cap = text->cap == 0 ? TEXT_FIRST : 2 * text->cap;
    if (cap > capture->limit)
        cap = capture->limit;
    if (cap < text->len + more)
        cap = text->len + more;
    if (cap < expected && expected <= capture->limit)
        cap = expected;
    uint8_t *room = gd_capture_room(capture, cap);
    if (room == NULL)
        return false;
    if (text->len > 0)
        memcpy(room, text->ptr, text->len);
    text->ptr = room;
    text->cap = cap;
    return true;
}

static bool value_room(struct gd_capture *capture)
{
    if (capture->count < capture->cap)
        return true;
    uint32_t cap = capture->cap == 0 ? VALUES_FIRST : 2 * capture->cap;
    if ((size_t)cap * sizeof(*capture->values) > capture->limit)
        return false;
    struct gd_captured *values = gd_capture_room(capture, cap * sizeof(*values));
    if (values == NULL)
        return false;
    if (capture->count > 0)
        memcpy(values, capture->values, capture->count * sizeof(*values));
    capture->values = values;
    capture->cap = cap;
    return true;
}

/* Most are short: no call for their bytes. There is room for a block. */
static inline uint32_t put(struct gd_capture_text *text, struct guard_span bytes)
{
    uint32_t at = (uint32_t)text->len;
    if (bytes.len > GD_BLOCK) {
        memcpy(text->ptr + text->len, bytes.ptr, bytes.len);
    } else if (bytes.len > 0) {
        const struct gd_block block = gd_block_load(bytes.ptr, bytes.len);
        memcpy(text->ptr + text->len, block.words, GD_BLOCK);
    }
    text->len += bytes.len;
    return at;
}

static inline void put_end(struct gd_capture_text *text)
{
    text->ptr[text->len++] = '\n';
}

/* Mostly there is; what is taken of it stays below the limit by what the room is. */
static inline bool has_room(struct gd_capture *capture, size_t len)
{
    const struct gd_capture_text *text = &capture->text;
    if (__builtin_expect(capture->count < capture->cap && text->cap - text->len > len + GD_BLOCK,
                         1))
        return true;
    const bool room = len <= capture->limit &&
                      text_room(capture, &capture->text, len + 1 + GD_BLOCK, 0) &&
                      value_room(capture);
    capture->full |= !room;
    return room;
}

/* Name and text, a line feed behind each. */
static struct gd_captured *add(struct gd_capture *capture, uint32_t place, struct guard_span name,
                               struct guard_span bytes, uint32_t flags)
{
    if ((capture->places & place) == 0 || !has_room(capture, name.len + bytes.len + 2))
        return NULL;
    struct gd_captured *value = &capture->values[capture->count++];
    value->name_len = (uint32_t)name.len;
    value->len = (uint32_t)bytes.len;
    value->field = value->types = 0;
    value->places = (uint16_t)place;
    value->flags = (uint16_t)flags;
    value->name_offset = put(&capture->text, name);
    if (name.len > 0)
        put_end(&capture->text);
    value->offset = put(&capture->text, bytes);
    put_end(&capture->text);
    return value;
}

void gd_capture_value(struct gd_capture *capture, uint32_t place, struct guard_span name,
                      struct guard_span text, uint32_t flags)
{
    (void)add(capture, place, name, text, flags);
}

void gd_capture_leaf(struct gd_capture *capture, uint32_t place, uint32_t field,
                     struct guard_span text, uint32_t types)
{
    struct gd_captured *value = add(capture, place, gd_span(NULL, 0), text, GD_CAPTURE_TREE);
    if (value == NULL)
        return;
    value->field = field;
    value->types = types;
}

/* In no value's place: what it stands in is read again when somebody asks. */
static bool add_text(struct gd_capture *capture, struct guard_span text)
{
    if (gd_capture_copy(capture, text))
        return true;
    const bool room = capture->text.cap - capture->text.len > text.len + GD_BLOCK;
    if (!room && (text.len > capture->limit ||
                  !text_room(capture, &capture->text, text.len + 1 + GD_BLOCK, 0))) {
        capture->full = true;
        return false;
    }
    (void)put(&capture->text, text);
    put_end(&capture->text);
    return true;
}

void gd_capture_json(struct gd_capture *capture, uint32_t field, struct guard_span text,
                     uint32_t types)
{
    if (capture->unlisted)
        (void)add_text(capture, text);
    else
        gd_capture_leaf(capture, GUARD_PLACE_JSON, field, text, types);
}

void gd_capture_json_key(struct gd_capture *capture, struct guard_span name)
{
    if (capture->unlisted)
        (void)add_text(capture, name);
    else
        gd_capture_key(capture, GUARD_PLACE_JSON, name);
}

void gd_capture_word_first(struct gd_capture *capture, uint32_t field, struct guard_span text,
                           uint32_t types, uint8_t word)
{
    if (!capture->unlisted)
        gd_capture_leaf(capture, GUARD_PLACE_JSON, field, text, types);
    else if (add_text(capture, text))
        capture->words |= word;
}

void gd_capture_key(struct gd_capture *capture, uint32_t place, struct guard_span name)
{
    (void)add(capture, place, name, gd_span(NULL, 0), GD_CAPTURE_KEY);
}

void gd_capture_begin(struct gd_capture *capture, uint32_t place, struct guard_span name)
{
    capture->open = add(capture, place, name, gd_span(NULL, 0), 0) != NULL;
    if (capture->open)
        capture->text.len--;
}

void gd_capture_more(struct gd_capture *capture, struct guard_span piece)
{
    if (!capture->open)
        return;
    if (piece.len > capture->limit ||
        !text_room(capture, &capture->text, piece.len + 1 + GD_BLOCK, 0)) {
        capture->full = true;
        gd_capture_end(capture);
        return;
    }
    (void)put(&capture->text, piece);
    capture->values[capture->count - 1].len += (uint32_t)piece.len;
}

void gd_capture_end(struct gd_capture *capture)
{
    if (capture->open)
        put_end(&capture->text); /* there is room for it: of the value's begin, or of each piece */
    capture->open = false;
}

void gd_capture_body(struct gd_capture *capture, struct guard_span chunk, size_t expected)
{
    if ((capture->places & GD_PLACES_BODY) == 0)
        return;
    /* A document with a gap would be read as another one. */
    if (capture->unlisted && capture->full)
        return;
    if (!text_room(capture, &capture->body, chunk.len, expected)) {
        capture->full = true;
        return;
    }
    if (chunk.len > 0)
        memcpy(capture->body.ptr + capture->body.len, chunk.ptr, chunk.len);
    capture->body.len += chunk.len;
}

/* With a line feed each, the texts of a chunk's leaves and names are no longer than the chunk. */
void gd_capture_document(struct gd_capture *capture, struct guard_span chunk)
{
    capture->block_len = 0;
    if ((capture->places & GUARD_PLACE_JSON) == 0 || capture->full)
        return;
    if (!capture->unlisted && capture->body.len != chunk.len)
        return; /* of what came before there are values */
    if (!capture->unlisted)
        capture->unlisted_at = capture->count;
    capture->unlisted = true;
    capture->skips_numbers = !capture->numbers;
    if (chunk.len < GD_BLOCK || !text_room(capture, &capture->text, chunk.len + 1 + GD_BLOCK, 0))
        return;
    capture->chunk = chunk.ptr;
    capture->block_len = chunk.len - GD_BLOCK + 1;
}

void gd_capture_request(struct gd_capture *capture, struct guard_span method,
                        struct guard_span target, struct guard_arena *scratch)
{
    const struct guard_span nameless = gd_span(NULL, 0);
    uint64_t faults = 0;
    const uint8_t *question = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    size_t path_len = question != NULL ? (size_t)(question - target.ptr) : target.len;
    struct guard_span path = gd_span_head(target, path_len);
    gd_capture_value(capture, GUARD_PLACE_METHOD, nameless, method, 0);
    if (capture->places & GUARD_PLACE_PATH)
        gd_capture_value(capture, GUARD_PLACE_PATH, nameless,
                         gd_percent_decode(path, false, scratch, &faults), 0);
    if (capture->places & GUARD_PLACE_TARGET)
        gd_capture_value(capture, GUARD_PLACE_TARGET, nameless,
                         gd_percent_decode(target, false, scratch, &faults), 0);
    capture->full |= (faults >> GUARD_FAULT_MEMORY & 1) != 0;
    if (!capture->raw)
        return;
    gd_capture_value(capture, GUARD_PLACE_METHOD, nameless, method, GD_CAPTURE_RAW);
    gd_capture_value(capture, GUARD_PLACE_PATH, nameless, path, GD_CAPTURE_RAW);
    gd_capture_value(capture, GUARD_PLACE_TARGET, nameless, target, GD_CAPTURE_RAW);
    if (question != NULL)
        gd_capture_raw_pairs(capture, GUARD_PLACE_QUERY, gd_span_from(target, path_len + 1), '&');
}

/* Bytes before the first one that is this, or all. */
static size_t length_before(struct guard_span text, uint8_t byte)
{
    size_t len = 0;
    while (len < text.len && text.ptr[len] != byte)
        len++;
    return len;
}

void gd_capture_raw_pairs(struct gd_capture *capture, uint32_t place, struct guard_span text,
                          uint8_t separator)
{
    while (text.len > 0 && (capture->places & place) != 0 && !capture->full) {
        struct guard_span pair = gd_span_head(text, length_before(text, separator));
        text = gd_span_from(text, pair.len + 1);
        while (separator == ';' && pair.len > 0 && pair.ptr[0] == ' ')
            pair = gd_span_from(pair, 1);
        size_t name = length_before(pair, '=');
        if (pair.len > 0)
            gd_capture_value(capture, place, gd_span_head(pair, name), gd_span_from(pair, name + 1),
                             GD_CAPTURE_RAW);
    }
}

void gd_capture_mark(struct gd_capture *capture)
{
    capture->kept = capture->count;
    capture->kept_len = capture->text.len;
}

void gd_capture_forget(struct gd_capture *capture)
{
    if (capture->open)
        return;
    capture->count = capture->kept;
    capture->text.len = capture->kept_len;
    capture->full = false;
}
