/* SPDX-License-Identifier: Apache-2.0 */
/* See byte_set.h. */
#include "patch/byte_set.h"

static void add(struct gd_byte_set *set, unsigned from, unsigned to)
{
    for (unsigned byte = from; byte <= to; byte++)
        set->bits[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* One escaped byte; -1: it stands for several, which were added; -2: it is none. */
static int escaped(struct gd_byte_set *set, struct guard_span text, size_t *at)
{
    if (*at >= text.len)
        return -2;
    uint8_t byte = text.ptr[(*at)++];
    switch (byte) {
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'n':
        return '\n';
    case 's':
        add(set, '\t', '\r');
        add(set, ' ', ' ');
        return -1;
    case 'w':
        add(set, 'a', 'z');
        add(set, 'A', 'Z');
        add(set, '_', '_');
        add(set, '0', '9');
        return -1;
    case 'd':
        add(set, '0', '9');
        return -1;
    case 'x':
        break;
    default:
        return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z' ? -2
               : byte >= '0' && byte <= '9'                 ? -2
                                                            : byte;
    }
    int high = *at < text.len ? hex_digit(text.ptr[*at]) : -1;
    int low = *at + 1 < text.len ? hex_digit(text.ptr[*at + 1]) : -1;
    *at += 2;
    return high < 0 || low < 0 ? -2 : high * 16 + low;
}

static int next(struct gd_byte_set *set, struct guard_span text, size_t *at)
{
    uint8_t byte = text.ptr[(*at)++];
    return byte == '\\' ? escaped(set, text, at) : byte;
}

const char *gd_byte_set_parse(struct gd_byte_set *set, struct guard_span text)
{
    static const char no_escape[] = "has an unknown escape";
    memset(set, 0, sizeof(*set));
    bool others = text.len > 0 && text.ptr[0] == '^';
    if (text.len == (size_t)others)
        return "is empty";
    for (size_t at = others; at < text.len;) {
        int from = next(set, text, &at);
        if (from == -2)
            return no_escape;
        if (from == -1)
            continue;
        int to = from;
        if (text.len - at >= 2 && at < text.len && text.ptr[at] == '-') {
            at++;
            to = next(set, text, &at);
            if (to == -2)
                return no_escape;
            if (to < from)
                return "has a range that ends before it begins";
        }
        add(set, (unsigned)from, (unsigned)to);
    }
    for (int i = 0; others && i < 4; i++)
        set->bits[i] = ~set->bits[i];
    return NULL;
}
