/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of payment cards: a length that fits the issuer, groups as they are printed or none, the
 * check digit. Numbers of this length are often something else (of random ids that begin like a
 * card one in ten has the right check digit), so what stands beside them decides too. */
#include "detect/leak_rule.h"

#include "base/span.h"

enum {
    CARD_MIN = 13,
    CARD_MAX = 19,
    BETWEEN_MAX = 12, /* from a name to its number: quotes, colon, blanks, tags' brackets */
    NAME_MAX = 32,
};

#define LENGTH(n) (1u << ((n)-CARD_MIN))

/* Prefixes of four digits, and the lengths of numbers that begin so. */
static const struct {
    uint16_t first;
    uint16_t last;
    uint16_t lengths;
} issuers[] = {
    {2200, 2204, LENGTH(16)},                                        /* Mir */
    {2221, 2720, LENGTH(16)},                                        /* Mastercard */
    {3000, 3059, LENGTH(14)},                                        /* Diners Club */
    {3095, 3095, LENGTH(14)},                                        /* Diners Club */
    {3400, 3499, LENGTH(15)},                                        /* American Express */
    {3528, 3589, LENGTH(16)},                                        /* JCB */
    {3600, 3699, LENGTH(14)},                                        /* Diners Club */
    {3700, 3799, LENGTH(15)},                                        /* American Express */
    {3800, 3999, LENGTH(14)},                                        /* Diners Club */
    {4000, 4999, LENGTH(13) | LENGTH(16) | LENGTH(19)},              /* Visa */
    {5018, 5018, LENGTH(16) | LENGTH(18) | LENGTH(19)},              /* Maestro */
    {5020, 5020, LENGTH(16) | LENGTH(18) | LENGTH(19)},              /* Maestro */
    {5038, 5038, LENGTH(16) | LENGTH(18) | LENGTH(19)},              /* Maestro */
    {5100, 5599, LENGTH(16)},                                        /* Mastercard */
    {5893, 5893, LENGTH(16) | LENGTH(18) | LENGTH(19)},              /* Maestro */
    {6011, 6011, LENGTH(16) | LENGTH(19)},                           /* Discover */
    {6200, 6299, LENGTH(16) | LENGTH(17) | LENGTH(18) | LENGTH(19)}, /* UnionPay */
    {6304, 6304, LENGTH(16) | LENGTH(18) | LENGTH(19)},              /* Maestro */
    {6440, 6599, LENGTH(16) | LENGTH(19)},                           /* Discover */
    {6759, 6763, LENGTH(16) | LENGTH(18) | LENGTH(19)},              /* Maestro */
};

static bool digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool letter(uint8_t byte)
{
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'z';
}

static bool issued(const uint8_t *digits, unsigned len)
{
    unsigned prefix = 0;
    for (unsigned i = 0; i < 4; i++)
        prefix = prefix * 10 + digits[i];
    for (size_t i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++)
        if (prefix >= issuers[i].first && prefix <= issuers[i].last)
            return (issuers[i].lengths & LENGTH(len)) != 0;
    return false;
}

static bool luhn(const uint8_t *digits, unsigned len)
{
    unsigned sum = 0;
    unsigned kinds = 0;
    for (unsigned i = 0; i < len; i++) {
        unsigned value = digits[len - 1 - i];
        kinds |= 1u << value;
        value <<= i & 1;
        sum += value > 9 ? value - 9 : value;
    }
    /* 4000000000000 and the like are round amounts. */
    return sum % 10 == 0 && (kinds & (kinds - 1)) != 0;
}

/* May a number begin at text[begin]? Not inside names, paths, decimals, UUIDs or telephone
 * numbers; behind a digit and a blank only when it has no groups itself. */
static bool begins(const uint8_t *text, size_t begin, uint8_t separator)
{
    if (begin == 0)
        return true;
    uint8_t before = text[begin - 1];
    if (letter(before)) /* "\n" and the like in JSON */
        return begin >= 2 && text[begin - 2] == '\\' &&
               (before == 'n' || before == 'r' || before == 't');
    if (before == ' ')
        return separator == 0 || begin < 2 || !digit(text[begin - 2]);
    return !digit(before) && before != '-' && before != '.' && before != '_' && before != '/' &&
           before != '+' && before != '%' && before != '#';
}

static unsigned run(const uint8_t *text, size_t len, size_t at, unsigned max)
{
    unsigned count = 0;
    while (count < max && at + count < len && digit(text[at + count]))
        count++;
    return count;
}

/* May a number end before text[end]? Behind a number in groups may be its date or code. */
static bool ends(const uint8_t *text, size_t len, size_t end, uint8_t separator)
{
    if (end == len)
        return true;
    uint8_t after = text[end];
    if (letter(after) || digit(after) || after == '_' || after == '%')
        return false;
    if (after == '-' || after == '.' || after == '/')
        return run(text, len, end + 1, 1) == 0;
    return separator == 0 || after != separator || run(text, len, end + 1, 4) < 4;
}

/* The number that begins at text[begin] without groups, or in those that are printed on cards:
 * 4-4-4-4, 4-6-5, 4-6-4. Returns how many digits it has, 0 when it is none. */
static unsigned read(const uint8_t *text, size_t len, size_t begin, size_t *end,
                     uint8_t digits[CARD_MAX], uint8_t *separator)
{
    unsigned total = 0;
    unsigned first = run(text, len, begin, CARD_MAX + 1);
    unsigned want = first;
    size_t at = begin;
    *separator = 0;
    if (first > CARD_MAX || (first != 4 && first < CARD_MIN))
        return 0;
    for (unsigned group = 0; group < 4; group++) {
        unsigned count = run(text, len, at, CARD_MAX);
        if (group == 1)
            want = count == 6 ? 6 : 4;
        else if (group == 2 && want == 6)
            want = count == 4 ? 4 : 5;
        if (count != want)
            return 0;
        for (unsigned i = 0; i < count; i++)
            digits[total++] = text[at + i] & 15;
        at += count;
        if (first != 4 || (group == 2 && total > 12) || group == 3)
            break;
        if (at == len || (text[at] != ' ' && text[at] != '-') ||
            (group > 0 && text[at] != *separator))
            return 0;
        *separator = text[at++];
    }
    *end = at;
    return total;
}

static bool lower_letter(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool upper_letter(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static bool same(struct guard_span text, const char *lower)
{
    size_t len = strlen(lower);
    if (text.len < len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((text.ptr[i] | 0x20) != (uint8_t)lower[i])
            return false;
    }
    return true;
}

/* How long one of these words is that the text begins with, the longest; 0: none. */
static size_t one_of(struct guard_span text, const char *const *words, size_t count)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(words[i]);
        if (len > longest && same(text, words[i]))
            longest = len;
    }
    return longest;
}
#define ONE_OF(text, words) one_of(text, words, sizeof(words) / sizeof((words)[0]))

/* A word ends at text[at], at > 0: no letter follows, or one that begins the next ("cardNumber").
 */
static bool word_ends(struct guard_span text, size_t at)
{
    return at == text.len || !letter(text.ptr[at]) ||
           (lower_letter(text.ptr[at - 1]) && upper_letter(text.ptr[at]));
}

static const char *const numbers[] = {"number", "numbers", "num", "no", "nr", "n"};

/* What stands behind the words for a card makes it something else: an id, a token. */
static bool says_other(struct guard_span rest)
{
    static const char *const others[] = {"id", "ids", "token", "hash", "uuid", "ref"};
    while (rest.len > 0 && !letter(rest.ptr[0]))
        rest = gd_span_from(rest, 1);
    size_t len = ONE_OF(rest, others);
    return len > 0 && word_ends(rest, len);
}

/* "card", "credit_card", "creditcardnumber", "ccnum", "PAN"; not "discard", "cardinality", "span",
 * "company". */
static bool says_card(struct guard_span word)
{
    static const char *const kinds[] = {"credit", "debit", "bank", "payment", "pay"};
    static const char *const heads[] = {"card", "cards", "pan", "cc"};
    size_t kind = ONE_OF(word, kinds);
    size_t head = ONE_OF(gd_span_from(word, kind), heads);
    if (head == 0)
        return false;
    size_t end = kind + head;
    if (!word_ends(word, end)) {
        size_t tail = ONE_OF(gd_span_from(word, end), numbers);
        end += tail;
        if (tail == 0 || !word_ends(word, end))
            return false;
    }
    return !says_other(gd_span_from(word, end));
}

static bool in_name(uint8_t byte)
{
    return letter(byte) || digit(byte) || byte == '_' || byte == '-' || byte == '.' || byte == ' ';
}

static bool word_starts(const uint8_t *text, size_t at)
{
    return letter(text[at]) && (at == 0 || !letter(text[at - 1]) ||
                                (lower_letter(text[at - 1]) && upper_letter(text[at])));
}

/* The name before text[*end]: its first byte; *end is moved to where it ends. */
static size_t name_before(const uint8_t *text, size_t *end)
{
    size_t limit = *end;
    while (*end > 0 && limit - *end < BETWEEN_MAX && !letter(text[*end - 1]) &&
           !digit(text[*end - 1]) && text[*end - 1] != ',' && text[*end - 1] != ';' &&
           text[*end - 1] != '}')
        --*end;
    size_t at = *end;
    while (at > 0 && *end - at < NAME_MAX && in_name(text[at - 1]))
        at--;
    return at;
}

/* Does what stands before text[begin] name it a card's number? "card":{"number":... as well. */
static bool named(const uint8_t *text, size_t begin)
{
    size_t end = begin;
    for (int level = 0; level < 2; level++) {
        size_t first = name_before(text, &end);
        for (size_t at = first; at < end; at++) {
            if (word_starts(text, at) && says_card(gd_span(text + at, end - at)))
                return true;
        }
        if (end - first == 0 || ONE_OF(gd_span(text + first, end - first), numbers) != end - first)
            return false;
        end = first;
    }
    return false;
}

enum gd_leak_card gd_leak_card(const uint8_t *text, size_t len, size_t at, uint64_t *number)
{
    uint8_t digits[CARD_MAX];
    uint8_t separator;
    size_t begin = at;
    size_t end = at;
    while (begin > 0 && at - begin < CARD_MAX && digit(text[begin - 1]))
        begin--;
    unsigned total = read(text, len, begin, &end, digits, &separator);
    if (total < CARD_MIN || !issued(digits, total) || !begins(text, begin, separator) ||
        !ends(text, len, end, separator))
        return GD_LEAK_CARD_NONE;
    *number = 0;
    for (unsigned i = 0; i < total; i++)
        *number = *number * 10 + digits[i];
    if (!luhn(digits, total))
        return separator == 0 ? GD_LEAK_CARD_UNLIKE : GD_LEAK_CARD_NONE;
    return separator != 0 || named(text, begin) ? GD_LEAK_CARD_SURE : GD_LEAK_CARD_LIKE;
}
