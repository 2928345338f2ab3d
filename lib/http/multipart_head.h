/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of one multipart/form-data part (RFC 7578). */
#ifndef GD_HTTP_MULTIPART_HEAD_H
#define GD_HTTP_MULTIPART_HEAD_H

#include "http/view.h"

struct gd_part_head {
    struct guard_span name;
    struct guard_span file_name;
    struct guard_span content_type;
    bool is_file;    /* has a file name, be it an empty one */
    uint64_t faults; /* a bit per enum guard_fault */
};

/* block: the lines with their ends, without the empty one; folded lines are joined in place. The
 * spans of *out lie in the block or in the arena. */
void gd_part_head_parse(struct gd_part_head *out, uint8_t *block, size_t len,
                        struct guard_arena *arena);

#endif
