/* SPDX-License-Identifier: Apache-2.0 */
/* Names of types, classes, leaks and statuses in Guardian documents. */
#include "common/guardian_words.h"

#include <stdio.h>
#include <string.h>

static const char *const class_words[GUARD_CLASS_COUNT] = {
    [GUARD_CLASS_LOWER] = "lower",       [GUARD_CLASS_UPPER] = "upper",
    [GUARD_CLASS_DIGIT] = "digit",       [GUARD_CLASS_SPACE] = "space",
    [GUARD_CLASS_BREAK] = "break",       [GUARD_CLASS_CONTROL] = "control",
    [GUARD_CLASS_LATIN] = "latin",       [GUARD_CLASS_GREEK] = "greek",
    [GUARD_CLASS_CYRILLIC] = "cyrillic", [GUARD_CLASS_SEMITIC] = "semitic",
    [GUARD_CLASS_INDIC] = "indic",       [GUARD_CLASS_CJK] = "cjk",
    [GUARD_CLASS_HANGUL] = "hangul",     [GUARD_CLASS_SYMBOL] = "symbol",
    [GUARD_CLASS_EMOJI] = "emoji",       [GUARD_CLASS_INVALID] = "invalid",
};

static const char punctuation[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

static bool same(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

uint32_t guardian_type_bit(struct guard_span text)
{
    for (int type = 0; type < GUARD_TYPE_COUNT; type++) {
        if (same(text, guard_type_name((enum guard_type)type)))
            return 1U << type;
    }
    return 0;
}

uint64_t guardian_class_bit(struct guard_span text)
{
    const char *found =
        text.len == 1 && text.ptr[0] != '\0' ? strchr(punctuation, text.ptr[0]) : NULL;
    if (found != NULL)
        return (uint64_t)1 << (GUARD_CLASS_PUNCTUATION + (found - punctuation));
    for (int cls = 0; cls < GUARD_CLASS_COUNT; cls++) {
        if (class_words[cls] != NULL && same(text, class_words[cls]))
            return (uint64_t)1 << cls;
    }
    return 0;
}

void guardian_class_word(enum guard_class cls, char out[16])
{
    memset(out, 0, 16);
    if (class_words[cls] != NULL)
        memcpy(out, class_words[cls], strlen(class_words[cls]));
    else
        out[0] = punctuation[cls - GUARD_CLASS_PUNCTUATION];
}

uint32_t guardian_leak_bit(struct guard_span text)
{
    for (int leak = 0; leak < GUARD_LEAK_COUNT; leak++) {
        if (same(text, guard_leak_name((enum guard_leak)leak)))
            return 1U << leak;
    }
    return 0;
}

bool guardian_status_class(struct guard_span text, struct guard_status_range *out)
{
    if (text.len != 3 || text.ptr[0] < '1' || text.ptr[0] > '5' || text.ptr[1] != 'x' ||
        text.ptr[2] != 'x')
        return false;
    out->first = (uint16_t)((text.ptr[0] - '0') * 100);
    out->last = (uint16_t)(out->first + 99);
    return true;
}

void guardian_status_word(struct guard_status_range range, char out[8])
{
    if (range.first == range.last)
        snprintf(out, 8, "%u", range.first);
    else
        snprintf(out, 8, "%uxx", range.first / 100);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool guardian_digest_parse(struct guard_span text, uint8_t out[GUARD_DIGEST_BYTES])
{
    if (text.len != (size_t)2 * GUARD_DIGEST_BYTES)
        return false;
    for (size_t i = 0; i < GUARD_DIGEST_BYTES; i++) {
        int high = hex_digit(text.ptr[2 * i]);
        int low = hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void guardian_digest_write(const uint8_t digest[GUARD_DIGEST_BYTES],
                           char out[2 * GUARD_DIGEST_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < GUARD_DIGEST_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * GUARD_DIGEST_BYTES] = '\0';
}
