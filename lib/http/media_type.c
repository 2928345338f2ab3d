/* SPDX-License-Identifier: Apache-2.0 */
/* Content types. A service often forgives what the grammar doesn't, so the type is kept when only
 * its parameters are malformed. */
#include "http/media_type.h"

#include "base/arena.h"
#include "base/span.h"
#include "http/body.h"

enum { BOUNDARY_MAX = 70 };

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* The lower case of bytes that tokens may hold, else 0. */
static const uint8_t token_bytes[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['0'] = '0', ['1'] = '1', ['2'] = '2',   ['3'] = '3',
    ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',   ['A'] = 'a',
    ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g',   ['H'] = 'h',
    ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n',   ['O'] = 'o',
    ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u',   ['V'] = 'v',
    ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z', ['^'] = '^', ['_'] = '_',   ['`'] = '`',
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f',   ['g'] = 'g',
    ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm',   ['n'] = 'n',
    ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',   ['u'] = 'u',
    ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['|'] = '|',   ['~'] = '~',
};

static inline bool is_token_byte(uint8_t byte)
{
    return token_bytes[byte] != 0;
}

bool gd_is_token(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_byte(text.ptr[i]))
            return false;
    }
    return text.len > 0;
}

size_t gd_span_find(struct guard_span text, uint8_t byte)
{
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.ptr, byte, text.len);
    return at == NULL ? text.len : (size_t)(at - text.ptr);
}

struct guard_span gd_span_trim(struct guard_span text)
{
    while (text.len > 0 && is_blank(text.ptr[0]))
        text = gd_span(text.ptr + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* The closing quote of a quoted string whose text starts at `at`; text.len when there is none. */
static size_t find_quote(struct guard_span text, size_t at)
{
    while (at < text.len && text.ptr[at] != '"') {
        at += text.ptr[at] == '\\' && at + 1 < text.len ? 2 : 1;
    }
    return at < text.len ? at : text.len;
}

enum gd_parameter_result gd_parameter_next(struct guard_span *rest, struct gd_parameter *out)
{
    struct guard_span text = gd_span_trim(*rest);
    *rest = gd_span(NULL, 0);
    if (text.len > 0 && text.ptr[0] != ';') {
        *rest = gd_span_from(text, gd_span_find(text, ';'));
        return GD_PARAMETER_BAD;
    }
    /* Empty parameters are allowed. */
    while (text.len > 0 && text.ptr[0] == ';')
        text = gd_span_trim(gd_span_from(text, 1));
    if (text.len == 0)
        return GD_PARAMETER_END;
    size_t len = 0;
    while (len < text.len && is_token_byte(text.ptr[len]))
        len++;
    out->name = gd_span_head(text, len);
    out->quoted = false;
    if (len == 0 || len >= text.len || text.ptr[len] != '=') {
        *rest = gd_span_from(text, gd_span_find(text, ';'));
        return GD_PARAMETER_BAD;
    }
    text = gd_span_from(text, len + 1);
    if (text.len > 0 && text.ptr[0] == '"') {
        size_t quote = find_quote(text, 1);
        out->quoted = true;
        out->value = gd_span(text.ptr + 1, quote - 1);
        *rest = gd_span_from(text, quote + 1);
        return quote < text.len ? GD_PARAMETER_FOUND : GD_PARAMETER_BAD;
    }
    len = gd_span_find(text, ';');
    out->value = gd_span_trim(gd_span_head(text, len));
    *rest = gd_span_from(text, len);
    return GD_PARAMETER_FOUND;
}

struct guard_span gd_parameter_text(const struct gd_parameter *parameter, struct guard_arena *arena)
{
    struct guard_span raw = parameter->value;
    if (!parameter->quoted || gd_span_find(raw, '\\') == raw.len)
        return raw;
    uint8_t *out = gd_arena_get(arena, raw.len);
    if (out == NULL)
        return raw;
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '\\' && i + 1 < raw.len &&
            (raw.ptr[i + 1] == '"' || raw.ptr[i + 1] == '\\'))
            i++;
        out[len++] = raw.ptr[i];
    }
    return gd_span(out, len);
}

bool gd_charset_holds_ascii(struct guard_span charset)
{
    static const struct {
        const char text[13];
        uint8_t len;
        bool family; /* all that begin so */
    } known[] = {{"utf-8", 5, false},      {"utf8", 4, false},     {"us-ascii", 8, false},
                 {"ascii", 5, false},      {"iso-8859-", 9, true}, {"latin1", 6, false},
                 {"windows-125", 11, true}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct guard_span head = known[i].family ? gd_span_head(charset, known[i].len) : charset;
        if (gd_span_equal_nocase(head, gd_span(known[i].text, known[i].len)))
            return true;
    }
    return false;
}

static void parse_parameters(struct guard_span rest, struct guard_arena *arena,
                             struct gd_media_type *out)
{
    struct gd_parameter parameter;
    enum gd_parameter_result result;
    bool has_boundary = false;
    while ((result = gd_parameter_next(&rest, &parameter)) != GD_PARAMETER_END) {
        if (result == GD_PARAMETER_BAD) {
            out->malformed = true;
            continue;
        }
        if (!parameter.quoted && !gd_is_token(parameter.value) &&
            gd_span_find(parameter.value, '/') == parameter.value.len)
            out->malformed = true;
        /* Forms of RFC 2231 ("boundary*=utf-8''a", "boundary*0=a"): who puts them together takes
         * another boundary than who doesn't. */
        if (gd_span_find(parameter.name, '*') < parameter.name.len)
            out->malformed = true;
        /* JSON has its own rules; XML and other texts say it themselves. */
        if (gd_span_equal_nocase(parameter.name, GUARD_SPAN_LITERAL("charset")) &&
            gd_body_kind(out) == GUARD_BODY_FORM && !gd_charset_holds_ascii(parameter.value))
            out->malformed = true;
        if (!gd_span_equal_nocase(parameter.name, GUARD_SPAN_LITERAL("boundary")))
            continue;
        struct guard_span boundary = gd_parameter_text(&parameter, arena);
        if (has_boundary || boundary.len == 0 || boundary.len > BOUNDARY_MAX)
            out->malformed = true;
        else
            out->boundary = gd_arena_copy(arena, boundary);
        has_boundary = true;
    }
}

/* Most messages name one of these and nothing else. Else an empty span. */
static struct guard_span usual_type(struct guard_span value)
{
    static const struct guard_span usual[] = {
        {(const uint8_t *)"application/json", 16},
        {(const uint8_t *)"application/x-www-form-urlencoded", 33},
        {(const uint8_t *)"text/html", 9},
        {(const uint8_t *)"text/plain", 10},
        {(const uint8_t *)"application/grpc", 16},
    };
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (gd_span_equal(value, usual[i]))
            return usual[i];
    }
    return gd_span(NULL, 0);
}

void gd_media_type_parse(struct guard_span value, struct guard_arena *arena,
                         struct gd_media_type *out)
{
    *out = (struct gd_media_type){.type = usual_type(value)};
    if (out->type.len > 0)
        return;
    value = gd_span_trim(value);
    if (value.len == 0)
        return;
    size_t end = gd_span_find(value, ';');
    struct guard_span type = gd_span_trim(gd_span_head(value, end));
    size_t slash = gd_span_find(type, '/');
    uint8_t *lower = NULL;
    if (gd_is_token(gd_span_head(type, slash)) && gd_is_token(gd_span_from(type, slash + 1)))
        lower = gd_arena_get(arena, type.len);
    out->malformed = lower == NULL;
    for (size_t i = 0; lower != NULL && i < type.len; i++)
        lower[i] = i == slash ? '/' : token_bytes[type.ptr[i]];
    if (lower != NULL)
        out->type = gd_span(lower, type.len);
    if (end < value.len)
        parse_parameters(gd_span_from(value, end), arena, out);
}

static bool is_type(struct guard_span type, const char *name)
{
    return gd_span_equal(type, gd_span(name, strlen(name)));
}

static bool ends_with(struct guard_span type, struct guard_span suffix)
{
    return type.len >= suffix.len &&
           gd_span_equal(gd_span_from(type, type.len - suffix.len), suffix);
}

static bool is_any(struct guard_span type, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_type(type, names[i]))
            return true;
    }
    return false;
}
#define IS_ANY(type, names) is_any(type, names, sizeof(names) / sizeof((names)[0]))

enum gd_protobuf_framing gd_body_framing(const struct gd_media_type *media)
{
    static const char *const grpc[] = {"application/grpc", "application/grpc+proto"};
    static const char *const web[] = {"application/grpc-web", "application/grpc-web+proto"};
    static const char *const text[] = {"application/grpc-web-text",
                                       "application/grpc-web-text+proto"};
    static const char *const bare[] = {"application/x-protobuf", "application/protobuf",
                                       "application/vnd.google.protobuf",
                                       "application/x-google-protobuf"};
    if (IS_ANY(media->type, grpc))
        return GD_PROTOBUF_GRPC;
    if (IS_ANY(media->type, web))
        return GD_PROTOBUF_GRPC_WEB;
    if (IS_ANY(media->type, text))
        return GD_PROTOBUF_GRPC_WEB_TEXT;
    return IS_ANY(media->type, bare) ? GD_PROTOBUF_BARE : GD_PROTOBUF_NONE;
}

/* gRPC frames hold what the suffix says. */
static enum guard_body_kind kind_of_grpc(const struct gd_media_type *media)
{
    return gd_body_framing(media) == GD_PROTOBUF_NONE ? GUARD_BODY_BYTES : GUARD_BODY_GRPC;
}

enum guard_body_kind gd_body_kind(const struct gd_media_type *media)
{
    struct guard_span grpc = GUARD_SPAN_LITERAL("application/grpc");
    struct guard_span type = media->type;
    if (type.len == 0)
        return GUARD_BODY_NONE;
    if (gd_span_equal(gd_span_head(type, grpc.len), grpc))
        return kind_of_grpc(media);
    if (is_type(type, "application/json") || is_type(type, "text/json") ||
        ends_with(type, GUARD_SPAN_LITERAL("+json")))
        return GUARD_BODY_JSON;
    if (is_type(type, "application/x-www-form-urlencoded"))
        return GUARD_BODY_FORM;
    if (is_type(type, "multipart/form-data") && media->boundary.len > 0)
        return GUARD_BODY_MULTIPART;
    if (is_type(type, "text/event-stream"))
        return GUARD_BODY_EVENTS;
    if (gd_span_equal(gd_span_head(type, 5), GUARD_SPAN_LITERAL("text/")) ||
        is_type(type, "application/xml") || ends_with(type, GUARD_SPAN_LITERAL("+xml")) ||
        is_type(type, "application/javascript") || is_type(type, "application/graphql"))
        return GUARD_BODY_TEXT;
    return GUARD_BODY_BYTES;
}
