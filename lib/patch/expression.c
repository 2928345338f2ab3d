/* SPDX-License-Identifier: Apache-2.0 */
/* See expression.h. */
#include "patch/expression.h"

struct scan {
    struct guard_span text;
    size_t at;
    uint32_t open; /* parentheses */
};

static uint8_t peek(const struct scan *scan, size_t ahead)
{
    return scan->at + ahead < scan->text.len ? scan->text.ptr[scan->at + ahead] : 0;
}

/* Behind a backslash. */
static const char *escape(struct scan *scan, bool in_set)
{
    if (scan->at + 1 >= scan->text.len)
        return "ends with a backslash";
    uint8_t byte = peek(scan, 1);
    if (byte == 'Q' || byte == 'E')
        return "quotes with \\Q, which isn't allowed";
    if (in_set)
        return NULL;
    if ((byte >= '1' && byte <= '9') || byte == 'k' || byte == 'g')
        return "has a back-reference, which isn't allowed";
    if (byte == 'A' || byte == 'z' || byte == 'Z' || byte == 'G')
        return "has \\A, \\z, \\Z or \\G: write ^ and $";
    if (byte == 'C' || byte == 'X' || byte == 'K' || byte == 'R' || byte == 'N')
        return "has \\C, \\X, \\K, \\R or \\N, which isn't allowed";
    return NULL;
}

/* Behind "(?": groups that capture nothing, options for them and what looks ahead are allowed. */
static const char *group(struct scan *scan)
{
    uint8_t byte = peek(scan, 2);
    if (byte == '<' && (peek(scan, 3) == '=' || peek(scan, 3) == '!'))
        return "looks behind, which isn't allowed";
    if (byte == ':' || byte == '=' || byte == '!' || byte == '>' || byte == '<')
        return NULL;
    if (byte == 'P' && peek(scan, 3) == '<')
        return NULL;
    for (size_t i = 2; byte == 'i' || byte == 's' || byte == 'm' || byte == '-'; i++) {
        byte = peek(scan, i + 1);
        if (byte == ':' || byte == ')')
            return NULL;
    }
    return "has a group of a kind that isn't allowed (recursion, callouts, conditions, comments)";
}

static const char *set(struct scan *scan)
{
    size_t begin = scan->at++;
    scan->at += peek(scan, 0) == '^';
    scan->at += peek(scan, 0) == ']' && scan->at < scan->text.len;
    while (scan->at < scan->text.len && scan->text.ptr[scan->at] != ']') {
        if (peek(scan, 0) == '[' && peek(scan, 1) == ':') {
            size_t end = scan->at + 2;
            while (end < scan->text.len && scan->text.ptr[end] >= 'a' && scan->text.ptr[end] <= 'z')
                end++;
            if (end + 1 < scan->text.len && memcmp(scan->text.ptr + end, ":]", 2) == 0) {
                scan->at = end + 2;
                continue;
            }
        }
        if (peek(scan, 0) == '\\') {
            const char *wrong = escape(scan, true);
            if (wrong != NULL)
                return wrong;
            scan->at++;
        }
        scan->at++;
    }
    if (scan->at >= scan->text.len) {
        scan->at = begin;
        return "has a set that doesn't close";
    }
    scan->at++;
    return NULL;
}

static const char *step(struct scan *scan)
{
    const char *wrong = NULL;
    switch (peek(scan, 0)) {
    case '\\':
        wrong = escape(scan, false);
        scan->at += wrong == NULL ? 2 : 0;
        return wrong;
    case '[':
        return set(scan);
    case '(':
        if (peek(scan, 1) == '*')
            return "has a verb, which isn't allowed";
        wrong = peek(scan, 1) == '?' ? group(scan) : NULL;
        scan->open++;
        break;
    case ')':
        if (scan->open == 0)
            return "closes a group that isn't open";
        scan->open--;
        break;
    default:
        break;
    }
    scan->at += wrong == NULL;
    return wrong;
}

const char *gd_expression_check(struct guard_span expression, size_t *at)
{
    struct scan scan = {.text = expression};
    const char *wrong = NULL;
    while (wrong == NULL && scan.at < expression.len)
        wrong = step(&scan);
    *at = scan.at;
    if (wrong == NULL && scan.open > 0)
        wrong = "has a group that doesn't close";
    return wrong;
}
