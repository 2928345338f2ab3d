/* SPDX-License-Identifier: Apache-2.0 */
/* Text of clients on an operator's terminal: what could steer it becomes '?'. */
#include "common/clean.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Bytes of the character at `at`, and whether a terminal may see it. */
static size_t character(const unsigned char *at, size_t left, bool *shown)
{
    size_t need = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t code = need == 1 ? at[0] : at[0] & (0x7fu >> need);
    *shown = false;
    if ((at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4 || need > left)
        return 1;
    for (size_t i = 1; i < need; i++) {
        if (!is_continuation(at[i]))
            return 1;
        code = code << 6 | (at[i] & 0x3fu);
    }
    /* Controls, those of Latin-1 too, and marks that turn the direction or break the line. */
    *shown = code >= 0x20 && !(code >= 0x7f && code < 0xa0) && code != 0x61c &&
             !(code >= 0x200e && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
             !(code >= 0x2066 && code <= 0x2069);
    return need;
}

const char *clean(char *out, size_t cap, const char *text, size_t len)
{
    size_t done = 0;
    for (size_t i = 0; i < len;) {
        bool shown;
        size_t some = character((const unsigned char *)text + i, len - i, &shown);
        if (done + (shown ? some : 1) >= cap)
            break;
        if (shown)
            memcpy(out + done, text + i, some);
        else
            out[done] = '?';
        done += shown ? some : 1;
        i += some;
    }
    out[done] = '\0';
    return out;
}

void print_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        bool shown;
        size_t some = character((const unsigned char *)text + i, len - i, &shown);
        if (shown)
            fwrite(text + i, 1, some, stdout);
        else
            putchar('?');
        i += some;
    }
}
