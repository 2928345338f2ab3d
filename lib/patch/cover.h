/* SPDX-License-Identifier: Apache-2.0 */
/* The cover of a condition: patterns of which at least one is in the streams of any message that it
 * holds for. What has none is tried on every message. */
#ifndef GD_PATCH_COVER_H
#define GD_PATCH_COVER_H

#include <guard/patch.h>

/* of_name: it is in the name of a value, which isn't written again for each message of an endless
 * body, nor where a parser stopped. */
typedef void gd_cover_pattern(void *ctx, struct guard_span text, bool regex, bool ignore_case,
                              bool of_name);

/* Tells each pattern of the cover; false, and nothing told: there is none. */
bool gd_cover_of(const struct guard_patch_condition *condition, gd_cover_pattern *add, void *ctx);

#endif
