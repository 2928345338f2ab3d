/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a profile from what the HTTP view reports. */
#ifndef GD_PROFILE_BUILDER_H
#define GD_PROFILE_BUILDER_H

#include "http/body.h"
#include "profile/profile.h"

struct gd_builder; /* lives in the arena */

/* cfg is copied. GUARD_E_NOMEM when the arena can't hold an empty profile. */
GUARD_MUST_USE enum guard_rc gd_builder_begin(struct gd_builder **out,
                                              const struct guard_txn_cfg *cfg,
                                              struct guard_arena *arena);
void gd_builder_client(struct gd_builder *builder, const struct guard_client *client);
void gd_builder_request(struct gd_builder *builder, struct guard_span method,
                        struct guard_span target, uint32_t version);
void gd_builder_header(struct gd_builder *builder, struct guard_span name, struct guard_span value);
enum guard_body_kind gd_builder_headers_end(struct gd_builder *builder);
void gd_builder_body(struct gd_builder *builder, struct guard_span chunk);
void gd_builder_end(struct gd_builder *builder);
/* Valid after gd_builder_end; lives in the arena. Status, latency and decision may be set by the
 * owner. */
struct gd_profile *gd_builder_profile(struct gd_builder *builder);

#endif
