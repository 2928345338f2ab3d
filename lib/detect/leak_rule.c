/* SPDX-License-Identifier: Apache-2.0 */
/* The surroundings of words. Each rule reads within its place only, so that the answer is the same
 * however the body was cut, and knows that in JSON a quote is \" and a line end \n. */
#include "detect/leak_rule.h"

#include "base/span.h"

static bool digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool upper(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static bool letter(uint8_t byte)
{
    return upper(byte & 0xdf);
}

static bool alnum(uint8_t byte)
{
    return letter(byte) || digit(byte);
}

static bool blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Of classes, methods and variables, dotted. */
static bool name_byte(uint8_t byte)
{
    return alnum(byte) || byte == '_' || byte == '.' || byte == '$';
}

/* As name_byte, and what Java writes between: a module's '/' and '@', '<init>', '-'. */
static bool method_byte(uint8_t byte)
{
    return name_byte(byte) || byte == '<' || byte == '>' || byte == '/' || byte == '@' ||
           byte == '-';
}

static bool path_byte(uint8_t byte)
{
    return byte > ' ' && byte != '"' && byte != '(' && byte != '<' && byte != '>';
}

static bool secret_byte(uint8_t byte)
{
    return alnum(byte) || byte == '_' || byte == '-';
}

static bool base64_byte(uint8_t byte)
{
    return alnum(byte) || byte == '+' || byte == '/' || byte == '=';
}

static bool crypt_byte(uint8_t byte)
{
    return alnum(byte) || byte == '.' || byte == '/' || byte == '$' || byte == '=' || byte == ',' ||
           byte == '\\';
}

/* 0 where nothing can be read. */
static uint8_t at(const struct gd_leak_place *place, size_t i)
{
    return i < place->high ? place->text[i] : 0;
}

static uint8_t before(const struct gd_leak_place *place, size_t i)
{
    return i > place->low ? place->text[i - 1] : 0;
}

static size_t forward(const struct gd_leak_place *place, size_t i, bool (*is)(uint8_t))
{
    while (i < place->high && is(place->text[i]))
        i++;
    return i;
}

static size_t backward(const struct gd_leak_place *place, size_t i, bool (*is)(uint8_t))
{
    while (i > place->low && is(place->text[i - 1]))
        i--;
    return i;
}

static bool text_at(const struct gd_leak_place *place, size_t i, const char *text)
{
    size_t len = strlen(text);
    return i <= place->high && place->high - i >= len && memcmp(place->text + i, text, len) == 0;
}

static bool text_before(const struct gd_leak_place *place, size_t i, const char *text)
{
    size_t len = strlen(text);
    return i - place->low >= len && memcmp(place->text + i - len, text, len) == 0;
}

/* Does the text before i end with a letter that belongs to the escape of a blank or line end? */
static bool escape_before(const struct gd_leak_place *place, size_t i)
{
    uint8_t last = before(place, i);
    return (last == 'n' || last == 'r' || last == 't') && i > place->low + 1 &&
           place->text[i - 2] == '\\';
}

static bool blank_before(const struct gd_leak_place *place, size_t i)
{
    return blank(before(place, i)) || escape_before(place, i) || text_before(place, i, "&nbsp;");
}

static bool line_before(const struct gd_leak_place *place, size_t i)
{
    uint8_t last = before(place, i);
    return last == '\n' || last == '\r' || last == '"' || (escape_before(place, i) && last != 't');
}

/* Behind an optional quote, escaped or not; i when there is none. */
static size_t quote_at(const struct gd_leak_place *place, size_t i)
{
    size_t quote = at(place, i) == '\\' ? i + 1 : i;
    if (at(place, quote) == '"' || at(place, quote) == '\'')
        return quote + 1;
    return text_at(place, i, "&quot;") ? i + 6 : text_at(place, i, "&#34;") ? i + 5 : i;
}

static size_t quote_before(const struct gd_leak_place *place, size_t i)
{
    if (before(place, i) != '"')
        return i;
    return text_before(place, i, "\\\"") ? i - 2 : i - 1;
}

/* Behind blanks and line ends as text, JSON and HTML have them. */
static size_t skip_blanks(const struct gd_leak_place *place, size_t i)
{
    for (;;) {
        if (blank(at(place, i)))
            i++;
        else if (text_at(place, i, "\\n") || text_at(place, i, "\\r") || text_at(place, i, "\\t"))
            i += 2;
        else if (text_at(place, i, "<br>"))
            i += 4;
        else if (text_at(place, i, "<br />"))
            i += 6;
        else
            return i;
    }
}

static bool fits_call(const struct gd_leak_place *place)
{
    size_t end = forward(place, place->end, name_byte);
    return end > place->end && at(place, end) == '(';
}

/* A name that is all that follows: in prose, something else follows too. */
static bool fits_name(const struct gd_leak_place *place)
{
    size_t end = forward(place, place->end, name_byte);
    uint8_t next = at(place, end);
    return end > place->end && (next == 0 || next == '\n' || next == '\r' || next == '\\' ||
                                next == '"' || next == '<' || next == '\'' || next == ')');
}

static bool fits_class(const struct gd_leak_place *place)
{
    static const char *const names[] = {"Error", "Exception", "Violation", "Failure", "Driver"};
    size_t end = forward(place, place->end, name_byte);
    size_t begin = place->begin;
    if (name_byte(before(place, begin)) && !escape_before(place, begin))
        return false;
    struct guard_span name = gd_span(place->text + place->end, end - place->end);
    for (size_t i = 0; i < name.len; i++)
        for (size_t n = 0; n + 1 < sizeof(names) / sizeof(names[0]); n++)
            if (text_at(place, place->end + i, names[n]))
                return true;
    /* psycopg2.errors.UndefinedTable, PG::UndefinedTable */
    return upper(at(place, place->end)) && name.len > 8 &&
           (text_before(place, place->end, "psycopg2.errors.") ||
            text_before(place, place->end, "PG::"));
}

static bool fits_python(const struct gd_leak_place *place)
{
    size_t digits = forward(place, place->end, digit);
    size_t end = before(place, place->begin) == '\\' ? place->begin - 1 : place->begin;
    size_t begin = end;
    if (digits == place->end || !text_at(place, digits, ", in "))
        return false;
    while (begin > place->low && place->text[begin - 1] != '"' && place->text[begin - 1] >= ' ')
        begin--;
    return text_before(place, quote_before(place, begin), "File ");
}

/* "at a.b.C.method" before i. */
static bool jvm_method_before(const struct gd_leak_place *place, size_t i)
{
    size_t begin = backward(place, i, method_byte);
    return i > begin && memchr(place->text + begin, '.', i - begin) != NULL &&
           text_before(place, begin, "at ") && blank_before(place, begin - 3);
}

static bool fits_jvm_line(const struct gd_leak_place *place)
{
    size_t digits = forward(place, place->end, digit);
    size_t file = backward(place, place->begin, name_byte);
    return digits > place->end && at(place, digits) == ')' && file < place->begin &&
           before(place, file) == '(' && jvm_method_before(place, file - 1);
}

static bool fits_jvm_thread(const struct gd_leak_place *place)
{
    size_t name = quote_at(place, place->end);
    if (name == place->end)
        return false;
    size_t end = name;
    while (end < place->high && place->text[end] != '"' && place->text[end] >= ' ')
        end++;
    return at(place, end) == '"' && text_at(place, end + 1, " ") &&
           forward(place, end + 2, name_byte) > end + 2;
}

static bool fits_jvm_cause(const struct gd_leak_place *place)
{
    size_t end = forward(place, place->end, name_byte);
    return (at(place, end) == ':' || at(place, end) == '\n' || at(place, end) == '\\') &&
           memchr(place->text + place->end, '.', end - place->end) != NULL &&
           (text_before(place, end, "Exception") || text_before(place, end, "Error"));
}

/* A path before i, and "at " or "at name (" before it. */
static bool v8_before(const struct gd_leak_place *place, size_t i)
{
    size_t begin = backward(place, i, path_byte);
    if (text_before(place, begin, "at "))
        return blank_before(place, begin - 3);
    if (text_before(place, begin, "at async "))
        return true;
    if (!text_before(place, begin, " ("))
        return false;
    for (size_t name = begin - 2; name > place->low + 3; name--) {
        uint8_t last = place->text[name - 1];
        if (last < ' ' || last == '(' || last == '"')
            return false;
        if (text_before(place, name, "at ") && blank_before(place, name - 3))
            return true;
    }
    return false;
}

static bool fits_v8(const struct gd_leak_place *place)
{
    size_t line = forward(place, place->end, digit);
    size_t column = forward(place, line + 1, digit);
    return line > place->end && at(place, line) == ':' && column > line + 1 &&
           v8_before(place, place->begin);
}

static bool fits_go_routine(const struct gd_leak_place *place)
{
    size_t digits = forward(place, place->end, digit);
    if (digits == place->end || !text_at(place, digits, " ["))
        return false;
    size_t end = digits + 2;
    while (end < place->high && place->text[end] != ']' && place->text[end] >= ' ')
        end++;
    return text_at(place, end, "]:");
}

static bool fits_php_trace(const struct gd_leak_place *place)
{
    size_t frame = skip_blanks(place, place->end);
    return frame > place->end && text_at(place, frame, "#0 ");
}

static bool fits_php_frame(const struct gd_leak_place *place)
{
    size_t digits = forward(place, place->end, digit);
    size_t path = backward(place, place->begin, path_byte);
    if (digits == place->end || !text_at(place, digits, "): ") || before(place, path) != ' ')
        return false;
    size_t number = backward(place, path - 1, digit);
    return number < path - 1 && before(place, number) == '#';
}

static bool fits_oracle(const struct gd_leak_place *place)
{
    size_t end = forward(place, place->end, digit);
    return end == place->end + 5 && at(place, end) == ':' &&
           (!alnum(before(place, place->begin)) || escape_before(place, place->begin));
}

static bool fits_sqlstate(const struct gd_leak_place *place)
{
    size_t end = forward(place, place->end, alnum);
    return end == place->end + 5 && at(place, end) == ']';
}

/* A quoted name before i, the closing quote not included; returns where its opening quote begins,
 * or 0. */
static size_t quoted_before(const struct gd_leak_place *place, size_t i)
{
    size_t end = before(place, i) == '\\' ? i - 1 : i;
    size_t begin = end;
    while (begin > place->low && end - begin < 64 && place->text[begin - 1] >= ' ' &&
           place->text[begin - 1] != '"')
        begin--;
    return begin < end && before(place, begin) == '"' ? quote_before(place, begin) : 0;
}

static bool fits_near(const struct gd_leak_place *place)
{
    size_t begin = quoted_before(place, place->begin);
    return begin > 0 && text_before(place, begin, "near ");
}

static bool fits_exist(const struct gd_leak_place *place)
{
    static const char *const things[] = {"relation ", "column ", "database ",
                                         "role ",     "type ",   "schema "};
    size_t begin = quoted_before(place, place->begin);
    for (size_t i = 0; begin > 0 && i < sizeof(things) / sizeof(things[0]); i++)
        if (text_before(place, begin, things[i]))
            return true;
    return false;
}

/* The beginning of a key, and not only its label: documents show that. */
static bool fits_pem(const struct gd_leak_place *place)
{
    size_t label = place->begin;
    while (label > place->low && (upper(place->text[label - 1]) || place->text[label - 1] == ' '))
        label--;
    if (!text_before(place, label, "-----") || !text_at(place, label, "BEGIN "))
        return false;
    size_t body = skip_blanks(place, place->end);
    if (text_at(place, body, "Proc-Type:") || text_at(place, body, "Version: ") ||
        text_at(place, body, "Comment: "))
        return true;
    return forward(place, body, base64_byte) >= body + 16;
}

static bool secret_begins(const struct gd_leak_place *place)
{
    uint8_t last = before(place, place->begin);
    return (!alnum(last) && last != '_') || escape_before(place, place->begin);
}

static bool fits_aws(const struct gd_leak_place *place)
{
    size_t end = place->end;
    while (end < place->high && (upper(place->text[end]) || digit(place->text[end])))
        end++;
    /* The documents' own key ends with EXAMPLE. */
    return end == place->end + 16 && !secret_byte(at(place, end)) && secret_begins(place) &&
           !text_before(place, end, "EXAMPLE") && !text_before(place, end, "XXXX");
}

/* At least so many bytes, letters and digits: placeholders have no digits. */
static bool fits_token(const struct gd_leak_place *place, size_t least)
{
    size_t end = forward(place, place->end, secret_byte);
    unsigned letters = 0;
    unsigned digits = 0;
    for (size_t i = place->end; i < end; i++) {
        letters += letter(place->text[i]);
        digits += digit(place->text[i]);
    }
    return end - place->end >= least && letters > 0 && digits > 1 && secret_begins(place);
}

static bool fits_google(const struct gd_leak_place *place)
{
    return fits_token(place, 35) && !secret_byte(at(place, place->end + 35));
}

static bool account_begins(const struct gd_leak_place *place, size_t i)
{
    return line_before(place, i) || before(place, i) == '>';
}

/* Behind the ':' of the field before the one that ends at i; 0 when there is none. */
static size_t field_before(const struct gd_leak_place *place, size_t i)
{
    while (i > place->low && place->text[i - 1] != ':' && place->text[i - 1] >= ' ' &&
           place->text[i - 1] != '"' && place->text[i - 1] != '<')
        i--;
    return before(place, i) == ':' ? i : 0;
}

/* The word is ':' and the beginning of the shell: home, text, group and user go before it. */
static bool fits_account(const struct gd_leak_place *place)
{
    size_t home = field_before(place, place->begin);
    size_t text = home > 0 ? field_before(place, home - 1) : 0;
    size_t group = text > 0 ? field_before(place, text - 1) : 0;
    size_t user = group > 0 ? field_before(place, group - 1) : 0;
    if (user == 0 || (place->text[home] != '/' && place->text[home] != '\\'))
        return false;
    size_t lock = user - 1; /* "x", or a sign that nobody can log in */
    if (!digit(place->text[user]) || forward(place, user, digit) != group - 1 ||
        !digit(place->text[group]) || forward(place, group, digit) != text - 1)
        return false;
    if (before(place, lock) == 'x' || before(place, lock) == '*' || before(place, lock) == '!')
        lock--;
    return before(place, lock) == ':' && lock > place->low + 1 &&
           secret_byte(place->text[lock - 2]);
}

static bool fits_shadow(const struct gd_leak_place *place)
{
    size_t end = forward(place, place->end, crypt_byte);
    size_t name = backward(place, place->begin, secret_byte);
    /* The 'n' of an escaped line end isn't the name's. */
    if (before(place, name) == '\\' && name < place->begin)
        name++;
    return name < place->begin && account_begins(place, name) && end - place->end >= 24;
}

static bool fits_frame(enum gd_leak_rule rule, const struct gd_leak_place *place)
{
    switch ((int)rule) {
    case GD_LEAK_PYTHON:
        return fits_python(place);
    case GD_LEAK_JVM_LINE:
        return fits_jvm_line(place);
    case GD_LEAK_JVM_METHOD:
        return jvm_method_before(place, place->begin);
    case GD_LEAK_JVM_THREAD:
        return fits_jvm_thread(place);
    case GD_LEAK_JVM_CAUSE:
        return fits_jvm_cause(place);
    case GD_LEAK_V8:
        return fits_v8(place);
    case GD_LEAK_V8_INTERNAL:
        return v8_before(place, place->begin);
    case GD_LEAK_RUBY: {
        size_t digits = forward(place, place->end, digit);
        return digits > place->end &&
               (text_at(place, digits, ":in `") || text_at(place, digits, ":in '") ||
                text_at(place, digits, ":in &"));
    }
    case GD_LEAK_GO_LINE:
        return text_at(place, forward(place, place->end, digit), " +0x");
    case GD_LEAK_GO_ROUTINE:
        return fits_go_routine(place);
    case GD_LEAK_PHP_TRACE:
        return fits_php_trace(place);
    case GD_LEAK_PHP_FRAME:
        return fits_php_frame(place);
    default:
        return false;
    }
}

bool gd_leak_rule_fits(enum gd_leak_rule rule, const struct gd_leak_place *place)
{
    uint8_t next = at(place, place->end);
    switch ((int)rule) {
    case GD_LEAK_ALONE:
        return true;
    case GD_LEAK_DIGIT:
        return digit(next);
    case GD_LEAK_BLANK:
        return blank(next) || next == '\\';
    case GD_LEAK_CALL:
        return fits_call(place);
    case GD_LEAK_NAME:
        return fits_name(place);
    case GD_LEAK_QUOTED:
        return quote_at(place, place->end) > place->end;
    case GD_LEAK_CLASS:
        return fits_class(place);
    case GD_LEAK_LINE:
        return line_before(place, place->begin);
    case GD_LEAK_ORACLE:
        return fits_oracle(place);
    case GD_LEAK_SQLSTATE:
        return fits_sqlstate(place);
    case GD_LEAK_NEAR:
        return fits_near(place);
    case GD_LEAK_EXIST:
        return fits_exist(place);
    case GD_LEAK_PEM:
        return fits_pem(place);
    case GD_LEAK_AWS:
        return fits_aws(place);
    case GD_LEAK_GOOGLE:
        return fits_google(place);
    case GD_LEAK_TOKEN_20:
        return fits_token(place, 20);
    case GD_LEAK_TOKEN_36:
        return fits_token(place, 36);
    case GD_LEAK_ROOT:
        return account_begins(place, place->begin);
    case GD_LEAK_ACCOUNT:
        return fits_account(place);
    case GD_LEAK_SHADOW:
        return fits_shadow(place);
    default:
        return fits_frame(rule, place);
    }
}
