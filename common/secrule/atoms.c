/* SPDX-License-Identifier: Apache-2.0 */
/* See atoms.h. */
#include "common/secrule/atoms.h"

#include <string.h>

bool secrule_bytes_space(const struct secrule_bytes *set)
{
    for (unsigned byte = 0; byte < 128; byte++) {
        if (secrule_is_space((uint8_t)byte) && secrule_bytes_has(set, (uint8_t)byte))
            return true;
    }
    return false;
}

static void invert(struct secrule_bytes *set)
{
    for (int i = 0; i < 4; i++)
        set->bits[i] = ~set->bits[i];
}

static void merge(struct secrule_bytes *set, const struct secrule_bytes *other)
{
    for (int i = 0; i < 4; i++)
        set->bits[i] |= other->bits[i];
}

static uint8_t peek(const struct secrule_walk *walk, size_t ahead)
{
    return walk->at + ahead < walk->text.len ? walk->text.ptr[walk->at + ahead] : 0;
}

static bool fail(struct secrule_walk *walk, const char *wrong)
{
    walk->wrong = wrong;
    return false;
}

/* \d, \w, \s, \h, \v and their opposites. */
static bool class_of(uint8_t letter, struct secrule_bytes *set)
{
    *set = (struct secrule_bytes){{0}};
    switch (letter | 0x20) {
    case 'w':
        secrule_bytes_add(set, 'A', 'Z');
        secrule_bytes_add(set, 'a', 'z');
        secrule_bytes_add(set, '_', '_');
        secrule_bytes_add(set, '0', '9');
        break;
    case 'd':
        secrule_bytes_add(set, '0', '9');
        break;
    case 's':
        secrule_bytes_add(set, ' ', ' ');
        secrule_bytes_add(set, '\t', '\r');
        break;
    case 'h':
        secrule_bytes_add(set, ' ', ' ');
        secrule_bytes_add(set, '\t', '\t');
        secrule_bytes_add(set, 0xa0, 0xa0);
        break;
    case 'v':
        secrule_bytes_add(set, '\n', '\r');
        secrule_bytes_add(set, 0x85, 0x85);
        break;
    default:
        return false;
    }
    if ((letter & 0x20) == 0)
        invert(set);
    return true;
}

static unsigned hex_digit(uint8_t byte)
{
    if (secrule_is_digit(byte))
        return byte - (unsigned)'0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - (unsigned)'a' + 10 : 16;
}

/* \xHH, \x{HH}; at the 'x'. */
static bool hex_escape(struct secrule_walk *walk, unsigned *byte)
{
    bool braces = peek(walk, 1) == '{';
    *byte = 0;
    walk->at += 1 + braces;
    for (int i = 0; hex_digit(peek(walk, 0)) < 16 && (braces || i < 2) && *byte < 256; i++) {
        *byte = *byte * 16 + hex_digit(peek(walk, 0));
        walk->at++;
    }
    if (braces && peek(walk, 0) != '}')
        return fail(walk, "a character beyond \\x{ff}");
    walk->at += braces;
    return *byte < 256 || fail(walk, "a character beyond \\x{ff}");
}

static const char *forbidden_escape(uint8_t letter, bool in_set)
{
    if (letter == 'Q' || letter == 'E' || letter == 'p' || letter == 'P')
        return "\\Q, \\E, \\p and \\P aren't carried over";
    if (in_set)
        return NULL;
    if ((letter >= '1' && letter <= '9') || letter == 'k' || letter == 'g')
        return "a back-reference, which patches don't allow";
    if (memchr("AzZGCXKRNlLuU", letter, 13) != NULL)
        return "\\A, \\z, \\Z, \\G, \\C, \\X, \\K, \\R or \\N, which patches don't allow";
    return NULL;
}

/* At a backslash. *byte is the one it stands for, when it is a literal. */
static bool escape(struct secrule_walk *walk, bool in_set, struct secrule_bytes *set,
                   unsigned *byte)
{
    static const char letters[] = "nrtfae";
    static const uint8_t values[] = {'\n', '\r', '\t', '\f', 7, 27};
    uint8_t letter = peek(walk, 1);
    if (walk->at + 1 >= walk->text.len)
        return fail(walk, "a backslash at the end");
    const char *wrong = forbidden_escape(letter, in_set);
    if (wrong != NULL)
        return fail(walk, wrong);
    *byte = 256;
    walk->at++;
    const char *found = memchr(letters, letter, sizeof(letters) - 1);
    if (letter == 'x') {
        if (!hex_escape(walk, byte))
            return false;
    } else if (secrule_is_digit(letter)) {
        for (*byte = 0; peek(walk, 0) >= '0' && peek(walk, 0) <= '7' && *byte < 32; walk->at++)
            *byte = *byte * 8 + peek(walk, 0) - (unsigned)'0';
    } else if (class_of(letter, set)) {
        walk->at++;
        return true;
    } else if (found != NULL) {
        *byte = values[found - letters];
        walk->at++;
    } else if (in_set && letter == 'b') {
        *byte = 8;
        walk->at++;
    } else if (secrule_is_letter(letter)) {
        return fail(walk, "an escape that isn't known");
    } else {
        *byte = letter;
        walk->at++;
    }
    *set = (struct secrule_bytes){{0}};
    secrule_bytes_add(set, *byte, *byte);
    return true;
}

/* [:alpha:] and its kin, at the inner bracket; false when it is none. */
static bool posix_class(struct secrule_walk *walk, struct secrule_bytes *set)
{
    static const struct {
        const char *name;
        const char *ranges; /* pairs of first and last byte */
    } classes[] = {
        {"alpha", "AZaz"},
        {"digit", "09"},
        {"alnum", "AZaz09"},
        {"upper", "AZ"},
        {"lower", "az"},
        {"space", "\t\r  "},
        {"blank", "\t\t  "},
        {"punct", "!/:@[`{~"},
        {"xdigit", "09AFaf"},
        {"word", "AZaz09__"},
        {"print", " ~"},
        {"graph", "!~"},
        {"cntrl", "\001\037\177\177"},
    };
    bool negated = peek(walk, 2) == '^';
    size_t from = walk->at + 2 + negated;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        size_t len = strlen(classes[i].name);
        if (walk->text.len - from < len + 2 ||
            memcmp(walk->text.ptr + from, classes[i].name, len) != 0 ||
            memcmp(walk->text.ptr + from + len, ":]", 2) != 0)
            continue;
        *set = (struct secrule_bytes){{0}};
        for (const char *range = classes[i].ranges; *range != '\0'; range += 2)
            secrule_bytes_add(set, (uint8_t)range[0], (uint8_t)range[1]);
        if (negated)
            invert(set);
        walk->at = from + len + 2;
        return true;
    }
    return false;
}

/* One member of a set; *byte is 256 for a class. */
static bool set_member(struct secrule_walk *walk, struct secrule_bytes *set, unsigned *byte)
{
    if (peek(walk, 0) == '\\')
        return escape(walk, true, set, byte);
    if (peek(walk, 0) == '[' && peek(walk, 1) == ':' && posix_class(walk, set)) {
        *byte = 256;
        return true;
    }
    *byte = peek(walk, 0);
    *set = (struct secrule_bytes){{0}};
    secrule_bytes_add(set, *byte, *byte);
    walk->at++;
    return true;
}

static bool bracket(struct secrule_walk *walk, struct secrule_atom *atom)
{
    size_t begin = walk->at++;
    bool negated = peek(walk, 0) == '^' && walk->at < walk->text.len;
    walk->at += negated;
    bool first = true;
    while (walk->at < walk->text.len && (first || walk->text.ptr[walk->at] != ']')) {
        struct secrule_bytes member;
        struct secrule_bytes last;
        unsigned from = 256;
        unsigned to = 256;
        first = false;
        if (!set_member(walk, &member, &from))
            return false;
        if (from < 256 && peek(walk, 0) == '-' && peek(walk, 1) != ']' &&
            walk->at + 1 < walk->text.len) {
            walk->at++;
            if (!set_member(walk, &last, &to))
                return false;
            if (to == 256 || to < from)
                return fail(walk, "a range of a set that has no end, or runs backwards");
            secrule_bytes_add(&member, from, to);
        }
        merge(&atom->inner, &member);
    }
    if (walk->at >= walk->text.len) {
        walk->at = begin;
        return fail(walk, "a set that doesn't close");
    }
    walk->at++;
    atom->bytes = atom->inner;
    if (negated)
        invert(&atom->bytes);
    return true;
}

static bool open_group(struct secrule_walk *walk, struct secrule_atom *atom)
{
    atom->kind = SECRULE_ATOM_OPEN;
    if (peek(walk, 1) == '*')
        return fail(walk, "a verb, which patches don't allow");
    walk->depth++;
    if (peek(walk, 1) != '?') {
        walk->at++;
        return true;
    }
    uint8_t kind = peek(walk, 2);
    uint8_t behind = peek(walk, 3);
    if (kind == '<' && (behind == '=' || behind == '!'))
        return fail(walk, "it looks behind, which patches don't allow");
    if (kind == ':' || kind == '>' || kind == '=' || kind == '!') {
        atom->looks_ahead = kind == '=' || kind == '!';
        walk->at += 3;
        return true;
    }
    size_t at = 2;
    if ((kind == '<' && secrule_is_letter(behind)) || (kind == 'P' && behind == '<')) {
        while (peek(walk, at) != 0 && peek(walk, at) != '>')
            at++;
        walk->at += at + (peek(walk, at) == '>');
        return true;
    }
    while (peek(walk, at) == 'i' || peek(walk, at) == 's')
        at++;
    if (at > 2 && (peek(walk, at) == ':' || peek(walk, at) == ')')) {
        walk->depth -= peek(walk, at) == ')';
        walk->at += at + 1;
        return true;
    }
    return fail(walk, "a group of a kind that isn't carried over");
}

static uint32_t bound(struct secrule_walk *walk, uint32_t otherwise)
{
    uint32_t value = 0;
    if (!secrule_is_digit(peek(walk, 0)))
        return otherwise;
    for (; secrule_is_digit(peek(walk, 0)); walk->at++)
        value = value < 100000 ? value * 10 + peek(walk, 0) - (uint32_t)'0' : value;
    return value;
}

static void quantifier(struct secrule_walk *walk, struct secrule_atom *atom)
{
    size_t begin = walk->at;
    uint8_t byte = peek(walk, 0);
    atom->min = 1;
    atom->max = 1;
    if (byte == '*' || byte == '+' || byte == '?') {
        atom->min = byte == '+';
        atom->max = byte == '?' ? 1 : UINT32_MAX;
        walk->at++;
    } else if (byte == '{' && secrule_is_digit(peek(walk, 1))) {
        walk->at++;
        atom->min = bound(walk, 0);
        atom->max = peek(walk, 0) == ',' ? UINT32_MAX : atom->min;
        walk->at += peek(walk, 0) == ',';
        atom->max = bound(walk, atom->max);
        if (peek(walk, 0) != '}') { /* literally a brace */
            walk->at = begin;
            atom->min = 1;
            atom->max = 1;
            return;
        }
        walk->at++;
    } else {
        return;
    }
    if (peek(walk, 0) == '?' || peek(walk, 0) == '+')
        walk->at++;
}

static bool read_atom(struct secrule_walk *walk, struct secrule_atom *atom)
{
    unsigned byte = peek(walk, 0);
    switch (byte) {
    case '[':
        return bracket(walk, atom);
    case '(':
        return open_group(walk, atom);
    case ')':
        if (walk->depth == 0)
            return fail(walk, "it closes a group that isn't open");
        walk->depth--;
        atom->kind = SECRULE_ATOM_CLOSE;
        break;
    case '^':
        atom->kind = SECRULE_ATOM_BEGIN;
        break;
    case '$':
        atom->kind = SECRULE_ATOM_END;
        break;
    case '|':
        atom->kind = SECRULE_ATOM_BAR;
        break;
    case '*':
    case '+':
    case '?':
        return fail(walk, "a quantifier of nothing");
    case '.':
        invert(&atom->bytes);
        break;
    case '\\':
        if ((peek(walk, 1) | 0x20) == 'b') {
            atom->kind = SECRULE_ATOM_BOUNDARY;
            walk->at += 2;
            return true;
        }
        if (!escape(walk, false, &atom->bytes, &byte))
            return false;
        atom->inner = atom->bytes;
        return true;
    default:
        secrule_bytes_add(&atom->bytes, byte, byte);
        atom->inner = atom->bytes;
        break;
    }
    walk->at++;
    return true;
}

bool secrule_atom_next(struct secrule_walk *walk, struct secrule_atom *atom)
{
    *atom = (struct secrule_atom){.kind = SECRULE_ATOM_SET, .begin = walk->at};
    if (walk->wrong != NULL)
        return false;
    if (walk->at >= walk->text.len) {
        if (walk->depth > 0)
            fail(walk, "a group that doesn't close");
        return false;
    }
    if (!read_atom(walk, atom))
        return false;
    atom->end = walk->at;
    if (atom->kind == SECRULE_ATOM_SET || atom->kind == SECRULE_ATOM_CLOSE)
        quantifier(walk, atom);
    else {
        atom->min = 1;
        atom->max = 1;
    }
    atom->next = walk->at;
    return true;
}
