/* SPDX-License-Identifier: Apache-2.0 */
/* Both orders walk through the two versions part by part; nothing is copied. */
#include "common/sbom/version_order.h"

#include <string.h>
#include <strings.h>

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static struct guard_span behind(struct guard_span text, size_t len)
{
    return len == 0 ? text : (struct guard_span){text.ptr + len, text.len - len};
}

bool version_comparable(struct guard_span version)
{
    size_t at = version.len > 0 && (version.ptr[0] == 'v' || version.ptr[0] == 'V') ? 1 : 0;
    if (version.len > VERSION_BYTES_MAX || at >= version.len || !is_digit(version.ptr[at]))
        return false;
    for (; at < version.len; at++) {
        uint8_t byte = version.ptr[at];
        if (!is_digit(byte) && !is_letter(byte) && (byte == 0 || strchr(".-_+~:", byte) == NULL))
            return false;
    }
    return true;
}

/* Without 'v', epoch and build. */
static struct guard_span essence(struct guard_span version)
{
    if (version.len > 0 && (version.ptr[0] == 'v' || version.ptr[0] == 'V'))
        version = behind(version, 1);
    size_t digits = 0;
    while (digits < version.len && is_digit(version.ptr[digits]))
        digits++;
    if (digits < version.len && version.ptr[digits] == ':')
        version = behind(version, digits + 1);
    const uint8_t *build = version.len > 0 ? memchr(version.ptr, '+', version.len) : NULL;
    if (build != NULL)
        version.len = (size_t)(build - version.ptr);
    return version;
}

static int sign(int64_t value)
{
    return (value > 0) - (value < 0);
}

/* Numbers of any length. */
static int compare_numbers(struct guard_span a, struct guard_span b)
{
    while (a.len > 0 && a.ptr[0] == '0')
        a = behind(a, 1);
    while (b.len > 0 && b.ptr[0] == '0')
        b = behind(b, 1);
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len > 0 ? sign(memcmp(a.ptr, b.ptr, a.len)) : 0;
}

static int compare_bytes(struct guard_span a, struct guard_span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? sign(memcmp(a.ptr, b.ptr, len)) : 0;
    return order != 0 ? order : sign((int64_t)a.len - (int64_t)b.len);
}

/* Takes what stands before the next dot. */
static struct guard_span take_identifier(struct guard_span *rest)
{
    const uint8_t *dot = rest->len > 0 ? memchr(rest->ptr, '.', rest->len) : NULL;
    size_t len = dot != NULL ? (size_t)(dot - rest->ptr) : rest->len;
    struct guard_span out = {rest->ptr, len};
    *rest = behind(*rest, dot != NULL ? len + 1 : len);
    return out;
}

static bool all_digits(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
    }
    return true;
}

static int compare_identifiers(struct guard_span a, struct guard_span b)
{
    bool number_a = all_digits(a);
    bool number_b = all_digits(b);
    if (number_a != number_b)
        return number_a ? -1 : 1;
    return number_a ? compare_numbers(a, b) : compare_bytes(a, b);
}

/* What is missing at the end is 0 among the numbers, and older among the identifiers of what comes
 * before a release. */
static int compare_lists(struct guard_span a, struct guard_span b, bool before_release)
{
    while (a.len > 0 || b.len > 0) {
        if (before_release && (a.len == 0 || b.len == 0))
            return a.len == 0 ? -1 : 1;
        struct guard_span left = take_identifier(&a);
        struct guard_span right = take_identifier(&b);
        int order = compare_identifiers(left, right);
        if (order != 0)
            return order;
    }
    return 0;
}

static int compare_semver(struct guard_span a, struct guard_span b)
{
    const uint8_t *dash_a = a.len > 0 ? memchr(a.ptr, '-', a.len) : NULL;
    const uint8_t *dash_b = b.len > 0 ? memchr(b.ptr, '-', b.len) : NULL;
    size_t core_a = dash_a != NULL ? (size_t)(dash_a - a.ptr) : a.len;
    size_t core_b = dash_b != NULL ? (size_t)(dash_b - b.ptr) : b.len;
    int order = compare_lists((struct guard_span){a.ptr, core_a},
                              (struct guard_span){b.ptr, core_b}, false);
    if (order != 0 || (dash_a == NULL && dash_b == NULL))
        return order;
    if (dash_a == NULL || dash_b == NULL)
        return dash_a == NULL ? 1 : -1;
    return compare_lists(behind(a, core_a + 1), behind(b, core_b + 1), true);
}

/* Ranks of parts: what is older than the release, the release (also a missing part), other words,
 * numbers behind a '-', numbers behind a dot. */
enum {
    RANK_DEV,
    RANK_ALPHA,
    RANK_BETA,
    RANK_MILESTONE,
    RANK_CANDIDATE,
    RANK_SNAPSHOT,
    RANK_RELEASE,
    RANK_WORD,
    RANK_REVISION,
    RANK_NUMBER
};

struct part {
    struct guard_span text;
    int rank;
};

static int rank_of(struct guard_span word, bool number_follows)
{
    static const struct {
        const char *word;
        int rank;
        bool before_number; /* a single letter is a word of its own otherwise: OpenSSL's 1.0.1f */
    } ranks[] = {
        {"dev", RANK_DEV, false},
        {"alpha", RANK_ALPHA, false},
        {"a", RANK_ALPHA, true},
        {"beta", RANK_BETA, false},
        {"b", RANK_BETA, true},
        {"milestone", RANK_MILESTONE, false},
        {"m", RANK_MILESTONE, true},
        {"rc", RANK_CANDIDATE, false},
        {"cr", RANK_CANDIDATE, false},
        {"c", RANK_CANDIDATE, true},
        {"pre", RANK_CANDIDATE, false},
        {"preview", RANK_CANDIDATE, false},
        {"snapshot", RANK_SNAPSHOT, false},
        {"final", RANK_RELEASE, false},
        {"ga", RANK_RELEASE, false},
        {"release", RANK_RELEASE, false},
    };
    for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
        if (strlen(ranks[i].word) == word.len &&
            strncasecmp(ranks[i].word, (const char *)word.ptr, word.len) == 0 &&
            (!ranks[i].before_number || number_follows))
            return ranks[i].rank;
    }
    return RANK_WORD;
}

/* Takes the next run of digits or letters. A tilde makes older whatever follows it, as
 * distributions write it. */
static struct part take_run(struct guard_span *rest)
{
    bool tilde = false;
    bool dash = false;
    size_t at = 0;
    while (at < rest->len && !is_digit(rest->ptr[at]) && !is_letter(rest->ptr[at])) {
        tilde |= rest->ptr[at] == '~';
        dash |= rest->ptr[at] == '-';
        at++;
    }
    *rest = behind(*rest, at);
    if (rest->len == 0)
        return (struct part){*rest, RANK_RELEASE};
    bool digits = is_digit(rest->ptr[0]);
    size_t len = 0;
    while (len < rest->len && (digits ? is_digit(rest->ptr[len]) : is_letter(rest->ptr[len])))
        len++;
    struct part part = {{rest->ptr, len}, dash ? RANK_REVISION : RANK_NUMBER};
    *rest = behind(*rest, len);
    if (!digits)
        part.rank = rank_of(part.text, rest->len > 0 && is_digit(rest->ptr[0]));
    if (tilde)
        part.rank = RANK_DEV;
    return part;
}

/* At the end a part without text. Words for the release say nothing that isn't so without them. */
static struct part take_part(struct guard_span *rest)
{
    struct part part = take_run(rest);
    while (part.rank == RANK_RELEASE && part.text.len > 0)
        part = take_run(rest);
    return part;
}

static bool is_zero(const struct part *part)
{
    return part->rank >= RANK_REVISION && compare_numbers(part->text, (struct guard_span){0}) == 0;
}

static int compare_parts(struct part left, struct part right)
{
    if (left.text.len == 0 && is_zero(&right))
        return 0;
    if (right.text.len == 0 && is_zero(&left))
        return 0;
    if (left.rank != right.rank)
        return left.rank < right.rank ? -1 : 1;
    if (left.rank >= RANK_REVISION)
        return compare_numbers(left.text, right.text);
    if (left.rank != RANK_WORD && left.rank != RANK_DEV)
        return 0;
    size_t len = left.text.len < right.text.len ? left.text.len : right.text.len;
    int order =
        len > 0 ? sign(strncasecmp((const char *)left.text.ptr, (const char *)right.text.ptr, len))
                : 0;
    return order != 0 ? order : sign((int64_t)left.text.len - (int64_t)right.text.len);
}

static int compare_dotted(struct guard_span a, struct guard_span b)
{
    while (a.len > 0 || b.len > 0) {
        struct part left = take_part(&a);
        struct part right = take_part(&b);
        int order = compare_parts(left, right);
        if (order != 0)
            return order;
    }
    return 0;
}

int version_compare(enum version_scheme scheme, struct guard_span a, struct guard_span b)
{
    a = essence(a);
    b = essence(b);
    return scheme == VERSION_SEMVER ? compare_semver(a, b) : compare_dotted(a, b);
}

/* Takes what stands before the next blank. */
static struct guard_span take_word(struct guard_span *rest)
{
    size_t at = 0;
    while (at < rest->len && rest->ptr[at] == ' ')
        at++;
    *rest = behind(*rest, at);
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ')
        len++;
    struct guard_span word = {rest->ptr, len};
    *rest = behind(*rest, len);
    return word;
}

static bool is_or(struct guard_span word)
{
    return word.len == 2 && memcmp(word.ptr, "||", 2) == 0;
}

struct bound {
    bool below;
    bool above;
    bool equal;
    struct guard_span version;
};

static struct bound bound_of(struct guard_span word)
{
    struct bound bound = {.version = word};
    if (word.len == 0)
        return bound;
    bound.below = word.ptr[0] == '<';
    bound.above = word.ptr[0] == '>';
    bound.equal = word.ptr[0] == '=';
    if (!bound.below && !bound.above && !bound.equal)
        return bound;
    bound.version = behind(word, 1);
    if (!bound.equal && bound.version.len > 0 && bound.version.ptr[0] == '=') {
        bound.equal = true;
        bound.version = behind(bound.version, 1);
    }
    return bound;
}

enum guard_rc version_ranges_check(struct guard_span ranges, struct guard_err *err)
{
    uint32_t bounds = 0; /* of the present range */
    if (ranges.len > VERSION_RANGES_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "ranges have at most %d bytes",
                          VERSION_RANGES_BYTES_MAX);
    for (;;) {
        struct guard_span word = take_word(&ranges);
        bool ends = word.len == 0;
        if ((ends || is_or(word)) && bounds == 0)
            return guard_fail(err, GUARD_E_SYNTAX, "a range without bounds");
        if (ends)
            return GUARD_OK;
        bounds = is_or(word) ? 0 : bounds + 1;
        struct bound bound = bound_of(word);
        if (is_or(word))
            continue;
        if (!bound.below && !bound.above && !bound.equal)
            return guard_fail(err, GUARD_E_SYNTAX, "a bound begins with <, <=, >, >= or =");
        if (!version_comparable(bound.version))
            return guard_fail(err, GUARD_E_SYNTAX, "a bound needs a version");
    }
}

enum version_answer version_in(enum version_scheme scheme, struct guard_span version,
                               struct guard_span ranges)
{
    bool holds = true; /* all bounds so far of the present range */
    if (!version_comparable(version))
        return VERSION_UNKNOWN;
    for (;;) {
        struct guard_span word = take_word(&ranges);
        bool ends = word.len == 0;
        if ((ends || is_or(word)) && holds)
            return VERSION_INSIDE;
        if (ends)
            return VERSION_OUTSIDE;
        if (is_or(word)) {
            holds = true;
            continue;
        }
        struct bound bound = bound_of(word);
        int order = version_compare(scheme, version, bound.version);
        holds = holds && ((bound.below && order < 0) || (bound.above && order > 0) ||
                          (bound.equal && order == 0));
    }
}
