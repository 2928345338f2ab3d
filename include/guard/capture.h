/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a message, as libguard's one view of HTTP gives them: for programs that write
 * patches from traffic, so that what they write is about the values that the gate will look at. */
#ifndef GUARD_CAPTURE_H
#define GUARD_CAPTURE_H

#include <guard/exchange.h>
#include <guard/likeness.h>
#include <guard/patch.h>

enum { GUARD_VALUES_MAX = 8192 }; /* of a message; more are left out */

/* name is empty where a place has none; text is decoded once, as the place asks for. */
struct guard_value {
    enum guard_patch_place place;
    struct guard_span name;
    struct guard_span text;
};

/* In the order in which they come: METHOD, PATH, QUERY, HEADER and COOKIE, then those of the body
 * and BODY itself. A multipart part that is a file gives its name as FILE. */
struct guard_values {
    struct guard_value *values;
    uint32_t count;
    bool left_out; /* there were more */
    enum guard_body_kind body_kind;
};

/* Of the request. Spans point into the exchange and the arena. GUARD_E_NOMEM when the arena is
 * full. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_request_values(const struct guard_exchange *exchange,
                                                            struct guard_arena *arena,
                                                            struct guard_values *out);

#endif
