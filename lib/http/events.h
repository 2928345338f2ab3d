/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events (text/event-stream), which never end: each line is a value of its own, handed
 * on as it comes. */
#ifndef GD_HTTP_EVENTS_H
#define GD_HTTP_EVENTS_H

#include "http/body.h"

struct gd_events; /* lives in the arena */

/* Lines come through sink->blob under the names that the format knows ("data", "event", "id",
 * "retry"); others and lines without a colon under ""; comments not at all. sink is borrowed until
 * gd_events_end. GUARD_E_NOMEM when the arena is full. */
GUARD_MUST_USE enum guard_rc
gd_events_begin(struct gd_events **out, const struct gd_body_sink *sink, struct guard_arena *arena);
void gd_events_feed(struct gd_events *events, struct guard_span chunk);
void gd_events_end(struct gd_events *events);

#endif
