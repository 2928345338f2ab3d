/* SPDX-License-Identifier: Apache-2.0 */
/* The grammars of value types. The mask of character classes, which is known already, decides which
 * grammars are tried at all, so that most values meet one or none. */
#include "profile/summary.h"

#define CLASS(name) (UINT64_C(1) << GUARD_CLASS_##name)
#define ASCII_LETTERS (CLASS(LOWER) | CLASS(UPPER))
#define LETTERS                                                                                    \
    (ASCII_LETTERS | CLASS(LATIN) | CLASS(GREEK) | CLASS(CYRILLIC) | CLASS(SEMITIC) |              \
     CLASS(INDIC) | CLASS(CJK) | CLASS(HANGUL))
#define ALNUM (ASCII_LETTERS | CLASS(DIGIT))

/* Punctuation by its code: the four rows of it in ASCII. */
#define MARK(c)                                                                                    \
    (UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + ((c) < '0'   ? (c) - '!'                            \
                                                : (c) < 'A' ? (c) - ':' + 15                       \
                                                : (c) < 'a' ? (c) - '[' + 22                       \
                                                            : (c) - '{' + 28)))

enum { ALPHA = 1, DIGIT = 2, HEX = 4, LOCAL = 8, DOMAIN = 16, BASE64 = 32, LABEL = 64 };

/* Where a byte may stand; high bytes count as letters of mailboxes and domains. */
static const uint8_t kinds[256] = {
    ['0' ... '9'] = DIGIT | HEX | LOCAL | DOMAIN | BASE64 | LABEL,
    ['A' ... 'F'] = ALPHA | HEX | LOCAL | DOMAIN | BASE64 | LABEL,
    ['G' ... 'Z'] = ALPHA | LOCAL | DOMAIN | BASE64 | LABEL,
    ['a' ... 'f'] = ALPHA | HEX | LOCAL | DOMAIN | BASE64 | LABEL,
    ['g' ... 'z'] = ALPHA | LOCAL | DOMAIN | BASE64 | LABEL,
    ['-'] = LOCAL | DOMAIN | BASE64,
    ['_'] = LOCAL | BASE64,
    ['.'] = LOCAL | DOMAIN,
    ['+'] = LOCAL | BASE64,
    ['/'] = BASE64,
    ['%'] = LOCAL,
    [0x80 ... 0xff] = ALPHA | LOCAL | DOMAIN | LABEL,
};

static bool only(uint64_t classes, uint64_t allowed)
{
    return (classes & ~allowed) == 0;
}

/* How many bytes from `at` on are of the kind. */
static size_t span_of(struct guard_span value, size_t at, uint8_t kind)
{
    size_t start = at;
    while (at < value.len && (kinds[value.ptr[at]] & kind))
        at++;
    return at - start;
}

static bool is_sign(uint8_t byte)
{
    return byte == '-' || byte == '+';
}

/* 0, GUARD_TYPE_INT or GUARD_TYPE_DECIMAL. */
static enum guard_type number_type(struct guard_span value)
{
    size_t at = is_sign(value.ptr[0]) ? 1 : 0;
    size_t whole = span_of(value, at, DIGIT);
    at += whole;
    if (at == value.len)
        return whole > 0 ? GUARD_TYPE_INT : GUARD_TYPE_EMPTY;
    size_t part = 0;
    if (value.ptr[at] == '.') {
        part = span_of(value, at + 1, DIGIT);
        at += part + 1;
    }
    if (whole + part == 0)
        return GUARD_TYPE_EMPTY;
    if (at < value.len && (value.ptr[at] | 0x20) == 'e') {
        at++;
        if (at < value.len && is_sign(value.ptr[at]))
            at++;
        size_t power = span_of(value, at, DIGIT);
        if (power == 0)
            return GUARD_TYPE_EMPTY;
        at += power;
    }
    return at == value.len ? GUARD_TYPE_DECIMAL : GUARD_TYPE_EMPTY;
}

static bool is_uuid(struct guard_span value)
{
    if (value.len != 36 || value.ptr[8] != '-' || value.ptr[13] != '-' || value.ptr[18] != '-' ||
        value.ptr[23] != '-')
        return false;
    /* Dashes aren't hexadecimal: all but four must be. */
    unsigned digits = 0;
    for (size_t i = 0; i < 36; i++)
        digits += kinds[value.ptr[i]] & HEX;
    return digits == 32 * HEX;
}

/* Digits where the form has '0', else the same bytes; advances *at when all fits. */
static bool matches(struct guard_span value, size_t *at, const char *form)
{
    size_t i = *at;
    for (; *form != '\0'; form++, i++) {
        if (i >= value.len)
            return false;
        bool digit = (kinds[value.ptr[i]] & DIGIT) != 0;
        if (*form == '0' ? !digit : value.ptr[i] != (uint8_t)*form)
            return false;
    }
    *at = i;
    return true;
}

static bool is_time(struct guard_span value, size_t at)
{
    if (!matches(value, &at, "00:00"))
        return false;
    if (matches(value, &at, ":00") && at < value.len &&
        (value.ptr[at] == '.' || value.ptr[at] == ',')) {
        size_t part = span_of(value, at + 1, DIGIT);
        if (part == 0)
            return false;
        at += part + 1;
    }
    if (at < value.len && (value.ptr[at] | 0x20) == 'z')
        return at + 1 == value.len;
    if (at < value.len && is_sign(value.ptr[at])) {
        at++;
        if (!matches(value, &at, "00:00") && !matches(value, &at, "0000") &&
            !matches(value, &at, "00"))
            return false;
    }
    return at == value.len;
}

/* "0000-00-00", eight bytes at a time: with dashes turned into '0' all of them are digits. */
static bool is_day(const uint8_t *at)
{
    static const uint8_t dashes[8] = {0, 0, 0, 0, '-' ^ '0', 0, 0, '-' ^ '0'};
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word, mask;
    memcpy(&word, at, sizeof(word));
    memcpy(&mask, dashes, sizeof(mask));
    word ^= mask;
    bool digits = (((word + ones * (0x7f - '9')) | (word - ones * '0') | word) & ones * 0x80) == 0;
    return digits && (kinds[at[8]] & DIGIT) && (kinds[at[9]] & DIGIT);
}

static bool is_date(struct guard_span value)
{
    if (value.len < 5 || value.len > 40)
        return false;
    if (value.ptr[2] == ':')
        return is_time(value, 0);
    if (value.ptr[4] != '-' || value.len < 10 || !is_day(value.ptr))
        return false;
    if (value.len == 10)
        return true;
    return ((value.ptr[10] | 0x20) == 't' || value.ptr[10] == ' ') && is_time(value, 11);
}

static bool is_email(struct guard_span value)
{
    size_t local = span_of(value, 0, LOCAL);
    if (local == 0 || local > 64 || value.len > 254 || local >= value.len ||
        value.ptr[local] != '@')
        return false;
    if (span_of(value, local + 1, DOMAIN) != value.len - local - 1)
        return false;
    size_t dot = value.len;
    for (size_t i = local + 1; i < value.len; i++) {
        if (value.ptr[i] != '.')
            continue;
        if (i == local + 1 || value.ptr[i - 1] == '.')
            return false;
        dot = i;
    }
    size_t top = dot == value.len ? 0 : span_of(value, dot + 1, ALPHA);
    return top >= 2 && dot + 1 + top == value.len;
}

static bool is_ipv4(struct guard_span value)
{
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        size_t len = span_of(value, at, DIGIT);
        unsigned number = 0;
        if (len == 0 || len > 3)
            return false;
        for (size_t i = 0; i < len; i++)
            number = number * 10 + (unsigned)(value.ptr[at + i] - '0');
        at += len;
        if (number > 255 || (part < 3 && (at >= value.len || value.ptr[at++] != '.')))
            return false;
    }
    return at == value.len;
}

static bool is_ipv6(struct guard_span value)
{
    int groups = 0;
    bool gap = false;
    size_t at = 0;
    if (value.len < 2 || value.len > 45)
        return false;
    while (at < value.len) {
        size_t len = span_of(value, at, HEX);
        if (len > 0 && at + len < value.len && value.ptr[at + len] == '.') {
            groups += 2;
            return groups <= 8 && (gap || groups == 8) && is_ipv4(gd_span_from(value, at));
        }
        if (len > 4)
            return false;
        groups += len > 0;
        at += len;
        if (at == value.len)
            break;
        if (value.ptr[at] != ':')
            return false;
        bool twice = at + 1 < value.len && value.ptr[at + 1] == ':';
        if (twice ? gap : len == 0 || at + 1 == value.len)
            return false;
        gap = gap || twice;
        at += twice ? 2 : 1;
    }
    return gap ? groups < 8 : groups == 8;
}

static bool is_url(struct guard_span value)
{
    size_t at = 0;
    if (!(kinds[value.ptr[0]] & ALPHA))
        return false;
    while (at < value.len && at < 16 &&
           ((kinds[value.ptr[at]] & LABEL) || value.ptr[at] == '+' || value.ptr[at] == '-'))
        at++;
    return at >= 2 && value.len - at > 3 && memcmp(value.ptr + at, "://", 3) == 0 &&
           value.ptr[at + 3] != '/';
}

/* Three parts of base64url of which the first begins a JSON object. */
static bool is_jwt(struct guard_span value)
{
    if (value.len < 20 || memcmp(value.ptr, "eyJ", 3) != 0)
        return false;
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        size_t len = span_of(value, at, BASE64);
        at += len;
        /* A token without a signature ends in a dot. */
        if (len == 0 && part < 2)
            return false;
        if (part < 2 && (at >= value.len || value.ptr[at++] != '.'))
            return false;
    }
    return at == value.len;
}

/* A digit or a sign of padding tells it from words in mixed case. */
static bool is_base64(struct guard_span value, uint64_t classes)
{
    size_t len = span_of(value, 0, BASE64);
    size_t padding = value.len - len;
    if (value.len < 16 || padding > 2)
        return false;
    for (size_t i = len; i < value.len; i++) {
        if (value.ptr[i] != '=')
            return false;
    }
    if (padding > 0)
        return value.len % 4 == 0;
    bool url = (classes & (MARK('-') | MARK('_'))) != 0;
    if (only(ASCII_LETTERS | CLASS(DIGIT), classes))
        return url ? value.len % 4 != 1 && (classes & (MARK('+') | MARK('/'))) == 0
                   : value.len % 4 == 0;
    return false;
}

static enum guard_type word_type(struct guard_span value)
{
    if ((value.len == 4 && memcmp(value.ptr, "true", 4) == 0) ||
        (value.len == 5 && memcmp(value.ptr, "false", 5) == 0))
        return GUARD_TYPE_BOOL;
    return GUARD_TYPE_WORD;
}

static bool is_ip(struct guard_span value, uint64_t classes)
{
    if (only(classes, CLASS(DIGIT) | MARK('.')))
        return is_ipv4(value);
    return (classes & MARK(':')) && only(classes, ALNUM | MARK(':') | MARK('.')) && is_ipv6(value);
}

/* Values with a digit in them that could be numbers, UUIDs or dates; EMPTY when they aren't. */
static enum guard_type digit_type(struct guard_span value, uint64_t classes)
{
    uint8_t first = kinds[value.ptr[0]];
    if (only(classes, ALNUM | MARK('+') | MARK('-') | MARK('.')) &&
        ((first & DIGIT) || (first & (LOCAL | ALPHA)) == LOCAL)) {
        enum guard_type type = number_type(value);
        if (type != GUARD_TYPE_EMPTY)
            return type;
    }
    if (value.len == 36 && (classes & MARK('-')) && is_uuid(value))
        return GUARD_TYPE_UUID;
    if ((first & DIGIT) && (classes & (MARK('-') | MARK(':'))) && is_date(value))
        return GUARD_TYPE_DATE;
    return GUARD_TYPE_EMPTY;
}

/* Types of letters, digits and a few signs; EMPTY when none fits. */
static enum guard_type code_type(struct guard_span value, uint64_t classes)
{
    const uint64_t base64 = ALNUM | MARK('+') | MARK('/') | MARK('=') | MARK('-') | MARK('_');
    if (value.len >= 20 && only(classes, base64 | MARK('.')) && is_jwt(value))
        return GUARD_TYPE_JWT;
    if (value.len >= 8 && only(classes, ALNUM) && (classes & CLASS(DIGIT)) &&
        (classes & ASCII_LETTERS) && span_of(value, 0, HEX) == value.len)
        return GUARD_TYPE_HEX;
    if (value.len >= 16 && only(classes, base64) && is_base64(value, classes))
        return GUARD_TYPE_BASE64;
    return GUARD_TYPE_EMPTY;
}

/* Types with punctuation of their own. */
static enum guard_type marked_type(struct guard_span value, uint64_t classes)
{
    if ((classes & MARK('@')) && is_email(value))
        return GUARD_TYPE_EMAIL;
    if (is_ip(value, classes))
        return GUARD_TYPE_IP;
    if ((classes & MARK(':')) && (classes & MARK('/')) && is_url(value))
        return GUARD_TYPE_URL;
    return GUARD_TYPE_EMPTY;
}

enum guard_type gd_type_of(struct guard_span value, uint64_t classes)
{
    /* No type but URL and email has any other punctuation, and no type but DATE a blank. */
    const uint64_t typed = LETTERS | CLASS(DIGIT) | MARK('+') | MARK('-') | MARK('.') | MARK(',') |
                           MARK(':') | MARK('/') | MARK('=') | MARK('_');
    enum guard_type type = GUARD_TYPE_EMPTY;
    if (value.len == 0)
        return type;
    if (only(classes, LETTERS) && (value.len < 16 || !only(classes, ASCII_LETTERS)))
        return word_type(value);
    if (classes & (CLASS(CONTROL) | CLASS(INVALID)))
        return GUARD_TYPE_BYTES;
    if ((classes & CLASS(DIGIT)) && only(classes, typed | CLASS(SPACE)))
        type = digit_type(value, classes);
    if (type == GUARD_TYPE_EMPTY && (classes & (MARK('@') | MARK(':') | MARK('.'))) &&
        !(classes & CLASS(SPACE)))
        type = marked_type(value, classes);
    if (type != GUARD_TYPE_EMPTY)
        return type;
    if (!only(classes, typed))
        return GUARD_TYPE_TEXT;
    if (value.len >= 8)
        type = code_type(value, classes);
    if (type != GUARD_TYPE_EMPTY)
        return type;
    if (only(classes, LETTERS))
        return GUARD_TYPE_WORD;
    return only(classes, LETTERS | CLASS(DIGIT) | MARK('_') | MARK('-') | MARK('.'))
               ? GUARD_TYPE_TOKEN
               : GUARD_TYPE_TEXT;
}
