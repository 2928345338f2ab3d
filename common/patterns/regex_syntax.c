/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the expression: escapes, classes, and what stands behind an opening parenthesis. */
#include "common/patterns/regex_syntax.h"

#include <string.h>

static const char look_behind[] = "look-behind isn't supported";
static const char back_reference[] = "back-references aren't supported; a byte is \\xHH";
static const char recursion[] = "recursion isn't supported";

struct cursor {
    const uint8_t *text;
    size_t len;
    size_t at;
};

/* 0 behind the end; a NUL in the expression stands for nothing that is forbidden either. */
static uint8_t ahead(const struct cursor *cursor, size_t distance)
{
    return distance < cursor->len - cursor->at ? cursor->text[cursor->at + distance] : 0;
}

static bool digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static const char *escape_forbidden(uint8_t letter, bool in_class)
{
    switch (letter) {
    case 'p':
    case 'P':
        return "properties of characters aren't supported: values are bytes";
    case 'Q':
    case 'E':
        return "\\Q and \\E aren't supported; put a backslash before each byte";
    default:
        break;
    }
    if (in_class)
        return NULL;
    if (letter == 'g' || letter == 'k' || (digit(letter) && letter != '0'))
        return back_reference;
    if (letter != 0 && strchr("AzZG", letter) != NULL)
        return "\\A, \\z, \\Z and \\G aren't supported; ^ and $ are the value's begin and end";
    if (letter != 0 && strchr("CKRX", letter) != NULL)
        return "\\C, \\K, \\R and \\X aren't supported";
    return NULL;
}

/* At the backslash; ends behind the escape, as far as it may hide a bracket or backslash. */
static const char *skip_escape(struct cursor *cursor, bool in_class)
{
    uint8_t letter = ahead(cursor, 1);
    const char *reason = escape_forbidden(letter, in_class);
    if (reason == NULL && letter == 'N' && ahead(cursor, 2) == '{')
        reason = "\\N{...} isn't supported";
    if (reason == NULL)
        cursor->at += letter == 'c' ? 3 : 2;
    return reason;
}

/* At "[:"; the length of a POSIX class's name with its brackets, or 0. */
static size_t posix_name(const struct cursor *cursor)
{
    size_t i = 2;
    while ((ahead(cursor, i) >= 'a' && ahead(cursor, i) <= 'z') || ahead(cursor, i) == '^')
        i++;
    return ahead(cursor, i) == ':' && ahead(cursor, i + 1) == ']' ? i + 2 : 0;
}

/* At the bracket; ends behind the class. */
static const char *skip_class(struct cursor *cursor)
{
    cursor->at++;
    if (ahead(cursor, 0) == '^')
        cursor->at++;
    if (ahead(cursor, 0) == ']')
        cursor->at++;
    while (cursor->at < cursor->len && cursor->text[cursor->at] != ']') {
        const char *reason = NULL;
        if (cursor->text[cursor->at] == '\\')
            reason = skip_escape(cursor, true);
        else if (cursor->text[cursor->at] == '[' && ahead(cursor, 1) == ':')
            cursor->at += posix_name(cursor) != 0 ? posix_name(cursor) : 1;
        else
            cursor->at++;
        if (reason != NULL)
            return reason;
    }
    cursor->at++;
    return NULL;
}

/* "(?i)", "(?s-i:": behind the question mark. */
static const char *options_forbidden(const struct cursor *cursor)
{
    bool off = false;
    for (size_t i = 2;; i++) {
        uint8_t byte = ahead(cursor, i);
        if (byte == ')' || byte == ':')
            return NULL;
        if (byte == 0 || strchr("ims-", byte) == NULL)
            return "of options only i, m and s are supported";
        off = off || byte == '-';
        if (off && byte == 'm')
            return "the option m can't be taken back";
    }
}

static const char *named_forbidden(const struct cursor *cursor)
{
    uint8_t next = ahead(cursor, 3);
    if (ahead(cursor, 2) == '<')
        return next == '=' || next == '!' || next == '*' ? look_behind : NULL;
    return next == '=' ? back_reference : next == '>' ? recursion : NULL;
}

/* At the parenthesis. */
static const char *group_forbidden(struct cursor *cursor)
{
    if (ahead(cursor, 1) == '*')
        return "verbs and options as (*...) aren't supported";
    if (ahead(cursor, 1) != '?')
        return NULL;
    uint8_t kind = ahead(cursor, 2);
    if (digit(kind) || kind == 'R' || kind == '&' || kind == '+' ||
        (kind == '-' && digit(ahead(cursor, 3))))
        return recursion;
    switch (kind) {
    case ':':
    case '=':
    case '!':
    case '>':
    case '|':
    case '\'':
        return NULL;
    case '#':
        while (cursor->at < cursor->len && cursor->text[cursor->at] != ')')
            cursor->at++;
        return NULL;
    case '<':
    case 'P':
        return named_forbidden(cursor);
    case 'C':
        return "callouts aren't supported";
    case '(':
        return "conditions aren't supported";
    case '*':
        return "(?*...) isn't supported";
    default:
        return options_forbidden(cursor);
    }
}

const char *regex_forbidden(struct guard_span expression, size_t *offset)
{
    struct cursor cursor = {expression.ptr, expression.len, 0};
    while (cursor.at < cursor.len) {
        const char *reason = NULL;
        *offset = cursor.at;
        uint8_t byte = cursor.text[cursor.at];
        if (byte == '\\') {
            reason = skip_escape(&cursor, false);
        } else if (byte == '[') {
            reason = skip_class(&cursor);
        } else {
            reason = byte == '(' ? group_forbidden(&cursor) : NULL;
            cursor.at++;
        }
        if (reason != NULL)
            return reason;
    }
    return NULL;
}
