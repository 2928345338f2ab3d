/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner's tokens: strings that can't be handed over where they lie, and the grammar of
 * numbers. */
#ifndef GD_HTTP_JSON_TEXT_H
#define GD_HTTP_JSON_TEXT_H

#include "base/buffer.h"

/* Decodes one string that has escapes or spans chunks. */
struct gd_json_text {
    struct gd_buffer buffer;
    unsigned high;      /* not 0: bytes >= 0x80 were sent as they are, and want to be checked */
    uint64_t faults;    /* found in this string so far, a bit per enum guard_fault */
    uint16_t unit;      /* of the \u escape being read */
    uint16_t surrogate; /* a high surrogate that waits for its low one, else 0 */
    uint8_t escape;     /* 0: none; 1: after '\'; 2 to 5: after "\u" and 0 to 3 digits */
    uint8_t digits[4];
};

void gd_json_text_start(struct gd_json_text *text);
/* Reads [at, end) up to the closing quote: returns its place, or NULL when the string goes on. */
const uint8_t *gd_json_text_feed(struct gd_json_text *text, const uint8_t *at, const uint8_t *end);
/* What is pending becomes text. cut: the document ended here. */
void gd_json_text_finish(struct gd_json_text *text, bool cut);

enum gd_json_number {
    GD_JSON_NUMBER_VALID,
    GD_JSON_NUMBER_ODD, /* not RFC 8259, but with one meaning: 007, +1, 1., .5, 0x1F, NaN */
    GD_JSON_NUMBER_NOT,
};
enum gd_json_number gd_json_number_check(struct guard_span text);
/* More digits could make it valid: "-", "1.", "1e+". */
bool gd_json_number_unfinished(struct guard_span text);

#endif
