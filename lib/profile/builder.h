/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a profile from what the HTTP view reports. */
#ifndef GD_PROFILE_BUILDER_H
#define GD_PROFILE_BUILDER_H

#include "http/body.h"
#include "profile/profile.h"

struct gd_capture;
struct gd_builder; /* lives in the arena */

/* What a value reads like (docs/internals/likeness.md). Which code says so isn't the builder's
 * business. */
struct gd_reading {
    uint16_t classes;  /* bit per enum guard_likeness */
    uint8_t construct; /* enum guard_construct, the strongest */
};
/* without: classes that aren't recognised, as bits. */
typedef struct gd_reading gd_reader_of_values(struct guard_span value, uint32_t without);

/* cfg is copied. GUARD_E_NOMEM when the arena can't hold an empty profile. */
GUARD_MUST_USE enum guard_rc gd_builder_begin(struct gd_builder **out,
                                              const struct guard_txn_cfg *cfg,
                                              struct guard_arena *arena);
/* A response to the exchange of cfg. */
GUARD_MUST_USE enum guard_rc gd_builder_begin_answer(struct gd_builder **out,
                                                     const struct guard_txn_cfg *cfg,
                                                     uint32_t status, struct guard_arena *arena);
/* Values are read from now on, those that could be something: at most 80 KiB of them. */
void gd_builder_reads(struct gd_builder *builder, gd_reader_of_values *read);
/* Texts of values go there, too (profile/capture.h); before the request. */
void gd_builder_captures(struct gd_builder *builder, struct gd_capture *capture);
/* Bodies of this kind have no end: each message counts for itself. */
bool gd_builder_is_endless(const struct gd_builder *builder);
/* Some of its body came. */
bool gd_builder_has_body(const struct gd_builder *builder);
void gd_builder_client(struct gd_builder *builder, const struct guard_client *client);
void gd_builder_request(struct gd_builder *builder, struct guard_span method,
                        struct guard_span target, uint32_t version);
void gd_builder_header(struct gd_builder *builder, struct guard_span name, struct guard_span value);
/* A header field behind the body: a header like others, but none that could say anew what the body
 * is. */
void gd_builder_trailer(struct gd_builder *builder, struct guard_span name,
                        struct guard_span value);
enum guard_body_kind gd_builder_headers_end(struct gd_builder *builder);
enum guard_coding gd_builder_coding(const struct gd_builder *builder);
/* The body will come decoded; before its first chunk. */
enum guard_body_kind gd_builder_decoded(struct gd_builder *builder);
void gd_builder_decoding_failed(struct gd_builder *builder);
/* Bytes of body that may still be inspected. */
size_t gd_builder_room(const struct gd_builder *builder);
/* Whether what is of interest in the body is there in base64 only: gRPC-Web as text. */
bool gd_builder_is_base64(const struct gd_builder *builder);
/* After headers_end, of an exchange that changed to WebSocket: the body is frames. */
void gd_builder_upgraded(struct gd_builder *builder, bool from_client);
void gd_builder_body(struct gd_builder *builder, struct guard_span chunk);
void gd_builder_end(struct gd_builder *builder);
/* Complete after gd_builder_end, before that what came so far; lives in the arena. Status, latency
 * and decision may be set by the owner. */
struct gd_profile *gd_builder_profile(struct gd_builder *builder);

#endif
