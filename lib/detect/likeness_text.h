/* SPDX-License-Identifier: Apache-2.0 */
/* The text that recognisers of attack-likeness read: a value decoded as the service behind might
 * decode it once more, in lower case, blanks folded; and the ways to look around in it, each of
 * which costs fuel. */
#ifndef GD_DETECT_LIKENESS_TEXT_H
#define GD_DETECT_LIKENESS_TEXT_H

#include "base/span.h"
#include "detect/likeness.h"

/* Sets of words. */
enum gd_lk_set {
#define GD_LK_SET(name, words) GD_LK_##name,
#include "detect/likeness_sets.h"
#undef GD_LK_SET
    GD_LK_SETS,
};

struct gd_likeness_text {
    struct gd_likeness *out;
    uint32_t without;      /* classes that don't count */
    struct guard_span raw; /* the head as it came */
    size_t len;
    uint32_t fuel;
    bool printable; /* no control characters but blanks and NUL */
    bool nulls;
    bool opened[3];    /* an odd number of ' " ` came so far: the next one closes */
    size_t keyword_at; /* the word that was looked up last, */
    uint64_t keyword;  /* and the sets that it is in */
    uint8_t bytes[GD_LIKENESS_HEAD + GD_LIKENESS_TAIL + 2]; /* a NUL at the end */
};

/* Automatic variables of this size needn't be filled with zeros first. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define GD_LK_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef GD_LK_UNINITIALIZED
#define GD_LK_UNINITIALIZED
#endif

/* What a byte is, as bits: a part of identifiers; a letter; a digit; what recognisers are asked at;
 * what begins an encoded character; blanks and what begins or ends a comment. */
enum {
    GD_LK_IS_WORD = 1,
    GD_LK_IS_LETTER = 2,
    GD_LK_IS_DIGIT = 4,
    GD_LK_IS_ASKED = 8,
    GD_LK_IS_CODED = 16,
    GD_LK_IS_SKIPPED = 32,
};
extern const uint8_t gd_lk_kinds[256];

/* Decodes percent signs, entities, escapes and full-width forms, at most three times; folds case
 * and blanks: a run of them is one blank, or one line feed when it holds a line break. */
void gd_likeness_text_fill(struct gd_likeness_text *text, struct guard_span value);

/* The construct was seen. */
void gd_likeness_hit(struct gd_likeness_text *text, enum guard_construct construct);

static inline bool gd_lk_letter(uint8_t byte)
{
    return (gd_lk_kinds[byte] & GD_LK_IS_LETTER) != 0;
}

static inline bool gd_lk_digit(uint8_t byte)
{
    return (gd_lk_kinds[byte] & GD_LK_IS_DIGIT) != 0;
}

/* A part of identifiers; other scripts count as letters. */
static inline bool gd_lk_word(uint8_t byte)
{
    return (gd_lk_kinds[byte] & GD_LK_IS_WORD) != 0;
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
static inline bool gd_lk_is(const struct gd_likeness_text *text, size_t at, const char *literal)
{
    if (at >= text->len || text->bytes[at] != (uint8_t)literal[0])
        return literal[0] == '\0';
    size_t len = strlen(literal);
    return text->len - at >= len && memcmp(text->bytes + at, literal, len) == 0;
}

/* And the word ends there? */
static inline bool gd_lk_is_word(const struct gd_likeness_text *text, size_t at,
                                 const char *literal)
{
    return gd_lk_is(text, at, literal) && !gd_lk_word(gd_lk_at(text, at + strlen(literal)));
}

/* The sets that the word at `at` is in, as bits. */
uint64_t gd_lk_lookup(struct gd_likeness_text *text, size_t at);

/* Is the word at `at` one of the set? */
static inline bool gd_lk_in(struct gd_likeness_text *text, size_t at, enum gd_lk_set set)
{
    uint64_t sets = text->keyword_at == at ? text->keyword : gd_lk_lookup(text, at);
    return (sets >> (unsigned)set & 1) != 0;
}

/* Behind a blank, if there is one. */
size_t gd_lk_skip(const struct gd_likeness_text *text, size_t at);
size_t gd_lk_skip_long(struct gd_likeness_text *text, size_t at);
/* Behind blanks, and comments of SQL. */
static inline size_t gd_lk_skip_comments(struct gd_likeness_text *text, size_t at)
{
    at += gd_lk_blank(gd_lk_at(text, at));
    return gd_lk_kinds[gd_lk_at(text, at)] & GD_LK_IS_SKIPPED ? gd_lk_skip_long(text, at) : at;
}

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
