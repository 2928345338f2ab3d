/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as two digits each, in lower case only: what has one form can be compared as it stands. */
#ifndef COMMON_HEX_H
#define COMMON_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -1: it is none. */
static inline int hex_digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Of 2 * len characters; what is in out is of no use when one is no digit. */
static inline bool hex_read(uint8_t *out, size_t len, const uint8_t *text)
{
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit_of(text[2 * i]);
        int low = hex_digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Writes 2 * len characters, and no end. */
static inline void hex_write(char *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

#endif
