/* SPDX-License-Identifier: Apache-2.0 */
/* multipart/form-data bodies (RFC 7578, RFC 2046), fed in chunks. */
#ifndef GD_HTTP_MULTIPART_H
#define GD_HTTP_MULTIPART_H

#include "http/body.h"

struct gd_multipart; /* lives in the arena */

/* sink is borrowed until gd_multipart_end. Parts without a file name are handed over as values,
 * others as blobs; what is handed over is valid during the call (names of a blob until its end). */
GUARD_MUST_USE enum guard_rc gd_multipart_begin(struct gd_multipart **out,
                                                struct guard_span boundary,
                                                const struct gd_body_sink *sink,
                                                const struct gd_limits *limits,
                                                struct guard_arena *arena);
void gd_multipart_feed(struct gd_multipart *multipart, struct guard_span chunk);
/* TRUNCATED when the last boundary is missing; the part that was cut is handed over as far as it
 * was seen. */
void gd_multipart_end(struct gd_multipart *multipart);

#endif
