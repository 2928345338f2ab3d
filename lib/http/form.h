/* SPDX-License-Identifier: Apache-2.0 */
/* application/x-www-form-urlencoded bodies, fed in chunks. */
#ifndef GD_HTTP_FORM_H
#define GD_HTTP_FORM_H

#include "http/view.h"

struct gd_form; /* lives in the arena */

/* view is borrowed until gd_form_end. Names and values are valid during the call that hands them
 * over. */
GUARD_MUST_USE enum guard_rc gd_form_begin(struct gd_form **out, const struct gd_view *view,
                                           const struct gd_limits *limits,
                                           struct guard_arena *arena);
/* After more names than the limit, or a full arena, the rest is ignored. */
void gd_form_feed(struct gd_form *form, struct guard_span chunk);
void gd_form_end(struct gd_form *form);

#endif
