/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for people are built here, so that what clients send is made harmless in one place. */
#include "decide/line.h"

void gd_line_init(struct gd_line *line, char *out, size_t cap)
{
    *line = (struct gd_line){out, cap, 0, cap == 0};
}

/* All or nothing, so that no character is cut in two. */
static void put(struct gd_line *line, const char *bytes, size_t len)
{
    if (line->full || len > line->cap - 1 - line->len) {
        line->full = true;
        return;
    }
    if (len > 0)
        memcpy(line->out + line->len, bytes, len);
    line->len += len;
}

void gd_line_string(struct gd_line *line, const char *string)
{
    for (; *string != '\0'; string++)
        put(line, string, 1);
}

/* The length of a harmless character, or 0. */
static size_t character(const uint8_t *at, size_t room)
{
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f ? 1 : 0;
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || len > room)
        return 0;
    uint32_t code = at[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    bool overlong = (len == 3 && code < 0x800) || (len == 4 && code < 0x10000);
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    bool control = code < 0xa0 || code == 0xad || code == 0x61c || code == 0xfeff;
    bool format = (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                  (code >= 0x2060 && code <= 0x206f);
    return overlong || surrogate || control || format || code > 0x10ffff ? 0 : len;
}

void gd_line_text(struct gd_line *line, struct guard_span text)
{
    for (size_t i = 0; i < text.len && !line->full;) {
        size_t len = character(text.ptr + i, text.len - i);
        if (len > 0)
            put(line, (const char *)text.ptr + i, len);
        else
            put(line, ".", 1);
        i += len > 0 ? len : 1;
    }
}

void gd_line_number(struct gd_line *line, uint32_t number)
{
    char digits[16];
    size_t at = sizeof(digits);
    for (unsigned count = 0; count == 0 || number > 0; count++, number /= 10) {
        if (count > 0 && count % 3 == 0)
            digits[--at] = ',';
        digits[--at] = (char)('0' + number % 10);
    }
    put(line, digits + at, sizeof(digits) - at);
}

void gd_line_rate(struct gd_line *line, uint16_t strength)
{
    /* Hundredths of a decade below which one digit is enough: log10 of 1 to 9. */
    static const unsigned char digit_of[] = {0, 30, 47, 60, 69, 77, 84, 90, 95};
    unsigned decades = (strength + 99u) / 100;
    unsigned above = decades * 100 - strength;
    unsigned digit = 0;
    while (digit < sizeof(digit_of) && above > digit_of[digit])
        digit++;
    digit++;
    if (digit == 10) {
        digit = 1;
        decades--;
    }
    gd_line_number(line, digit);
    if (decades > 0) {
        gd_line_string(line, "e-");
        gd_line_number(line, decades);
    }
}

size_t gd_line_end(struct gd_line *line)
{
    if (line->cap > 0)
        line->out[line->len] = '\0';
    return line->len;
}
