/* SPDX-License-Identifier: Apache-2.0 */
/* See regex_sign.h. More repetitions match more, except below something that is negated, which
 * only groups with a question mark can do; they, verbs and quoted texts are left alone. */
#include "common/patterns/regex_sign.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    MOST_KEPT = 9,     /* repetitions up to here stay exact: "{4,}" is no longer than any beyond */
    LEAST_KEPT = 4,    /* of those that must be there, beyond */
    COUNT_MAX = 65536, /* more than any that PCRE2 takes */
};

/* A repetition in braces; len 0: it is none. */
struct repetition {
    size_t len;
    unsigned min;
    unsigned max;
    bool endless;
};

static size_t number(struct guard_span text, size_t at, unsigned *out)
{
    *out = 0;
    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++) {
        if (*out < COUNT_MAX)
            *out = *out * 10 + (unsigned)(text.ptr[at] - '0');
    }
    return at;
}

static struct repetition repetition_at(struct guard_span text, size_t begin)
{
    struct repetition found = {0};
    size_t at = number(text, begin + 1, &found.min);
    if (at == begin + 1 || at == text.len)
        return (struct repetition){0};
    found.max = found.min;
    if (text.ptr[at] == ',') {
        size_t behind = number(text, at + 1, &found.max);
        found.endless = behind == at + 1;
        at = behind;
    }
    if (at == text.len || text.ptr[at] != '}')
        return (struct repetition){0};
    found.len = at + 1 - begin;
    return found;
}

/* "\c]": the byte behind belongs to it, whatever it is elsewhere. */
static bool is_control(struct guard_span text, size_t at)
{
    return text.ptr[at] == '\\' && at + 1 < text.len && text.ptr[at + 1] == 'c';
}

/* The byte behind the set that begins here; 0: it has no plain end. */
static size_t behind_set(struct guard_span text, size_t at)
{
    at++;
    at += at < text.len && text.ptr[at] == '^';
    at += at < text.len && text.ptr[at] == ']';
    for (; at < text.len && text.ptr[at] != ']'; at++) {
        if (text.ptr[at] == '[' || is_control(text, at))
            return 0;
        if (text.ptr[at] == '\\')
            at++;
    }
    return at < text.len ? at + 1 : 0;
}

static bool is_plain_group(struct guard_span text, size_t at)
{
    if (at + 1 >= text.len)
        return false;
    if (text.ptr[at + 1] == '*')
        return false;
    return text.ptr[at + 1] != '?' || (at + 2 < text.len && text.ptr[at + 2] == ':');
}

static bool is_understood(struct guard_span text)
{
    for (size_t at = 0; at < text.len; at++) {
        if (is_control(text, at))
            return false;
        if (text.ptr[at] == '\\') {
            at++;
            if (at == text.len || text.ptr[at] == 'Q' || text.ptr[at] == 'E')
                return false;
        } else if (text.ptr[at] == '(' && !is_plain_group(text, at)) {
            return false;
        } else if (text.ptr[at] == '[') {
            at = behind_set(text, at);
            if (at == 0)
                return false;
            at--;
        }
    }
    return true;
}

/* What gives nothing back would take more from what follows. */
static size_t put_repetition(struct repetition found, const uint8_t *source, bool possessive,
                             char *to)
{
    if (possessive || (found.endless ? found.min <= LEAST_KEPT : found.max <= MOST_KEPT)) {
        memcpy(to, source, found.len);
        return found.len;
    }
    to[0] = '{';
    to[1] = (char)('0' + (found.min < LEAST_KEPT ? found.min : LEAST_KEPT));
    to[2] = ',';
    to[3] = '}';
    return 4;
}

/* The braces of "\x{41}" aren't a repetition. */
static size_t behind_escape(struct guard_span text, size_t at)
{
    uint8_t letter = text.ptr[at + 1];
    at += 2;
    return at + ((letter == 'x' || letter == 'o') && at < text.len && text.ptr[at] == '{');
}

size_t regex_relax(struct guard_span text, char *to)
{
    size_t len = 0;
    if (!is_understood(text)) {
        if (text.len > 0)
            memcpy(to, text.ptr, text.len);
        return text.len;
    }
    for (size_t at = 0; at < text.len;) {
        size_t next = at + 1;
        struct repetition found = {0};
        if (text.ptr[at] == '\\')
            next = behind_escape(text, at);
        else if (text.ptr[at] == '[')
            next = behind_set(text, at);
        else if (text.ptr[at] == '{')
            found = repetition_at(text, at);
        if (found.len > 0) {
            next = at + found.len;
            len += put_repetition(found, text.ptr + at, next < text.len && text.ptr[next] == '+',
                                  to + len);
            at = next;
            continue;
        }
        memcpy(to + len, text.ptr + at, next - at);
        len += next - at;
        at = next;
    }
    return len;
}

/* --- signs --- */

/* The run of plain bytes at work, behind the longest one. */
struct runs {
    uint8_t *to;
    size_t longest; /* its bytes are to[0] to to[longest - 1] */
    size_t len;     /* of the run, behind it */
};

static void end_run(struct runs *runs)
{
    if (runs->len > runs->longest) {
        memmove(runs->to, runs->to + runs->longest, runs->len);
        runs->longest = runs->len;
    }
    runs->len = 0;
}

/* The byte behind the group that begins here. */
static size_t behind_group(struct guard_span text, size_t at)
{
    size_t depth = 0;
    while (at < text.len) {
        uint8_t byte = text.ptr[at];
        if (byte == '[') {
            at = behind_set(text, at);
            continue;
        }
        at += byte == '\\' ? 2 : 1;
        depth += byte == '(';
        depth -= byte == ')';
        if (depth == 0)
            return at;
    }
    return text.len;
}

/* What one escaped character stands for; -1: no byte, or none that is certain. */
static int escaped(uint8_t byte)
{
    bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    bool digit = byte >= '0' && byte <= '9';
    return letter || digit || byte >= 0x80 ? -1 : byte;
}

/* Escapes that aren't one letter: what belongs to them isn't plain. */
static bool has_operand(struct guard_span text, size_t at)
{
    return text.ptr[at] == '\\' && text.ptr[at + 1] != 0 &&
           strchr("bBdDwWsSnrtfvVhHNaeR", text.ptr[at + 1]) == NULL &&
           escaped(text.ptr[at + 1]) < 0;
}

/* How often the atom before `at` may be there at least, and the byte behind that. */
static size_t quantified(struct guard_span text, size_t at, unsigned *least, bool *found)
{
    *least = 1;
    *found = true;
    uint8_t byte = at < text.len ? text.ptr[at] : 0;
    struct repetition braces = byte == '{' ? repetition_at(text, at) : (struct repetition){0};
    if (byte == '*' || byte == '?') {
        *least = 0;
        at++;
    } else if (byte == '+') {
        at++;
    } else if (braces.len > 0) {
        *least = braces.min;
        at += braces.len;
    } else {
        *found = false;
        return at;
    }
    return at + (at < text.len && (text.ptr[at] == '?' || text.ptr[at] == '+'));
}

/* The byte behind the atom; *byte: what it stands for, -1: more than one thing. */
static size_t atom(struct guard_span text, size_t at, int *byte)
{
    *byte = -1;
    switch (text.ptr[at]) {
    case '(':
        return behind_group(text, at);
    case '[':
        return behind_set(text, at);
    case '\\':
        *byte = escaped(text.ptr[at + 1]);
        return at + 2;
    case '.':
    case '^':
    case '$':
        return at + 1;
    default:
        *byte = text.ptr[at];
        return at + 1;
    }
}

size_t regex_sign(struct guard_span text, uint8_t *to)
{
    struct runs runs = {to, 0, 0};
    if (!is_understood(text))
        return 0;
    for (size_t at = 0; at < text.len;) {
        int byte;
        unsigned least;
        bool repeated;
        if (text.ptr[at] == '|' || has_operand(text, at))
            return 0;
        at = quantified(text, atom(text, at, &byte), &least, &repeated);
        if (byte >= 0 && least > 0)
            to[runs.longest + runs.len++] = (uint8_t)byte;
        if (byte < 0 || repeated)
            end_run(&runs);
    }
    end_run(&runs);
    return runs.longest;
}
