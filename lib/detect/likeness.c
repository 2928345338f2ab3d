/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over the text, which asks the recognisers at the bytes and words that can begin what
 * they know. Most words begin nothing: their first letter and length say so. */
#include "detect/likeness.h"

#include "base/span.h"
#include "detect/likeness_text.h"

enum { WORDS_SQL, WORDS_SCRIPT, WORDS_SHELL, WORDS_CODE, WORDS_KINDS };

/* By first letter (then '_', then digits): bit per length that a keyword has. The test of keywords
 * in test_likeness.c fails when one is missing here. */
static const uint32_t lengths[WORDS_KINDS][28] = {
    {0x8428, 0x280,   0x258, 0xad0, 0x1000, 0x0,   0x1020, 0x140, 0x40040, 0x0,
     0x0,    0x4200,  0x20,  0x0,   0x24,   0x780, 0x0,    0x400, 0x2c60,  0x100,
     0xf60,  0x40080, 0xa0,  0xc88, 0x0,    0x0,   0x0,    0x0},
    {0x20, 0x0,  0x80, 0x110, 0x10,  0x0, 0x0, 0x0,   0x0, 0x400, 0x0, 0x0, 0x0, 0x0,
     0x0,  0x40, 0x0,  0x0,   0x440, 0x0, 0x0, 0x100, 0x0, 0x0,   0x0, 0x0, 0x0, 0x0},
    {0x0, 0x10,  0x88, 0x8, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0,
     0x0, 0x400, 0x0,  0x0, 0x4, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x8, 0x0, 0x2},
    {0x8000040, 0x20008000, 0x2800, 0x0, 0x110,   0x400,  0x400,   0x0,  0x40080, 0x4010,
     0x0,       0x0,        0x400,  0x0, 0x40000, 0x47a0, 0x0,     0xc0, 0x80640, 0x82010,
     0x0,       0x0,        0x8000, 0x0, 0x200,   0x0,    0x17f80, 0x0},
};

static void word_at(struct gd_likeness_text *text, size_t at, size_t end)
{
    uint8_t first = text->bytes[at];
    size_t len = end - at < 31 ? end - at : 31;
    uint32_t slot = gd_lk_letter(first) ? first - 'a' : first == '_' ? 26 : 27;
    if (first >= 0x80)
        return;
    uint32_t any = lengths[WORDS_SQL][slot] | lengths[WORDS_SCRIPT][slot] |
                   lengths[WORDS_SHELL][slot] | lengths[WORDS_CODE][slot];
    if ((any >> len & 1) == 0)
        return;
    if (lengths[WORDS_SQL][slot] >> len & 1)
        gd_likeness_sql_word(text, at, end);
    if (lengths[WORDS_SCRIPT][slot] >> len & 1)
        gd_likeness_script_word(text, at, end);
    if (lengths[WORDS_SHELL][slot] >> len & 1)
        gd_likeness_shell_word(text, at, end);
    if (lengths[WORDS_CODE][slot] >> len & 1)
        gd_likeness_code_word(text, at, end);
}

/* Parentheses: what the value closes without having opened it. */
struct walk {
    uint32_t open;
};

static void quote_at(struct gd_likeness_text *text, size_t at)
{
    enum { LOOKS = 8 };
    uint8_t quote = text->bytes[at];
    (void)gd_lk_burn(text, LOOKS);
    gd_likeness_sql_quote(text, at);
    gd_likeness_script_quote(text, at);
    gd_likeness_xpath(text, at);
    if (quote == '`')
        gd_likeness_shell(text, at);
    bool *opened = &text->opened[quote == '\'' ? 0 : quote == '"' ? 1 : 2];
    /* A backslash keeps a quote from ending a string. */
    *opened = !*opened;
}

static void parenthesis_at(struct gd_likeness_text *text, size_t at, struct walk *walk)
{
    if (text->bytes[at] == '(') {
        walk->open++;
        gd_likeness_sql_parenthesis(text, at);
        gd_likeness_xpath(text, at);
        return;
    }
    gd_likeness_ldap(text, at, walk->open == 0);
    walk->open -= walk->open > 0;
}

static void byte_at(struct gd_likeness_text *text, size_t at, struct walk *walk)
{
    uint8_t next = gd_lk_at(text, at + 1);
    switch (text->bytes[at]) {
    case '\'':
    case '"':
    case '`':
        quote_at(text, at);
        break;
    case '<':
        gd_likeness_markup(text, at);
        break;
    case '\n':
        gd_likeness_break(text, at);
        gd_likeness_shell(text, at);
        break;
    case ';':
        gd_likeness_sql_semicolon(text, at);
        gd_likeness_shell(text, at);
        break;
    case '|':
    case '&':
        gd_likeness_shell(text, at);
        break;
    case '$':
        gd_likeness_shell(text, at);
        gd_likeness_expression(text, at);
        gd_likeness_nosql(text, at);
        break;
    case '{':
    case '#':
        gd_likeness_expression(text, at);
        break;
    case '*':
    case '%':
        if (next == '{')
            gd_likeness_expression(text, at);
        else if (text->bytes[at] == '%')
            gd_likeness_format(text, at);
        break;
    case '(':
    case ')':
        parenthesis_at(text, at, walk);
        break;
    case '.':
        if (next == '.')
            gd_likeness_path_dots(text, at);
        break;
    case '/':
    case '\\':
        gd_likeness_path_slash(text, at);
        break;
    case ':':
        if (gd_lk_is(text, at, "://"))
            gd_likeness_url(text, at);
        else if (next == ':')
            gd_likeness_xpath(text, at);
        break;
    default:
        break;
    }
}

static void walk_text(struct gd_likeness_text *text)
{
    struct walk walk = {0};
    for (size_t at = 0; at < text->len && text->fuel > 0;) {
        if (gd_lk_word(text->bytes[at])) {
            size_t end = at + 1;
            while (end < text->len && gd_lk_word(text->bytes[end]))
                end++;
            /* Comments that a dialect executes begin with its version. */
            if (at >= 3 && gd_lk_is(text, at - 3, "/*!")) {
                while (at + 1 < end && gd_lk_digit(text->bytes[at]))
                    at++;
            }
            word_at(text, at, end);
            at = end;
            continue;
        }
        if (gd_lk_kinds[text->bytes[at]] & GD_LK_IS_ASKED)
            byte_at(text, at, &walk);
        at++;
    }
}

static void look(struct gd_likeness_text *text, struct guard_span value)
{
    gd_likeness_text_fill(text, value);
    text->opened[0] = text->opened[1] = text->opened[2] = false;
    walk_text(text);
    gd_likeness_object(text);
    if (text->nulls && text->printable && text->len > 1 && text->len < 512)
        gd_likeness_hit(text, GUARD_CONSTRUCT_FORMAT_NULL);
}

static int base64_digit(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' || byte == '-' ? 62 : byte == '/' || byte == '_' ? 63 : -1;
}

enum { BASE64_MIN = 12, BASE64_MAX = 1024 };

/* Text in base64: how many bytes of `out` it fills, 0 when it isn't. */
static size_t base64_text(struct guard_span value, uint8_t out[BASE64_MAX])
{
    uint32_t bits = 0;
    uint32_t have = 0;
    size_t len = 0;
    while (value.len > 0 && value.ptr[value.len - 1] == '=')
        value.len--;
    if (value.len < BASE64_MIN || value.len % 4 == 1)
        return 0;
    for (size_t i = 0; i < value.len && len < BASE64_MAX; i++) {
        int digit = base64_digit(value.ptr[i]);
        if (digit < 0)
            return 0;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        uint8_t byte = (uint8_t)(bits >> have);
        if ((byte < ' ' && byte != '\n' && byte != '\r' && byte != '\t') || byte >= 0x7f)
            return 0;
        out[len++] = byte;
    }
    return len;
}

void gd_likeness_of(struct guard_span value, struct gd_likeness *out)
{
    gd_likeness_of_but(value, 0, out);
}

void gd_likeness_of_but(struct guard_span value, uint32_t without, struct gd_likeness *out)
{
    struct gd_likeness_text text GD_LK_UNINITIALIZED;
    uint8_t decoded[BASE64_MAX] GD_LK_UNINITIALIZED;
    *out = (struct gd_likeness){0};
    text.out = out;
    text.without = without;
    size_t len = base64_text(value, decoded);
    if (len > 0)
        look(&text, gd_span(decoded, len));
    look(&text, value);
}

void gd_likeness_of_name(struct guard_span name, uint32_t without, struct gd_likeness *out)
{
    struct gd_likeness_text text GD_LK_UNINITIALIZED;
    *out = (struct gd_likeness){0};
    text.out = out;
    text.without = without;
    look(&text, gd_span_head(name, GD_LIKENESS_NAME));
    /* An operator or prototype may be the whole name. */
    if (gd_lk_at(&text, 0) == '$' && gd_lk_word_end(&text, 1) == text.len) {
        uint8_t quoted[GD_LIKENESS_NAME + 4] = "[";
        size_t len = text.len < GD_LIKENESS_NAME ? text.len : GD_LIKENESS_NAME;
        memcpy(quoted + 1, text.bytes, len);
        quoted[len + 1] = ']';
        look(&text, gd_span(quoted, len + 2));
    }
}

uint32_t guard_likeness_read(struct guard_span text, bool is_name, enum guard_construct *construct)
{
    struct gd_likeness likeness;
    if (is_name)
        gd_likeness_of_name(text, 0, &likeness);
    else
        gd_likeness_of(text, &likeness);
    *construct = likeness.construct;
    return likeness.classes;
}
