/* SPDX-License-Identifier: Apache-2.0 */
/* See test.h. */
#include "common/secrule/test.h"

#include <guard/likeness.h>

#include <string.h>

enum { TEXTS_MAX = 1024, NAME_SHOWN = 40 };

typedef bool make_test(struct secrule_builder *builder, const struct secrule_operator *asked,
                       struct secrule_test *out);

static int shown(struct guard_span text)
{
    return (int)(text.len < NAME_SHOWN ? text.len : NAME_SHOWN);
}

/* --- texts --- */

static bool add_word(struct secrule_builder *builder, uint32_t at, struct guard_span text,
                     struct secrule_test *out)
{
    if (text.len > GUARD_PATCH_TEXT_MAX)
        return secrule_refuse(builder, at, SECRULE_CAUSE_MAXIMUM, "a text of more than %d bytes",
                              GUARD_PATCH_TEXT_MAX);
    if (out->text_count == TEXTS_MAX)
        return secrule_refuse(builder, at, SECRULE_CAUSE_MAXIMUM, "more than %d texts", TEXTS_MAX);
    out->texts[out->text_count++] = text;
    return true;
}

static bool room(struct secrule_builder *builder, size_t count, struct secrule_test *out)
{
    count = count < TEXTS_MAX ? count : TEXTS_MAX;
    out->texts = secrule_get(builder, (count + 1) * sizeof(*out->texts));
    return out->texts != NULL;
}

static bool one_text(struct secrule_builder *builder, const struct secrule_operator *asked,
                     struct secrule_test *out, enum guard_patch_operator op)
{
    out->op = op;
    if (asked->argument.len == 0 && op != GUARD_OPERATOR_EQUALS)
        return secrule_refuse(builder, asked->name.at[0], SECRULE_CAUSE_FORM,
                              "there is no text to look for");
    return room(builder, 1, out) && add_word(builder, out->at, secrule_span(asked->argument), out);
}

static bool make_contains(struct secrule_builder *builder, const struct secrule_operator *asked,
                          struct secrule_test *out)
{
    return one_text(builder, asked, out, GUARD_OPERATOR_CONTAINS);
}

static bool make_equals(struct secrule_builder *builder, const struct secrule_operator *asked,
                        struct secrule_test *out)
{
    return one_text(builder, asked, out, GUARD_OPERATOR_EQUALS);
}

static bool make_begins(struct secrule_builder *builder, const struct secrule_operator *asked,
                        struct secrule_test *out)
{
    return one_text(builder, asked, out, GUARD_OPERATOR_BEGINS);
}

static bool make_ends(struct secrule_builder *builder, const struct secrule_operator *asked,
                      struct secrule_test *out)
{
    return one_text(builder, asked, out, GUARD_OPERATOR_ENDS);
}

/* Words apart by blanks, or by one of `also`. bars: whether '|' may be in one. */
static bool words(struct secrule_builder *builder, const struct secrule_operator *asked,
                  const char *also, bool bars, struct secrule_test *out)
{
    struct secrule_text text = asked->argument;
    if (!room(builder, text.len / 2 + 1, out))
        return false;
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len && !secrule_is_space(text.ptr[end]) &&
               strchr(also, text.ptr[end]) == NULL)
            end++;
        struct guard_span word = {text.ptr + at, end - at};
        if (!bars && word.len > 0 && memchr(word.ptr, '|', word.len) != NULL)
            return secrule_refuse(builder, text.at[at], SECRULE_CAUSE_OPERATOR,
                                  "engines differ on what stands between bars");
        if (word.len > 0 && !add_word(builder, text.at[at], word, out))
            return false;
        at = end + 1;
    }
    return out->text_count > 0 || secrule_refuse(builder, asked->name.at[0], SECRULE_CAUSE_FORM,
                                                 "there is no text to look for");
}

static bool make_phrases(struct secrule_builder *builder, const struct secrule_operator *asked,
                         struct secrule_test *out)
{
    out->op = GUARD_OPERATOR_CONTAINS;
    out->ignore_case = true;
    return words(builder, asked, "", false, out);
}

static bool make_within(struct secrule_builder *builder, const struct secrule_operator *asked,
                        struct secrule_test *out)
{
    out->op = GUARD_OPERATOR_EQUALS;
    out->within = true;
    if (!words(builder, asked, ",|;", true, out))
        return false;
    if (!asked->negated)
        secrule_note(builder, out->at, SECRULE_NARROWER, SECRULE_CAUSE_MEANING,
                     "@within: a value that is one of the words hits, a fragment of the text "
                     "doesn't");
    return true;
}

/* --- expressions --- */

static bool made(struct secrule_builder *builder, const char *text, struct secrule_test *out)
{
    out->op = GUARD_OPERATOR_REGEX;
    return secrule_expression_made(
        builder, (struct guard_span){(const uint8_t *)text, strlen(text)}, false, &out->expression);
}

static bool make_regex(struct secrule_builder *builder, const struct secrule_operator *asked,
                       struct secrule_test *out)
{
    out->op = GUARD_OPERATOR_REGEX;
    return secrule_expression_read(builder, asked->argument, &out->expression);
}

static bool make_word(struct secrule_builder *builder, const struct secrule_operator *asked,
                      struct secrule_test *out)
{
    struct secrule_string text = {.builder = builder};
    if (asked->argument.len == 0)
        return secrule_refuse(builder, asked->name.at[0], SECRULE_CAUSE_FORM,
                              "there is no text to look for");
    secrule_add_text(&text, "(?:^|[^A-Za-z0-9_])");
    secrule_add_escaped(&text, secrule_span(asked->argument));
    secrule_add_text(&text, "(?:$|[^A-Za-z0-9_])");
    out->op = GUARD_OPERATOR_REGEX;
    secrule_note(builder, out->at, SECRULE_NARROWER, SECRULE_CAUSE_MEANING,
                 "@containsWord: a digit or '_' beside the word makes it another one; for some "
                 "engines it doesn't");
    return secrule_expression_made(builder, secrule_string_span(&text), false, &out->expression);
}

static bool make_url_encoding(struct secrule_builder *builder, const struct secrule_operator *asked,
                              struct secrule_test *out)
{
    (void)asked;
    return made(builder, "%(?:[^0-9A-Fa-f]|[0-9A-Fa-f](?:[^0-9A-Fa-f]|$)|$)", out);
}

/* --- bytes, numbers, and the rest --- */

static bool add_range(struct secrule_string *set, struct guard_span range)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *dash = memchr(range.ptr, '-', range.len);
    size_t first = dash != NULL ? (size_t)(dash - range.ptr) : range.len;
    uint64_t from = 0;
    uint64_t to = 0;
    if (!secrule_number((struct guard_span){range.ptr, first}, 255, &from))
        return false;
    to = from;
    if (dash != NULL &&
        !secrule_number((struct guard_span){dash + 1, range.len - first - 1}, 255, &to))
        return false;
    char text[10] = {'\\', 'x', digits[from >> 4], digits[from & 15], '-',
                     '\\', 'x', digits[to >> 4],   digits[to & 15],   '\0'};
    if (from == to)
        text[4] = '\0';
    secrule_add_text(set, text);
    return from <= to;
}

static bool make_byte_range(struct secrule_builder *builder, const struct secrule_operator *asked,
                            struct secrule_test *out)
{
    struct secrule_text text = asked->argument;
    struct secrule_string set = {.builder = builder};
    out->op = GUARD_OPERATOR_CHARSET;
    for (size_t at = 0; at <= text.len;) {
        const uint8_t *comma = at < text.len ? memchr(text.ptr + at, ',', text.len - at) : NULL;
        size_t end = comma != NULL ? (size_t)(comma - text.ptr) : text.len;
        struct secrule_text range = secrule_trimmed(secrule_part(text, at, end - at));
        if (range.len == 0 || !add_range(&set, secrule_span(range)))
            return secrule_refuse(builder, text.at[at], SECRULE_CAUSE_FORM,
                                  "ranges of bytes are as 9,32-126");
        at = end + 1;
    }
    return room(builder, 1, out) && add_word(builder, out->at, secrule_string_span(&set), out);
}

/* The numbers that hit, as bounds; of a negated operator those that the other one doesn't hit. */
static bool make_number(struct secrule_builder *builder, const struct secrule_operator *asked,
                        struct secrule_test *out)
{
    struct guard_span text = secrule_span(asked->argument);
    bool minus = text.len > 1 && text.ptr[0] == '-';
    uint64_t number = 0;
    if (!secrule_number((struct guard_span){text.ptr + minus, text.len - minus}, 1000000000000000,
                        &number))
        return secrule_refuse(builder, out->at, SECRULE_CAUSE_FORM,
                              "@%.*s compares with a whole number",
                              shown(secrule_span(asked->name)), (const char *)asked->name.ptr);
    int64_t value = minus ? -(int64_t)number : (int64_t)number;
    struct guard_span name = secrule_span(asked->name);
    out->op = GUARD_OPERATOR_RANGE;
    if (secrule_is(name, "eq") || secrule_is(name, "ge"))
        out->min = value;
    if (secrule_is(name, "gt"))
        out->min = value + 1;
    if (secrule_is(name, "eq") || secrule_is(name, "le"))
        out->max = value;
    if (secrule_is(name, "lt"))
        out->max = value - 1;
    if (value <= 0 && (minus || secrule_is(name, "lt")))
        return secrule_refuse(builder, out->at, SECRULE_CAUSE_OPERATOR,
                              "a bound below zero can't be said of a patch");
    return true;
}

static bool make_likeness(struct secrule_builder *builder, const struct secrule_operator *asked,
                          struct secrule_test *out)
{
    bool sql = secrule_is(secrule_span(asked->name), "detectSQLi");
    out->op = GUARD_OPERATOR_LIKENESS;
    out->likeness = 1u << (sql ? GUARD_LIKENESS_SQL : GUARD_LIKENESS_SCRIPT);
    return secrule_wider(builder, out->at, SECRULE_CAUSE_OPERATOR,
                         "@%.*s: a patch asks its own detector (likeness) instead, which hits "
                         "other texts",
                         shown(secrule_span(asked->name)), (const char *)asked->name.ptr);
}

static bool make_present(struct secrule_builder *builder, const struct secrule_operator *asked,
                         struct secrule_test *out)
{
    (void)builder;
    (void)asked;
    out->op = GUARD_OPERATOR_PRESENT;
    return true;
}

static bool make_never(struct secrule_builder *builder, const struct secrule_operator *asked,
                       struct secrule_test *out)
{
    (void)asked;
    return secrule_refuse(builder, out->at, SECRULE_CAUSE_NEVER, "it matches nothing");
}

static bool make_from_file(struct secrule_builder *builder, const struct secrule_operator *asked,
                           struct secrule_test *out)
{
    struct guard_span file = secrule_span(asked->argument);
    return secrule_refuse(builder, out->at, SECRULE_CAUSE_FILE, "the file %.*s isn't read",
                          shown(file), (const char *)file.ptr);
}

static const struct {
    const char *name;
    make_test *make;
} known[] = {
    {"rx", make_regex},
    {"contains", make_contains},
    {"strmatch", make_contains},
    {"streq", make_equals},
    {"beginsWith", make_begins},
    {"endsWith", make_ends},
    {"containsWord", make_word},
    {"pm", make_phrases},
    {"within", make_within},
    {"eq", make_number},
    {"ge", make_number},
    {"gt", make_number},
    {"le", make_number},
    {"lt", make_number},
    {"validateByteRange", make_byte_range},
    {"validateUrlEncoding", make_url_encoding},
    {"detectSQLi", make_likeness},
    {"detectXSS", make_likeness},
    {"unconditionalMatch", make_present},
    {"noMatch", make_never},
    {"pmFromFile", make_from_file},
    {"pmf", make_from_file},
    {"ipMatchFromFile", make_from_file},
    {"ipMatchF", make_from_file},
    {"inspectFile", make_from_file},
};

static bool has_macro(struct guard_span text)
{
    for (size_t i = 0; i + 2 < text.len; i++) {
        if (text.ptr[i] == '%' && text.ptr[i + 1] == '{' && secrule_is_letter(text.ptr[i + 2]))
            return true;
    }
    return false;
}

static bool make(struct secrule_builder *builder, const struct secrule_operator *asked,
                 struct secrule_test *out)
{
    struct guard_span name = secrule_span(asked->name);
    if (has_macro(secrule_span(asked->argument)))
        return secrule_refuse(builder, asked->argument.at[0], SECRULE_CAUSE_MACRO,
                              "%%{...} is filled in at run time");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (secrule_is(name, known[i].name))
            return known[i].make(builder, asked, out);
    }
    return secrule_refuse(builder, out->at, SECRULE_CAUSE_OPERATOR,
                          "@%.*s is no operator of patches", shown(name), (const char *)name.ptr);
}

/* --- as an expression --- */

bool secrule_test_expression(struct secrule_builder *builder, struct secrule_test *test)
{
    struct secrule_string text = {.builder = builder};
    enum guard_patch_operator op = test->op;
    if (op == GUARD_OPERATOR_REGEX)
        return true;
    if (op != GUARD_OPERATOR_CONTAINS && op != GUARD_OPERATOR_EQUALS &&
        op != GUARD_OPERATOR_BEGINS && op != GUARD_OPERATOR_ENDS)
        return false;
    if (op == GUARD_OPERATOR_EQUALS || op == GUARD_OPERATOR_BEGINS)
        secrule_add_text(&text, "^");
    if (test->text_count > 1)
        secrule_add_text(&text, "(?:");
    for (uint32_t i = 0; i < test->text_count; i++) {
        if (i > 0)
            secrule_add_text(&text, "|");
        secrule_add_escaped(&text, test->texts[i]);
    }
    if (test->text_count > 1)
        secrule_add_text(&text, ")");
    if (op == GUARD_OPERATOR_EQUALS || op == GUARD_OPERATOR_ENDS)
        secrule_add_text(&text, "$");
    test->op = GUARD_OPERATOR_REGEX;
    return secrule_expression_made(builder, secrule_string_span(&text), test->ignore_case,
                                   &test->expression);
}

/* --- transformations --- */

static bool has_letter_of(const struct secrule_test *test, uint8_t first)
{
    for (uint32_t i = 0; i < test->text_count; i++) {
        for (size_t k = 0; k < test->texts[i].len; k++) {
            uint8_t byte = test->texts[i].ptr[k];
            if (byte >= first && byte < first + 26)
                return true;
        }
    }
    return false;
}

/* A value whose letters are all in one case is found without asking for case, by what has none in
 * the other case. */
static bool without_case(struct secrule_builder *builder,
                         const struct secrule_transformations *transformations,
                         struct secrule_test *test)
{
    bool lower = transformations->lower;
    if (!lower && !transformations->upper)
        return true;
    if (test->op == GUARD_OPERATOR_REGEX) {
        struct secrule_expression *expression = &test->expression;
        if (!expression->ignore_case && (lower ? expression->uppercase : expression->lowercase))
            return secrule_refuse(builder, test->at, SECRULE_CAUSE_EXPRESSION,
                                  "it names letters in %s case, of a value in %s case",
                                  lower ? "upper" : "lower", lower ? "lower" : "upper");
        expression->ignore_case = true;
    } else if (test->op == GUARD_OPERATOR_CHARSET) {
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_TRANSFORM,
                              "a set of bytes of a value in one case");
    } else if (test->text_count > 0) {
        if (!test->ignore_case && has_letter_of(test, lower ? 'A' : 'a'))
            return secrule_refuse(builder, test->at, SECRULE_CAUSE_NEVER,
                                  "a value in %s case has no letters in the other",
                                  lower ? "lower" : "upper");
        test->ignore_case = true;
    }
    return true;
}

static bool has_space(const struct secrule_test *test)
{
    for (uint32_t i = 0; i < test->text_count; i++) {
        for (size_t k = 0; k < test->texts[i].len; k++) {
            if (secrule_is_space(test->texts[i].ptr[k]))
                return true;
        }
    }
    return false;
}

static bool insert_blanks(struct secrule_builder *builder, struct secrule_expression *expression,
                          bool begin, bool end)
{
    struct secrule_string text = {.builder = builder};
    struct guard_span rest = expression->text;
    bool before = begin && expression->begins;
    bool behind = end && expression->ends;
    if (before)
        secrule_add_text(&text, "^\\s*");
    secrule_add(&text, (struct guard_span){rest.ptr + before, rest.len - before - behind});
    if (behind)
        secrule_add_text(&text, "\\s*$");
    return secrule_expression_made(builder, secrule_string_span(&text), expression->ignore_case,
                                   expression);
}

static bool trimmed(struct secrule_builder *builder,
                    const struct secrule_transformations *transformations,
                    struct secrule_test *test)
{
    bool kept = transformations->spaces != SECRULE_SPACES_REMOVED;
    bool begin = kept && transformations->trim_begin;
    bool end = kept && transformations->trim_end;
    if ((!begin && !end) || (test->op == GUARD_OPERATOR_CONTAINS && !has_space(test)))
        return true;
    if (!secrule_test_expression(builder, test))
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_TRANSFORM,
                              "t:trim isn't carried over for this operator");
    if (test->expression.anchors)
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_TRANSFORM,
                              "t:trim, and ^ or $ inside of the expression");
    if (test->expression.spaces && !(test->expression.begins && test->expression.ends) &&
        !secrule_wider(builder, test->at, SECRULE_CAUSE_TRANSFORM,
                       "t:trim: the expression may find blanks that it would have cut"))
        return false;
    return insert_blanks(builder, &test->expression, begin, end);
}

static bool respaced(struct secrule_builder *builder,
                     const struct secrule_transformations *transformations,
                     struct secrule_test *test)
{
    enum secrule_spaces spaces = transformations->spaces;
    bool texts = test->text_count > 0 && test->op != GUARD_OPERATOR_CHARSET;
    if (spaces == SECRULE_SPACES_KEPT ||
        (spaces == SECRULE_SPACES_COMPRESSED && texts && !has_space(test)))
        return true;
    if (!secrule_test_expression(builder, test))
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_TRANSFORM,
                              "a transformation of blanks isn't carried over for this operator");
    const char *wrong = secrule_expression_spaces(builder, &test->expression, spaces);
    if (wrong != NULL)
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_TRANSFORM, "%s", wrong);
    return secrule_expression_made(builder, test->expression.text, test->expression.ignore_case,
                                   &test->expression);
}

/* Slashes as a normalised path had them before: several, and with "." between. */
static bool with_slashes(struct secrule_builder *builder, struct secrule_test *test)
{
    struct secrule_string text = {.builder = builder};
    enum guard_patch_operator op = test->op;
    if (op == GUARD_OPERATOR_EQUALS || op == GUARD_OPERATOR_BEGINS)
        secrule_add_text(&text, "^");
    secrule_add_text(&text, "(?:");
    for (uint32_t i = 0; i < test->text_count; i++) {
        if (i > 0)
            secrule_add_text(&text, "|");
        for (size_t k = 0; k < test->texts[i].len; k++) {
            if (test->texts[i].ptr[k] == '/')
                secrule_add_text(&text, "/+(?:\\./+)*");
            else
                secrule_add_escaped(&text, (struct guard_span){test->texts[i].ptr + k, 1});
        }
    }
    secrule_add_text(&text, ")");
    if (op == GUARD_OPERATOR_EQUALS || op == GUARD_OPERATOR_ENDS)
        secrule_add_text(&text, "$");
    test->op = GUARD_OPERATOR_REGEX;
    return secrule_expression_made(builder, secrule_string_span(&text), test->ignore_case,
                                   &test->expression);
}

/* What a path ends in or is, it was before, too; what it begins with or holds, ".." may have taken
 * back. */
static bool normalized(struct secrule_builder *builder,
                       const struct secrule_transformations *transformations, bool negated,
                       struct secrule_test *test)
{
    bool end = test->op == GUARD_OPERATOR_EQUALS || test->op == GUARD_OPERATOR_ENDS;
    if (!transformations->normalized)
        return true;
    if (test->op == GUARD_OPERATOR_CHARSET || test->op == GUARD_OPERATOR_REGEX ||
        test->text_count == 0 || negated)
        return secrule_refuse(builder, transformations->at, SECRULE_CAUSE_TRANSFORM,
                              "of a normalised path, a patch can't say this");
    if (end)
        secrule_note(
            builder, transformations->at, SECRULE_NARROWER, SECRULE_CAUSE_MEANING,
            "a normalised path: of \"/./\", \"//\" and \"..\" in it, \"..\" isn't followed");
    else if (!secrule_wider(builder, transformations->at, SECRULE_CAUSE_TRANSFORM,
                            "a normalised path: a patch finds it in segments that \"..\" takes "
                            "back, too"))
        return false;
    return with_slashes(builder, test);
}

static bool counts(struct secrule_builder *builder, bool counted, bool length,
                   struct secrule_test *test)
{
    if (!counted && !length)
        return true;
    if (test->op != GUARD_OPERATOR_RANGE)
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_OPERATOR,
                              "numbers are compared with @eq, @ge, @gt, @le and @lt");
    test->op = counted ? GUARD_OPERATOR_COUNT : GUARD_OPERATOR_LENGTH;
    return true;
}

bool secrule_test_of(struct secrule_builder *builder, const struct secrule_operator *asked,
                     const struct secrule_transformations *transformations, bool counted,
                     struct secrule_test *out)
{
    *out = (struct secrule_test){.at = asked->name.at[0], .min = -1, .max = -1};
    if (!make(builder, asked, out))
        return false;
    if (counted)
        return counts(builder, true, false, out);
    if (transformations->length)
        return counts(builder, false, true, out);
    return without_case(builder, transformations, out) &&
           normalized(builder, transformations, asked->negated, out) &&
           respaced(builder, transformations, out) && trimmed(builder, transformations, out) &&
           builder_good(builder);
}
