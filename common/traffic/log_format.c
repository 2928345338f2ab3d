/* SPDX-License-Identifier: Apache-2.0 */
/* A format is a list of variables, each with the text behind it. Where a value ends isn't always
 * plain (a user's name may hold " ["), so other ends are tried until all of the line fits, within a
 * bound. */
#include "common/traffic/log_format.h"

#include "common/traffic/json_cursor.h"

#include <string.h>

enum { TRIALS_MAX = 4096 };

static const struct {
    const char *name;
    const char *text;
} known_formats[] = {
    {"combined", "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent "
                 "\"$http_referer\" \"$http_user_agent\""},
    {"main", "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent "
             "\"$http_referer\" \"$http_user_agent\" \"$http_x_forwarded_for\""},
    {"common", "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent"},
    {"vhost_combined",
     "$host:$server_port $remote_addr - $remote_user [$time_local] \"$request\" $status "
     "$body_bytes_sent \"$http_referer\" \"$http_user_agent\""},
};

const char *log_format_name(uint32_t idx)
{
    return idx < sizeof(known_formats) / sizeof(known_formats[0]) ? known_formats[idx].name : NULL;
}

static const struct {
    const char *name;
    enum log_variable variable;
} variables[] = {
    {"remote_addr", LOG_CLIENT},
    {"time_local", LOG_TIME_LOCAL},
    {"time_iso8601", LOG_TIME_ISO8601},
    {"msec", LOG_MSEC},
    {"request", LOG_REQUEST},
    {"request_method", LOG_METHOD},
    {"request_uri", LOG_REQUEST_URI},
    {"uri", LOG_URI},
    {"document_uri", LOG_URI},
    {"args", LOG_ARGS},
    {"query_string", LOG_ARGS},
    {"server_protocol", LOG_PROTOCOL},
    {"status", LOG_STATUS},
    {"request_time", LOG_REQUEST_TIME},
    {"upstream_response_time", LOG_UPSTREAM_TIME},
    {"request_id", LOG_REQUEST_ID},
    {"host", LOG_HOST},
    {"body_bytes_sent", LOG_NUMBER},
    {"bytes_sent", LOG_NUMBER},
    {"request_length", LOG_NUMBER},
    {"connection", LOG_NUMBER},
    {"connection_requests", LOG_NUMBER},
    {"remote_port", LOG_NUMBER},
    {"server_port", LOG_NUMBER},
    {"pid", LOG_NUMBER},
};

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool same(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static bool begins(struct guard_span text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && memcmp(text.ptr, word, len) == 0;
}

static bool add_byte(struct log_format *format, uint8_t byte)
{
    if (format->bytes_used == LOG_FORMAT_BYTES_MAX)
        return false;
    format->bytes[format->bytes_used++] = byte;
    return true;
}

/* "http_user_agent" is the header "user-agent". */
static bool header_name(struct log_format *format, struct log_piece *piece, struct guard_span name,
                        size_t prefix, enum log_variable variable)
{
    piece->variable = variable;
    piece->name.ptr = format->bytes + format->bytes_used;
    piece->name.len = name.len - prefix;
    for (size_t i = prefix; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        uint8_t lower = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        if (!add_byte(format, c == '_' ? '-' : lower))
            return false;
    }
    return true;
}

static bool name_variable(struct log_format *format, struct log_piece *piece,
                          struct guard_span name)
{
    piece->has_variable = true;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        if (same(name, variables[i].name)) {
            piece->variable = variables[i].variable;
            return true;
        }
    }
    if (begins(name, "http_") && name.len > 5)
        return header_name(format, piece, name, 5, LOG_REQUEST_HEADER);
    if (begins(name, "sent_http_") && name.len > 10)
        return header_name(format, piece, name, 10, LOG_RESPONSE_HEADER);
    return true;
}

/* Two variables side by side can only be told apart when the first has a form of its own. */
static bool has_form(enum log_variable variable)
{
    return variable != LOG_OTHER && variable != LOG_REQUEST && variable != LOG_REQUEST_HEADER &&
           variable != LOG_RESPONSE_HEADER && variable != LOG_ARGS;
}

static enum guard_rc take_variable(struct log_format *format, struct guard_span text, size_t *at,
                                   struct guard_err *err)
{
    struct log_piece *last = &format->pieces[format->count - 1];
    size_t from = *at + 1;
    bool braces = from < text.len && text.ptr[from] == '{';
    from += braces;
    size_t to = from;
    while (to < text.len && is_word(text.ptr[to]))
        to++;
    if (to == from || (braces && (to == text.len || text.ptr[to] != '}')))
        return guard_fail(err, GUARD_E_SYNTAX, "byte %zu: \"$\" without a variable's name",
                          *at + 1);
    if (last->has_variable && last->literal.len == 0 && !has_form(last->variable))
        return guard_fail(err, GUARD_E_SYNTAX,
                          "byte %zu: the variable follows another one that has no end", *at + 1);
    if (format->count == LOG_PIECES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "more than %d variables", LOG_PIECES_MAX - 1);
    struct log_piece *piece = &format->pieces[format->count++];
    struct guard_span name = {text.ptr + from, to - from};
    *piece = (struct log_piece){.has_variable = false};
    if (!name_variable(format, piece, name))
        return guard_fail(err, GUARD_E_LIMIT, "longer than %d bytes", LOG_FORMAT_BYTES_MAX);
    piece->literal = (struct guard_span){format->bytes + format->bytes_used, 0};
    *at = to + braces;
    return GUARD_OK;
}

static enum guard_rc take_literal(struct log_format *format, uint8_t byte, struct guard_err *err)
{
    if (!add_byte(format, byte))
        return guard_fail(err, GUARD_E_LIMIT, "longer than %d bytes", LOG_FORMAT_BYTES_MAX);
    format->pieces[format->count - 1].literal.len++;
    return GUARD_OK;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct guard_span trim(struct guard_span text)
{
    while (text.len > 0 && blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && (blank(text.ptr[text.len - 1]) || text.ptr[text.len - 1] == ';'))
        text.len--;
    return text;
}

static struct guard_span take_escape(struct log_format *format, struct guard_span text)
{
    static const struct {
        const char *word;
        enum log_escape escape;
    } words[] = {{"escape=default", LOG_ESCAPE_DEFAULT},
                 {"escape=json", LOG_ESCAPE_JSON},
                 {"escape=none", LOG_ESCAPE_NONE}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i].word);
        if (begins(text, words[i].word) && text.len > len && blank(text.ptr[len])) {
            format->escape = words[i].escape;
            return trim((struct guard_span){text.ptr + len, text.len - len});
        }
    }
    return text;
}

/* True when text is what a configuration file holds: parts in single quotes, blanks between. */
static bool is_quoted(struct guard_span text)
{
    return text.len >= 2 && text.ptr[0] == '\'' && text.ptr[text.len - 1] == '\'';
}

static enum guard_rc take_text(struct log_format *format, struct guard_span text,
                               struct guard_err *err)
{
    bool quoted = is_quoted(text);
    bool inside = !quoted;
    for (size_t at = 0; at < text.len;) {
        uint8_t c = text.ptr[at];
        bool escaped =
            quoted && inside && c == '\\' && at + 1 < text.len &&
            (text.ptr[at + 1] == '\'' || text.ptr[at + 1] == '\\' || text.ptr[at + 1] == '"');
        if (quoted && c == '\'') {
            inside = !inside;
            at++;
        } else if (!inside) {
            if (!blank(c))
                return guard_fail(err, GUARD_E_SYNTAX, "byte %zu: text outside of the quotes",
                                  at + 1);
            at++;
        } else if (c == '$') {
            GUARD_TRY(take_variable(format, text, &at, err));
        } else {
            GUARD_TRY(take_literal(format, text.ptr[at + escaped], err));
            at += 1u + escaped;
        }
    }
    return inside == quoted ? guard_fail(err, GUARD_E_SYNTAX, "a quote isn't closed") : GUARD_OK;
}

static bool tells_request(const struct log_format *format)
{
    for (uint32_t i = 0; i < format->count; i++) {
        const struct log_piece *piece = &format->pieces[i];
        if (piece->has_variable && (piece->variable == LOG_REQUEST || piece->variable == LOG_URI ||
                                    piece->variable == LOG_REQUEST_URI))
            return true;
    }
    return false;
}

enum guard_rc log_format_read(struct log_format *out, struct guard_span text, struct guard_err *err)
{
    memset(out, 0, sizeof(*out));
    text = trim(text);
    for (size_t i = 0; i < sizeof(known_formats) / sizeof(known_formats[0]); i++) {
        if (same(text, known_formats[i].name))
            text = (struct guard_span){(const uint8_t *)known_formats[i].text,
                                       strlen(known_formats[i].text)};
    }
    text = take_escape(out, text);
    out->count = 1; /* what stands before the first variable */
    out->pieces[0].literal.ptr = out->bytes;
    GUARD_TRY(take_text(out, text, err));
    if (!tells_request(out))
        return guard_fail(err, GUARD_E_SYNTAX,
                          "it has neither $request nor $request_uri: no request can be read of it");
    return GUARD_OK;
}

static bool number_like(struct guard_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if ((c < '0' || c > '9') && c != '.' && c != '-' && c != ',' && c != ' ' && c != ':')
            return false;
    }
    return true;
}

static bool has_any(struct guard_span value, const char *bytes)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != '\0' && strchr(bytes, value.ptr[i]) != NULL)
            return true;
    }
    return false;
}

/* Whether a value has the form that its variable always has. */
static bool fits(enum log_variable variable, struct guard_span value)
{
    switch (variable) {
    case LOG_CLIENT:
        return value.len > 0 && !has_any(value, " \"[]");
    case LOG_TIME_LOCAL:
        return value.len == 26 && value.ptr[11] == ':' && value.ptr[20] == ' ';
    case LOG_TIME_ISO8601:
        return value.len >= 19 && value.ptr[10] == 'T' && !has_any(value, " ");
    case LOG_STATUS:
        return value.len == 3 && number_like(value) && !has_any(value, ".-, :");
    case LOG_MSEC:
    case LOG_REQUEST_TIME:
        return number_like(value) && !has_any(value, " ,:");
    case LOG_UPSTREAM_TIME:
        return number_like(value);
    case LOG_NUMBER:
        return number_like(value) && !has_any(value, " ,:");
    case LOG_HOST:
        return !has_any(value, " /?#");
    case LOG_METHOD:
    case LOG_PROTOCOL:
        return !has_any(value, " /\"") || begins(value, "HTTP/");
    case LOG_REQUEST_URI:
    case LOG_URI:
        return value.len == 0 || has_any((struct guard_span){value.ptr, 1}, "/*-") ||
               begins(value, "http");
    case LOG_REQUEST_ID:
    case LOG_ARGS:
        return !has_any(value, " ");
    case LOG_OTHER:
    case LOG_REQUEST:
    case LOG_REQUEST_HEADER:
    case LOG_RESPONSE_HEADER:
    default:
        return true;
    }
}

/* A backslash before the end says that the quote belongs to the value. */
static bool ends_escaped(struct guard_span value)
{
    size_t count = 0;
    while (count < value.len && value.ptr[value.len - 1 - count] == '\\')
        count++;
    return count % 2 == 1;
}

/* A value in quotes ends at the first one that isn't escaped. */
static bool is_quoted_piece(const struct log_format *format, uint32_t piece)
{
    struct guard_span before = format->pieces[piece - 1].literal;
    struct guard_span behind = format->pieces[piece].literal;
    return format->escape != LOG_ESCAPE_NONE && before.len > 0 && behind.len > 0 &&
           before.ptr[before.len - 1] == '"' && behind.ptr[0] == '"';
}

static bool holds_quote(struct guard_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"')
            return true;
        i += value.ptr[i] == '\\';
    }
    return false;
}

struct matching {
    const struct log_format *format;
    struct guard_span line;
    struct guard_span *values;
    uint32_t trials;
};

/* Finds the next end of the value of piece that begins at from, at or behind *to. */
static bool next_end(const struct matching *matching, uint32_t piece, size_t from, size_t *to)
{
    struct guard_span literal = matching->format->pieces[piece].literal;
    struct guard_span line = matching->line;
    bool last = piece + 1 == matching->format->count;
    if (last) { /* the end of the line is the end of the value */
        size_t end = line.len < literal.len ? 0 : line.len - literal.len;
        if (line.len < literal.len || *to > end || end < from)
            return false;
        *to = end;
        return literal.len == 0 || memcmp(line.ptr + end, literal.ptr, literal.len) == 0;
    }
    if (literal.len == 0)
        return *to <= line.len;
    if (*to >= line.len)
        return false;
    const uint8_t *found = memmem(line.ptr + *to, line.len - *to, literal.ptr, literal.len);
    if (found == NULL)
        return false;
    *to = (size_t)(found - line.ptr);
    return true;
}

/* Depth first over the ends of the values, without recursion: ends[i] is the end that is tried for
 * piece i. */
static bool search(struct matching *matching, size_t start)
{
    size_t froms[LOG_PIECES_MAX];
    size_t ends[LOG_PIECES_MAX];
    const struct log_format *format = matching->format;
    uint32_t piece = 1;
    froms[1] = start;
    ends[1] = start;
    while (piece > 0 && piece < format->count) {
        if (++matching->trials > TRIALS_MAX)
            return false;
        struct guard_span value = {matching->line.ptr + froms[piece], 0};
        if (next_end(matching, piece, froms[piece], &ends[piece]))
            value.len = ends[piece] - froms[piece];
        else
            value.ptr = NULL;
        if (value.ptr == NULL || (is_quoted_piece(format, piece) && holds_quote(value))) {
            piece--;
            continue;
        }
        size_t behind = ends[piece] + format->pieces[piece].literal.len;
        ends[piece]++; /* where to go on when this one doesn't do */
        bool good = fits(format->pieces[piece].variable, value) &&
                    (format->escape == LOG_ESCAPE_NONE || !ends_escaped(value));
        if (!good)
            continue;
        matching->values[piece] = value;
        piece++;
        if (piece < format->count) {
            froms[piece] = behind;
            ends[piece] = behind;
        }
    }
    return piece == format->count;
}

bool log_format_match(const struct log_format *format, struct guard_span line,
                      struct guard_span values[LOG_PIECES_MAX])
{
    struct guard_span head = format->pieces[0].literal;
    struct matching matching = {.format = format, .line = line, .values = values};
    if (line.len < head.len || (head.len > 0 && memcmp(line.ptr, head.ptr, head.len) != 0))
        return false;
    values[0] = (struct guard_span){NULL, 0};
    return search(&matching, head.len);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* nginx writes \x22 for what could end a value; Apache writes \" and C's letters as well. */
static size_t unescape_default(uint8_t *out, struct guard_span value)
{
    static const char letters[] = "\"\\nrtbfv";
    static const char bytes[] = "\"\\\n\r\t\b\f\v";
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        out[len++] = value.ptr[i];
        if (value.ptr[i] != '\\' || i + 1 == value.len || value.ptr[i + 1] == '\0')
            continue;
        const char *found = strchr(letters, value.ptr[i + 1]);
        int high = i + 3 < value.len ? hex_digit(value.ptr[i + 2]) : -1;
        int low = i + 3 < value.len ? hex_digit(value.ptr[i + 3]) : -1;
        if (found != NULL) {
            out[len - 1] = (uint8_t)bytes[found - letters];
            i++;
        } else if (value.ptr[i + 1] == 'x' && high >= 0 && low >= 0) {
            out[len - 1] = (uint8_t)(high << 4 | low);
            i += 3;
        }
    }
    return len;
}

size_t log_unescape(uint8_t *out, struct guard_span value, enum log_escape escape)
{
    if (escape == LOG_ESCAPE_JSON)
        return json_unescape(out, value);
    if (escape == LOG_ESCAPE_DEFAULT)
        return unescape_default(out, value);
    memcpy(out, value.ptr, value.len);
    return value.len;
}
