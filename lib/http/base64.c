/* SPDX-License-Identifier: Apache-2.0 */
/* See base64.h. */
#include "http/base64.h"

#include "base/span.h"

enum { QUANTUM = 4, PAD = 0x40, NO_DIGIT = 0x80 };

static uint8_t digit_of(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (uint8_t)(byte - 'A');
    if (byte >= 'a' && byte <= 'z')
        return (uint8_t)(byte - 'a' + 26);
    if (byte >= '0' && byte <= '9')
        return (uint8_t)(byte - '0' + 52);
    if (byte == '+' || byte == '/')
        return byte == '+' ? 62 : 63;
    return byte == '=' ? PAD : NO_DIGIT;
}

static void take(struct gd_base64 *base64, uint8_t digit)
{
    bool pad = digit == PAD;
    base64->bad = digit == NO_DIGIT || (pad ? base64->digits < 2 : base64->pads > 0);
    base64->bits = base64->bits << 6 | (digit & 0x3f);
    base64->pads += (uint8_t)pad;
    base64->digits++;
}

static size_t end_quantum(struct gd_base64 *base64, uint8_t *out)
{
    const size_t len = 3 - (size_t)base64->pads;
    const uint32_t bits = base64->bits;
    const uint8_t bytes[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
    memcpy(out, bytes, len);
    for (size_t i = len; i < sizeof(bytes); i++)
        base64->bad |= bytes[i] != 0;
    base64->bits = base64->digits = base64->pads = 0;
    return len;
}

size_t gd_base64_feed(struct gd_base64 *base64, struct guard_span *text, uint8_t *out, size_t cap)
{
    size_t len = 0;
    size_t at = 0;
    for (; at < text->len && cap - len >= 3 && !base64->bad; at++) {
        take(base64, digit_of(text->ptr[at]));
        if (base64->digits == QUANTUM && !base64->bad)
            len += end_quantum(base64, out + len);
    }
    *text = base64->bad ? gd_span(NULL, 0) : gd_span_from(*text, at);
    return len;
}
