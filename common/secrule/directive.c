/* SPDX-License-Identifier: Apache-2.0 */
/* See directive.h. Where the engines that read this language differ, this reads what all of them
 * read alike, and notes the rest. */
#include "common/secrule/directive.h"

#include <string.h>

bool secrule_lines_init(struct secrule_lines *lines, struct secrule_builder *builder)
{
    struct guard_span bytes = builder->bytes;
    uint32_t count = 1;
    *lines = (struct secrule_lines){.builder = builder};
    for (size_t i = 0; i < bytes.len; i++)
        count += bytes.ptr[i] == '\n';
    builder->lines = secrule_get(builder, count * sizeof(*builder->lines));
    if (builder->lines == NULL)
        return false;
    builder->lines[0] = 0;
    builder->line_count = 1;
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] == '\n')
            builder->lines[builder->line_count++] = (uint32_t)i + 1;
    }
    const uint8_t *nul = bytes.len > 0 ? memchr(bytes.ptr, 0, bytes.len) : NULL;
    return nul == NULL || secrule_fail(builder, (uint32_t)(nul - bytes.ptr), GUARD_E_SYNTAX,
                                       "a zero byte: this is no text");
}

/* Where the line at `at` ends: at its line feed, or at the end of the bytes. */
static size_t line_end(struct guard_span bytes, size_t at)
{
    const uint8_t *end = at < bytes.len ? memchr(bytes.ptr + at, '\n', bytes.len - at) : NULL;
    return end != NULL ? (size_t)(end - bytes.ptr) : bytes.len;
}

/* Without the carriage return of a line feed. */
static size_t text_end(struct guard_span bytes, size_t begin, size_t end)
{
    return end > begin && bytes.ptr[end - 1] == '\r' ? end - 1 : end;
}

static size_t skip_blanks(struct guard_span bytes, size_t at)
{
    while (at < bytes.len && bytes.ptr[at] != '\n' && secrule_is_space(bytes.ptr[at]))
        at++;
    return at;
}

/* Some engines let comments go on behind a backslash, some don't: what follows is read. */
static void pass_comment(struct secrule_lines *lines, size_t at)
{
    struct guard_span bytes = lines->builder->bytes;
    size_t end = line_end(bytes, at);
    size_t last = text_end(bytes, at, end);
    size_t next = end < bytes.len ? skip_blanks(bytes, end + 1) : bytes.len;
    if (last > at && bytes.ptr[last - 1] == '\\' && next < bytes.len && bytes.ptr[next] != '#' &&
        bytes.ptr[next] != '\n')
        secrule_note(lines->builder, (uint32_t)last - 1, SECRULE_PASSED_OVER, SECRULE_CAUSE_FORM,
                     "a comment with a backslash at its end: the next line is read, as some "
                     "engines do, and not a part of the comment, as for others");
    lines->at = end < bytes.len ? end + 1 : bytes.len;
}

/* Joins the lines of the directive that begins at lines->at. */
static bool join(struct secrule_lines *lines, struct secrule_text *out)
{
    struct secrule_builder *builder = lines->builder;
    struct guard_span bytes = builder->bytes;
    size_t begin = lines->at;
    size_t end = begin;
    size_t next = begin;
    do { /* how far it goes */
        end = line_end(bytes, next);
        next = end < bytes.len ? end + 1 : bytes.len;
        size_t last = text_end(bytes, begin, end);
        if (last == begin || bytes.ptr[last - 1] != '\\')
            break;
    } while (next < bytes.len);
    if (end - begin > SECRULE_DIRECTIVE_BYTES)
        return secrule_fail(builder, (uint32_t)begin, GUARD_E_LIMIT,
                            "a directive of more than %d bytes", SECRULE_DIRECTIVE_BYTES);
    uint8_t *text = secrule_get(builder, end - begin + 1);
    uint32_t *at = secrule_get(builder, (end - begin + 2) * sizeof(*at));
    size_t len = 0;
    if (text == NULL || at == NULL)
        return false;
    for (size_t i = begin; i < end; i++) {
        bool joins = bytes.ptr[i] == '\\' && text_end(bytes, begin, line_end(bytes, i)) == i + 1;
        if (joins) {
            i = line_end(bytes, i);
        } else {
            at[len] = (uint32_t)i;
            text[len++] = bytes.ptr[i];
        }
    }
    at[len] = (uint32_t)end;
    while (len > 0 && secrule_is_space(text[len - 1]))
        len--;
    *out = (struct secrule_text){text, at, len};
    lines->at = next;
    return true;
}

/* A quoted word. A backslash takes the quote its meaning and stays in front of everything else. */
static bool quoted(struct secrule_builder *builder, struct secrule_text line, size_t *at,
                   struct secrule_text *word)
{
    uint8_t quote = line.ptr[*at];
    size_t begin = *at;
    uint8_t *text = secrule_get(builder, line.len - begin + 1);
    uint32_t *places = secrule_get(builder, (line.len - begin + 1) * sizeof(*places));
    size_t len = 0;
    size_t i = begin + 1;
    if (text == NULL || places == NULL)
        return false;
    for (; i < line.len && line.ptr[i] != quote; i++) {
        bool escape = line.ptr[i] == '\\' && i + 1 < line.len;
        if (escape && line.ptr[i + 1] != quote) {
            places[len] = line.at[i];
            text[len++] = line.ptr[i];
        }
        i += escape;
        places[len] = line.at[i];
        text[len++] = line.ptr[i];
    }
    if (i >= line.len)
        return secrule_fail(builder, line.at[begin], GUARD_E_SYNTAX, "a quote that doesn't close");
    places[len] = line.at[i];
    *word = (struct secrule_text){text, places, len};
    *at = i + 1;
    return true;
}

static bool next_word(struct secrule_builder *builder, struct secrule_text line, size_t *at,
                      struct secrule_text *word)
{
    while (*at < line.len && secrule_is_space(line.ptr[*at]))
        ++*at;
    if (*at >= line.len)
        return false;
    if (line.ptr[*at] == '"' || line.ptr[*at] == '\'')
        return quoted(builder, line, at, word);
    size_t begin = *at;
    while (*at < line.len && !secrule_is_space(line.ptr[*at]))
        ++*at;
    *word = secrule_part(line, begin, *at - begin);
    return true;
}

bool secrule_next(struct secrule_lines *lines, struct secrule_directive *directive)
{
    struct secrule_builder *builder = lines->builder;
    struct guard_span bytes = builder->bytes;
    struct secrule_text line = {NULL, NULL, 0};
    size_t at = 0;
    for (;;) {
        lines->at = skip_blanks(bytes, lines->at);
        if (lines->at >= bytes.len || !builder_good(builder))
            return false;
        if (bytes.ptr[lines->at] == '\n') {
            lines->at++;
            continue;
        }
        if (bytes.ptr[lines->at] == '#') {
            pass_comment(lines, lines->at);
            continue;
        }
        if (!join(lines, &line))
            return false;
        if (line.len > 0)
            break;
    }
    if (++lines->count > SECRULE_DIRECTIVES_MAX)
        return secrule_fail(builder, line.at[0], GUARD_E_LIMIT, "more than %d directives",
                            SECRULE_DIRECTIVES_MAX);
    directive->at = line.at[0];
    directive->word_count = 0;
    while (directive->word_count < SECRULE_WORDS_MAX &&
           next_word(builder, line, &at, &directive->words[directive->word_count]))
        directive->word_count++;
    return builder_good(builder);
}
