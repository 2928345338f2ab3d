/* SPDX-License-Identifier: Apache-2.0 */
/* See json_text.h. */
#include "http/json_text.h"

#include "base/utf8.h"
#include "http/json_scan.h"
#include "http/percent.h"

enum { ESCAPE_NONE = 0, ESCAPE_START = 1, ESCAPE_UNIT = 2 };

void gd_json_text_start(struct gd_json_text *text)
{
    gd_buffer_clear(&text->buffer);
    text->high = 0;
    text->faults = 0;
    text->surrogate = 0;
    text->escape = ESCAPE_NONE;
}

static void add_code_point(struct gd_json_text *text, uint32_t code)
{
    uint8_t out[4];
    size_t len;
    if (code < 0x80) {
        gd_buffer_add_byte(&text->buffer, (uint8_t)code);
        return;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        len = 2;
    } else if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        len = 3;
    } else {
        out[0] = (uint8_t)(0xf0 | code >> 18);
        len = 4;
    }
    for (size_t i = 1; i < len; i++)
        out[i] = (uint8_t)(0x80 | (code >> (6 * (len - 1 - i)) & 0x3f));
    gd_buffer_add(&text->buffer, out, len);
}

/* A surrogate without its partner becomes U+FFFD. */
static void lone_surrogate(struct gd_json_text *text)
{
    text->faults |= gd_fault_bit(GUARD_FAULT_INVALID_UTF8);
    add_code_point(text, 0xfffd);
}

static void flush_surrogate(struct gd_json_text *text)
{
    if (text->surrogate != 0) {
        text->surrogate = 0;
        lone_surrogate(text);
    }
}

static void add_unit(struct gd_json_text *text)
{
    uint16_t unit = text->unit;
    if (unit >= 0xdc00 && unit <= 0xdfff && text->surrogate != 0) {
        add_code_point(text, 0x10000u + ((text->surrogate & 0x3ffu) << 10) + (unit & 0x3ffu));
        text->surrogate = 0;
        return;
    }
    flush_surrogate(text);
    if (unit >= 0xd800 && unit <= 0xdbff) {
        text->surrogate = unit;
    } else if (unit >= 0xdc00 && unit <= 0xdfff) {
        lone_surrogate(text);
    } else {
        if (unit == 0)
            text->faults |= gd_fault_bit(GUARD_FAULT_NUL);
        add_code_point(text, unit);
    }
}

/* An escape that isn't one stays in the value as it was sent. */
static void keep_escape(struct gd_json_text *text)
{
    flush_surrogate(text);
    text->faults |= gd_fault_bit(GUARD_FAULT_BAD_ESCAPE);
    gd_buffer_add_byte(&text->buffer, '\\');
    if (text->escape >= ESCAPE_UNIT) {
        gd_buffer_add_byte(&text->buffer, 'u');
        gd_buffer_add(&text->buffer, text->digits, text->escape - (size_t)ESCAPE_UNIT);
    }
    text->escape = ESCAPE_NONE;
}

/* What "\x" stands for; 0 for no escape. */
static const uint8_t short_escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

/* The next byte inside an escape. False: it ends a bad escape and is to be read as ordinary text.
 */
static bool feed_escape(struct gd_json_text *text, uint8_t byte)
{
    if (text->escape == ESCAPE_START) {
        if (byte == 'u') {
            text->escape = ESCAPE_UNIT;
            text->unit = 0;
            return true;
        }
        uint8_t plain = short_escapes[byte];
        if (plain == 0) {
            keep_escape(text);
            return false;
        }
        flush_surrogate(text);
        gd_buffer_add_byte(&text->buffer, plain);
        text->escape = ESCAPE_NONE;
        return true;
    }
    int digit = gd_hex_value(byte);
    if (digit < 0) {
        keep_escape(text);
        return false;
    }
    text->digits[text->escape - ESCAPE_UNIT] = byte;
    text->unit = (uint16_t)(text->unit << 4 | digit);
    if (text->escape == ESCAPE_UNIT + 3) {
        add_unit(text);
        text->escape = ESCAPE_NONE;
    } else {
        text->escape++;
    }
    return true;
}

/* The four digits of a \u escape, or a negative number when one isn't hexadecimal. */
static int read_unit(const uint8_t *at)
{
    int a = gd_hex_value(at[0]);
    int b = gd_hex_value(at[1]);
    int c = gd_hex_value(at[2]);
    int d = gd_hex_value(at[3]);
    return (a | b | c | d) < 0 ? -1 : a << 12 | b << 8 | c << 4 | d;
}

/* A whole escape at the backslash `at`; NULL when it is bad or the chunk ends in it, and nothing
 * has happened. */
static const uint8_t *read_escape(struct gd_json_text *text, const uint8_t *at, const uint8_t *end)
{
    if (end - at < 6)
        return NULL;
    if (at[1] == 'u') {
        int unit = read_unit(at + 2);
        if (unit < 0)
            return NULL;
        text->unit = (uint16_t)unit;
        add_unit(text);
        return at + 6;
    }
    uint8_t plain = short_escapes[at[1]];
    if (plain == 0)
        return NULL;
    flush_surrogate(text);
    gd_buffer_add_byte(&text->buffer, plain);
    return at + 2;
}

/* Runs and short escapes, as long as chunk and buffer have room to work in blocks: JSON within JSON
 * is full of them. */
static const uint8_t *feed_blocks(struct gd_json_text *text, const uint8_t *at, const uint8_t *end)
{
    enum { BLOCK = 16 };
    struct gd_buffer *buffer = &text->buffer;
    unsigned high = 0;
    while (end - at > BLOCK + 1 && buffer->cap - buffer->len > BLOCK) {
        uint8_t *out = buffer->ptr + buffer->len;
        unsigned count = gd_scan_run(at, &high);
        memcpy(out, at, BLOCK);
        at += count;
        buffer->len += count;
        if (count == BLOCK)
            continue;
        uint8_t plain = *at == '\\' ? short_escapes[at[1]] : 0;
        if (plain == 0)
            break;
        out[count] = plain;
        buffer->len++;
        at += 2;
    }
    text->high |= high;
    return at;
}

const uint8_t *gd_json_text_feed(struct gd_json_text *text, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        if (text->escape != ESCAPE_NONE && feed_escape(text, *at)) {
            at++;
            continue;
        }
        if (text->surrogate == 0)
            at = feed_blocks(text, at, end);
        const uint8_t *stop = GD_SCAN_TEXT(at, end, &text->high);
        if (stop > at) {
            flush_surrogate(text);
            gd_buffer_add_short(&text->buffer, at, (size_t)(stop - at), (size_t)(end - at));
        }
        at = stop;
        if (at == end)
            break;
        if (*at == '"')
            return at;
        if (*at == '\\') {
            const uint8_t *behind = read_escape(text, at, end);
            if (behind != NULL) {
                at = behind;
                continue;
            }
            text->escape = ESCAPE_START;
        } else {
            flush_surrogate(text);
            text->faults |= gd_fault_bit(GUARD_FAULT_CONTROL);
            if (*at == 0)
                text->faults |= gd_fault_bit(GUARD_FAULT_NUL);
            gd_buffer_add_byte(&text->buffer, *at);
        }
        at++;
    }
    return NULL;
}

void gd_json_text_finish(struct gd_json_text *text, bool cut)
{
    if (!cut)
        flush_surrogate(text);
    if (cut || text->buffer.over)
        text->buffer.len = gd_utf8_trim(gd_buffer_span(&text->buffer)).len;
}

static size_t skip_digits(struct guard_span text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at;
}

static bool is_at(struct guard_span text, size_t at, uint8_t lower)
{
    return at < text.len && (text.ptr[at] | 0x20) == lower;
}

/* Behind an exponent at `at`; `at` itself when there is none; 0 when it has no digits. */
static size_t skip_exponent(struct guard_span text, size_t at)
{
    if (!is_at(text, at, 'e'))
        return at;
    at++;
    if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
        at++;
    size_t end = skip_digits(text, at);
    return end > at ? end : 0;
}

static bool is_valid(struct guard_span text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t end = skip_digits(text, at);
    if (end == at || (text.ptr[at] == '0' && end > at + 1))
        return false;
    if (end < text.len && text.ptr[end] == '.') {
        at = end + 1;
        end = skip_digits(text, at);
        if (end == at)
            return false;
    }
    return skip_exponent(text, end) == text.len;
}

static bool is_hex(struct guard_span text)
{
    if (text.len < 3 || text.ptr[0] != '0' || (text.ptr[1] | 0x20) != 'x')
        return false;
    for (size_t i = 2; i < text.len; i++) {
        if (gd_hex_value(text.ptr[i]) < 0)
            return false;
    }
    return true;
}

enum gd_json_number gd_json_number_check(struct guard_span text)
{
    if (is_valid(text))
        return GD_JSON_NUMBER_VALID;
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = gd_span_from(text, 1);
    if (gd_span_equal(text, GUARD_SPAN_LITERAL("NaN")) ||
        gd_span_equal(text, GUARD_SPAN_LITERAL("Infinity")) || is_hex(text))
        return GD_JSON_NUMBER_ODD;
    size_t whole = skip_digits(text, 0);
    size_t end = whole;
    size_t fraction = 0;
    if (end < text.len && text.ptr[end] == '.') {
        end = skip_digits(text, end + 1);
        fraction = end - whole - 1;
    }
    if (whole + fraction == 0)
        return GD_JSON_NUMBER_NOT;
    return skip_exponent(text, end) == text.len ? GD_JSON_NUMBER_ODD : GD_JSON_NUMBER_NOT;
}

bool gd_json_number_unfinished(struct guard_span text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t end = skip_digits(text, at);
    if (end == at)
        return end == text.len;
    if (text.ptr[at] == '0' && end > at + 1)
        return false;
    if (end < text.len && text.ptr[end] == '.') {
        at = end + 1;
        end = skip_digits(text, at);
        if (end == at)
            return end == text.len;
    }
    if (!is_at(text, end, 'e'))
        return false;
    end++;
    if (end < text.len && (text.ptr[end] == '+' || text.ptr[end] == '-'))
        end++;
    return end == text.len;
}
