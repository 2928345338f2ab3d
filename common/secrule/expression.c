/* SPDX-License-Identifier: Apache-2.0 */
/* See expression.h. */
#include "common/secrule/expression.h"

#include "common/secrule/atoms.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_CAP = 64 };

void secrule_add(struct secrule_string *string, struct guard_span text)
{
    if (text.len > string->cap - string->len) {
        size_t cap = string->cap * 2 + text.len + FIRST_CAP;
        uint8_t *grown = secrule_get(string->builder, cap);
        if (grown == NULL)
            return;
        if (string->len > 0)
            memcpy(grown, string->ptr, string->len);
        string->ptr = grown;
        string->cap = cap;
    }
    if (text.len > 0)
        memcpy(string->ptr + string->len, text.ptr, text.len);
    string->len += text.len;
}

void secrule_add_text(struct secrule_string *string, const char *text)
{
    secrule_add(string, (struct guard_span){(const uint8_t *)text, strlen(text)});
}

void secrule_add_escaped(struct secrule_string *string, struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        char escaped[8];
        if (byte < 0x20 || byte >= 0x7f)
            snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
        else
            snprintf(escaped, sizeof(escaped), strchr("\\^$.|?*+()[]{}", byte) ? "\\%c" : "%c",
                     byte);
        secrule_add_text(string, escaped);
    }
}

/* Options for the whole of it, in front. */
static bool take_options(struct secrule_builder *builder, struct secrule_text *text,
                         struct secrule_expression *out)
{
    while (text->len > 3 && memcmp(text->ptr, "(?", 2) == 0) {
        size_t at = 2;
        bool known = true;
        for (; at < text->len && (secrule_is_letter(text->ptr[at]) || text->ptr[at] == '-'); at++)
            known = known && (text->ptr[at] == 'i' || text->ptr[at] == 's');
        if (at == 2 || at >= text->len || text->ptr[at] != ')')
            return true;
        if (!known)
            return secrule_refuse(builder, text->at[0], SECRULE_CAUSE_EXPRESSION,
                                  "the expression has options besides i and s");
        out->ignore_case = out->ignore_case || memchr(text->ptr + 2, 'i', at - 2) != NULL;
        *text = secrule_part(*text, at + 1, text->len - at - 1);
    }
    return true;
}

/* Letters that are named in one case only. */
static void note_case(struct secrule_expression *out, const struct secrule_bytes *inner)
{
    for (uint8_t letter = 'a'; letter <= 'z'; letter++) {
        bool lower = secrule_bytes_has(inner, letter);
        bool upper = secrule_bytes_has(inner, letter - 'a' + 'A');
        out->uppercase = out->uppercase || (upper && !lower);
        out->lowercase = out->lowercase || (lower && !upper);
    }
}

struct shape {
    size_t begins; /* at the top: ^ in front of everything */
    size_t first;
    bool ends_last;
    uint32_t begin_count;
    uint32_t end_count;
};

static void note_atom(struct secrule_expression *out, struct shape *shape,
                      const struct secrule_walk *walk, const struct secrule_atom *atom)
{
    shape->ends_last = false;
    switch (atom->kind) {
    case SECRULE_ATOM_SET:
        note_case(out, &atom->inner);
        out->spaces = out->spaces || secrule_bytes_space(&atom->bytes);
        out->slashes = out->slashes || secrule_bytes_has(&atom->bytes, '/') ||
                       secrule_bytes_has(&atom->bytes, '\\');
        break;
    case SECRULE_ATOM_BEGIN:
        shape->begin_count++;
        out->begins = out->begins || atom->begin == 0;
        break;
    case SECRULE_ATOM_END:
        shape->end_count++;
        shape->ends_last = walk->depth == 0;
        break;
    case SECRULE_ATOM_BOUNDARY:
        out->looks = true;
        break;
    case SECRULE_ATOM_OPEN:
        out->looks = out->looks || atom->looks_ahead;
        break;
    case SECRULE_ATOM_BAR:
        out->bar = out->bar || walk->depth == 0;
        break;
    case SECRULE_ATOM_CLOSE:
        break;
    }
}

/* NULL, or what is wrong at *at. */
static const char *find_shape(struct secrule_expression *out, size_t *at)
{
    struct secrule_walk walk = {.text = out->text};
    struct secrule_atom atom;
    struct shape shape = {0};
    while (secrule_atom_next(&walk, &atom))
        note_atom(out, &shape, &walk, &atom);
    out->begins = out->begins && !out->bar;
    out->ends = shape.ends_last && !out->bar;
    out->anchors = shape.begin_count > out->begins || shape.end_count > out->ends;
    *at = walk.at < out->text.len ? walk.at : out->text.len;
    return walk.wrong;
}

/* \A and \z are what ^ and $ are in patches. */
static struct secrule_text plain_anchors(struct secrule_builder *builder, struct secrule_text text)
{
    uint8_t *copy = secrule_get(builder, text.len + 1);
    uint32_t *at = secrule_get(builder, (text.len + 1) * sizeof(*at));
    size_t len = 0;
    bool in_set = false;
    if (copy == NULL || at == NULL)
        return text;
    for (size_t i = 0; i < text.len; i++) {
        bool escape = text.ptr[i] == '\\' && i + 1 < text.len;
        bool anchor = escape && !in_set && (text.ptr[i + 1] == 'A' || text.ptr[i + 1] == 'z');
        if (!escape && text.ptr[i] == '[')
            in_set = true;
        else if (!escape && text.ptr[i] == ']')
            in_set = false;
        at[len] = text.at[i];
        copy[len++] = anchor ? (text.ptr[i + 1] == 'A' ? '^' : '$') : text.ptr[i];
        if (escape && !anchor) {
            at[len] = text.at[i + 1];
            copy[len++] = text.ptr[i + 1];
        }
        i += escape;
    }
    at[len] = text.at[text.len];
    return (struct secrule_text){copy, at, len};
}

bool secrule_expression_read(struct secrule_builder *builder, struct secrule_text text,
                             struct secrule_expression *out)
{
    size_t at = 0;
    *out = (struct secrule_expression){.ignore_case = false};
    if (!take_options(builder, &text, out))
        return false;
    text = plain_anchors(builder, text);
    out->text = secrule_span(text);
    const char *wrong = find_shape(out, &at);
    if (wrong != NULL)
        return secrule_refuse(builder, text.at[at], SECRULE_CAUSE_EXPRESSION, "%s", wrong);
    if (text.len == 0)
        return secrule_refuse(builder, text.at[0], SECRULE_CAUSE_EXPRESSION,
                              "an empty expression matches everything");
    return builder_good(builder);
}

bool secrule_expression_made(struct secrule_builder *builder, struct guard_span text,
                             bool ignore_case, struct secrule_expression *out)
{
    size_t at = 0;
    *out = (struct secrule_expression){.text = text, .ignore_case = ignore_case};
    return find_shape(out, &at) == NULL && builder_good(builder);
}

/* --- blanks --- */

/* Bytes of a set as the inside of brackets. */
static void add_set(struct secrule_string *string, const struct secrule_bytes *set)
{
    char text[24];
    secrule_add_text(string, "[");
    for (unsigned from = 0; from < 256; from++) {
        unsigned to = from;
        if (!secrule_bytes_has(set, (uint8_t)from))
            continue;
        while (to < 255 && secrule_bytes_has(set, (uint8_t)(to + 1)))
            to++;
        snprintf(text, sizeof(text), to > from ? "\\x%02x-\\x%02x" : "\\x%02x", from, to);
        secrule_add_text(string, text);
        from = to;
    }
    secrule_add_text(string, "]");
}

static struct guard_span part(const struct secrule_expression *expression, size_t from, size_t to)
{
    return (struct guard_span){expression->text.ptr + from, to - from};
}

static bool is_space_only(const struct secrule_bytes *set)
{
    struct secrule_bytes rest = *set;
    for (unsigned byte = 0; byte < 128; byte++) {
        if (secrule_is_space((uint8_t)byte))
            rest.bits[byte >> 6] &= ~((uint64_t)1 << (byte & 63));
    }
    rest.bits[0xa0 >> 6] &= ~((uint64_t)1 << (0xa0 & 63));
    return (rest.bits[0] | rest.bits[1] | rest.bits[2] | rest.bits[3]) == 0;
}

static void without_space(struct secrule_bytes *set)
{
    for (unsigned byte = 0; byte < 128; byte++) {
        if (secrule_is_space((uint8_t)byte))
            set->bits[byte >> 6] &= ~((uint64_t)1 << (byte & 63));
    }
}

/* In a value without blanks no atom met one; between any two there may have been some. */
static const char *add_without(struct secrule_string *out,
                               const struct secrule_expression *expression,
                               const struct secrule_atom *atom)
{
    if (atom->kind == SECRULE_ATOM_BOUNDARY || atom->looks_ahead)
        return "boundaries and what looks ahead aren't found again in a value that has its blanks";
    if (atom->kind != SECRULE_ATOM_SET) {
        secrule_add(out, part(expression, atom->begin, atom->next));
        if (atom->kind == SECRULE_ATOM_BEGIN)
            secrule_add_text(out, "\\s*");
        return NULL;
    }
    if (is_space_only(&atom->bytes))
        return atom->min == 0 ? NULL : "it asks for a blank in a value that has none";
    secrule_add_text(out, "(?:");
    if (secrule_bytes_space(&atom->bytes)) {
        struct secrule_bytes rest = atom->bytes;
        without_space(&rest);
        add_set(out, &rest);
    } else {
        secrule_add(out, part(expression, atom->begin, atom->end));
    }
    secrule_add_text(out, "\\s*)");
    secrule_add(out, part(expression, atom->end, atom->next));
    return NULL;
}

/* Where the compressed value had one blank, there is a run of them. */
static const char *add_compressed(struct secrule_string *out,
                                  const struct secrule_expression *expression,
                                  const struct secrule_atom *atom)
{
    if (atom->kind != SECRULE_ATOM_SET || !secrule_bytes_space(&atom->bytes)) {
        secrule_add(out, part(expression, atom->begin, atom->next));
        return NULL;
    }
    if (!secrule_bytes_has(&atom->bytes, ' '))
        return "it asks for a tab or a line's end in a value that has none";
    if (!is_space_only(&atom->bytes)) {
        secrule_add(out, part(expression, atom->begin, atom->next));
        return atom->max == UINT32_MAX && atom->min <= 1
                   ? NULL
                   : "it counts characters, blanks among them, of a value whose blanks are "
                     "compressed";
    }
    if (atom->min > 1)
        return "it asks for several blanks in a value that has single ones";
    secrule_add_text(out, atom->min == 0 ? "[\\s\\xa0]*" : "[\\s\\xa0]+");
    return NULL;
}

const char *secrule_expression_spaces(struct secrule_builder *builder,
                                      struct secrule_expression *expression,
                                      enum secrule_spaces spaces)
{
    struct secrule_walk walk = {.text = expression->text};
    struct secrule_string out = {.builder = builder};
    struct secrule_atom atom;
    const char *wrong = NULL;
    bool before_space = false;
    if (spaces == SECRULE_SPACES_KEPT)
        return NULL;
    while (wrong == NULL && secrule_atom_next(&walk, &atom)) {
        bool space = atom.kind == SECRULE_ATOM_SET && is_space_only(&atom.bytes) && atom.min > 0;
        if (space && before_space)
            return "it asks for several blanks in a value that has single ones";
        before_space = space;
        wrong = spaces == SECRULE_SPACES_REMOVED ? add_without(&out, expression, &atom)
                                                 : add_compressed(&out, expression, &atom);
    }
    if (wrong == NULL && out.len == 0)
        wrong = "it asks for blanks alone in a value that has none";
    if (wrong == NULL)
        expression->text = secrule_string_span(&out);
    return wrong;
}
