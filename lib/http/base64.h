/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 that comes in chunks, as grpc-web-text bodies are: any number of padded pieces one behind
 * the other, since each message is encoded on its own. */
#ifndef GD_HTTP_BASE64_H
#define GD_HTTP_BASE64_H

#include <guard/types.h>

/* Zeroed at first. */
struct gd_base64 {
    uint32_t bits; /* of the digits that don't make a byte yet */
    uint8_t digits;
    uint8_t pads;
    bool bad; /* what came isn't base64: nothing more is decoded */
};

/* Decodes from the beginning of *text, which is shortened, until it or the room is used up; returns
 * the bytes written. cap >= 3. Strict: the standard alphabet, no blanks, padding in full, no bits
 * left over in it; decoders differ in what else they take. */
size_t gd_base64_feed(struct gd_base64 *base64, struct guard_span *text, uint8_t *out, size_t cap);
/* Nothing is missing: a piece has just ended. */
static inline bool gd_base64_complete(const struct gd_base64 *base64)
{
    return base64->digits == 0;
}

#endif
