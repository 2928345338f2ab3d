/* SPDX-License-Identifier: Apache-2.0 */
/* The "; name=value" parameters that media types and part headers have in common. */
#ifndef GD_HTTP_MEDIA_TYPE_H
#define GD_HTTP_MEDIA_TYPE_H

#include "http/view.h"

enum gd_parameter_result { GD_PARAMETER_END, GD_PARAMETER_FOUND, GD_PARAMETER_BAD };

struct gd_parameter {
    struct guard_span name;
    struct guard_span value; /* without its quotes, escapes still in it */
    bool quoted;
};

/* The next parameter of *rest, which begins behind the type or the last parameter and is moved on.
 * After BAD the following ones can still be read. */
enum gd_parameter_result gd_parameter_next(struct guard_span *rest, struct gd_parameter *out);
/* Its value without escapes (\" and \\ only: browsers send paths with plain backslashes); a copy in
 * the arena when there are some, and the value as it is when the arena is full. */
struct guard_span gd_parameter_text(const struct gd_parameter *parameter,
                                    struct guard_arena *arena);
/* Without blanks at both ends. */
struct guard_span gd_span_trim(struct guard_span text);
/* The first place of the byte; text.len when it isn't there. */
size_t gd_span_find(struct guard_span text, uint8_t byte);
/* Is text in this charset read as we read it, as far as it is ASCII? Not so UTF-7, UTF-16, EBCDIC
 * and the multi-byte sets whose second bytes may be ASCII. */
bool gd_charset_holds_ascii(struct guard_span charset);
/* RFC 9110 token, at least one character. */
bool gd_is_token(struct guard_span text);

#endif
