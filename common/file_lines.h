/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of files that grow by appending: some go, the others stay as they are, and whoever is
 * killed meanwhile leaves the old file or the new one. */
#ifndef GUARD_COMMON_FILE_LINES_H
#define GUARD_COMMON_FILE_LINES_H

#include <guard/types.h>

/* What becomes of a line: LINE_CHANGED has put another one of *len bytes into out, room for
 * LINE_OUT_MAX. */
enum line_fate { LINE_KEPT, LINE_DROPPED, LINE_CHANGED };
enum { LINE_MAX_BYTES = 1 << 20, LINE_OUT_MAX = 3 << 20 };

struct line_filter {
    enum line_fate (*fate)(void *ctx, struct guard_span line, char *out, size_t *len);
    void *ctx;
    bool dry;         /* only counts */
    uint64_t dropped; /* lines; added to */
    uint64_t changed;
};

/* GUARD_OK also when there is no such file. A file in which nothing changes isn't written. Longer
 * lines are kept. The caller sees to it that nobody appends meanwhile. GUARD_E_IO, GUARD_E_NOMEM.
 */
GUARD_MUST_USE enum guard_rc file_filter_lines(const char *path, struct line_filter *filter,
                                               struct guard_err *err);

#endif
