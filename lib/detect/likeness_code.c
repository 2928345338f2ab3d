/* SPDX-License-Identifier: Apache-2.0 */
/* What reads like expressions of templates and expression languages, lookups, operators of document
 * stores, ways to a prototype and serialised objects. After the manuals of the template languages,
 * JSR-341, OGNL, JNDI, the Java Object Serialization protocol, PHP's serialize, Python's pickle,
 * YAML 1.2. */
#include "detect/likeness_text.h"

enum { EXPRESSION_MAX = 160 };

/* What stands between the brackets. */
struct inside {
    size_t end; /* of the expression, 0: it doesn't end */
    bool call;
    bool arithmetic; /* two numbers and an operator, and nothing else */
    bool lookup;     /* a word and a colon */
    bool nested;
    bool internals; /* a class, T(, #context, @x@ */
};

static struct inside look_inside(struct gd_likeness_text *text, size_t at, const char *close)
{
    struct inside inside = {.end = gd_lk_find(text, at, close, EXPRESSION_MAX)};
    size_t end = inside.end != 0                   ? inside.end
                 : at + EXPRESSION_MAX < text->len ? at + EXPRESSION_MAX
                                                   : text->len;
    size_t digits = 0, operators = 0, others = 0, first_word = 0;
    for (size_t i = at; i < end && gd_lk_burn(text, 1); i++) {
        uint8_t byte = text->bytes[i];
        digits += gd_lk_digit(byte);
        operators += byte == '*' || byte == '+' || byte == '-' || byte == '/';
        others += gd_lk_word(byte) && !gd_lk_digit(byte);
        first_word += first_word == i - at && gd_lk_word(byte);
        inside.call |= byte == '(' && i > at && gd_lk_word(text->bytes[i - 1]);
        inside.nested |= byte == '{' && text->bytes[i - 1] == '$';
        inside.internals |= (byte == '#' || byte == '@') && gd_lk_word(gd_lk_at(text, i + 1)) &&
                            (i == at || !gd_lk_word(text->bytes[i - 1]));
        inside.internals |= byte == '_' && gd_lk_at(text, i + 1) == '_';
    }
    inside.arithmetic = digits >= 2 && operators > 0 && others == 0;
    inside.lookup = first_word > 0 && gd_lk_at(text, at + first_word) == ':';
    return inside;
}

static bool is_lookup(struct gd_likeness_text *text, size_t at)
{
    return gd_lk_in(text, at, GD_LK_LOOKUPS) || gd_lk_at(text, at) == ':';
}

/* "${...}" */
static void dollar_brace(struct gd_likeness_text *text, size_t at, bool dollar)
{
    size_t first = gd_lk_skip(text, at + 2);
    struct inside inside = look_inside(text, first, "}");
    if (dollar && gd_lk_is(text, first, "jndi:"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_LOOKUP_JNDI);
    else if (dollar && (inside.nested || gd_lk_is(text, first, "::-") ||
                        (inside.lookup && is_lookup(text, first))))
        gd_likeness_hit(text, GUARD_CONSTRUCT_LOOKUP_NESTED);
    else if (inside.end != 0 && inside.arithmetic)
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_ARITHMETIC);
    else if (inside.end != 0 && (inside.internals || gd_lk_is(text, first, "t(")))
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_INTERNALS);
    else if (inside.call && (inside.end != 0 || text->bytes[at] != '$'))
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_CALL);
}

/* "{{...}}", "{%...%}" */
static void braces(struct gd_likeness_text *text, size_t at)
{
    size_t first = gd_lk_skip(text, at + 2);
    bool tag = gd_lk_at(text, at + 1) == '%';
    if (tag) {
        first += gd_lk_at(text, first) == '-';
        if (gd_lk_find(text, first, "%}", EXPRESSION_MAX) != 0 && gd_lk_in(text, first, GD_LK_TAGS))
            gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_TAG);
        return;
    }
    struct inside inside = look_inside(text, first, "}}");
    if (inside.end == 0)
        return;
    if (inside.arithmetic)
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_ARITHMETIC);
    else if (inside.internals)
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_INTERNALS);
    else if (inside.call)
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_CALL);
}

/* "#set($x = 1)", "#{7*7}" */
void gd_likeness_expression(struct gd_likeness_text *text, size_t at)
{
    uint8_t byte = text->bytes[at];
    uint8_t next = gd_lk_at(text, at + 1);
    if (byte == '{') {
        if (next == '{' || next == '%')
            braces(text, at);
        return;
    }
    if (next == '{')
        dollar_brace(text, at, byte == '$');
    else if (byte == '#' && gd_lk_in(text, at + 1, GD_LK_DIRECTIVES) &&
             gd_lk_is(text, gd_lk_skip(text, gd_lk_word_end(text, at + 1)), "($"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_TAG);
}

static bool is_runtime(struct gd_likeness_text *text, size_t at, size_t end)
{
    uint8_t next = gd_lk_at(text, end);
    uint8_t first = gd_lk_at(text, gd_lk_skip(text, end + 1));
    uint8_t previous = at > 0 ? text->bytes[at - 1] : 0;
    if (gd_lk_in(text, at, GD_LK_RUNTIMES))
        return next == '(' || next == '.';
    if (gd_lk_in(text, at, GD_LK_RUNNERS))
        return next == '(' && (gd_lk_quote(first) || first == '$') &&
               (previous == 0 || previous == '.' || strchr(" ;|&({'\"@", previous) != NULL) &&
               gd_lk_find(text, end, ")", 64) != 0 &&
               (previous != '.' || !gd_lk_is_word(text, at, "require"));
    if (gd_lk_is_word(text, at, "child_process") || gd_lk_is_word(text, at, "mainmodule"))
        return true;
    return gd_lk_is_word(text, at, "java") &&
           (gd_lk_is(text, end, ".lang.runtime") || gd_lk_is(text, end, ".lang.processbuilder") ||
            gd_lk_is(text, end, ".lang.class") || gd_lk_is(text, end, ".lang.system"));
}

static void internals_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    if (gd_lk_in(text, at, GD_LK_INTERNALS) &&
        (gd_lk_at(text, end) == '.' || gd_lk_at(text, end) == '[' || gd_lk_at(text, end) == '(' ||
         gd_lk_quote(gd_lk_at(text, end))))
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_INTERNALS);
    else if (gd_lk_is_word(text, at, "freemarker") && gd_lk_is(text, end, ".template.utility"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_INTERNALS);
    else if (is_runtime(text, at, end))
        gd_likeness_hit(text, GUARD_CONSTRUCT_TEMPLATE_RUNTIME);
}

static void prototype_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    static const char *const ways[] = {".prototype",     "[prototype]",    "[\"prototype\"]",
                                       "['prototype']",  ".constructor",   "\"][\"prototype",
                                       "'][\"prototype", "'']['prototype", "][prototype"};
    if (gd_lk_in(text, at, GD_LK_PROTOTYPES)) {
        gd_likeness_hit(text, GUARD_CONSTRUCT_PROTOTYPE_NAME);
        return;
    }
    if (!gd_lk_is_word(text, at, "constructor"))
        return;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (gd_lk_is(text, end, ways[i]))
            gd_likeness_hit(text, GUARD_CONSTRUCT_PROTOTYPE_WAY);
    }
}

static void jndi_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    if (gd_lk_is_word(text, at, "jndi") && gd_lk_at(text, end) == ':' &&
        gd_lk_in(text, end + 1, GD_LK_JNDI_SCHEMES))
        gd_likeness_hit(text, GUARD_CONSTRUCT_LOOKUP_JNDI);
}

static void object_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    if (gd_lk_in(text, at, GD_LK_GADGETS))
        gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_TYPE);
    /* "@type":"a.b.C" and "$type":"A.B, C": a class with its package. */
    bool type = gd_lk_is_word(text, at, "type") && at > 0 &&
                (text->bytes[at - 1] == '@' || text->bytes[at - 1] == '$');
    if (type && gd_lk_quote(gd_lk_at(text, end))) {
        size_t value = gd_lk_skip(text, end + 1);
        value = gd_lk_at(text, value) == ':' ? gd_lk_skip(text, value + 1) : value;
        size_t name = gd_lk_word_end(text, value + 1);
        if (gd_lk_quote(gd_lk_at(text, value)) && gd_lk_at(text, name) == '.' &&
            gd_lk_in(text, value + 1, GD_LK_PACKAGES))
            gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_TYPE);
    }
}

/* "$ne" as a name: behind a bracket or quote, before one. */
void gd_likeness_nosql(struct gd_likeness_text *text, size_t at)
{
    size_t end = gd_lk_word_end(text, at + 1);
    uint8_t previous = at > 0 ? text->bytes[at - 1] : 0;
    uint8_t next = gd_lk_at(text, gd_lk_skip(text, end));
    if (!gd_lk_in(text, at + 1, GD_LK_OPERATORS))
        return;
    if ((previous == '[' && next == ']') || (gd_lk_quote(previous) && (next == previous)) ||
        ((previous == '{' || previous == ' ' || previous == ',') && next == ':' &&
         gd_lk_at(text, end) == ':'))
        gd_likeness_hit(text, GUARD_CONSTRUCT_NOSQL_OPERATOR);
}

static void nosql_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    /* "'; return true; var x='", "' || this.password ==" */
    size_t back = at;
    while (back > 0 && gd_lk_blank(text->bytes[back - 1]))
        back--;
    uint8_t previous = back > 0 ? text->bytes[back - 1] : 0;
    uint8_t earlier = back > 1 ? text->bytes[back - 2] : 0;
    bool code = gd_lk_is_word(text, at, "return") && previous == ';' &&
                (gd_lk_quote(earlier) || earlier == '}');
    code |= gd_lk_is_word(text, at, "this") && gd_lk_at(text, end) == '.' &&
            (previous == '|' || previous == '&') && earlier == previous;
    if (code)
        gd_likeness_hit(text, GUARD_CONSTRUCT_NOSQL_CODE);
}

void gd_likeness_code_word(struct gd_likeness_text *text, size_t at, size_t end)
{
    internals_word(text, at, end);
    prototype_word(text, at, end);
    jndi_word(text, at, end);
    object_word(text, at, end);
    nosql_word(text, at, end);
}

/* "O:8:\"stdClass\":1:{", "a:2:{i:0;" */
static void php_object(struct gd_likeness_text *text)
{
    size_t most = text->len < 256 ? text->len : 256;
    for (size_t at = 0; at + 6 < most; at++) {
        uint8_t byte = text->bytes[at];
        if ((byte != 'o' && byte != 'c') || text->bytes[at + 1] != ':' ||
            (at > 0 && gd_lk_word(text->bytes[at - 1])))
            continue;
        size_t end = gd_lk_word_end(text, at + 2);
        if (gd_lk_digit(text->bytes[at + 2]) && gd_lk_is(text, end, ":\"")) {
            size_t close = gd_lk_find(text, end + 2, "\":", 64);
            if (close != 0 && gd_lk_digit(gd_lk_at(text, close + 2)))
                gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_PHP);
        }
    }
}

static bool raw_begins(const struct gd_likeness_text *text, const char *bytes, size_t len)
{
    return text->raw.len >= len && memcmp(text->raw.ptr, bytes, len) == 0;
}

/* Modules of pickles: "cos\nsystem\n". */
static void python_object(struct gd_likeness_text *text)
{
    if (!gd_lk_in(text, 0, GD_LK_PICKLES))
        return;
    size_t end = gd_lk_word_end(text, 0);
    size_t name = gd_lk_word_end(text, end + 1);
    if (gd_lk_at(text, end) == '\n' && gd_lk_at(text, name) == '\n')
        gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_PYTHON);
}

static void yaml_object(struct gd_likeness_text *text)
{
    for (size_t at = gd_lk_find(text, 0, "!", text->len), i = 0; i < 16 && at < text->len; i++) {
        size_t tag = at + 1 + (gd_lk_at(text, at + 1) == '!');
        size_t end = gd_lk_word_end(text, tag);
        if (gd_lk_is(text, tag, "python/") || gd_lk_is(text, tag, "ruby/") ||
            gd_lk_is(text, tag, "php/object") ||
            (tag > at + 1 && gd_lk_at(text, end) == '.' && gd_lk_in(text, tag, GD_LK_TAG_PACKAGES)))
            gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_YAML);
        at = gd_lk_find(text, at + 1, "!", text->len);
        if (at == 0)
            return;
    }
}

/* Magic bytes, as they are and in base64 and hexadecimal digits. */
void gd_likeness_object(struct gd_likeness_text *text)
{
    if (raw_begins(text, "rO0AB", 5) || raw_begins(text, "\xac\xed\x00\x05", 4) ||
        gd_lk_is(text, 0, "aced0005"))
        gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_JAVA);
    if (raw_begins(text, "AAEAAAD/////", 12))
        gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_DOTNET);
    if (raw_begins(text, "gASV", 4) || raw_begins(text, "\x80\x04\x95", 3))
        gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_PYTHON);
    if (gd_lk_is(text, 0, "_$$nd_func$$_") || gd_lk_find(text, 1, "_$$nd_func$$_", 256) != 0)
        gd_likeness_hit(text, GUARD_CONSTRUCT_OBJECT_FUNCTION);
    php_object(text);
    python_object(text);
    yaml_object(text);
}
