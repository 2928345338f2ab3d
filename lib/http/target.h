/* SPDX-License-Identifier: Apache-2.0 */
/* The request target and pairs: path segments, query, cookies, decoded once and canonically; what
 * another parser might read differently is reported as a fault. */
#ifndef GD_HTTP_TARGET_H
#define GD_HTTP_TARGET_H

#include "http/view.h"

/* Origin or absolute form as sent. Segments are percent-decoded once; an empty last segment
 * (trailing slash) is reported as an empty segment without a fault. Query values: percent and '+'
 * decoded; "a" without '=' has an empty value. */
void gd_target_view(struct guard_span target, const struct gd_limits *limits,
                    struct guard_arena *arena, const struct gd_view *view);
/* The authority of a target in absolute form ("shop.example:8080"); empty in any other. */
struct guard_span gd_target_authority(struct guard_span target);
/* One Cookie header: name=value pairs, surrounding quotes stripped, values percent-decoded. */
void gd_cookie_view(struct guard_span value, const struct gd_limits *limits,
                    struct guard_arena *arena, const struct gd_view *view);
/* Percent-decode (and '+' to blank when plus is true) into the arena; returns the input itself when
 * there is nothing to decode. Faults found are added to *faults (bit per enum guard_fault): bad
 * escape, NUL, overlong and invalid UTF-8, still encoded. */
struct guard_span gd_percent_decode(struct guard_span text, bool plus, struct guard_arena *arena,
                                    uint64_t *faults);

#endif
