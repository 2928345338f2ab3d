/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a scalar's source and its decoded text side by side. Only U+0080 to U+00FF can come of
 * "\xNN" with another number of bytes, and they stand in both in one order. */
#include "common/document_bytes.h"

#include <string.h>

/* The first byte of the two that U+0080 to U+00FF have in UTF-8. */
static bool is_lead(uint8_t byte)
{
    return byte == 0xc2 || byte == 0xc3;
}

static uint32_t width(uint8_t lead)
{
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static size_t byte_of(struct document_cursor *cursor, size_t character)
{
    for (; cursor->character < character && cursor->byte < cursor->source.len; cursor->character++)
        cursor->byte += width(cursor->source.ptr[cursor->byte]);
    return cursor->byte < cursor->source.len ? cursor->byte : cursor->source.len;
}

static uint32_t digit(uint8_t c)
{
    return c <= '9' ? c - (uint32_t)'0' : (c | 0x20u) - 'a' + 10u;
}

/* Of count digits, which the parser found good, behind what is at ptr[0] and [1]. */
static uint32_t escaped(struct guard_span source, size_t count)
{
    uint32_t value = 0;
    for (size_t i = 2; i < 2 + count && i < source.len; i++)
        value = value << 4 | digit(source.ptr[i]);
    return value;
}

/* Takes one escape or character off the source. Returns what it means when that is U+0080 to
 * U+00FF, else 0; *byte: written as \xNN. */
static uint32_t take(struct guard_span *source, bool *byte)
{
    static const char kinds[] = "xuU";
    static const size_t digits[] = {2, 4, 8};
    uint8_t c = source->ptr[0];
    uint8_t next = source->len > 1 ? source->ptr[1] : 0;
    const char *kind = c == '\\' && next != 0 ? strchr(kinds, next) : NULL;
    size_t len = c == '\\' || is_lead(c) ? 2 : 1;
    uint32_t value = 0;
    *byte = kind == kinds;
    if (kind != NULL) {
        value = escaped(*source, digits[kind - kinds]);
        len = 2 + digits[kind - kinds];
    } else if (c == '\\') {
        value = next == 'N' ? 0x85 : next == '_' ? 0xa0 : 0;
    } else if (is_lead(c)) {
        value = (c & 3u) << 6 | (next & 0x3fu);
        value = value == 0x85 ? 0 : value; /* it ends lines */
    }
    len = len < source->len ? len : source->len;
    *source = (struct guard_span){source->ptr + len, source->len - len};
    return value >= 0x80 && value <= 0xff ? value : 0;
}

/* What the next of these characters of the text is as a byte; 0: it is a character. */
static uint8_t next_byte(struct guard_span *source)
{
    bool byte = false;
    uint32_t value = 0;
    while (source->len > 0 && value == 0)
        value = take(source, &byte);
    return byte ? (uint8_t)value : 0;
}

static size_t leads(struct guard_span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += is_lead(text.ptr[i]);
    return count;
}

enum guard_rc document_bytes(struct document_cursor *cursor, size_t begin, size_t end,
                             struct guard_span text, struct guard_arena *arena,
                             struct guard_span *out)
{
    *out = text;
    if (leads(text) == 0)
        return GUARD_OK;
    size_t from = byte_of(cursor, begin + 1);
    size_t to = byte_of(cursor, end - 1);
    struct guard_span source = {cursor->source.ptr + from, to - from};
    uint8_t *bytes = guard_arena_get(arena, text.len + 1);
    if (bytes == NULL)
        return GUARD_E_NOMEM;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = is_lead(text.ptr[i]) ? next_byte(&source) : 0;
        bytes[len++] = byte != 0 ? byte : text.ptr[i];
        if (byte != 0)
            i++;
        else if (is_lead(text.ptr[i]))
            bytes[len++] = text.ptr[++i];
    }
    bytes[len] = '\0';
    *out = (struct guard_span){bytes, len};
    return GUARD_OK;
}
