/* SPDX-License-Identifier: Apache-2.0 */
/* See number.h. Of expressions only bytes outside of groups count, that nothing makes optional. */
#include "patch/number.h"

#include <string.h>

static bool is_of_numbers(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' || byte == '.' ||
           (byte | 0x20) == 'e';
}

static uint8_t byte_at(struct guard_span text, size_t at)
{
    return at < text.len ? text.ptr[at] : 0;
}

/* Behind a set, whose brackets close: that was checked. */
static size_t behind_set(struct guard_span text, size_t at)
{
    at += byte_at(text, at + 1) == '^' ? 2 : 1;
    at += byte_at(text, at) == ']';
    while (at < text.len && text.ptr[at] != ']') {
        if (byte_at(text, at) == '[' && byte_at(text, at + 1) == ':') {
            size_t end = at + 2;
            while (byte_at(text, end) >= 'a' && byte_at(text, end) <= 'z')
                end++;
            if (byte_at(text, end) == ':' && byte_at(text, end + 1) == ']') {
                at = end + 2;
                continue;
            }
        }
        at += text.ptr[at] == '\\' ? 2 : 1;
    }
    return at + 1;
}

static size_t behind_braces(struct guard_span text, size_t at)
{
    const uint8_t *end = memchr(text.ptr + at, '}', text.len - at);
    return end != NULL ? (size_t)(end - text.ptr) + 1 : at + 1;
}

static bool is_optional(struct guard_span text, size_t behind)
{
    uint8_t next = byte_at(text, behind);
    return next == '?' || next == '*' || next == '{';
}

/* What must be there once and no number has: 's' of "\s", or the byte itself; 0: nothing of the
 * kind is said here. */
static bool excludes_numbers(uint8_t byte, bool escaped)
{
    bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    if (escaped && (letter || (byte >= '0' && byte <= '9')))
        return byte == 's';
    return !is_of_numbers(byte) && (escaped || strchr("^$.)+?*", byte) == NULL);
}

/* Escapes that are one byte behind the backslash; what others stand for isn't read. */
static bool is_simple_escape(uint8_t byte)
{
    bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    bool digit = byte >= '0' && byte <= '9';
    return byte != 0 && !digit && (!letter || strchr("sSdDwWbB", byte) != NULL);
}

static bool expression_in_numbers(struct guard_span text)
{
    uint32_t depth = 0;
    bool outside = false;
    for (size_t at = 0; at < text.len;) {
        const uint8_t byte = text.ptr[at];
        const bool escaped = byte == '\\';
        if (escaped && !is_simple_escape(byte_at(text, at + 1)))
            return true;
        if (byte == '|' && depth == 0)
            return true;
        if (byte == '[' || byte == '{') {
            at = byte == '[' ? behind_set(text, at) : behind_braces(text, at);
            continue;
        }
        depth += byte == '(';
        depth -= byte == ')' && depth > 0;
        const size_t behind = at + 1 + escaped;
        if (depth == 0 && excludes_numbers(escaped ? text.ptr[at + 1] : byte, escaped))
            outside = outside || !is_optional(text, behind);
        at = behind;
    }
    return !outside;
}

/* At most one point and one exponent. */
static bool text_in_numbers(struct guard_span text)
{
    uint32_t points = 0;
    uint32_t exponents = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_of_numbers(text.ptr[i]))
            return false;
        points += text.ptr[i] == '.';
        exponents += (text.ptr[i] | 0x20) == 'e';
    }
    return points <= 1 && exponents <= 1;
}

bool gd_pattern_in_numbers(struct guard_span pattern, bool regex)
{
    return regex ? expression_in_numbers(pattern) : text_in_numbers(pattern);
}
