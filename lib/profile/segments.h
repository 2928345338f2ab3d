/* SPDX-License-Identifier: Apache-2.0 */
/* How path segments are named and what they become in a template. */
#ifndef GD_PROFILE_SEGMENTS_H
#define GD_PROFILE_SEGMENTS_H

#include "profile/profile.h"

/* "seg0" to "seg31", static. index < GD_SEGMENTS_MAX. */
struct guard_span gd_segment_name(uint32_t index);
/* The placeholder for an identity, or the text itself. summary is that of the text alone. */
struct gd_segment gd_segment_of(struct guard_span text, const struct gd_summary *summary);
/* The placeholder for a JSON key that is an identity ("{int}", "{uuid}", "{hex}"), or an empty
 * span. */
struct guard_span gd_key_placeholder(struct guard_span key);
/* Names longer than GD_NAME_MAX are shortened into room; others are returned as they are. */
struct guard_span gd_name_shorten(struct guard_span name, uint8_t room[GD_NAME_MAX]);

#endif
