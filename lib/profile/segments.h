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
/* As gd_key_placeholder: keys that don't begin like identities aren't looked at. */
static inline struct guard_span gd_key_identity(struct guard_span key)
{
    enum { HEX_ID_MIN = 16 };
    const bool may_be =
        key.len > 0 && ((key.ptr[0] >= '0' && key.ptr[0] <= '9') || key.len >= HEX_ID_MIN);
    return may_be ? gd_key_placeholder(key) : (struct guard_span){NULL, 0};
}
/* Names longer than GD_NAME_MAX are shortened into room; others are returned as they are. */
struct guard_span gd_name_shorten(struct guard_span name, uint8_t room[GD_NAME_MAX]);

#endif
