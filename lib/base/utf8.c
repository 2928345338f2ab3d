/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 by RFC 3629. Overlong forms are told from other garbage because they are a known way around
 * filters. */
#include "base/utf8.h"

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the sequence that a lead byte announces; 0 for bytes that can't lead one. */
static size_t announced(uint8_t lead)
{
    if (lead >= 0xc0 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 4;
    return 0;
}

/* One sequence that starts at a byte >= 0x80; *used gets its length, 1 when it is broken. */
static enum gd_utf8 check_sequence(const uint8_t *at, size_t left, size_t *used)
{
    size_t len = announced(at[0]);
    *used = 1;
    if (len == 0 || len > left)
        return GD_UTF8_INVALID;
    for (size_t i = 1; i < len; i++) {
        if (!is_tail(at[i]))
            return GD_UTF8_INVALID;
    }
    *used = len;
    if (at[0] < 0xc2 || (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90))
        return GD_UTF8_OVERLONG;
    /* Surrogates, and what lies beyond U+10FFFF. */
    if ((at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f))
        return GD_UTF8_INVALID;
    return GD_UTF8_VALID;
}

/* The length of a sequence that can't be anything but valid; 0 when that needs a closer look. */
static size_t plain_sequence(const uint8_t *at, size_t left)
{
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        return left >= 2 && is_tail(at[1]) ? 2 : 0;
    if (at[0] >= 0xe1 && at[0] <= 0xec)
        return left >= 3 && is_tail(at[1]) && is_tail(at[2]) ? 3 : 0;
    return 0;
}

size_t gd_utf8_sequence(const uint8_t *at, size_t left)
{
    size_t used = plain_sequence(at, left);
    if (used == 0 && check_sequence(at, left, &used) != GD_UTF8_VALID)
        return 0;
    return used;
}

enum gd_utf8 gd_utf8_check(struct guard_span text)
{
    enum gd_utf8 worst = GD_UTF8_VALID;
    size_t i = 0;
    for (;;) {
        uint64_t word;
        while (text.len - i >= sizeof(word)) {
            memcpy(&word, text.ptr + i, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) != 0)
                break;
            i += sizeof(word);
        }
        while (i < text.len && text.ptr[i] < 0x80)
            i++;
        if (i == text.len)
            return worst;
        size_t used = plain_sequence(text.ptr + i, text.len - i);
        if (used == 0) {
            enum gd_utf8 found = check_sequence(text.ptr + i, text.len - i, &used);
            if (found > worst)
                worst = found;
        }
        i += used;
    }
}

struct guard_span gd_utf8_trim(struct guard_span text)
{
    for (size_t back = 1; back <= 3 && back <= text.len; back++) {
        uint8_t byte = text.ptr[text.len - back];
        if ((byte & 0xc0) == 0x80)
            continue;
        size_t announced = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        if (announced > back)
            text.len -= back;
        break;
    }
    return text;
}
