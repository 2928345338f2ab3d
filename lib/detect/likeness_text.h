/* SPDX-License-Identifier: Apache-2.0 */
/* The text that recognisers of attack-likeness read: a value decoded as the service behind might
 * decode it once more, in lower case, blanks folded; and the ways to look around in it, each of
 * which costs fuel. */
#ifndef GD_DETECT_LIKENESS_TEXT_H
#define GD_DETECT_LIKENESS_TEXT_H

#include "base/span.h"
#include "detect/likeness.h"

enum { GD_LIKENESS_TEXT = GD_LIKENESS_HEAD + GD_LIKENESS_TAIL + 1 };

struct gd_likeness_text {
    struct gd_likeness *out;
    struct guard_span raw; /* the head as it came */
    size_t len;
    uint32_t fuel;
    bool printable; /* no control characters but blanks and NUL */
    bool nulls;
    bool opened[3];                    /* an odd number of ' " ` came so far: the next one closes */
    uint16_t origin[GD_LIKENESS_TEXT]; /* where in the value a byte comes from */
    uint8_t bytes[GD_LIKENESS_TEXT + 1]; /* a NUL at the end */
};

/* Decodes percent signs, entities, escapes and full-width forms, at most three times; folds case
 * and blanks: a run of them is one blank, or one line feed when it holds a line break. */
void gd_likeness_text_fill(struct gd_likeness_text *text, struct guard_span value);

/* The construct was seen from `from` to `to`. */
void gd_likeness_hit(struct gd_likeness_text *text, enum guard_construct construct, size_t from,
                     size_t to);

static inline bool gd_lk_letter(uint8_t byte)
{
    return (uint8_t)((byte | 0x20) - 'a') < 26;
}

static inline bool gd_lk_digit(uint8_t byte)
{
    return (uint8_t)(byte - '0') < 10;
}

/* A part of identifiers; other scripts count as letters. */
static inline bool gd_lk_word(uint8_t byte)
{
    return gd_lk_letter(byte) || gd_lk_digit(byte) || byte == '_' || byte >= 0x80;
}

static inline bool gd_lk_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\n';
}

static inline bool gd_lk_quote(uint8_t byte)
{
    return byte == '\'' || byte == '"' || byte == '`';
}

/* Does the quote at `at` close what the value didn't open? (Asked before it is counted.) */
static inline bool gd_lk_unopened(const struct gd_likeness_text *text, size_t at)
{
    uint8_t quote = text->bytes[at];
    return !text->opened[quote == '\'' ? 0 : quote == '"' ? 1 : 2];
}

/* The byte; 0 at the end and beyond. */
static inline uint8_t gd_lk_at(const struct gd_likeness_text *text, size_t at)
{
    return at < text->len ? text->bytes[at] : 0;
}

static inline bool gd_lk_burn(struct gd_likeness_text *text, size_t steps)
{
    if (text->fuel < steps) {
        text->fuel = 0;
        return false;
    }
    text->fuel -= (uint32_t)steps;
    return true;
}

/* Does the text go on with these lower case bytes? */
bool gd_lk_is(const struct gd_likeness_text *text, size_t at, const char *literal);
/* And the word ends there? */
bool gd_lk_is_word(const struct gd_likeness_text *text, size_t at, const char *literal);
/* Is the word at `at` one of them? Words are separated by one blank each. */
bool gd_lk_in(const struct gd_likeness_text *text, size_t at, const char *words);
/* Behind a blank, if there is one. */
size_t gd_lk_skip(const struct gd_likeness_text *text, size_t at);
/* Behind blanks, and comments of SQL. */
size_t gd_lk_skip_comments(struct gd_likeness_text *text, size_t at);
/* Behind the word, which may be empty; at most 64 bytes. */
size_t gd_lk_word_end(struct gd_likeness_text *text, size_t at);
/* The first place of the literal in the next `most` bytes; 0: none (`at` isn't 0). */
size_t gd_lk_find(struct gd_likeness_text *text, size_t at, const char *literal, size_t most);

/* The recognisers, each asked at the byte or word that can begin what it knows. */
void gd_likeness_sql_quote(struct gd_likeness_text *text, size_t at);
void gd_likeness_sql_word(struct gd_likeness_text *text, size_t at, size_t end);
void gd_likeness_sql_semicolon(struct gd_likeness_text *text, size_t at);
void gd_likeness_sql_parenthesis(struct gd_likeness_text *text, size_t at);
void gd_likeness_markup(struct gd_likeness_text *text, size_t at);
void gd_likeness_script_quote(struct gd_likeness_text *text, size_t at);
void gd_likeness_script_word(struct gd_likeness_text *text, size_t at, size_t end);
void gd_likeness_shell(struct gd_likeness_text *text, size_t at);
void gd_likeness_shell_word(struct gd_likeness_text *text, size_t at, size_t end);
void gd_likeness_expression(struct gd_likeness_text *text, size_t at);
void gd_likeness_code_word(struct gd_likeness_text *text, size_t at, size_t end);
void gd_likeness_path_dots(struct gd_likeness_text *text, size_t at);
void gd_likeness_path_slash(struct gd_likeness_text *text, size_t at);
void gd_likeness_url(struct gd_likeness_text *text, size_t at); /* at "://" */
void gd_likeness_ldap(struct gd_likeness_text *text, size_t at, bool unopened);
void gd_likeness_xpath(struct gd_likeness_text *text, size_t at);
void gd_likeness_nosql(struct gd_likeness_text *text, size_t at);
void gd_likeness_break(struct gd_likeness_text *text, size_t at);
void gd_likeness_format(struct gd_likeness_text *text, size_t at);
void gd_likeness_object(struct gd_likeness_text *text);

#endif
