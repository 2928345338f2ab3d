/* SPDX-License-Identifier: Apache-2.0 */
/* Encoded characters inside of values that the service may decode once more: what recognisers of
 * attack-likeness and patches both read through. */
#ifndef GD_DETECT_ESCAPES_H
#define GD_DETECT_ESCAPES_H

#include "base/span.h"

/* A decoded character: `used` source bytes stand for it; 0: there is none. */
struct gd_escape {
    uint32_t code;
    uint32_t used;
};

/* `count` hex digits at `at`; -1 when they aren't. */
int32_t gd_escape_hex(const uint8_t *at, const uint8_t *end, int count);
/* "&#60;" "&#x3c;" "&lt;", at the '&'. */
struct gd_escape gd_escape_entity(const uint8_t *at, const uint8_t *end);
/* "\u0027" "\x27", at the backslash. */
struct gd_escape gd_escape_backslash(const uint8_t *at, const uint8_t *end);
/* Full-width forms of ASCII (U+FF01 to U+FF5E), the ideographic and the no-break blank. */
struct gd_escape gd_escape_wide(const uint8_t *at, const uint8_t *end);

/* Decodes once whatever is encoded: percent signs (also %uXXXX), entities, \x and \u, full-width
 * forms, overlong UTF-8; drops NULs. `to` has text.len bytes and takes *len of them. False: nothing
 * was encoded. */
bool gd_escapes_decode(struct guard_span text, uint8_t *to, size_t *len);
/* Could anything be encoded? */
bool gd_escapes_possible(struct guard_span text);

#endif
