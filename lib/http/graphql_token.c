/* SPDX-License-Identifier: Apache-2.0 */
/* See graphql_token.h. */
#include "http/graphql_token.h"

static bool is_name_start(uint8_t byte)
{
    return byte == '_' || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Blanks, commas, comments and byte order marks mean nothing. */
static const uint8_t *skip_ignored(const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        if (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ',') {
            at++;
        } else if (*at == '#') {
            while (at < end && *at != '\n' && *at != '\r')
                at++;
        } else if (end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
            at += 3;
        } else {
            break;
        }
    }
    return at;
}

static struct gd_graphql_token token(enum gd_graphql_kind kind, const uint8_t *from,
                                     const uint8_t *to)
{
    return (struct gd_graphql_token){kind, gd_span(from, (size_t)(to - from)), false};
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Behind the number, or NULL when it is none. */
static const uint8_t *skip_number(const uint8_t *at, const uint8_t *end)
{
    at += *at == '-';
    const uint8_t *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    if (at < end && *at == '.') {
        const uint8_t *part = ++at;
        at = skip_digits(at, end);
        if (at == part)
            return NULL;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        const uint8_t *part = at;
        at = skip_digits(at, end);
        if (at == part)
            return NULL;
    }
    return at < end && (is_name_start(*at) || *at == '.') ? NULL : at;
}

static struct gd_graphql_token block_string(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *from = *at;
    for (const uint8_t *stop = from; end - stop >= 3; stop++) {
        if (memcmp(stop, "\"\"\"", 3) == 0) {
            *at = stop + 3;
            return token(GD_GRAPHQL_BLOCK, from, stop);
        }
        if (end - stop >= 4 && memcmp(stop, "\\\"\"\"", 4) == 0)
            stop += 3;
    }
    *at = end;
    return token(GD_GRAPHQL_BAD, from, end);
}

static struct gd_graphql_token string(const uint8_t **at, const uint8_t *end)
{
    if (end - *at >= 3 && memcmp(*at, "\"\"\"", 3) == 0) {
        *at += 3;
        return block_string(at, end);
    }
    const uint8_t *from = *at + 1;
    bool escaped = false;
    for (const uint8_t *stop = from; stop < end && *stop != '\n' && *stop != '\r'; stop++) {
        if (*stop == '"') {
            *at = stop + 1;
            struct gd_graphql_token found = token(GD_GRAPHQL_QUOTED, from, stop);
            found.escaped = escaped;
            return found;
        }
        if (*stop == '\\' && end - stop > 1) {
            escaped = true;
            stop++;
        }
    }
    *at = end;
    return token(GD_GRAPHQL_BAD, from, end);
}

struct gd_graphql_token gd_graphql_next(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *from = skip_ignored(*at, end);
    *at = from;
    if (from == end)
        return token(GD_GRAPHQL_END, from, from);
    if (is_name_start(*from)) {
        while (*at < end && (is_name_start(**at) || is_digit(**at)))
            (*at)++;
        return token(GD_GRAPHQL_NAME, from, *at);
    }
    if (*from == '"')
        return string(at, end);
    if (*from == '-' || is_digit(*from)) {
        const uint8_t *behind = skip_number(from, end);
        *at = behind == NULL ? end : behind;
        return token(behind == NULL ? GD_GRAPHQL_BAD : GD_GRAPHQL_DIGITS, from, *at);
    }
    if (end - from >= 3 && memcmp(from, "...", 3) == 0) {
        *at += 3;
        return token(GD_GRAPHQL_DOTS, from, *at);
    }
    *at += 1;
    bool mark = *from != '\0' && strchr("!$&():=@[]{|}", *from) != NULL;
    return token(mark ? GD_GRAPHQL_MARK : GD_GRAPHQL_BAD, from, *at);
}

static int hex_digit(uint8_t byte)
{
    if (is_digit(byte))
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void add_code(struct gd_buffer *out, uint32_t code)
{
    if (code < 0x80) {
        gd_buffer_add_byte(out, (uint8_t)code);
        return;
    }
    if (code < 0x800) {
        gd_buffer_add_byte(out, (uint8_t)(0xc0 | code >> 6));
    } else if (code < 0x10000) {
        gd_buffer_add_byte(out, (uint8_t)(0xe0 | code >> 12));
        gd_buffer_add_byte(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
    } else {
        gd_buffer_add_byte(out, (uint8_t)(0xf0 | code >> 18));
        gd_buffer_add_byte(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
        gd_buffer_add_byte(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
    }
    gd_buffer_add_byte(out, (uint8_t)(0x80 | (code & 0x3f)));
}

/* "\uXXXX" or "\u{X...}"; *at stands behind the 'u'. */
static bool take_unit(const uint8_t **at, const uint8_t *end, uint32_t *out)
{
    bool braces = *at < end && **at == '{';
    const uint8_t *digits = *at + braces;
    const uint8_t *stop = digits;
    uint32_t code = 0;
    while (stop < end && stop - digits < (braces ? 6 : 4) && hex_digit(*stop) >= 0)
        code = code << 4 | (uint32_t)hex_digit(*stop++);
    if (braces ? stop == digits || stop == end || *stop != '}' : stop - digits != 4)
        return false;
    *at = stop + braces;
    *out = code;
    return code <= 0x10ffff;
}

/* A pair of surrogates is one character; a lonely one has none. */
static bool take_unicode(const uint8_t **at, const uint8_t *end, struct gd_buffer *out)
{
    uint32_t code = 0, low = 0;
    if (!take_unit(at, end, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && end - *at > 2 && memcmp(*at, "\\u", 2) == 0) {
        *at += 2;
        if (!take_unit(at, end, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code >= 0xd800 && code <= 0xdfff)
        return false;
    add_code(out, code);
    return true;
}

static uint8_t plain_escape(uint8_t byte)
{
    switch (byte) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '"':
    case '\\':
    case '/':
        return byte;
    default:
        return 0;
    }
}

bool gd_graphql_decode(struct guard_span text, struct gd_buffer *out)
{
    const uint8_t *at = text.ptr;
    const uint8_t *end = at + text.len;
    gd_buffer_clear(out);
    while (at < end) {
        const uint8_t *stop = memchr(at, '\\', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        gd_buffer_add(out, at, (size_t)(stop - at));
        at = stop;
        if (end - at < 2)
            break;
        uint8_t byte = at[1];
        at += 2;
        if (byte == 'u') {
            if (!take_unicode(&at, end, out))
                return false;
        } else if (plain_escape(byte) != 0) {
            gd_buffer_add_byte(out, plain_escape(byte));
        } else {
            return false;
        }
    }
    return true;
}
